/** The command line around the job: arguments in, exit status out. */
import { BridgeError } from "runtime-bridge";
import { seedCandidateFault } from "runtime-bridge/testing";
import { Demo } from "./demo.js";
import { InputError, newsText } from "./failure.js";
import { flagFile } from "./flagDocument.js";
import { Job } from "./job.js";
import { loadNotebooks, WATCHED_NOTEBOOKS_LIMIT } from "./notebooks.js";
import { parseOptions, usage } from "./options.js";
import { Terminal, type Output } from "./terminal.js";

/** Exit status of a process that ends at the second Ctrl-C: 128 and the number of SIGINT. */
const INTERRUPTED_STATUS = 130;
const BAD_INPUT_STATUS = 2;

/** Long enough to read along, and for a few hundred executions. */
const DEMO_STAGE_MS = 5000;

export interface Surroundings {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly out: Output;
  readonly err: Output;
}

/** Gives the exit status: 0, 1 for executions that were lost or doubled or that differ, 2 for bad input. */
export const runCommand = async (surroundings: Surroundings): Promise<number> => {
  try {
    return await run(surroundings);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    surroundings.err.write(`${newsText("error", error)}\n`);
    return BAD_INPUT_STATUS;
  }
};

const run = async ({ args, env, out, err }: Surroundings): Promise<number> => {
  const options = parseOptions(args);
  if (options.help) {
    out.write(`${usage()}\n`);
    return 0;
  }
  if (options.demo) {
    return new Demo({ terminal: new Terminal(out, err, false), stage_ms: DEMO_STAGE_MS }).run();
  }
  const isTerminal = out.isTTY === true;
  const once = options.once || !isTerminal || Boolean(env["CI"]);
  const loaded = await loadNotebooks(options.notebooks);
  if (!once && loaded.notebooks.length > WATCHED_NOTEBOOKS_LIMIT) {
    const message = `at most ${WATCHED_NOTEBOOKS_LIMIT} notebooks can be watched, found \`${loaded.notebooks.length}\``;
    throw new InputError("TOO_MANY_NOTEBOOKS", message, "name fewer, or add --once");
  }
  spoilCandidate(options.candidateFault);
  const job = await Job.open({
    flagFile: flagFile(options.flags, env),
    loaded,
    isJson: options.json,
    isVerbose: options.verbose,
    terminal: new Terminal(out, err, isTerminal && !options.json),
  });
  return once ? job.once() : interruptible(job);
};

const spoilCandidate = (fault: string | null): void => {
  try {
    seedCandidateFault(fault);
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    throw new InputError(error.code, error.message, error.help, { cause: error });
  }
};

/** The first Ctrl-C ends the watch in order, the second ends the process. */
const interruptible = async (job: Job): Promise<number> => {
  let isInterrupted = false;
  const onSignal = (): void => {
    if (isInterrupted) process.exit(INTERRUPTED_STATUS);
    isInterrupted = true;
    job.interrupt();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await job.watch();
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
};
