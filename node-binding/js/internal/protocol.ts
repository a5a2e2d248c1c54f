/**
 * The JSON that crosses between the facade and the addon. Its shapes are those of `bridge_host::step` and
 * `node-binding/src/convert.rs`, where each is described.
 */

import type { Capabilities, HtmlRuntimeState, RuntimeState } from "../types";

/** `Result<T, Failure>` of Rust. */
export type Outcome<T> = { Ok: T } | { Err: Failure };

/** What a host would see as a thrown value; `thrown` is the key of the value itself. */
export interface Failure {
  message: string;
  thrown?: number;
}

/** What a performed effect gives back. */
export type Reply =
  | { type: "done" }
  | { type: "flag"; value: boolean }
  | { type: "text"; value: string }
  | { type: "sessions" | "entries" | "sources" | "work"; value: unknown };

export type Answer = Outcome<Reply>;

/** An event as it is committed; dates are ISO strings until the store takes them. */
export interface WireEvent {
  name: string;
  args: Record<string, unknown>;
}

export interface SessionIds {
  runtimeId: string;
  sessionId: string;
}

/** A read as SQL: one row, one column `value`, which is the JSON of the reply. */
export interface Statement {
  query: string;
  bindValues: string[];
  reply: "sessions" | "entries" | "sources" | "work";
}

export type Hook =
  | { method: "configure"; call: number }
  | { method: "generateRuntimeId" }
  | { method: "generateSessionId"; runtimeId: string }
  | { method: "doStart"; notebookId: string }
  | { method: "doStop" }
  | { method: "start"; call: number; notebookId: string }
  | { method: "stop" }
  | { method: "isActiveAndReady" }
  | { method: "validateStarted" }
  | { method: "setBusy" }
  | { method: "setReady" }
  | { method: "setError"; message: string }
  | { method: "executeCode"; cellId: string; code: string };

/** What an operator is told. */
export interface Diagnostic {
  level: "info" | "warning" | "error";
  code: string;
  message: string;
  help: string;
}

export type RuntimeEffect =
  | { type: "stateCallback"; ticket: number }
  | { type: "hook"; ticket: number; runtime: number; hook: Hook }
  | { type: "sleep"; ticket: number; ms: number }
  | { type: "settle"; call: number; outcome: Outcome<null> };

export interface RuntimeStep {
  state: Omit<RuntimeState, "lastHeartbeat"> & { lastHeartbeat?: string };
  notebookId: string | null;
  effects: RuntimeEffect[];
}

/** What the host's own code may do: serve under a token, end what it has begun under it, or nothing. */
export type FacadeState = { is: "open"; token: number } | { is: "draining"; token: number } | { is: "closed" };

export type NotebookEffect =
  | { type: "admitted"; runtime: number; ids: SessionIds | null; decision: Decision }
  | { type: "commit"; ticket: number; path: "legacy" | "registry"; events: WireEvent[] }
  | { type: "hostCommit"; ticket: number; offer: number; passed: number[] }
  | { type: "facade"; runtime: number; facade: FacadeState }
  | { type: "query"; ticket: number; query: Statement }
  | { type: "hook"; ticket: number; runtime: number; hook: Hook }
  | { type: "continue"; ticket: number }
  | { type: "fail"; ticket: number; failure: Failure }
  | { type: "sleep"; ticket: number; ms: number }
  | { type: "yield"; ticket: number }
  | { type: "show"; ticket: number; runtime: number; state: HtmlRuntimeState }
  | { type: "raise"; runtime: number; failure: Failure }
  | { type: "setInterval"; timer: number; everyMs: number }
  | { type: "clearInterval"; timer: number }
  | { type: "settle"; call: number; outcome: Outcome<null> }
  | { type: "watch" }
  | { type: "unwatch" }
  | { type: "follow"; entries: boolean }
  | { type: "unfollow" }
  | { type: "adopt"; runtime: number; ids: SessionIds }
  | { type: "comparing" }
  | { type: "compared"; comparison: Omit<Comparison, "notebook"> }
  | { type: "rolledBack"; rollback: Rollback }
  | { type: "diagnostic"; diagnostic: Diagnostic };

/** Who serves a runtime's old path: the addon's reproduction of the old classes, or the host's own code. */
export type LegacyKind = "compat" | "host";

/** A built-in method that a notebook's step serves. */
export type Method =
  | { name: "start"; ids: SessionIds; capabilities: Capabilities }
  | { name: "stop" }
  | { name: "mount"; ids: SessionIds; isAuthenticated: boolean }
  | { name: "setAuth"; isAuthenticated: boolean }
  | { name: "unmount" | "startRuntime" | "restartRuntime" }
  | { name: "executeCode"; cellId: string; code: string };

/** What a comparison says of one execution, or of their order. */
export type Verdict =
  | { verdict: "match" }
  /** Differences of the ledger of known differences; they count as clean. */
  | { verdict: "known"; names: string[] }
  /** Differences only where the path that serves was seen to differ from itself; held, neither clean nor a mismatch. */
  | { verdict: "noise"; paths: string[] }
  | { verdict: "mismatch"; signature: string; differences: Difference[] }
  | { verdict: "inconclusive"; why: string };

/** A place in which the paths differ; a side without anything there is absent. */
export interface Difference {
  /** Where in the normalised execution: `outputs[0].executionCount`. */
  path: string;
  legacy?: unknown;
  registry?: unknown;
}

