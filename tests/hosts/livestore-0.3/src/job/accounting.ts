/**
 * Counts what became of each requested execution from the commits of a host's store alone. It knows nothing of the bridge
 * and asks it nothing.
 */
import type { RecordedEvent } from "../eventRecorder.js";
import type { JsonObject, JsonValue } from "../store.js";

/** `lost`: it never ended. `doubled`: it started, ended or put out more than once. `wrong`: anything else that is amiss. */
export type FaultKind = "lost" | "doubled" | "wrong";

export interface Fault {
  readonly kind: FaultKind;
  readonly queueId: string;
  readonly cellId: string;
  readonly reason: string;
}

export interface Verdict {
  readonly requested: number;
  /** Started once, completed successfully once, put out once, all in one session, and what the cell holds. */
  readonly executedOnce: number;
  readonly outputs: number;
  readonly faults: readonly Fault[];
}

export interface Requested {
  readonly queueId: string;
  readonly cellId: string;
  readonly source: string;
}

interface Execution {
  readonly queueId: string;
  readonly cellId: string;
  /** Null for an execution that nobody requested. */
  readonly source: string | null;
  readonly assigned: string[];
  readonly started: string[];
  readonly ended: string[];
  outputs: number;
  /** What else is amiss, as it was seen. */
  readonly amiss: string[];
}

const textOf = (value: JsonValue | undefined): string => (typeof value === "string" ? value : "");

/** The html of an output event; undefined where it holds none inline. */
const htmlOf = (args: JsonObject): JsonValue | undefined => {
  const html = (args["representations"] as Record<string, JsonObject> | undefined)?.["text/html"];
  return html?.["data"];
};

/** Events that begin an output; appending to one, or updating one, is none of its own. */
const OUTPUT_ADDED = /^v\d+\.\w+OutputAdded$/;

export class Accounting {
  readonly #executions = new Map<string, Execution>();
  readonly #underWay = new Map<string, Execution[]>();
  #ended = 0;
  readonly #terminated = new Set<string>();
  readonly #strays: Fault[] = [];

  /** Expects an execution; call it before its request is committed. */
  expect({ queueId, cellId, source }: Requested): void {
    this.#executions.set(queueId, newExecution(queueId, cellId, source));
  }

  /** Takes in the events of a commit, in order. */
  observe(events: readonly RecordedEvent[]): void {
    for (const { name, args } of events) this.#observe(name, args);
  }

  /** How many of the expected executions have ended, however they did. */
  get ended(): number {
    return this.#ended;
  }

  /**
   * The verdict on all executions, or on some. `statusOf` gives the status of an execution in the queue's table: that an
   * event was committed does not prove that it did what it says.
   */
  verdict(statusOf: (queueId: string) => string | undefined, only?: ReadonlySet<string>): Verdict {
    const all = [...this.#executions.values()].filter(({ queueId }) => only?.has(queueId) ?? true);
    const faults = all.flatMap((execution) => faultOf(execution, statusOf(execution.queueId)) ?? []);
    const requested = all.filter(({ source }) => source !== null);
    const faulty = new Set(faults.map(({ queueId }) => queueId));
    return {
      requested: requested.length,
      executedOnce: requested.filter(({ queueId }) => !faulty.has(queueId)).length,
      outputs: all.reduce((sum, { outputs }) => sum + outputs, 0),
      faults: only === undefined ? [...faults, ...this.#strays] : faults,
    };
  }

  #observe(name: string, args: JsonObject): void {
    const session = textOf(args["runtimeSessionId"]);
    switch (name) {
      case "v1.ExecutionAssigned":
        this.#execution(args).assigned.push(session);
        return;
      case "v1.ExecutionStarted":
        this.#start(this.#execution(args), session);
        return;
      case "v1.ExecutionCompleted":
        this.#end(this.#execution(args), textOf(args["status"]));
        return;
      case "v1.ExecutionCancelled":
        this.#end(this.#execution(args), "cancelled");
        return;
      case "v1.RuntimeSessionTerminated":
        this.#terminated.add(textOf(args["sessionId"]));
        return;
      default:
        if (OUTPUT_ADDED.test(name)) this.#output(args);
    }
  }

  #execution(args: JsonObject): Execution {
    const queueId = textOf(args["queueId"]);
    let execution = this.#executions.get(queueId);
    if (execution === undefined) {
      execution = newExecution(queueId, textOf(args["cellId"]), null);
      this.#executions.set(queueId, execution);
    }
    return execution;
  }

