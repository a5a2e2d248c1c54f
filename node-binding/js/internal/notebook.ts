import {
  commit, follow, forEachAttached, hasLiveQuery, loseLiveQuery, notebookIdOf, onAttached, read, type RawReply, storeIdOf, watch,
} from "../livestore";
import type { HtmlRuntimeState, LiveStore } from "../types";
import { addon } from "./addon";
import { areFlagsConfigured, attributesOf, noticeFlags, onFlags, report, tellComparison, tellRollback } from "./bridge";
import { Intervals, monoMs, sleep, wallMs } from "./clock";
import { comparisonBegan, comparisonEnded } from "./comparisons";
import { BridgeError } from "./errors";
import { abandon, call, done, failure, performAll, raised, settle } from "./perform";
import type { Answer, Decision, FacadeState, Hook, LegacyKind, Method, NotebookEffect, SessionIds, WireEvent } from "./protocol";
import { nextTurn } from "./turn";

/** Names of what built-in runtimes share with their base class: symbols, so that no member of a host's subclass gets in the way. */
export const admit: unique symbol = Symbol("runtime-bridge.admit");
export const seat: unique symbol = Symbol("runtime-bridge.seat");

/** What a notebook calls back on the runtime objects that have sessions on it. */
export interface Seated {
  /** Names the object in the core. */
  readonly handle: number;
  /** Calls a method; a promise is one of the old code's awaited calls. */
  hook(hook: Hook): Answer | Promise<Answer>;
  /** The session runs under new ids. */
  adopt(ids: SessionIds): void;
  /** What the host's own code may do from now on. */
  facade?(state: FacadeState): void;
}

/** A session that asks to be admitted. */
export interface Admission {
  readonly runtimeType: string;
  readonly userId: string | undefined;
  /** Its `doStart` and `doStop` are the class's own, not a host's subclass's. */
  readonly isBuiltIn: boolean;
  readonly legacy: LegacyKind;
}

/** What a notebook calls back on the managers that are mounted on it. */
export interface Mounted {
  /** Names the manager in the core. */
  readonly handle: number;
  /** Shows a state to whoever listens. */
  show(state: HtmlRuntimeState): void;
  /** The manager has unmounted itself over this. */
  raise(reason: unknown): void;
}

const notebooks = new WeakMap<LiveStore, Notebook>();
const open = new Set<WeakRef<Notebook>>();
const closing = new FinalizationRegistry<{ handle: number; ref: WeakRef<Notebook> }>(({ handle, ref }) => {
  open.delete(ref);
  addon().closeNotebook(handle);
});

/** The notebook of a store. One store is one notebook, whatever id it was started with. */
export function notebookOf(store: LiveStore, notebookId: string): Notebook {
  const known = notebooks.get(store);
  if (known) return known;
  noticeFlags(wake);
  openLane();
  const notebook = new Notebook(store, notebookIdOf(store, notebookId));
  notebooks.set(store, notebook);
  const ref = new WeakRef(notebook);
  open.add(ref);
  closing.register(notebook, { handle: notebook.handle, ref });
  return notebook;
}

/** Tells every open notebook that the flags may have changed, or that a comparison is done. */
function wake(): void {
  for (const ref of open) ref.deref()?.step({ type: "wake" });
}

/**
 * Agents elsewhere are followed in stores that are attached, once flags are configured: without them there is no route on which
 * they would be.
 */
function followElsewhere(store: LiveStore, isAttached: boolean): void {
  const id = storeIdOf(store);
  const known = notebooks.get(store);
  if (id === null || !(known ?? isAttached) || !areFlagsConfigured()) return;
  (known ?? notebookOf(store, id)).attached(isAttached);
}

onAttached(followElsewhere);
onFlags(() =>
  forEachAttached((store) => {
    if (!notebooks.get(store)?.isAttached) followElsewhere(store, true);
  }),
);

let isLaneOpen = false;

/** Shadows run on a thread of their own, one per environment. */
function openLane(): void {
  if (isLaneOpen) return;
  isLaneOpen = true;
  addon().openLane(wake);
}

/** Performs what the core asks of one notebook's store and runtime objects. */
export class Notebook {
  readonly handle: number;
  /** Whether the core has been told that the store is attached. */
  isAttached = false;
  readonly #store: LiveStore;
  readonly #id: string;
  /** Objects with a session are kept, as the old code's timers kept them. */
  readonly #seated = new Map<number, Seated>();
  readonly #mounted = new Map<number, Mounted>();
  readonly #intervals = new Intervals();
  readonly #pending = new Set<number>();
  #unwatch: (() => void) | null = null;
  #unfollow: (() => void) | null = null;
  #admitted: { ids: SessionIds | null; decision: Decision } | null = null;
  /** Commits of the host's code that wait for their verdict, by the names they were given. */
  readonly #offers = new Map<number, (passed: readonly number[]) => Answer>();
  #lastOffer = 0;

