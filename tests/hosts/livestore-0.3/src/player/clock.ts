/**
 * Virtual time: it moves only when the player moves it, and timers fire in order of due time, then of creation.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "runtime-bridge/testing";

/** When every run begins. */
export const EPOCH_MS = 1_700_000_000_000;

/** A zero timeout counts as one millisecond, as it does in Node. */
const SHORTEST_MS = 1;

/** A turn runs the microtasks and immediates that are queued; two, because an immediate may queue another one. */
const QUIET_TURNS = 2;

interface Timer {
  dueMs: number;
  readonly everyMs: number | undefined;
  readonly callback: () => void;
}

/** A clock with timers that fire when they are taken. */
export class VirtualClock implements Clock {
  #nowMs = EPOCH_MS;
  #created = 0;
  /** By creation. */
  readonly #timers = new Map<unknown, Timer>();

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    return this.#add(callback, ms, false);
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer);
  }

  setInterval(callback: () => void, ms: number): unknown {
    return this.#add(callback, ms, true);
  }

  clearInterval(timer: unknown): void {
    this.#timers.delete(timer);
  }

  /** Whether a timer is waiting that fires once. */
  hasOneShot(): boolean {
    return [...this.#timers.values()].some(({ everyMs }) => everyMs === undefined);
  }

  /** Moves to the next timer that is due by then and gives its callback, or undefined where there is none. */
  takeDue(untilMs: number): (() => void) | undefined {
    let next: [unknown, Timer] | undefined;
    for (const entry of this.#timers) if (next === undefined || entry[1].dueMs < next[1].dueMs) next = entry;
    if (next === undefined || next[1].dueMs > untilMs) return undefined;
    const [id, timer] = next;
    this.moveTo(timer.dueMs);
    if (timer.everyMs === undefined) this.#timers.delete(id);
    else timer.dueMs += timer.everyMs;
    return timer.callback;
  }

  /** Time never goes back. */
  moveTo(ms: number): void {
    this.#nowMs = Math.max(this.#nowMs, ms);
  }

  #add(callback: () => void, ms: number, repeats: boolean): number {
    const delayMs = ms >= SHORTEST_MS ? ms : SHORTEST_MS;
    this.#created += 1;
    this.#timers.set(this.#created, {
      dueMs: this.#nowMs + delayMs,
      everyMs: repeats ? delayMs : undefined,
      callback,
    });
    return this.#created;
  }
}

/** Runs microtasks and immediates until nothing more is counted. No virtual time passes. */
export const settle = async (count: () => number): Promise<void> => {
  let before: number;
  do {
    before = count();
    for (let turn = 0; turn < QUIET_TURNS; turn += 1) await nextTurn();
  } while (count() !== before);
};
