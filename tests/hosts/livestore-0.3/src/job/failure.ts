/** What makes the job end before it has run anything: bad input, told so that it can be mended. */
export class InputError extends Error {
  override readonly name = "InputError";

  constructor(
    readonly code: string,
    message: string,
    readonly help: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an operator is told: the bridge's diagnostics, its errors and ours all have these. */
export interface News {
  readonly code: string;
  readonly message: string;
  readonly help: string;
}

/** Two lines: what is wrong, and the hint if there is one. */
export const newsText = (level: string, { code, message, help }: News): string => {
  const text = `${level}: ${message} [${code}]`;
  return help === "" ? text : `${text}\n  hint: ${help}`;
};

export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
