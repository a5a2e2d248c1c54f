import { addon, addonOrNull } from "./internal/addon";
import { monoMs, sleep, wallMs } from "./internal/clock";
import { admit, seat, type Seated } from "./internal/notebook";
import { abandon, attempt, awaited, call, done, performAll, settle } from "./internal/perform";
import type { Answer, Hook, RuntimeEffect, RuntimeStep, SessionIds } from "./internal/protocol";
import type { Runtime, RuntimeCapabilities, RuntimeConfiguration, RuntimeMetadata, RuntimeState } from "./types";

/** What `getState()` says where there is no core to ask: a runtime that was never started. */
const NEVER_STARTED: RuntimeState = {
  isActive: false,
  isStarting: false,
  isStopping: false,
  status: "inactive",
  error: null,
  runtimeId: null,
  sessionId: null,
};

const dropping = new FinalizationRegistry<number>((handle) => addonOrNull()?.dropRuntime(handle));

/**
 * The lifecycle of a runtime: host classes extend it with `doStart` and `doStop`. It behaves as the old `BaseRuntime` on every
 * route. State and transitions belong to the native core; this class performs what the core asks.
 */
export abstract class BaseRuntime implements Runtime {
  readonly metadata: RuntimeMetadata;
  readonly capabilities: RuntimeCapabilities;
  protected configuration: RuntimeConfiguration;

  readonly #handle: number | null;
  readonly #callbacks = new Set<(state: RuntimeState) => void>();
  readonly #configs = new Map<number, RuntimeConfiguration | undefined>();
  readonly #pending = new Set<number>();
  #snapshot: RuntimeState = NEVER_STARTED;
  #notebookId: string | null = null;
  #admitted: SessionIds | null = null;

