import { type Addon, addon, addonError, addonOrNull } from "./addon";
import { monoMs, wallMs } from "./clock";
import { comparisonsSettled } from "./comparisons";
import { BridgeError, messageOf } from "./errors";
import { environmentVariable, onExit, shadowProgram } from "./platform";
import { ask, questionOf } from "./question";
import { SharedLatch, type GuardSink } from "./shared-latch";
import type { Comparison, Decision, Diagnostic, GuardStatus, Rollback, ShadowStatus } from "./protocol";

/** What flags can target besides the notebook's id. */
export type Attributes = Record<string, string | number | boolean | null | readonly (string | number | boolean | null)[]>;

/** How the bridge works in this environment. */
export interface BridgeOptions {
  /** A flag document in flagd's format: the path of its file, which is watched, or the document itself. */
  flags?: string | { readonly flags: object };
  /** What flags can target besides the notebook, `runtimeType` and `userId`. */
  attributes?: Attributes | ((notebookId: string) => Attributes);
  /** Lets the guard roll back by itself. Without it, the guard only says what it would do. */
  guard?: GuardOptions;
  /** A file that, while it is there, keeps every notebook on the old path. `null` ends the watch. */
  killFile?: string | null;
  /** Where the path that does not serve is run for comparison. */
  shadow?: ShadowOptions;
  /** Writes down what the comparisons cannot explain. Without it, mismatches are counted and told, and not kept. */
  mismatches?: MismatchOptions;
}

/** How candidates are run on the routes `shadow` and `live`. */
export interface ShadowOptions {
  /**
   * `shared`, the default: on a thread of this process. `separate`: in a process of their own, so that a candidate that aborts,
   * overflows its stack or eats the memory brings down nothing else.
   */
  process?: "shared" | "separate";
  /**
   * Compares the path that serves with its own core instead of the other path, to see before a rollout how much the comparison
   * itself disagrees. Such comparisons say `mode: "aa"` and are no evidence for the guard; `false`, the default, ends it.
   */
  aa?: boolean;
}

/** Where mismatches are written down, and what of them. */
export interface MismatchOptions {
  /** The folder, one JSON file a record; created where there is none. One environment, one folder. */
  folder: string;
  /**
   * What records hold of cells and outputs: other characters of the same shape (`redacted`, unless given), or what users have
   * written (`full`).
   */
  sources?: "redacted" | "full";
}

/** How the guard works. */
export interface GuardOptions {
  /** The file in which rollbacks and evidence outlive the process. One environment, one file. */
  latch?: string;
  /** In place of a file, a store that all processes of the host share: they roll back together, and one re-arms for all. */
  sink?: GuardSink;
  /** Says what it would do, and does not do it. */
  dryRun?: boolean;
  /** The rate of differences that rollback tolerates and promotion has to exclude; 0.005 unless given. */
  rateLimit?: number;
  /** Notebooks that a promotion needs; 10 unless given. */
  minNotebooks?: number;
  /** Time under watch that a promotion needs, in milliseconds; an hour unless given. */
  minWatchedMs?: number;
}

/** What can be listened to with `bridge.on`. */
export interface BridgeEvents {
  /** Something to tell an operator. While nobody listens, it goes to the console. */
  diagnostic: Diagnostic;
  /** What the two paths made of the same executions, on the routes `shadow` and `live`. */
  comparison: Comparison;
  /** The guard has rolled back, or in a dry run would have. */
  rollback: Rollback;
}

type Listeners = { [E in keyof BridgeEvents]: Set<(news: BridgeEvents[E]) => void> };

const listeners: Listeners = { diagnostic: new Set(), comparison: new Set(), rollback: new Set() };
const flagListeners = new Set<() => void>();
const told = new Set<string>();

let attributes: BridgeOptions["attributes"];
let isConfigured = false;
let areFlagsGiven = false;
let isHostLegacy = false;
let sharedLatch: SharedLatch | null = null;

const ADDON_UNAVAILABLE = "ADDON_UNAVAILABLE";

