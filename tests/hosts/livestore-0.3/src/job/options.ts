/** The command line of the main job. */
import { parseArgs } from "node:util";
import { candidateBreakdowns, candidateFaults } from "runtime-bridge/testing";
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
  /** Show a rollout instead of running notebooks. */
  readonly demo: boolean;
  /** Spoils the candidate of every comparison, to see that it is noticed; null to leave it alone. */
  readonly candidateFault: string | null;
  readonly notebooks: readonly string[];
}

/** The text behind `--help`. */
export const usage = (): string => `usage: npm start -- [--flags FILE] [--once] [--json] [--candidate-fault NAME] [NOTEBOOK.ipynb ...]
       npm start -- --demo

Runs the html cells of notebooks behind the old API, each notebook on the route that its flag gives.

  NOTEBOOK.ipynb  notebooks to run; without any, those in tests/notebooks/
  --flags FILE    the flag document; else the file named by RUNTIME_BRIDGE_FLAGS, else tests/flags/sample.json
  --once          end after one run; without it, an edit of the flag document moves notebooks while the job runs
                  (implied where there is no terminal, or CI is set)
  --json          print one JSON document instead of the table; implies --once
  --verbose       also print what the bridge tells for information
  --candidate-fault NAME
                  spoil what the path that does not serve does on the routes shadow and live, to see it noticed:
                  ${candidateFaults().join(", ").replaceAll(/(.{70,}?, )/g, `$1\n${" ".repeat(18)}`)},
                  or break it down: ${candidateBreakdowns().join(", ")}
  --demo          show a rollout in half a minute: a ramp under load, a fault, the guard's rollback, the account
  --help          print this

exit status: 0 when every requested cell ran exactly once and the paths agree, 1 when not, 2 for bad input`;

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
        "candidate-fault": { type: "string" },
        help: { type: "boolean", default: false },
        demo: { type: "boolean", default: false },
      },
    });
    const { flags = null, once, json, verbose, help, demo, "candidate-fault": candidateFault = null } = values;
    return { flags, once: once || json, json, verbose, help, demo, candidateFault, notebooks: positionals };
  } catch (error) {
    // Node adds how to pass such a word as a positional argument, which no notebook needs.
    const [sentence = ""] = messageOf(error).split(/\. |\n/);
    const reason = sentence.replace(/'/g, "`").replace(/^[A-Z]/, (letter) => letter.toLowerCase());
    throw new InputError("USAGE", reason, `see the usage\n\n${usage()}`, { cause: error });
  }
};