  constructor(metadata: RuntimeMetadata, capabilities: RuntimeCapabilities, initialConfig: RuntimeConfiguration = {}) {
    this.metadata = metadata;
    this.capabilities = capabilities;
    this.configuration = { maxExecutionTime: 30000, environment: {}, options: {}, ...initialConfig };
    this.#handle = addonOrNull()?.createRuntime(metadata.id) ?? null;
    if (this.#handle !== null) dropping.register(this, this.#handle);
  }

  /** The state; assigning it sets its members without telling anybody, as assigning the old field did. */
  protected get state(): RuntimeState {
    return this.#snapshot;
  }

  protected set state(state: RuntimeState) {
    this.#step({ type: "assign", patch: state });
  }

  protected get notebookId(): string | null {
    return this.#notebookId;
  }

  protected set notebookId(notebookId: string | null) {
    this.#step({ type: "setNotebookId", notebookId });
  }

  /** A copy of the state. */
  getState(): RuntimeState {
    return { ...this.state };
  }

  /** A shallow copy of the configuration. */
  getConfiguration(): RuntimeConfiguration {
    return { ...this.configuration };
  }

  async start(notebookId: string, config?: RuntimeConfiguration): Promise<void> {
    return this.#call(config, (id) => ({ type: "start", call: id, notebookId }));
  }

  async stop(): Promise<void> {
    return this.#call(undefined, (id) => ({ type: "stop", call: id }));
  }

  async restart(config?: RuntimeConfiguration): Promise<void> {
    return this.#call(config, (id) => ({ type: "restart", call: id }));
  }

  /** Calls back with a copy of the state at each change; gives the function that ends it. */
  onStateChange(callback: (state: RuntimeState) => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Forgets all callbacks; stops an active runtime without waiting for it. */
  destroy(): void {
    if (this.state.isActive) {
      console.warn(`Destroying active runtime ${this.metadata.id} - should stop first`);
      this.stop().catch((error: unknown) => console.error("Error stopping runtime during destroy:", error));
    }
    this.#callbacks.clear();
  }

  toString(): string {
    return `${this.metadata.name} (${this.metadata.id}) - ${this.state.status}`;
  }

  getDebugInfo(): {
    metadata: RuntimeMetadata;
    state: RuntimeState;
    configuration: RuntimeConfiguration;
    notebookId: string | null;
    capabilities: RuntimeCapabilities;
  } {
    return {
      metadata: this.metadata,
      state: this.getState(),
      configuration: this.getConfiguration(),
      notebookId: this.notebookId,
      capabilities: this.capabilities,
    };
  }

  protected abstract doStart(notebookId: string, config: RuntimeConfiguration): Promise<void>;

  protected abstract doStop(): Promise<void>;

  /** Declared by the old class and never called by it. */
  protected doRestart?(config?: RuntimeConfiguration): Promise<void>;

  protected updateState(updates: Partial<RuntimeState>): void {
    this.#step({ type: "update", patch: updates });
  }

  protected setError(error: string | Error): void {
    const message = error instanceof Error ? error.message : error;
    console.error(`${this.metadata.name} error:`, error);
    this.#step({ type: "setError", message });
  }

  protected setBusy(): void {
    this.#step({ type: "setBusy" });
  }

  protected setReady(): void {
    this.#step({ type: "setReady" });
  }

  protected generateRuntimeId(): string {
    return addon().generateRuntimeId(this.metadata.type);
  }

  protected generateSessionId(runtimeId: string): string {
    return addon().generateSessionId(runtimeId, wallMs());
  }

  protected getCurrentNotebookId(): string {
    raise(addon().validateNotebookId(this.#core()));
    return this.notebookId as string;
  }

  protected isActiveAndReady(): boolean {
    return addon().isActiveAndReady(this.#core());
  }

  protected validateStarted(): void {
    raise(addon().validateStarted(this.#core()));
  }

  /**
   * The ids under which the session that is about to start shall run, or nothing where it generates its own. Built-in
   * runtimes ask the router.
   * @internal
   */
  [admit](_seat: Seated): SessionIds | null {
    return null;
  }

  /**
   * This object as the notebook of its session sees it.
   * @internal
   */
  [seat](): Seated {
    return {
      handle: this.#core(),
      hook: (hook) => this.#hook(hook),
      adopt: (ids) => this.#step({ type: "adopt", ...ids }),
    };
  }

  #core(): number {
    if (this.#handle === null) addon();
    return this.#handle as number;
  }

  async #call(config: RuntimeConfiguration | undefined, input: (id: number) => object): Promise<void> {
    const core = this.#core();
    let id = 0;
    try {
      await call((given) => {
        id = given;
        this.#pending.add(id);
        this.#configs.set(id, config);
        this.#step(input(id), core);
      });
    } finally {
      this.#pending.delete(id);
      this.#configs.delete(id);
    }
  }

  #step(input: object, core = this.#core()): void {
    performAll(this.#stepped(input, core), (effect) => {
      const answer = this.#perform(effect, core);
      return answer === null ? [] : this.#stepped({ type: "answer", ticket: (effect as { ticket: number }).ticket, answer }, core);
    });
  }

  /** Steps the core and keeps the snapshot it gives, so that `getState()` needs no core. */
  #stepped(input: object, core: number): RuntimeEffect[] {
    try {
      const step = JSON.parse(addon().stepRuntime(core, wallMs(), monoMs(), JSON.stringify(input))) as RuntimeStep;
      const { lastHeartbeat, ...state } = step.state;
      this.#snapshot = lastHeartbeat === undefined ? state : { ...state, lastHeartbeat: new Date(lastHeartbeat) };
      this.#notebookId = step.notebookId;
      return step.effects;
    } catch (error) {
      for (const id of this.#pending) abandon(id, error);
      throw error;
    }
  }

  /** Performs one effect; gives its answer, or nothing where it is answered later or not at all. */
  #perform(effect: RuntimeEffect, core: number): Answer | null {
    switch (effect.type) {
      case "stateCallback":
        this.#emit();
        return done;
      case "hook":
        return this.#performHook(effect.ticket, effect.hook, core);
      case "sleep":
        sleep(effect.ms, () => this.#step({ type: "answer", ticket: effect.ticket, answer: done }, core));
        return null;
      case "settle":
        settle(effect.call, effect.outcome);
        return null;
    }
  }

  #emit(): void {
    this.#callbacks.forEach((callback) => {
      try {
        callback(this.getState());
      } catch (error) {
        console.error(`Error in state change callback for ${this.metadata.id}:`, error);
      }
    });
  }

  #performHook(ticket: number, hook: Hook, core: number): Answer | null {
    const answer = this.#hook(hook);
    if (!(answer instanceof Promise)) return answer;
    void answer.then((later) => this.#step({ type: "answer", ticket, answer: later }, core));
    return null;
  }

  /** Calls the method that the core names, overridden or not. What it throws is an answer too. */
  #hook(hook: Hook): Answer | Promise<Answer> {
    switch (hook.method) {
      case "configure": {
        const config = this.#configs.get(hook.call);
        if (config) this.configuration = { ...this.configuration, ...config };
        return done;
      }
      case "generateRuntimeId":
        return attempt(() => {
          this.#admitted = this[admit](this[seat]());
          return { Ok: { type: "text", value: this.#admitted?.runtimeId ?? this.generateRuntimeId() } };
        });
      case "generateSessionId":
        return attempt(() => {
          return { Ok: { type: "text", value: this.#admitted?.sessionId ?? this.generateSessionId(hook.runtimeId) } };
        });
      case "doStart":
        return awaited(() => this.doStart(hook.notebookId, this.configuration));
      case "doStop":
        return awaited(() => this.doStop());
      case "start":
        return awaited(() => this.start(hook.notebookId, this.#configs.get(hook.call)));
      case "stop":
        return awaited(() => this.stop());
      case "executeCode":
        return awaited(() => (this as Runtime & { executeCode?: ExecuteCode }).executeCode?.(hook.cellId, hook.code));
      case "isActiveAndReady":
        return attempt(() => ({ Ok: { type: "flag", value: this.isActiveAndReady() } }));
      case "validateStarted":
        return called(() => this.validateStarted());
      case "setBusy":
        return called(() => this.setBusy());
      case "setReady":
        return called(() => this.setReady());
      case "setError":
        return called(() => this.setError(hook.message));
    }
  }
}

type ExecuteCode = (cellId: string, code: string) => Promise<void>;

function called(method: () => void): Answer {
  return attempt(() => {
    method();
    return done;
  });
}

function raise(message: string | null): void {
  if (message !== null) throw new Error(message);
}