/** Configures the bridge in this environment. Later calls replace what they name. */
export function configure(options: BridgeOptions): void {
  killFromEnvironment();
  if (options.killFile !== undefined) useKillFile(options.killFile);
  if (options.attributes !== undefined) useAttributes(options.attributes);
  if (options.shadow !== undefined) useShadow(options.shadow);
  if (options.mismatches !== undefined) useRecords(options.mismatches);
  if (options.guard !== undefined) useGuard(options.guard);
  if (options.flags !== undefined) useFlags(options.flags);
}

/** Of a function it shows only when it is asked whether its attributes can be told. */
function useAttributes(given: NonNullable<BridgeOptions["attributes"]>): void {
  try {
    if (typeof given !== "function") readable(given);
  } catch (error) {
    throw new BridgeError("UNKNOWN_OPTION", `configure: attributes cannot be told: ${messageOf(error)}`, ATTRIBUTES_HELP, { cause: error });
  }
  attributes = given;
}

function useShadow({ process, aa }: ShadowOptions): void {
  if (process === undefined && aa === undefined) return;
  if (aa !== undefined && typeof aa !== "boolean") {
    throw new BridgeError("UNKNOWN_OPTION", `configure: shadow.aa is \`${String(aa)}\``, "it is `true` or `false`");
  }
  if (process !== undefined && process !== "shared" && process !== "separate") {
    throw new BridgeError("UNKNOWN_OPTION", `configure: shadow.process is \`${String(process)}\``, "it is `shared` or `separate`");
  }
  const missing = addonError();
  if (missing) return report({ level: "error", code: missing.code, message: missing.message, help: missing.help });
  if (aa !== undefined) addon().compareWithItself(aa);
  if (process !== undefined) addon().separateShadow(process === "separate" ? JSON.stringify(shadowProgram()) : null);
}

let isExitNoticed = false;

/** Candidates that are under way when a process ends in order have not brought it down, and it has its evidence to leave. */
function noticeExit(): void {
  if (isExitNoticed) return;
  isExitNoticed = true;
  onExit(() => {
    const native = addonOrNull();
    native?.clearMarks();
    if (native) saveGuard(native);
  });
}

function saveGuard(native: Addon): void {
  for (const news of JSON.parse(native.saveGuard(wallMs(), monoMs())) as Diagnostic[]) report(news);
}

const isWhole = (given: unknown): boolean => Number.isSafeInteger(given) && (given as number) >= 0;

/** What the guard's options have to be: one that is taken for another in silence is a guard that does not guard. */
const GUARD_OPTIONS: Record<keyof GuardOptions, readonly [isUsable: (given: never) => boolean, hint: string]> = {
  latch: [(given: unknown) => typeof given === "string" && given !== "", "it is the path of a file"],
  sink: [
    (given: GuardSink | null) => typeof given?.read === "function" && typeof given.compareAndSet === "function",
    "it has the methods `read` and `compareAndSet`",
  ],
  dryRun: [(given: unknown) => typeof given === "boolean", "it is `true` or `false`"],
  rateLimit: [(given: unknown) => typeof given === "number" && given > 0 && given < 1, "it is a rate above 0 and below 1"],
  minNotebooks: [isWhole, "it is a whole number"],
  minWatchedMs: [isWhole, "it is a whole number of milliseconds"],
};

function checkGuardOptions(options: GuardOptions): void {
  for (const [name, [isUsable, hint]] of Object.entries(GUARD_OPTIONS)) {
    const given: unknown = options[name as keyof GuardOptions];
    if (given === undefined || isUsable(given as never)) continue;
    throw new BridgeError("BAD_OPTION", `configure: \`guard.${name}\` cannot be \`${messageOf(given)}\``, hint);
  }
}

