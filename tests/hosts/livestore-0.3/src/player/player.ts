/** Plays a trace: the objects that its steps name, virtual time, and what is seen. */
import {
  type BaseRuntime,
  HtmlRuntime as BridgeHtmlRuntime,
  type HtmlRuntimeConfig,
  type LiveStore,
  RuntimeFactory,
  RuntimeRegistry,
  type RuntimeState,
} from "runtime-bridge/legacy";
import type { HtmlRuntimeManagerSession } from "runtime-bridge/legacy/html-runtime-manager";
import { useClock } from "runtime-bridge/testing";
import type { JsonValue, TableDump } from "../store.js";
import { Args } from "./args.js";
import { settle, VirtualClock } from "./clock.js";
import { type Observation, spelled, thrown, thrownByCall } from "./observations.js";
import { OPERATIONS } from "./operations/index.js";
import { onUnhandledRejection } from "./quiet.js";
import { expanded, setupEvents } from "./setup.js";
import { PlayedStore } from "./stores.js";
import { located, type Step, StepError, type Trace } from "./trace.js";

/** How long a waited call may take: a hanging hook beside a polling session would fire timers for ever. */
const PATIENCE_MS = 60_000;

const MAIN_STORE = "main";

/** What a player saw of one scenario, as one line of its output. */
export interface Played {
  readonly scenario: string;
  readonly observations: readonly Observation[];
  /** Empty without a store. */
  readonly tables: TableDump | Record<string, never>;
  /** The tables of other stores, if there are any. */
  readonly extraTables?: Readonly<Record<string, TableDump>>;
}

/** What steps call on runtimes, where their class has it. */
export type PlayedRuntime = BaseRuntime & {
  executeCode?(cellId: string, code: string): Promise<void>;
  ping?(): Promise<boolean>;
  getSetupInstructions?(): string | null;
  getConnectionInfo?(): object | null;
};

/** A class of html runtimes. */
export type HtmlRuntimeClass = new (config: Partial<HtmlRuntimeConfig>) => PlayedRuntime;

/** A callback that was subscribed to something. */
export interface Subscription {
  readonly callback: (state: RuntimeState) => void;
  readonly unsubscribe: () => unknown;
}

/** Objects by the names that a trace gives them. */
class Named<T> extends Map<string, T> {
  constructor(readonly what: string) {
    super();
  }

  named(name: string): T {
    const found = this.get(name);
    if (found !== undefined) return found;
    throw new StepError(`there is no ${this.what} \`${name}\``, "an earlier step has to make it");
  }
}

/** A run under way. */
export class Player {
  /** `HtmlRuntime` is the class that traces mean by this name: the bridge's, unless a host's own one is to be played. */
  constructor(readonly HtmlRuntime: HtmlRuntimeClass = BridgeHtmlRuntime) {}

  readonly clock = new VirtualClock();
  readonly runtimes = new Named<PlayedRuntime>("runtime");
  readonly stores = new Named<PlayedStore>("store");
  readonly registries = new Named<RuntimeRegistry>("registry");
  readonly factories = new Named<RuntimeFactory>("factory");
  readonly subscriptions = new Named<Subscription>("subscription");
  /** In the order in which they were mounted. */
  readonly managers: HtmlRuntimeManagerSession[] = [];
  readonly observations: Observation[] = [];
  #at = 0;
  /** Calls that this step waits for. */
  readonly #waited = new Set<Promise<unknown>>();