/** The outcome of comparing a stretch of work of one notebook. */
export interface Comparison {
  notebook: string;
  /** The path that served; the other one was the candidate. */
  serving: "legacy" | "registry";
  /** The path that served was compared with its own core: `shadow.aa`. The other side then holds its second run. */
  mode?: "aa";
  executions: (Verdict & { queueId: string; cellId: string; isRawEqual: boolean; cosmetic: Difference[] })[];
  /** Of the order in which the executions were started. */
  order: Verdict;
  /** How often each rule of normalisation was applied. */
  rules: Record<string, number>;
}

/** What a rollback's evidence is of; `unreadable` where the guard's own state cannot be read. */
export type RollbackTier = "zero-tolerance" | "errors" | "mismatches" | "latency" | "unreadable";

/** How far a rollback reaches. */
export type RollbackScope = "everywhere" | { notebook: string };

/** A rollback in force: it wins over the flags until `bridge.rearm`. */
export interface Latched {
  scope: RollbackScope;
  tier: RollbackTier;
  /** Why, for people. */
  grounds: string;
  /** When, in milliseconds since 1970. */
  sinceWallMs: number;
  /** The build of the new path that the evidence is of. */
  build: string;
  /** The generation of the flags then. */
  generation: number;
}

/** What the guard has counted. */
export interface GuardTotals {
  compared: number;
  clean: number;
  /** Different only where the path that serves was seen to differ from itself. */
  noise: number;
  mismatched: number;
  /** Failed in the candidate only. */
  failed: number;
  inconclusive: number;
  timed: number;
  /** Events that must never happen. */
  incidents: number;
  /** Evidence that came after the rollback of its notebook. */
  late: number;
}

/** A rollback of the guard, with the evidence for it. */
export interface Rollback extends Latched {
  /** Nothing was rolled back: this is what would have been. */
  isDryRun: boolean;
  /** The version of the rules by which the paths were compared. */
  rulesVersion: number;
  totals: GuardTotals;
  /** The e-values of all notebooks together on the way there, as powers of ten: errors, mismatches, latency. */
  path: { wallMs: number; compared: number; log10E: [number, number, number] }[];
  /** The last executions that spoke against the new path, with the e-values that they brought about. */
  discordant: {
    wallMs: number;
    notebook: string;
    queueId: string;
    metric: "errors" | "mismatches" | "latency";
    log10E: number;
    log10EEverywhere: number;
  }[];
}

/** What an operator sees of the guard. */
export interface GuardStatus {
  /** It only says what it would do: until `configure({ guard })`, and with `dryRun`. */
  isDryRun: boolean;
  build: string;
  latched: Latched[];
  /** What would be latched, had this been no dry run. */
  wouldBeLatched: Latched[];
  /** Who re-armed what, and why; oldest first. */
  rearmed: { scope: RollbackScope; reason: string; by?: string; atWallMs: number }[];
  totals: GuardTotals;
  /** Notebooks that there is evidence of. */
  notebooks: number;
  /** How far the flags in force are on the way to a promotion. */
  promotion: {
    clean: number;
    /** Differences and failures: one is enough to hold. */
    hits: number;
    notebooks: number;
    watchedMs: number;
    needed: { clean: number; notebooks: number; watchedMs: number };
  };
  /** Whether that is enough. People take the step. */
  isPromotable: boolean;
  /** The e-values of all notebooks together, as powers of ten: errors, mismatches, latency. */
  log10E: [number, number, number];
  /** The power of ten at which there is a rollback. */
  log10Threshold: number;
}

/** What an operator sees of the shadow, counted in stretches of work. */
export interface ShadowStatus {
  /** Candidates run in a process of their own. */
  isSeparate: boolean;
  /** What the path that serves is compared with: the other path, or (`aa`) its own core. */
  mode: "paths" | "aa";
  /** Waiting to be compared. */
  waiting: number;
  waitingBytes: number;
  /** Threads that were abandoned in a candidate and have not come back. */
  wedged: number;
  /** Nothing is compared any more until this process is restarted. */
  isOff: boolean;
  /** Compared to the end. */
  compared: number;
  /** Not taken in, because there was no room, or the shadow was off. */
  shed: number;
  /** Not done by their deadline. */
  timedOut: number;
  /** The candidate made more than is kept of it. */
  truncated: number;
  /** The candidate panicked. */
  panicked: number;
  /** The candidate brought its process down. */
  died: number;
  /** Given up: the process for candidates could not be asked, or the shadow went off. */
  givenUp: number;
  /** Commits that a candidate made. It must stay 0. */
  breaches: number;
}

/** Which path serves a notebook's session, and why. */
export interface Decision {
  /** The notebook's id, which is the flags' targeting key. */
  notebook: string;
  route: "legacy" | "shadow" | "live" | "registry";
  /** Why: `targeting`, `default`, `static`, `killed`, `not-configured`, `host-subclass`, a doubt, or a rollback of the guard. */
  reason: string | { doubt: string } | { "rolled-back": RollbackTier };
  /** The flag's variant, where it named one. */
  variant: string | null;
  /** The notebook's position in the flag's 32-bit hash space, where a percentage may have used it. */
  bucket: number | null;
  /** The generation of the flag set. */
  generation: number;
  /** When a change to this route reaches a running session, if the flag says so. */
  boundary: "next-session" | "drain" | "now" | null;
  /** How long a drain may take, in milliseconds, if the flag says so. */
  drainMs: number | null;
}
