import { messageOf } from "./errors";
import type { Answer, Failure, Outcome } from "./protocol";

/** Thrown values that are remembered so that a rejection can carry the very object that was thrown. */
const MAX_THROWN = 1024;

const thrown = new Map<number, unknown>();
let lastThrown = 0;

const calls = new Map<number, { resolve(): void; reject(reason: unknown): void }>();
let lastCall = 0;

/**
 * Performs effects in order. What performing one brings comes before what was still waiting, which is the order of
 * synchronous calls.
 */
export function performAll<E>(effects: readonly E[], perform: (effect: E) => readonly E[]): void {
  const stack = [...effects].reverse();
  for (let effect = stack.pop(); effect !== undefined; effect = stack.pop()) {
    const more = perform(effect);
    for (let i = more.length - 1; i >= 0; i -= 1) stack.push(more[i] as E);
  }
}

/** Begins a call: `begin` hands its id to the core, which settles it. */
export function call(begin: (id: number) => void): Promise<void> {
  lastCall += 1;
  const id = lastCall;
  return new Promise((resolve, reject) => {
    calls.set(id, { resolve, reject });
    try {
      begin(id);
    } catch (error) {
      abandon(id, error);
    }
  });
}

/** A call that the core settles before it returns; throws what the core gave as its failure. */
export function callNow(begin: (id: number) => void): void {
  let thrownNow: { reason: unknown } | null = null;
  lastCall += 1;
  calls.set(lastCall, { resolve: () => {}, reject: (reason) => (thrownNow = { reason }) });
  begin(lastCall);
  if (thrownNow !== null) throw (thrownNow as { reason: unknown }).reason;
}

/** Settles a call with the outcome that the core gave it. */
export function settle(id: number, outcome: Outcome<null>): void {
  if ("Err" in outcome) return abandon(id, raised(outcome.Err));
  calls.get(id)?.resolve();
  calls.delete(id);
}

/** Rejects a call that the core can no longer settle. */
export function abandon(id: number, reason: unknown): void {
  // What was thrown is rethrown as it is, as the old code did, whether or not it is an Error.
  calls.get(id)?.reject(reason);
  calls.delete(id);
}

/** The answer of something that may throw. */
export function attempt(work: () => Answer): Answer {
  try {
    return work();
  } catch (error) {
    return { Err: failure(error) };
  }
}

/** A call that the old code awaited: it runs at once, its answer comes in a microtask. */
export async function awaited(method: () => unknown): Promise<Answer> {
  try {
    await method();
    return done;
  } catch (error) {
    return { Err: failure(error) };
  }
}

export const done: Answer = { Ok: { type: "done" } };

/** A thrown value in the core's words. */
export function failure(error: unknown): Failure {
  lastThrown += 1;
  thrown.set(lastThrown, error);
  if (thrown.size > MAX_THROWN) thrown.delete(lastThrown - MAX_THROWN);
  return { message: messageOf(error), thrown: lastThrown };
}

/** The thrown value behind a failure, or an error with its message where the core made it. */
export function raised(failure: Failure): unknown {
  if (failure.thrown !== undefined && thrown.has(failure.thrown)) return thrown.get(failure.thrown);
  return new Error(failure.message);
}