  #start(execution: Execution, session: string): void {
    execution.started.push(session);
    if (execution.started.length > 1 || execution.ended.length > 0) return;
    const others = this.#underWay.get(execution.cellId) ?? [];
    this.#underWay.set(execution.cellId, [...others, execution]);
  }

  #end(execution: Execution, status: string): void {
    this.#expectLiveSession(execution, "ended");
    execution.ended.push(status);
    if (execution.ended.length > 1) return;
    if (execution.source !== null) this.#ended += 1;
    const others = this.#underWay.get(execution.cellId) ?? [];
    this.#underWay.set(
      execution.cellId,
      others.filter((one) => one !== execution),
    );
  }

  /** An output names its cell only; it belongs to the execution of that cell which is under way. */
  #output(args: JsonObject): void {
    const cellId = textOf(args["cellId"]);
    const underWay = this.#underWay.get(cellId) ?? [];
    const execution = underWay.find(({ outputs }) => outputs === 0) ?? underWay[0];
    if (execution === undefined) {
      const reason = "an output while no execution of the cell was under way";
      this.#strays.push({ kind: "doubled", queueId: "", cellId, reason });
      return;
    }
    execution.outputs += 1;
    this.#expectLiveSession(execution, "put out");
    if (execution.source !== null && htmlOf(args) !== execution.source) {
      execution.amiss.push("the output is not what the cell holds");
    }
  }

  #expectLiveSession({ started, amiss }: Execution, did: string): void {
    const [session] = started;
    if (session !== undefined && this.#terminated.has(session)) amiss.push(`${did} after its session was terminated`);
  }
}

const newExecution = (queueId: string, cellId: string, source: string | null): Execution => ({
  queueId,
  cellId,
  source,
  assigned: [],
  started: [],
  ended: [],
  outputs: 0,
  amiss: [],
});

const faultOf = (execution: Execution, status: string | undefined): Fault | undefined => {
  const { queueId, cellId, source, assigned, started, ended, outputs, amiss } = execution;
  const fault = (kind: FaultKind, reason: string): Fault => ({ kind, queueId, cellId, reason });
  if (source === null) return fault("wrong", "nobody requested it");
  if (started.length > 1) return fault("doubled", `started ${started.length} times`);
  if (ended.length > 1) return fault("doubled", `ended ${ended.length} times: ${ended.join(", ")}`);
  if (outputs > 1) return fault("doubled", `${outputs} outputs`);
  if (assigned.length > 1) return fault("doubled", `assigned ${assigned.length} times`);
  if (ended.length === 0) return fault("lost", started.length === 0 ? "never started" : "started, never ended");
  if (started.length === 0) return fault("wrong", "ended without having started");
  if (assigned[0] !== started[0]) return fault("wrong", "started by another session than it was assigned to");
  if (ended[0] !== "success") return fault("wrong", `ended as \`${ended[0]}\``);
  if (outputs === 0) return fault("wrong", "no output");
  const [first] = amiss;
  if (first !== undefined) return fault("wrong", first);
  if (status !== "completed") return fault("lost", `completed in the log, but its row says \`${status ?? "nothing"}\``);
  return undefined;
};

/** The verdicts of several stores, as one. */
export const sumOf = (verdicts: readonly Verdict[]): Verdict => ({
  requested: verdicts.reduce((sum, { requested }) => sum + requested, 0),
  executedOnce: verdicts.reduce((sum, { executedOnce }) => sum + executedOnce, 0),
  outputs: verdicts.reduce((sum, { outputs }) => sum + outputs, 0),
  faults: verdicts.flatMap(({ faults }) => faults),
});
