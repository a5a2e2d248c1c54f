/** The host's time and timers. Everything is looked up when it is called, so that a test's fake timers are obeyed. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  setInterval(callback: () => void, ms: number): unknown;
  clearInterval(timer: unknown): void;
}

let replacement: Clock | null = null;

/** Replaces the host's clock; `null` gives it back. */
export function replaceClock(clock: Clock | null): void {
  replacement = clock;
}

/** Wall time: milliseconds since the epoch. */
export function wallMs(): number {
  return replacement ? replacement.now() : Date.now();
}

/** Monotonic time in milliseconds; with a replaced clock it is that clock's. */
export function monoMs(): number {
  return replacement ? replacement.now() : performance.now();
}

/** Calls back once. The timer keeps no process alive. */
export function sleep(ms: number, callback: () => void): void {
  unref(replacement ? replacement.setTimeout(callback, ms) : setTimeout(callback, ms));
}

/** The intervals of one core, by the names it gives them. They keep no process alive. */
export class Intervals {
  readonly #clear = new Map<number, () => void>();

  /** Calls back every so many milliseconds until the interval is cleared. */
  set(name: number, ms: number, callback: () => void): void {
    const clock = replacement;
    if (clock) {
      const timer = clock.setInterval(callback, ms);
      this.#clear.set(name, () => clock.clearInterval(timer));
    } else {
      const timer = setInterval(callback, ms);
      unref(timer);
      this.#clear.set(name, () => clearInterval(timer));
    }
  }

  clear(name: number): void {
    this.#clear.get(name)?.();
    this.#clear.delete(name);
  }
}

/** Node's timers are objects with `unref`; a browser's are numbers. */
function unref(timer: unknown): void {
  (timer as { unref?: () => void } | null | undefined)?.unref?.();
}
