/** Where the job writes: results to standard output, everything else to standard error, one line of progress between. */

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

const CLEAR_LINE = "\r\u001b[K";

export class Terminal {
  readonly #out: Output;
  readonly #err: Output;
  readonly #showsProgress: boolean;
  #shown = "";

  constructor(out: Output, err: Output, showsProgress: boolean) {
    this.#out = out;
    this.#err = err;
    this.#showsProgress = showsProgress;
  }

  print(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  warn(text: string): void {
    this.#clear();
    this.#err.write(`${text}\n`);
  }

  /** Rewrites the line of progress; an empty text takes it away. */
  progress(text: string): void {
    if (!this.#showsProgress || text === this.#shown) return;
    this.#clear();
    this.#out.write(text);
    this.#shown = text;
  }

  #clear(): void {
    if (this.#shown !== "") this.#out.write(CLEAR_LINE);
    this.#shown = "";
  }
}
