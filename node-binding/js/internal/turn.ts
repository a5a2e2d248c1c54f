/**
 * A turn of the event loop, where the old component rendered: React's scheduler posts itself a message, too. A timer would
 * come too late, because a host's clock may stand still, and a microtask too early, because promises settle before a render.
 */

const waiting: (() => void)[] = [];

let channel: MessageChannel | null = null;

/** Calls back once what runs now has ended, with all of its microtasks. */
export function nextTurn(callback: () => void): void {
  waiting.push(callback);
  channel ??= opened();
  keepAlive(channel.port1, true);
  channel.port2.postMessage(null);
}

function opened(): MessageChannel {
  const opened = new MessageChannel();
  opened.port1.onmessage = () => {
    const callback = waiting.shift();
    if (waiting.length === 0) keepAlive(opened.port1, false);
    callback?.();
  };
  return opened;
}

/** Node keeps a process for its ports, a browser has no such thing. */
function keepAlive(port: object, keeps: boolean): void {
  const nodePort = port as { ref?(): void; unref?(): void };
  if (keeps) nodePort.ref?.();
  else nodePort.unref?.();
}
