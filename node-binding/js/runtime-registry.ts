import { addon, addonOrNull } from "./internal/addon";
import { Intervals } from "./internal/clock";
import { attempt, awaited, call, callNow, done, performAll, settle } from "./internal/perform";
import type { Answer, Outcome } from "./internal/protocol";
import type {
  Runtime,
  RuntimeConfiguration,
  RuntimeEvent,
  RuntimeRegistryConfig,
  RuntimeRegistryInterface,
  RuntimeState,
  RuntimeType,
} from "./types";

type RegistryEvent =
  | { type: "registered"; object: number }
  | { type: "unregistered" | "state-changed"; runtimeId: string }
  | { type: "error"; runtimeId: string; error: string };

type RegistryEffect =
  | { type: "event"; ticket: number; event: RegistryEvent }
  | { type: "stateChanged" | "registered" | "stop"; ticket: number; object: number }
  | { type: "unregistered"; ticket: number; id: string }
  | { type: "start"; ticket: number; object: number; call: number }
  | { type: "continue"; ticket: number }
  | { type: "setInterval"; timer: number; everyMs: number }
  | { type: "clearInterval"; timer: number }
  | { type: "settle"; call: number; outcome: Outcome<null> };

type Question = "available" | "active" | "highestActive" | "ofType" | "activeOfType";

const dropping = new FinalizationRegistry<number>((handle) => addonOrNull()?.dropRegistry(handle));

/**
 * The runtimes of an application, how many of them may run at once, and who hears of it. It behaves as the old `RuntimeRegistry`
 * on every route: the native core decides, this class holds the objects and the callbacks and performs.
 */
export class RuntimeRegistry implements RuntimeRegistryInterface {
  static #instance: RuntimeRegistry | null = null;

  readonly #config: RuntimeRegistryConfig;
  readonly #handle: number;
  /** Registered objects, and those whose state is still looked at. */
  readonly #objects = new Map<number, Runtime>();
  readonly #keys = new WeakMap<Runtime, number>();
  readonly #intervals = new Intervals();
  readonly #starts = new Map<number, { notebookId: string; config: RuntimeConfiguration | undefined }>();
  readonly #eventCallbacks = new Set<(event: RuntimeEvent) => void>();
  readonly #stateCallbacks = new Set<(runtime: Runtime, state: RuntimeState) => void>();
  readonly #registeredCallbacks = new Set<(runtime: Runtime) => void>();
  readonly #unregisteredCallbacks = new Set<(runtimeId: string) => void>();
  #lastKey = 0;
  /** The states that the core was last shown: what callbacks are told. */
  #shown = new Map<number, RuntimeState>();