/** Before the flags: what is latched is in force when they are first asked. */
function useGuard(options: GuardOptions): void {
  checkGuardOptions(options);
  const { latch, sink, dryRun = false, ...settings } = options;
  const missing = addonError();
  if (missing) return report({ level: "error", code: missing.code, message: missing.message, help: missing.help });
  if (latch !== undefined && (sink ?? sharedLatch)) {
    throw new BridgeError("GUARD_HAS_TWO_STORES", "configure: `guard.latch` and `guard.sink` are both given", "one latch has one store: give one of them");
  }
  if (sink !== undefined) addon().shareGuard(wallMs(), monoMs());
  if (latch !== undefined) noticeExit();
  const news = addon().configureGuard(JSON.stringify({ ...settings, isDryRun: dryRun }), latch, wallMs(), monoMs());
  for (const diagnostic of JSON.parse(news) as Diagnostic[]) report(diagnostic);
  if (sink !== undefined) useSink(sink);
  notifyFlags();
}

/** A bad option throws, and leaves the folder that there was. */
function useRecords(mismatches: MismatchOptions): void {
  const missing = addonError();
  if (missing) return reportMissing(missing);
  let news: string;
  try {
    news = addon().configureRecords(JSON.stringify(mismatches));
  } catch (error) {
    throw refusal(error);
  }
  for (const diagnostic of JSON.parse(news) as Diagnostic[]) report(diagnostic);
}

function useSink(sink: GuardSink): void {
  if (sharedLatch?.sink === sink) return;
  sharedLatch?.end();
  sharedLatch = new SharedLatch(sink, { report, changed: notifyFlags });
  sharedLatch.begin();
}

/** Without the addon there is nothing to route: the host goes on and the operator is told. */
function useFlags(flags: NonNullable<BridgeOptions["flags"]>): void {
  isConfigured = true;
  const missing = addonError();
  if (missing) return reportMissing(missing);
  if (typeof flags === "string") watchFlags(flags);
  else replaceFlags(flags);
  areFlagsGiven = true;
  notifyFlags();
}

let flagFile: string | null = null;

function watchFlags(file: string): void {
  addon().watchFlags(file, onFlagNews);
  flagFile = file;
}

/** A document in place of the file. Where it is refused, the file is watched on: the operator's next edit has to be seen. */
function replaceFlags(document: { readonly flags: object }): void {
  const before = flagFile;
  unwatchFlags();
  try {
    applyFlags(JSON.stringify(document));
  } catch (error) {
    if (before !== null) watchFlags(before);
    throw error;
  }
}

function unwatchFlags(): void {
  addonOrNull()?.unwatchFlags();
  flagFile = null;
}

/** Tells the operator that the addon cannot be loaded; where the host's own code serves instead, once. */
export function reportMissing({ code, message, help }: BridgeError): void {
  if (!isHostLegacy) return report({ level: "error", code, message, help });
  if (told.has(ADDON_UNAVAILABLE)) return;
  told.add(ADDON_UNAVAILABLE);
  report({
    level: "error",
    code: ADDON_UNAVAILABLE,
    message: `${message}; the host's own code serves every notebook`,
    help: "install runtime-bridge for this platform; until then nothing is routed",
  });
}

/** Says whether the host's own code is bound as the old path. */
export function setHostLegacy(isHost: boolean): void {
  isHostLegacy = isHost;
}

/** Puts a flag document in force. A refused one throws, and leaves the last good one in force. */
function applyFlags(text: string): void {
  try {
    addon().applyFlags(text, "configure");
  } catch (error) {
    throw refusal(error);
  }
}

/** The addon's refusals carry their code and help as JSON; this gives them back as an error. */
export function refusal(error: unknown): unknown {
  try {
    const { code, message, help } = JSON.parse(messageOf(error)) as Diagnostic;
    return new BridgeError(code, message, help, { cause: error });
  } catch {
    return error;
  }
}

let killFile: string | null = null;
let isKillRead = false;

/** Before the flags, as the guard is: a notebook that is to stay on the old path must not leave it for a moment. */
function useKillFile(file: string | null): void {
  if (file !== null && (typeof file !== "string" || file === "")) {
    throw new BridgeError("UNKNOWN_OPTION", `configure: killFile is \`${messageOf(file)}\``, "it is the path of a file, or `null`");
  }
  isKillFileChosen = true;
  if (file === killFile) return;
  killFile = file;
  const missing = addonError();
  if (missing) return reportMissing(missing);
  if (file === null) addon().releaseKillFile();
  else addon().watchKillFile(file, onFlagNews);
  notifyFlags();
}

