/** Recorded traces as files have them, and what is said about one that cannot be played. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { EncodedEvent, JsonObject, JsonValue } from "../store.js";

/** What the store holds before the first step. */
export interface Setup {
  readonly cells?: readonly { id: string; cellType?: string; source?: JsonValue; position?: number }[];
  readonly sessions?: readonly { sessionId: string; runtimeId?: string; runtimeType?: string; status?: string }[];
  readonly queue?: readonly {
    queueId: string;
    cellId: string;
    executionCount?: number;
    requestedBy?: string;
    assignTo?: string;
  }[];
  readonly events?: readonly EncodedEvent[];
  /** `false` where the scenario needs no store. */
  readonly store?: boolean;
}

export interface Step {
  readonly op: string;
  readonly args: JsonObject;
}

export interface Trace {
  /** For messages. */
  readonly file: string;
  /** `<suite>/<name>`. */
  readonly scenario: string;
  readonly setup: Setup;
  readonly steps: readonly Step[];
}

/** A step that cannot be played, and what to do about it. */
export class StepError extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** A file that cannot be played. */
export class BrokenTrace extends Error {
  constructor(
    file: string,
    step: number | undefined,
    reason: string,
    readonly hint: string,
  ) {
    super(`${file}${step === undefined ? "" : `, step ${step}`}: ${reason}`);
  }
}

const FORMAT_HINT = "the format is described in the README beside the recordings";

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A step of a file; `advance` keeps its milliseconds beside the arguments. */
export const toStep = (value: unknown): Step => {
  if (!isObject(value) || typeof value["op"] !== "string") throw new StepError("a step without `op`", FORMAT_HINT);
  const { op, args = {}, ms } = value;
  if (!isObject(args)) throw new StepError(`the arguments of \`${op}\` are no object`, FORMAT_HINT);
  return { op, args: ms === undefined ? args : { ...args, ms } };
};

const toTrace = (file: string, text: string): Trace => {
  const broken = (reason: string): never => {
    throw new BrokenTrace(file, undefined, reason, FORMAT_HINT);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return broken(`no JSON: ${String(error)}`);
  }
  if (!isObject(parsed)) return broken("no JSON object");
  const { scenario, setup = {}, steps } = parsed;
  if (typeof scenario !== "string") return broken("no `scenario`");
  if (!isObject(setup)) return broken("`setup` is no object");
  if (!Array.isArray(steps)) return broken("no `steps`");
  const toOwnStep = (step: unknown, at: number): Step => locate(file, at, () => toStep(step));
  return { file, scenario, setup, steps: steps.map(toOwnStep) };
};

/** Says where a step error is. */
export const locate = <T>(file: string, step: number, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw located(file, step, error);
  }
};

export const located = (file: string, step: number | undefined, error: unknown): unknown =>
  error instanceof StepError ? new BrokenTrace(file, step, error.message, error.hint) : error;

const suiteOf = (scenario: string): string => scenario.split("/", 1)[0] ?? scenario;

/** Reads the traces of these suites, by file name. */
export const readTraces = async (folder: string, suites: ReadonlySet<string>): Promise<Trace[]> => {
  const unreadable = (file: string) => (error: unknown) => {
    throw new BrokenTrace(file, undefined, String(error), "give the folder that holds the recorded `*.json` traces");
  };
  const names = await readdir(folder).catch(unreadable(folder));
  const files = names.filter((name) => name.endsWith(".json")).sort();
  const read = async (name: string): Promise<Trace> => {
    const file = join(folder, name);
    return toTrace(basename(file), await readFile(file, "utf8").catch(unreadable(file)));
  };
  const traces = await Promise.all(files.map(read));
  return traces.filter(({ scenario }) => suites.has(suiteOf(scenario)));
};
