/** An error of the bridge: what went wrong, under a stable name, and what to do about it. */
export class BridgeError extends Error {
  /** A stable name in capitals. */
  readonly code: string;
  /** What to do about it. */
  readonly help: string;

  constructor(code: string, message: string, help: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BridgeError";
    this.code = code;
    this.help = help;
  }
}

/** The text of a thrown value as the old code showed it: an error's message, anything else as a string. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "something that has no text was thrown";
  }
}
