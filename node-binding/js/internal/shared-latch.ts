import { addon } from "./addon";
import { monoMs, sleep, wallMs } from "./clock";
import { messageOf } from "./errors";
import type { Diagnostic } from "./protocol";

/** A store of the host's for the guard's latch, which all of its processes share. What is written is a text of a few kilobytes. */
export interface GuardSink {
  /** The text that was written last; `null` where there is none. */
  read(): string | null | Promise<string | null>;
  /** Writes `next` if the sink still holds `expected`, in one step for all processes; says whether it did. */
  compareAndSet(expected: string | null, next: string): boolean | Promise<boolean>;
}

/** How often it is looked for what other processes have rolled back or re-armed: an operator's patience, at a read a second. */
const EVERY_MS = 1000;

/** How long a sink may take to answer: far beyond any that works. One that hangs must not keep a host from starting or ending. */
const PATIENCE_MS = 10_000;

/** Attempts to write while others write too. What is left is tried again at the next look. */
const MAX_ATTEMPTS = 20;

/** Whom to tell what the sink says. */
interface Listener {
  report(diagnostic: Diagnostic): void;
  /** The latch may be another: every notebook decides again. */
  changed(): void;
}

/** The exchange between the guard of this environment and a sink. Nothing that the sink throws gets out. */
export class SharedLatch {
  readonly sink: GuardSink;
  readonly #listener: Listener;
  /** What the sink held when it was seen last; nothing before the first time. */
  #seen: string | null | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isFailing = false;
  #isOver = false;

  constructor(sink: GuardSink, listener: Listener) {
    this.sink = sink;
    this.#listener = listener;
  }

  /** Reads for the first time; a sink that answers at once is obeyed when this returns. */
  begin(): void {
    try {
      const held = this.sink.read();
      if (isPending(held)) this.#turn = this.#exchange(held);
      else this.#takeIn(held);
    } catch (error) {
      this.#failed(error);
    }
    this.#lookLater();
  }

  /** Reads what others have done, then writes what was done here; resolves when both are done, or have failed. */
  look(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#exchange());
    return this.#turn;
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    return this.#turn;
  }

  end(): void {
    this.#isOver = true;
  }

  #lookLater(): void {
    sleep(EVERY_MS, () => {
      if (!this.#isOver) void this.look().then(() => this.#lookLater());
    });
  }

  async #exchange(first?: Promise<string | null>): Promise<void> {
    try {
      this.#takeIn(await inTime(first ?? this.sink.read()));
      for (let attempt = 0; attempt < MAX_ATTEMPTS && !(await this.#isTold()); attempt += 1) {
        this.#takeIn(await inTime(this.sink.read()));
      }
      this.#isFailing = false;
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Whether the sink knows what was done here: there is nothing to tell, or it has taken it. */
  async #isTold(): Promise<boolean> {
    const offer = JSON.parse(addon().offerGuard()) as { state: string; changes: number } | null;
    if (!offer) return true;
    if (!(await inTime(this.sink.compareAndSet(this.#seen ?? null, offer.state)))) return false;
    this.#seen = offer.state;
    addon().guardSent(offer.changes);
    return true;
  }

  #takeIn(held: unknown): void {
    const text = held ?? null;
    if (text !== null && typeof text !== "string") throw new TypeError("the sink's `read` gives neither a string nor null");
    if (text === this.#seen) return;
    this.#seen = text;
    const news = JSON.parse(addon().takeInGuard(text, wallMs(), monoMs())) as Diagnostic[];
    for (const diagnostic of news) this.#listener.report(diagnostic);
    this.#listener.changed();
  }

  /** Said once, until it works again. */
  #failed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const isKnown = this.#seen !== undefined;
    this.#listener.report({
      level: "error",
      code: "GUARD_SINK_FAILED",
      message: `the guard's sink failed: ${messageOf(error)}`,
      help: isKnown
        ? "rollbacks of this process are in force here; other processes hear of them once the sink works again"
        : "every notebook stays on the old path until the sink has been read",
    });
  }
}

function isPending<T>(held: T | Promise<T>): held is Promise<T> {
  return typeof (held as { then?: unknown } | null)?.then === "function";
}

/** What a sink answers, if it does so in time; what it answers later is not listened to. */
function inTime<T>(answer: T | Promise<T>): T | Promise<T> {
  if (!isPending(answer)) return answer;
  return new Promise<T>((resolve, reject) => {
    answer.then(resolve, reject);
    sleep(PATIENCE_MS, () => reject(new Error(`no answer within ${PATIENCE_MS / 1000} seconds`)));
  });
}