  observe(kind: string, fields: Record<string, unknown>): void {
    const shown = spelled(fields, (object) => this.#nameOf(object)) as Record<string, unknown>;
    this.observations.push({ at: this.#at, kind, ...shown });
  }

  /** Observes what a synchronous call returns or throws. */
  returns(call: () => unknown): void {
    try {
      this.observe("return", { value: call() });
    } catch (error) {
      // What the step gets wrong is not what the code under test throws.
      if (error instanceof StepError) throw error;
      this.observe("throw", thrownByCall(error));
    }
  }

  /** Begins a call and observes how it settles; the step waits for it unless its arguments say otherwise. */
  calls(args: Args, begin: () => Promise<unknown>): void {
    const isWaited = args.flag("wait", true);
    const promise = this.settles(isWaited ? undefined : args.optionalText("call"), begin);
    if (!isWaited) return;
    this.#waited.add(promise);
    void promise.then(() => this.#waited.delete(promise));
  }

  /** Begins a call and observes how it settles. */
  settles(call: string | undefined, begin: () => Promise<unknown>): Promise<void> {
    const named = call === undefined ? {} : { call };
    const onThrow = (error: unknown) => this.observe("throw", { ...named, ...thrownByCall(error) });
    try {
      return begin().then((value) => this.observe("return", { ...named, value }), onThrow);
    } catch (error) {
      if (error instanceof StepError) throw error;
      onThrow(error);
      return Promise.resolve();
    }
  }

  /** What a component's tree would throw. */
  throwsInRender(reason: unknown): void {
    this.observe("throw", { ...thrown(reason), where: "render" });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, ms));
  }

  /** Fires the timers that are due within this time, settling after each. */
  async advance(ms: number): Promise<void> {
    await this.#settle();
    const untilMs = this.clock.now() + ms;
    while (await this.#fireNext(untilMs));
    this.clock.moveTo(untilMs);
  }

  /** Fires timers until none is left that fires once. */
  async idle(): Promise<void> {
    const untilMs = this.clock.now() + PATIENCE_MS;
    await this.#settle();
    while (this.clock.hasOneShot() && (await this.#fireNext(untilMs)));
  }

  async openStore(name: string, setup: Trace["setup"] = {}): Promise<void> {
    const observe = (kind: string, fields: Record<string, unknown>) => this.observe(kind, fields);
    this.stores.set(name, await PlayedStore.open(name, setupEvents(setup), observe));
  }

  /** The name of the store that a runtime has in its configuration. */
  storeName(handed: unknown): string | undefined {
    return [...this.stores.values()].find((store) => store.handed === handed)?.name;
  }

  /** Names a registry and tells under which names it was known. */
  nameRegistry(name: string, registry: RuntimeRegistry): { sameAs: string[] } {
    const sameAs = [...this.registries].filter(([, known]) => known === registry).map(([known]) => known);
    this.registries.set(name, registry);
    return { sameAs };
  }

  /** Does what a step says, without settling. */
  act({ op, args }: Step): void | Promise<void> {
    const operation = OPERATIONS[op];
    return operation?.run(this, new Args(args, (value) => this.#expanded(value)));
  }

  async play({ setup, steps, file, scenario }: Trace): Promise<Played> {
    const restoreClock = useClock(this.clock);
    const stopHearing = onUnhandledRejection((reason) => this.observe("unhandled-rejection", thrown(reason)));
    try {
      if (setup.store !== false) await this.openStore(MAIN_STORE, setup);
      for (const [at, step] of steps.entries()) {
        this.#at = at;
        await this.#step(step).catch((error: unknown) => Promise.reject(located(file, at, error)));
      }
      return this.#played(scenario);
    } finally {
      stopHearing();
      restoreClock();
      RuntimeRegistry.resetInstance();
      await Promise.all([...this.stores.values()].map((store) => store.close()));
    }
  }

  async #step(step: Step): Promise<void> {
    await this.act(step);
    await this.#settle();
    await this.#waitForCalls();
  }

  /** Moves time as far as the waited calls need it. */
  async #waitForCalls(): Promise<void> {
    const untilMs = this.clock.now() + PATIENCE_MS;
    while (this.#waited.size > 0 && (await this.#fireNext(untilMs)));
    for (const _ of this.#waited) this.observe("never-settled", {});
    this.#waited.clear();
  }

  async #fireNext(untilMs: number): Promise<boolean> {
    const callback = this.clock.takeDue(untilMs);
    if (callback === undefined) return false;
    try {
      callback();
    } catch (error) {
      this.observe("uncaught-exception", thrown(error));
    }
    await this.#settle();
    return true;
  }

  #settle(): Promise<void> {
    return settle(() => this.observations.length);
  }

  #played(scenario: string): Played {
    const dumps = [...this.stores].map(([name, store]) => [name, store.tables()] as const);
    const { [MAIN_STORE]: main = {}, ...extraTables } = Object.fromEntries(dumps);
    const played: Played = { scenario, observations: this.observations, tables: main };
    return Object.keys(extraTables).length === 0 ? played : { ...played, extraTables };
  }

  #expanded(value: JsonValue): unknown {
    return expanded(value, (reference, of) => {
      if (reference === "$store") return { value: this.store(String(of)) };
      if (reference === "$session") return { value: this.#sessionOf(String(of)) };
      return undefined;
    });
  }

  /** The session of a runtime, or of the mounted component, which has no name. */
  #sessionOf(name: string): string | null {
    const runtime = this.runtimes.get(name) ?? this.managers.at(-1) ?? this.runtimes.named(name);
    return runtime.getState().sessionId;
  }

  /** What runtimes are given as a store. */
  store(name: string): LiveStore {
    return this.stores.named(name).handed;
  }

  #nameOf(object: object): string | undefined {
    if (this.storeName(object) !== undefined) return "<store>";
    if (object instanceof this.HtmlRuntime) return object.metadata.id;
    if (object instanceof RuntimeFactory) return "<factory>";
    return object instanceof RuntimeRegistry ? "<registry>" : undefined;
  }
}