let isKillFileChosen = false;

/** The variables that kill, looked at once, before anything is decided. Without the addon there is nothing to kill. */
function killFromEnvironment(): void {
  if (isKillRead || !addonOrNull()) return;
  isKillRead = true;
  const name = "RUNTIME_BRIDGE_KILL";
  const news = JSON.parse(addon().killByVariable(name, environmentVariable(name), wallMs())) as Diagnostic | null;
  if (news) report(news);
  const file = environmentVariable("RUNTIME_BRIDGE_KILL_FILE");
  if (file && !isKillFileChosen) useKillFile(file);
}

/** Flags named by the environment are read before the first decision, unless the host has configured its own. */
function configureFromEnvironment(): void {
  killFromEnvironment();
  if (isConfigured) return;
  isConfigured = true;
  const file = environmentVariable("RUNTIME_BRIDGE_FLAGS");
  if (file) useFlags(file);
}

function onFlagNews(news: string): void {
  report(JSON.parse(news) as Diagnostic);
  notifyFlags();
}

function notifyFlags(): void {
  for (const listener of flagListeners) listener();
}

/** Calls back whenever the flags may have changed; makes sure that they have been read. */
export function noticeFlags(listener: () => void): void {
  configureFromEnvironment();
  flagListeners.add(listener);
}

/** Calls back whenever the flags may have changed, and reads none for it. */
export function onFlags(listener: () => void): void {
  flagListeners.add(listener);
}

/** Whether there are flags that could route anything, or will be once they are read. */
export function areFlagsConfigured(): boolean {
  const isToBeRead = !isConfigured && Boolean(environmentVariable("RUNTIME_BRIDGE_FLAGS"));
  return (areFlagsGiven || isToBeRead) && addonOrNull() !== null;
}

/** By this the router knows that it does not know a notebook's attributes; a rule may depend on them. */
const UNKNOWN_ATTRIBUTES: Attributes = { $unknown: true };

const ATTRIBUTES_HELP = "give an object of names, each with text, a number, true, false, null, or a list of those, and give it at once";

/** The host's attributes of a notebook. */
export function attributesOf(notebookId: string): Attributes {
  if (typeof attributes !== "function") return attributes ?? {};
  try {
    return readable(attributes(notebookId));
  } catch (error) {
    report({
      level: "error",
      code: "ATTRIBUTES_FAILED",
      message: `configure({ attributes }) failed for notebook \`${notebookId}\`: ${messageOf(error)}`,
      help: `the old path serves it; ${ATTRIBUTES_HELP}`,
    });
    return UNKNOWN_ATTRIBUTES;
  }
}

/** Attributes that can cross into the addon; throws where they cannot. */
function readable(given: unknown): Attributes {
  if (given === undefined || given === null) return {};
  if (isPromise(given)) {
    // What becomes of it is nobody's any more.
    given.then(undefined, () => undefined);
    throw new TypeError("they are a promise");
  }
  if (typeof given !== "object" || Array.isArray(given)) throw new TypeError("they are no object");
  return JSON.parse(JSON.stringify(given)) as Attributes;
}

function isPromise(given: unknown): given is PromiseLike<unknown> {
  return typeof (given as { then?: unknown } | null)?.then === "function";
}

/** Tells the operator. The same information is told once; a warning or an error each time. */
export function report(diagnostic: Diagnostic): void {
  if (diagnostic.level === "info") {
    const text = `${diagnostic.code} ${diagnostic.message}`;
    if (told.has(text)) return;
    told.add(text);
  }
  if (listeners.diagnostic.size === 0) return print(diagnostic);
  tell("diagnostic", diagnostic);
}

/** Tells what a comparison said. */
export function tellComparison(comparison: Comparison): void {
  tell("comparison", comparison);
}