  constructor(store: LiveStore, id: string) {
    this.#store = store;
    this.#id = id;
    this.handle = addon().openNotebook(id);
  }

  /** The store is attached, or not any more: agents elsewhere may be followed in it. */
  attached(isAttached: boolean): void {
    this.isAttached = isAttached;
    this.step({ type: "attached", attributes: isAttached ? attributesOf(this.#id) : null });
  }

  /** Asks which path serves the session that `runtime` is about to start; ids, if any, are those to start it under. */
  admit(runtime: { readonly handle: number }, asked: Admission): SessionIds | null {
    const attributes = { runtimeType: asked.runtimeType, userId: asked.userId, ...attributesOf(this.#id) };
    const ability = { isBuiltIn: asked.isBuiltIn, hasLiveQuery: hasLiveQuery(this.#store) };
    this.#admitted = null;
    this.step({ type: "admit", runtime: runtime.handle, attributes, ability, legacy: asked.legacy });
    return this.#admittedIds;
  }

  get #admittedIds(): SessionIds | null {
    return this.#admitted?.ids ?? null;
  }

  /** Calls a built-in method of a runtime object. */
  async call(runtime: Seated, method: Method): Promise<void> {
    this.#seated.set(runtime.handle, runtime);
    try {
      await this.#call(runtime.handle, method);
      if (method.name === "stop") this.#seated.delete(runtime.handle);
    } catch (error) {
      if (method.name === "start") this.#seated.delete(runtime.handle);
      throw error;
    }
  }

  /** Calls a method of a manager, which is kept from its mounting to its unmounting. */
  async callManager(manager: Mounted, method: Method): Promise<void> {
    if (method.name === "mount") this.#mounted.set(manager.handle, manager);
    const called = this.#call(manager.handle, method);
    // Not behind the call: it may be mounted again by then.
    if (method.name === "unmount") this.#mounted.delete(manager.handle);
    return called;
  }

  async #call(runtime: number, method: Method): Promise<void> {
    let id = 0;
    try {
      await call((given) => {
        id = given;
        this.#pending.add(id);
        this.step({ type: "call", runtime, call: id, method });
      });
    } finally {
      this.#pending.delete(id);
    }
  }

  /**
   * Has a commit of the host's code judged; `perform` commits what passed, now. What the store throws is thrown on as it is.
   * False where there was no verdict.
   */
  hostCommit(runtime: number, token: number, events: readonly WireEvent[], perform: (passed: readonly number[]) => void): boolean {
    this.#lastOffer += 1;
    const offer = this.#lastOffer;
    let isJudged = false;
    let thrown: { error: unknown } | null = null;
    this.#offers.set(offer, (passed) => {
      isJudged = true;
      try {
        perform(passed);
        return done;
      } catch (error) {
        thrown = { error };
        return { Err: failure(error) };
      }
    });
    try {
      this.step({ type: "hostCommit", runtime, offer, token, events });
    } finally {
      this.#offers.delete(offer);
    }
    if (thrown !== null) throw (thrown as { error: unknown }).error;
    return isJudged;
  }

  /** Hands an input to the core and performs what it asks. */
  step(input: object): void {
    this.#run(JSON.stringify(input));
  }

  #run(input: string): void {
    performAll(this.#stepped(input), (effect) => {
      const answered = this.#perform(effect);
      return answered === null ? [] : this.#stepped(answered);
    });
  }

  /** A core that cannot be stepped any more settles nothing: its calls are rejected and the operator is told. */
  #stepped(input: string): NotebookEffect[] {
    try {
      return JSON.parse(addon().stepNotebook(this.handle, wallMs(), monoMs(), input)) as NotebookEffect[];
    } catch (error) {
      const lost = new BridgeError("CORE_FAILED", `notebook \`${this.#id}\`: ${String(error)}`, "report this as a bug", { cause: error });
      for (const id of this.#pending) abandon(id, lost);
      report({ level: "error", code: lost.code, message: lost.message, help: lost.help });
      return [];
    }
  }

  /** Performs one effect; gives the answer to hand in, or nothing where none is due now. */
  #perform(effect: NotebookEffect): string | null {
    switch (effect.type) {
      case "admitted":
        this.#admitted = effect;
        return null;
      case "commit":
        return answer(effect.ticket, commit(this.#store, effect.path, effect.events));
      case "hostCommit":
        return answer(effect.ticket, this.#offers.get(effect.offer)?.(effect.passed) ?? done);
      case "facade":
        this.#seated.get(effect.runtime)?.facade?.(effect.facade);
        return null;
      case "query":
        return this.#read(effect);
      case "hook":
        return this.#hook(effect);
      case "continue":
        return answer(effect.ticket, done);
      case "fail":
        return answer(effect.ticket, { Err: effect.failure });
      case "sleep":
        sleep(effect.ms, () => this.#run(answer(effect.ticket, done)));
        return null;
      case "yield":
        nextTurn(() => this.#run(answer(effect.ticket, done)));
        return null;
      case "show":
        this.#mounted.get(effect.runtime)?.show(effect.state);
        return answer(effect.ticket, done);
      case "raise":
        this.#raise(effect);
        return null;
      case "setInterval":
        this.#intervals.set(effect.timer, effect.everyMs, () => this.step({ type: "timer", timer: effect.timer }));
        return null;
      case "clearInterval":
        this.#intervals.clear(effect.timer);
        return null;
      case "settle":
        settle(effect.call, effect.outcome);
        return null;
      case "watch":
        return this.#watch();
      case "unwatch":
        this.#unwatch?.();
        this.#unwatch = null;
        return null;
      case "follow":
        this.#follow(effect.entries);
        return null;
      case "unfollow":
        this.#unfollow?.();
        this.#unfollow = null;
        return null;
      case "adopt":
        this.#seated.get(effect.runtime)?.adopt(effect.ids);
        return null;
      case "comparing":
        comparisonBegan(this);
        return null;
      case "compared":
        comparisonEnded(this);
        tellComparison({ notebook: this.#id, ...effect.comparison });
        return null;
      case "rolledBack":
        tellRollback(effect.rollback);
        return null;
      case "diagnostic":
        report(effect.diagnostic);
        return null;
    }
  }

  #read({ ticket, query }: Extract<NotebookEffect, { type: "query" }>): string {
    try {
      return rawAnswer(ticket, read(this.#store, query));
    } catch (error) {
      return answer(ticket, { Err: failure(error) });
    }
  }

  #hook({ ticket, runtime, hook }: Extract<NotebookEffect, { type: "hook" }>): string | null {
    const seated = this.#seated.get(runtime);
    if (!seated) return answer(ticket, { Err: { message: "the runtime object is gone" } });
    const outcome = seated.hook(hook);
    if (!(outcome instanceof Promise)) return answer(ticket, outcome);
    void outcome.then((later) => this.#run(answer(ticket, later)));
    return null;
  }

  #raise({ runtime, failure }: Extract<NotebookEffect, { type: "raise" }>): void {
    this.#mounted.get(runtime)?.raise(raised(failure));
    this.#mounted.delete(runtime);
  }

  /** What cannot be followed is not compared; nothing that serves depends on it. */
  #follow(entries: boolean): void {
    this.#unfollow?.();
    try {
      this.#unfollow = follow(this.#store, entries, (seen) => this.step({ type: "elsewhere", ...seen }));
    } catch (error) {
      this.#unfollow = null;
      const { message } = failure(error);
      report({
        level: "warning",
        code: "FOLLOW_FAILED",
        message: `notebook \`${this.#id}\`: what agents elsewhere do cannot be followed: ${message}`,
        help: "nothing that serves is touched; check that attach got queryDb and Schema of the store's own LiveStore",
      });
    }
  }

  /** A session that cannot see its work goes back to the old path, which needs no live query; new ones stay there. */
  #watch(): string | null {
    try {
      this.#unwatch = watch(this.#store, ({ entries, sessions }) => {
        if (sessions) this.step({ type: "activeSessions", sessions });
        if (entries.length > 0) this.step({ type: "queued", entries });
      });
      return null;
    } catch (error) {
      const { message } = failure(error);
      report({
        level: "error",
        code: "WATCH_FAILED",
        message: `notebook \`${this.#id}\`: the live query cannot be run: ${message}`,
        help: "the old path serves it; check that attach got queryDb and Schema of the store's own LiveStore",
      });
      loseLiveQuery(this.#store);
      return JSON.stringify({ type: "attached", attributes: null, isBlind: true });
    }
  }
}

function answer(ticket: number, answer: Answer): string {
  return JSON.stringify({ type: "answer", ticket, answer });
}

/** The store's JSON goes in as it is: parsing it here would only have it written again. */
function rawAnswer(ticket: number, reply: RawReply): string {
  return `{"type":"answer","ticket":${ticket},"answer":{"Ok":{"type":"${reply.type}","value":${reply.raw}}}}`;
}

