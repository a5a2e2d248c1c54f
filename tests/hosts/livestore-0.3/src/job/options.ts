/** The command line of the main job. */
import { parseArgs } from "node:util";
import { InputError, messageOf } from "./failure.js";

export interface Options {
  /** The flag document as the user named it; null where the user named none. */
  readonly flags: string | null;
  /** Run each notebook and end, instead of watching the flag document. */
  readonly once: boolean;
  /** Print one JSON document, which implies `once`. */
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
  readonly notebooks: readonly string[];
}

export const USAGE = `usage: npm start -- [--flags FILE] [--once] [--json] [NOTEBOOK.ipynb ...]

Runs the html cells of notebooks behind the old API, each notebook on the route that its flag gives.

  NOTEBOOK.ipynb  notebooks to run; without any, those in tests/notebooks/
  --flags FILE    the flag document; else the file named by RUNTIME_BRIDGE_FLAGS, else tests/flags/sample.json
  --once          end after one run; without it, an edit of the flag document moves notebooks while the job runs
                  (implied where there is no terminal, or CI is set)
  --json          print one JSON document instead of the table; implies --once
  --verbose       also print what the bridge tells for information
  --help          print this

exit status: 0 when every requested cell ran exactly once, 1 when one did not, 2 for bad input`;

/** Throws an `InputError` for what it does not understand. */
export const parseOptions = (args: readonly string[]): Options => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        flags: { type: "string" },
        once: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        verbose: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const { flags = null, once, json, verbose, help } = values;
    return { flags, once: once || json, json, verbose, help, notebooks: positionals };
  } catch (error) {
    // Node adds how to pass such a word as a positional argument, which no notebook needs.
    const [sentence = ""] = messageOf(error).split(/\. |\n/);
    const reason = sentence.replace(/'/g, "`").replace(/^[A-Z]/, (letter) => letter.toLowerCase());
    throw new InputError("USAGE", reason, `see the usage\n\n${USAGE}`, { cause: error });
  }
};