/** Tells of a rollback, once every notebook follows it. */
export function tellRollback(rollback: Rollback): void {
  notifyFlags();
  void sharedLatch?.look();
  tell("rollback", rollback);
}

function tell<E extends keyof BridgeEvents>(event: E, news: BridgeEvents[E]): void {
  for (const listener of listeners[event]) {
    const failed = (error: unknown): void => console.error(`runtime-bridge: a ${event} listener threw:`, error);
    try {
      const answer: unknown = listener(news);
      if (isPromise(answer)) answer.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }
}

function print({ level, code, message, help }: Diagnostic): void {
  const text = `runtime-bridge: ${message} [${code}]${help ? `\n  hint: ${help}` : ""}`;
  if (level === "info") console.info(text);
  else console.error(text);
}

/** What the addon answers in place of a decision: it needs the time, or the attributes. */
const NEEDS_TIME = -1;
const UNKNOWN_QUESTION = -2;

/** Whether the rule in force has asked for the time, which takes longer to look up than many a rule to decide. */
let doesTimeCount = false;

/** The addon's decision for a notebook, as it crosses. */
function decided(notebookId: string, extra: Attributes | undefined): number {
  const native = addon();
  const given = attributes === undefined ? extra : { ...attributesOf(notebookId), ...extra };
  let question = questionOf(native, given);
  let packed = native.route(notebookId, question, doesTimeCount ? timeOf() : NaN);
  if (packed === UNKNOWN_QUESTION && given !== undefined) {
    question = ask(native, given);
    packed = native.route(notebookId, question, doesTimeCount ? timeOf() : NaN);
  }
  if (packed !== NEEDS_TIME) return packed;
  doesTimeCount = true;
  return native.route(notebookId, question, timeOf());
}

/** The time for a rule; a clock that gives none is at its beginning. */
function timeOf(): number {
  return wallMs() || 0;
}

/** A decision of the addon crosses as one number: that of its outcome above the 32 bits of its bucket. */
const BUCKETS = 2 ** 32;

/** Outcomes by number. The addon gives new numbers for every new flag document; old ones are let go from time to time. */
const outcomes = new Map<number, Decision>();
const MAX_OUTCOMES = 256;

function decisionOf(notebook: string, packed: number): Decision {
  const number = Math.floor(packed / BUCKETS);
  const bucket = packed - number * BUCKETS;
  const { route, reason, variant, bucket: sample, generation, boundary, drainMs } = outcomes.get(number) ?? newOutcome(number);
  return { notebook, route, reason, variant, bucket: sample === null ? null : bucket, generation, boundary, drainMs };
}

function newOutcome(number: number): Decision {
  if (outcomes.size === MAX_OUTCOMES) outcomes.clear();
  // It may be of a new document, which asks again where time counts.
  doesTimeCount = false;
  const outcome = JSON.parse(addon().outcome(number)) as Decision;
  outcomes.set(number, outcome);
  return outcome;
}

/** What an operator sees. */
export interface BridgeStatus {
  /** Whether the native addon is loaded. */
  addon: boolean;
  /** What serves the legacy path: the host's own code, or the addon's reproduction of the old classes. */
  legacy: "host" | "compat" | "unavailable";
  flags: { configured: boolean; generation: number; error: Omit<Diagnostic, "level"> | null };
  /** The guard; `null` without the addon. */
  guard: GuardStatus | null;
  /** What holds the kill switch; it is off where this is empty. The flag's own `DISABLED` is not among these. */
  kills: Kill[];
  /** The shadow; `null` without the addon. */
  shadow: ShadowStatus | null;
  /** The records of mismatches; `null` until `configure({ mismatches })`. */
  mismatches: MismatchStatus | null;
  notebooks: NotebookStatus[];
}

/** One way in which the kill switch is on: every notebook is served by the old path. */
export interface Kill {
  way: "call" | "variable" | "file";
  reason: string;
  by?: string;
  /** Milliseconds since 1970; 0 where nobody knows. */
  sinceWallMs: number;
  /** Nobody may have meant it: it is on because something could not be read. */
  isDoubtful: boolean;
}

/** What has become of the mismatches, those of earlier processes with the same folder included. */
export interface MismatchStatus {
  folder: string;
  sources: "redacted" | "full";
  /** Signatures that are told apart. */
  signatures: number;
  /** Mismatches, by executions. */
  seen: number;
  /** Records in the folder. */
  kept: number;
  /** Their bytes. */
  bytes: number;
  /** Mismatches that are only counted, because there are enough records of their signature. */
  sampledOut: number;
  /** Records that have made room for others. */
  replaced: number;
  /** Records that could not be written. */
  failed: number;
}

/** What an operator sees of a notebook. */
export interface NotebookStatus {
  notebook: string;
  /** The lease of each runtime that has a session. */
  leases: { path: "legacy" | "registry"; token: number; runtimeId: string; sessionId: string; decision: Decision }[];
  /** `observe` while the notebook has only ever been routed to the old path. */
  gate: "observe" | "enforce";
  gateCounts: {
    passed: number;
    droppedStale: number;
    droppedEntry: number;
    /** Of all that was dropped, what came from behind a fence: of an execution that a flip had ended in its place, up to its own end. */
    late: number;
    observed: number;
    /** Commits that a candidate made. It must stay 0. */
    breaches: number;
  };
  executions: { pending: number; underWay: number; foreign: number; terminal: number };
  /** What the comparisons on the routes `shadow` and `live` have come to, by executions. */
  comparisons: {
    compared: number;
    matched: number;
    /** With known differences only. */
    known: number;
    /** With differences only where the path that serves was seen to differ from itself. Held: neither clean nor a mismatch. */
    noise: number;
    mismatched: number;
    /** Nothing could be said; those that the shadow could not keep up with are among these. */
    inconclusive: number;
    knownDifferences: Record<string, number>;
    signatures: Record<string, number>;
    /** With `shadow.aa`: executions compared, and those in which the path that serves differed from itself. In none of the others. */
    aa: { compared: number; differed: number };
  };
  /** Stretches of work that are being compared. */
  comparing: number;
  /** Executions that are followed because an agent elsewhere may run them. */
  following: number;
}

/** Why a notebook gets its route: the text for people, and its parts. */
export interface RouteExplanation {
  text: string;
  /** The flag document's part; `null` where there is none. */
  explanation: Record<string, unknown> | null;
  /** What wins over the flags here: the kill switch, rollbacks of the guard. */
  overruledBy: string[];
}

/** What a flag document would do. */
export interface RoutePlan {
  /** The notebooks that would change routes. */
  moves: {
    notebook: string;
    from: Decision["route"];
    to: Decision["route"];
    reason: Decision["reason"];
    /** When a running session would follow. */
    boundary: NonNullable<Decision["boundary"]>;
  }[];
  /** How many would stay. */
  stays: number;
  /** Notebooks sent back by a document that moves more of them to the new path: put the variant that grows first. */
  againstTheRamp: string[];
  /** Notebooks that could not come back, because nothing serves them on the old path. */
  withoutWayBack: string[];
}

/** The bridge of this environment. */
export const bridge = {
  /** What an operator sees now. */
  status(): BridgeStatus {
    const native = addonOrNull();
    if (!native) {
      const legacy = isHostLegacy ? "host" : "unavailable";
      const flags = { configured: isConfigured, generation: 0, error: null };
      return { addon: false, legacy, flags, guard: null, kills: [], shadow: null, mismatches: null, notebooks: [] };
    }
    return {
      addon: true,
      legacy: isHostLegacy ? "host" : "compat",
      flags: JSON.parse(native.flagsStatus()) as BridgeStatus["flags"],
      guard: JSON.parse(native.guardStatus()) as GuardStatus,
      kills: JSON.parse(native.kills()) as Kill[],
      shadow: JSON.parse(native.shadowStatus()) as ShadowStatus,
      mismatches: JSON.parse(native.recordsStatus()) as MismatchStatus | null,
      notebooks: JSON.parse(native.notebooksStatus()) as NotebookStatus[],
    };
  },

  /** The route that a notebook's next session would take. */
  route(notebookId: string, extra?: Attributes): Decision {
    configureFromEnvironment();
    return decisionOf(notebookId, decided(notebookId, extra));
  },

  /** Which rule of the flag document decides for a notebook, and what overrules it; `null` where there is neither. */
  explain(notebookId: string, extra: Attributes = {}): RouteExplanation | null {
    configureFromEnvironment();
    const context = JSON.stringify({ ...attributesOf(notebookId), ...extra });
    return JSON.parse(addon().explain(notebookId, context, wallMs())) as RouteExplanation | null;
  },

  /** What a flag document would do to the notebooks that have sessions here, before it is put in force. */
  plan(document: string | { readonly flags: object }): RoutePlan {
    configureFromEnvironment();
    const text = typeof document === "string" ? document : JSON.stringify(document);
    try {
      return JSON.parse(addon().plan(text, wallMs())) as RoutePlan;
    } catch (error) {
      throw refusal(error);
    }
  },

  /**
   * Ends the guard's rollbacks, of one notebook or of all: the flags decide again. The reason is kept, and what had led to the
   * rollback is forgotten. Throws without a reason, and where nothing is rolled back.
   */
  rearm(reason: string, { notebook, by }: { notebook?: string; by?: string } = {}): void {
    try {
      const news = JSON.parse(addon().rearmGuard(notebook, by, reason, wallMs(), monoMs())) as Diagnostic | null;
      if (news) report(news);
    } catch (error) {
      throw refusal(error);
    }
    notifyFlags();
    void sharedLatch?.look();
  },

  /**
   * Throws the kill switch: every notebook goes to the old path now and stays there, whatever flags and evidence say, until
   * {@link bridge.unkill}. It outlives the process where the guard has a latch.
   */
  kill(reason: string, options?: { by?: string }): void {
    const missing = addonError();
    // Where there is nothing to kill, the call is no reason to fail.
    if (missing) return reportMissing(missing);
    // In an emergency nothing is too odd to kill: whoever calls this means it.
    const [why, who] = [reason ?? "", options?.by ?? ""].map(messageOf) as [string, string];
    for (const news of JSON.parse(addon().kill(why, who, wallMs(), monoMs())) as Diagnostic[]) report(news);
    notifyFlags();
    void sharedLatch?.look();
  },

  /** Ends the kill by {@link bridge.kill}. Throws without a reason, and where no call has killed. */
  unkill(reason: string): void {
    try {
      for (const news of JSON.parse(addon().unkill(reason, wallMs(), monoMs())) as Diagnostic[]) report(news);
    } catch (error) {
      throw refusal(error);
    }
    notifyFlags();
    void sharedLatch?.look();
  },

  /** Listens; gives the function that ends it. */
  on<E extends keyof BridgeEvents>(event: E, listener: (news: BridgeEvents[E]) => void): () => void {
    if (!Object.hasOwn(listeners, event)) {
      const names = Object.keys(listeners).join(", ");
      throw new BridgeError("UNKNOWN_EVENT", `bridge.on: unknown event \`${String(event)}\``, `the events are: ${names}`);
    }
    listeners[event].add(listener);
    return () => listeners[event].delete(listener);
  },
};

/** Resolves once the flags and the guard's sink have been read; rejects where the addon cannot be loaded. */
export async function ready(): Promise<void> {
  addon();
  configureFromEnvironment();
  await sharedLatch?.settled();
}

/** Waits for the comparisons under way, saves the guard's state and the counts of mismatches, then lets go of files and threads. Runtimes are the host's to stop. */
export async function shutdown(): Promise<void> {
  await comparisonsSettled();
  const native = addonOrNull();
  if (native) saveGuard(native);
  native?.saveRecords();
  unwatchFlags();
  native?.unwatchKillFile();
  killFile = null;
  await sharedLatch?.look();
  sharedLatch?.end();
  sharedLatch = null;
}