  constructor(config: RuntimeRegistryConfig = {}) {
    this.#config = { maxConcurrentRuntimes: 1, allowMultipleRuntimesOfSameType: false, ...config };
    const { maxConcurrentRuntimes, allowMultipleRuntimesOfSameType } = this.#config;
    this.#handle = addon().createRegistry(maxConcurrentRuntimes ?? null, Boolean(allowMultipleRuntimesOfSameType));
    dropping.register(this, this.#handle);
  }

  /** The environment's registry; its configuration counts only for the call that creates it. */
  static getInstance(config?: RuntimeRegistryConfig): RuntimeRegistry {
    RuntimeRegistry.#instance ??= new RuntimeRegistry(config);
    return RuntimeRegistry.#instance;
  }

  /** Forgets the environment's registry, which goes on watching its runtimes. */
  static resetInstance(): void {
    RuntimeRegistry.#instance = null;
  }

  register(runtime: Runtime): void {
    const object = this.#keyOf(runtime);
    this.#objects.set(object, runtime);
    try {
      callNow((id) => this.#step({ type: "register", call: id, object }));
    } finally {
      if (addon().registeredObject(this.#handle, runtime.metadata.id) !== object) this.#objects.delete(object);
    }
  }

  unregister(runtimeId: string): void {
    const runtime = this.getRuntime(runtimeId);
    callNow((id) => this.#step({ type: "unregister", call: id, id: runtimeId }));
    if (runtime) this.#objects.delete(this.#keyOf(runtime));
  }

  getAvailableRuntimes(): Runtime[] {
    return this.#list("available");
  }

  getRuntime(runtimeId: string): Runtime | undefined {
    const object = addon().registeredObject(this.#handle, runtimeId);
    return object === null ? undefined : this.#objects.get(object);
  }

  getRuntimesByType(type: RuntimeType): Runtime[] {
    return this.#list("ofType", type);
  }

  getActiveRuntimes(): Runtime[] {
    return this.#list("active");
  }

  getActiveRuntime(): Runtime | undefined {
    return this.#list("highestActive")[0];
  }

  getActiveRuntimeOfType(type: RuntimeType): Runtime | undefined {
    return this.#list("activeOfType", type)[0];
  }

  canStartRuntime(): boolean {
    return addon().canStartRuntime(this.#handle, this.#facts());
  }

  async startRuntime(runtimeId: string, notebookId: string, config?: RuntimeConfiguration): Promise<void> {
    let started = 0;
    try {
      await call((id) => {
        started = id;
        this.#starts.set(id, { notebookId, config });
        this.#step({ type: "startRuntime", call: id, id: runtimeId });
      });
    } finally {
      this.#starts.delete(started);
    }
  }

  async stopAllRuntimes(): Promise<void> {
    return call((id) => this.#step({ type: "stopAll", call: id }));
  }

  onRuntimeStateChanged(callback: (runtime: Runtime, state: RuntimeState) => void): () => void {
    return listen(this.#stateCallbacks, callback);
  }

  onRuntimeRegistered(callback: (runtime: Runtime) => void): () => void {
    return listen(this.#registeredCallbacks, callback);
  }

  onRuntimeUnregistered(callback: (runtimeId: string) => void): () => void {
    return listen(this.#unregisteredCallbacks, callback);
  }

  onEvent(callback: (event: RuntimeEvent) => void): () => void {
    return listen(this.#eventCallbacks, callback);
  }

  getStats(): {
    total: number;
    active: number;
    available: number;
    byType: Record<RuntimeType, number>;
    config: RuntimeRegistryConfig;
  } {
    const stats = JSON.parse(addon().registryStats(this.#handle, this.#facts())) as {
      total: number;
      active: number;
      available: number;
      byType: Record<RuntimeType, number>;
    };
    return { ...stats, config: this.#config };
  }

  debugLog(): void {
    const runtimes = [...this.#objects.values()].map((runtime) => {
      const { id, type, name } = runtime.metadata;
      return { id, type, name, state: runtime.getState() };
    });
    console.log("Runtime Registry Debug:", { stats: this.getStats(), runtimes });
  }

  #keyOf(runtime: Runtime): number {
    const known = this.#keys.get(runtime);
    if (known !== undefined) return known;
    this.#lastKey += 1;
    this.#keys.set(runtime, this.#lastKey);
    return this.#lastKey;
  }

  /** What the objects show now. */
  #facts(): string {
    this.#shown = new Map();
    const facts: Record<number, object> = {};
    for (const [object, runtime] of this.#objects) {
      const { id, type, priority, isAvailable } = runtime.metadata;
      const state = runtime.getState();
      this.#shown.set(object, state);
      facts[object] = { id, type, priority, isAvailable: Boolean(isAvailable), state };
    }
    return JSON.stringify(facts);
  }

  #list(question: Question, type = ""): Runtime[] {
    return addon()
      .listRegistered(this.#handle, this.#facts(), question, type)
      .map((object) => this.#objects.get(object) as Runtime);
  }

  #step(input: object): void {
    performAll(this.#stepped(input), (effect) => {
      const answer = this.#perform(effect);
      return answer === null ? [] : this.#stepped({ type: "answer", ticket: (effect as { ticket: number }).ticket, answer });
    });
  }

  #stepped(input: object): RegistryEffect[] {
    return JSON.parse(addon().stepRegistry(this.#handle, this.#facts(), JSON.stringify(input))) as RegistryEffect[];
  }

  /** Performs one effect; gives its answer, or nothing where it is answered later or not at all. */
  #perform(effect: RegistryEffect): Answer | null {
    switch (effect.type) {
      case "event":
        return this.#tell(this.#eventCallbacks, "event", (callback) => callback(this.#event(effect.event)));
      case "stateChanged": {
        const [runtime, state] = [this.#object(effect.object), this.#shown.get(effect.object) as RuntimeState];
        return this.#tell(this.#stateCallbacks, "state change", (callback) => callback(runtime, state));
      }
      case "registered":
        return tellAll(this.#registeredCallbacks, (callback) => callback(this.#object(effect.object)));
      case "unregistered":
        return tellAll(this.#unregisteredCallbacks, (callback) => callback(effect.id));
      case "start": {
        const { notebookId, config } = this.#starts.get(effect.call) ?? { notebookId: "", config: undefined };
        return this.#awaited(effect.ticket, () => this.#object(effect.object).start(notebookId, config));
      }
      case "stop":
        return this.#awaited(effect.ticket, () => this.#object(effect.object).stop());
      case "continue":
        return done;
      case "setInterval":
        this.#intervals.set(effect.timer, effect.everyMs, () => this.#step({ type: "timer", timer: effect.timer }));
        return null;
      case "clearInterval":
        this.#intervals.clear(effect.timer);
        return null;
      case "settle":
        settle(effect.call, effect.outcome);
        return null;
    }
  }

  /** Calls every callback; what one throws is logged and goes no further. */
  #tell<C>(callbacks: ReadonlySet<C>, what: string, tell: (callback: C) => void): Answer {
    callbacks.forEach((callback) => {
      try {
        tell(callback);
      } catch (error) {
        console.error(`Error in runtime ${what} callback:`, error);
      }
    });
    return done;
  }

  #awaited(ticket: number, method: () => Promise<void>): null {
    void awaited(method).then((answer) => this.#step({ type: "answer", ticket, answer }));
    return null;
  }

  #event(event: RegistryEvent): RuntimeEvent {
    switch (event.type) {
      case "registered":
        return { type: "registered", runtime: this.#object(event.object) };
      case "unregistered":
        return { type: "unregistered", runtimeId: event.runtimeId };
      case "state-changed": {
        const object = addon().registeredObject(this.#handle, event.runtimeId);
        return { type: "state-changed", runtimeId: event.runtimeId, state: this.#shown.get(object ?? 0) as RuntimeState };
      }
      case "error":
        return event;
    }
  }

  #object(object: number): Runtime {
    return this.#objects.get(object) as Runtime;
  }
}

/** The environment's registry, by its old name. */
export function getRuntimeRegistry(config?: RuntimeRegistryConfig): RuntimeRegistry {
  return RuntimeRegistry.getInstance(config);
}

/** Calls callbacks until one throws, which is the answer. */
function tellAll<C>(callbacks: ReadonlySet<C>, tell: (callback: C) => void): Answer {
  return attempt(() => {
    callbacks.forEach(tell);
    return done;
  });
}

function listen<C>(callbacks: Set<C>, callback: C): () => void {
  callbacks.add(callback);
  return () => callbacks.delete(callback);
}
