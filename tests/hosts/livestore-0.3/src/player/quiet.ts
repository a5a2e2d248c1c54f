/** Keeps the code under test from talking: the old layer logs at every turn. */

const METHODS = [
  "debug",
  "dir",
  "error",
  "group",
  "groupCollapsed",
  "groupEnd",
  "info",
  "log",
  "table",
  "trace",
  "warn",
] as const;

/** Runs with a silent console. Messages of the player itself go to the streams directly. */
export const quietly = async <T>(work: () => Promise<T>): Promise<T> => {
  const spoken = METHODS.map((method) => [method, console[method]] as const);
  for (const method of METHODS) console[method] = () => undefined;
  try {
    return await work();
  } finally {
    for (const [method, original] of spoken) Object.assign(console, { [method]: original });
  }
};

/** Hears of rejections that nobody handles, until the returned function is called. */
export const onUnhandledRejection = (listener: (reason: unknown) => void): (() => void) => {
  process.on("unhandledRejection", listener);
  return () => process.off("unhandledRejection", listener);
};
