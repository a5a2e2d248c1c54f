/** The flag document of a run: which file it is, and that it can be used before anything runs. */
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bridge, configure } from "runtime-bridge";
import { InputError, type News } from "./failure.js";
import { shownPath } from "./notebooks.js";

const SAMPLE = fileURLToPath(new URL("../../../../flags/sample.json", import.meta.url));

/** The file news come from another thread, within a turn or two; past this, the status' own words have to do. */
const NEWS_DEADLINE_MS = 1000;

/** The user's file, or that of the environment, or the sample. */
export const flagFile = (named: string | null, env: NodeJS.ProcessEnv): string =>
  named ?? (env["RUNTIME_BRIDGE_FLAGS"] || shownPath(SAMPLE));

/** Puts the document in force and has it watched. Rejects with an `InputError` where it cannot be used. */
export const useFlagFile = async (file: string): Promise<void> => {
  checkReadable(file);
  let unlisten = (): unknown => undefined;
  const rejected = new Promise<News>((resolve) => {
    unlisten = bridge.on("diagnostic", (news) => {
      if (news.code === "FLAGS_REJECTED") resolve(news);
    });
  });
  let deadline: NodeJS.Timeout | undefined;
  try {
    configure({ flags: file });
    const { error } = bridge.status().flags;
    if (error === null) return;
    const late = new Promise<News>((giveUp) => {
      deadline = setTimeout(giveUp, NEWS_DEADLINE_MS, error);
    });
    // The news name file, line and column in the form that editors open.
    const { message } = await Promise.race([rejected, late]);
    throw new InputError(error.code, message, error.help);
  } finally {
    clearTimeout(deadline);
    unlisten();
  }
};

const checkReadable = (file: string): void => {
  const hint = "name a flag document in flagd's format with --flags; tests/flags/sample.json is one";
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new InputError("FLAGS_UNREADABLE", `${file}: the flag document cannot be read: \`${reason}\``, hint, {
      cause: error,
    });
  }
  if (!isUtf8(bytes)) {
    throw new InputError("FLAGS_NOT_TEXT", `${file}: the flag document is not UTF-8`, "save the file as UTF-8");
  }
};
