/** Two processes with a plain store each, which write to one notebook at the same time. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Link } from "../store.js";
import { SyncServer } from "../sync/server.js";

/** What one of the stores has in the end. */
export interface Wrote {
  readonly cells: number;
  /** Committed, and not taken over by the store's own leader. */
  readonly unconfirmed: number;
  /** Taken over by its leader, and not by the sync server. */
  readonly unsynced: readonly Link[];
}

export interface Written {
  /** In the one log. */
  readonly events: number;
  readonly stores: readonly Wrote[];
}

/** `eager` commits whenever it likes; `patient` only while its own leader has taken over all that it has committed before. */
export type Patience = "eager" | "patient";

/** As long as nothing has come for this long, nothing comes any more: a message takes milliseconds. */
const QUIET_MS = 3000;

const asked = async (writer: ChildProcess, what: "write" | "look"): Promise<unknown> => {
  const answered = once(writer, "message");
  writer.send(what);
  const [answer] = (await answered) as [unknown];
  return answer;
};

/** Looks until all is as it should be, or as it was for a while. */
const settled = async (look: () => Promise<Written>, isComplete: (written: Written) => boolean): Promise<Written> => {
  let written = await look();
  let since_ms = performance.now();
  while (!isComplete(written) && performance.now() - since_ms < QUIET_MS) {
    await after(QUIET_MS / 30);
    const before = JSON.stringify(written);
    written = await look();
    if (JSON.stringify(written) !== before) since_ms = performance.now();
  }
  return written;
};

/** Has both write so many events, and tells what has become of them once all is quiet. */
export const writeBoth = async (eventsEach: number, patience: Patience): Promise<Written> => {
  const server = new SyncServer();
  const port = await server.listen();
  const program = fileURLToPath(new URL("writerProcess.js", import.meta.url));
  const args = [String(port), String(eventsEach), patience];
  const writers = ["one", "other"].map((name) => fork(program, [name, ...args], { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
  const look = async (): Promise<Written> => {
    const stores = (await Promise.all(writers.map((writer) => asked(writer, "look")))) as Wrote[];
    return { events: server.events.length, stores };
  };
  try {
    await Promise.all(writers.map((writer) => once(writer, "message")));
    await Promise.all(writers.map((writer) => asked(writer, "write")));
    return await settled(look, (written) => isOneLog(written, 2 * eventsEach));
  } finally {
    for (const writer of writers) writer.kill();
    server.close();
  }
};

/** Every event stands in the log once, and both stores have them all. */
export const isOneLog = ({ events, stores }: Written, written: number): boolean =>
  events === written &&
  stores.every(({ cells, unconfirmed, unsynced }) => cells === written && unconfirmed + unsynced.length === 0);

/** Events that a leader has put behind one which it does not hold: no server that keeps the chain can take them. */
export const torn = ({ unsynced }: Wrote): Link[] =>
  unsynced.filter(({ after: parent }, n) => n > 0 && parent !== unsynced[n - 1]?.at);
