import { HtmlRuntime } from "./html-runtime";
import { addon } from "./internal/addon";
import { refusal } from "./internal/bridge";
import { BridgeError } from "./internal/errors";
import type { Capabilities, LiveStore, RuntimeState } from "./types";

/** A kind of runtime: data and a handler, never a subclass. */
export interface RuntimeTypeDefinition {
  /** The type's name in the event log, `html` for instance. */
  type: string;
  displayName: string;
  description: string;
  icon: string;
  capabilities: Capabilities;
  /** Higher comes first in lists. */
  priority: number;
  isAvailable: boolean;
}

export interface RuntimeAgentRegistryConfig {
  /** The user on whose behalf agents run. */
  userId: string;
  /** How many agents may exist at once; 1000 unless set. */
  maxConcurrentAgents?: number;
  /** The store of a notebook, where it is not the one given to `createRuntimeAgentRegistry`. */
  storeOf?: (notebookId: string) => LiveStore;
}

/** What an operator sees of the registry. */
export interface RuntimeAgentRegistryStatus {
  agents: { notebookId: string; type: string; state: RuntimeState }[];
  maxConcurrentAgents: number;
}

/** The agent of one notebook. Which path serves its session is up to the notebook's flag. */
export class RuntimeAgent {
  readonly notebookId: string;
  readonly type: string;
  readonly #runtime: HtmlRuntime;

  /** @internal */
  constructor(notebookId: string, type: string, runtime: HtmlRuntime) {
    this.notebookId = notebookId;
    this.type = type;
    this.#runtime = runtime;
  }

  get isActive(): boolean {
    return this.#runtime.getState().isActive;
  }

  getState(): RuntimeState {
    return this.#runtime.getState();
  }

  /** Calls back with a copy of the state at each change; gives the function that ends it. */
  onStateChange(callback: (state: RuntimeState) => void): () => void {
    return this.#runtime.onStateChange(callback);
  }

  /** Starts the session: active ones are displaced, then queued cells are claimed. */
  async start(): Promise<void> {
    return this.#runtime.start(this.notebookId);
  }

  /** Ends the session once what it has claimed is done. */
  async shutdown(): Promise<void> {
    return this.#runtime.stop();
  }
}

/** The agents of this environment, one a notebook, and the runtime types that they can have. */
export class RuntimeAgentRegistry {
  readonly #store: LiveStore;
  readonly #config: RuntimeAgentRegistryConfig;
  readonly #agents = new Map<string, RuntimeAgent>();

  /** @internal Use {@link createRuntimeAgentRegistry}. */
  constructor(store: LiveStore, config: RuntimeAgentRegistryConfig) {
    this.#store = store;
    this.#config = config;
    native(() => (config.maxConcurrentAgents === undefined ? undefined : addon().resetAgents(config.maxConcurrentAgents)));
  }

  registerRuntimeType(definition: RuntimeTypeDefinition): void {
    native(() => addon().registerRuntimeType(JSON.stringify(definition)));
  }

  /** The types that can be started, the highest priority first. */
  getAvailableRuntimeTypes(): RuntimeTypeDefinition[] {
    return JSON.parse(addon().availableRuntimeTypes()) as RuntimeTypeDefinition[];
  }

  getRuntimeType(type: string): RuntimeTypeDefinition | null {
    return JSON.parse(addon().runtimeType(type)) as RuntimeTypeDefinition | null;
  }

  /** The notebook's agent, started if it was not there. */
  async getOrCreateAgent(notebookId: string, type: string): Promise<RuntimeAgent> {
    const isNew = native(() => addon().placeAgent(notebookId, type));
    const known = this.#agents.get(notebookId);
    if (!isNew && known) return known;
    const store = this.#config.storeOf?.(notebookId) ?? this.#store;
    const agent = new RuntimeAgent(notebookId, type, new HtmlRuntime({ store, userId: this.#config.userId }));
    this.#agents.set(notebookId, agent);
    try {
      await agent.start();
    } catch (error) {
      this.#forget(notebookId);
      throw error;
    }
    // A session that was terminated from outside has shut its agent down.
    const unsubscribe = agent.onStateChange((state) => {
      if (state.isActive) return;
      unsubscribe();
      if (this.#agents.get(notebookId) === agent) this.#forget(notebookId);
    });
    return agent;
  }

  getAgent(notebookId: string): RuntimeAgent | null {
    return this.#agents.get(notebookId) ?? null;
  }

  async shutdownAgent(notebookId: string): Promise<void> {
    await this.#agents.get(notebookId)?.shutdown();
    this.#forget(notebookId);
  }

  /** Shuts every agent down; rejects with the first failure after all have ended. */
  async shutdownAll(): Promise<void> {
    const ends = await Promise.allSettled([...this.#agents.keys()].map((notebookId) => this.shutdownAgent(notebookId)));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  getRegistryStatus(): RuntimeAgentRegistryStatus {
    const agents = [...this.#agents.values()].map((agent) => {
      return { notebookId: agent.notebookId, type: agent.type, state: agent.getState() };
    });
    return { agents, maxConcurrentAgents: addon().maxConcurrentAgents() };
  }

  #forget(notebookId: string): void {
    this.#agents.delete(notebookId);
    addon().removeAgent(notebookId);
  }
}

let singleton: RuntimeAgentRegistry | null = null;

/** Creates this environment's registry, or gives the one that is there. */
export function createRuntimeAgentRegistry(store: LiveStore, config: RuntimeAgentRegistryConfig): RuntimeAgentRegistry {
  singleton ??= new RuntimeAgentRegistry(store, config);
  return singleton;
}

/** This environment's registry. */
export function getRuntimeAgentRegistry(): RuntimeAgentRegistry {
  if (singleton) return singleton;
  throw new BridgeError("NO_REGISTRY", "there is no registry of agents yet", "call createRuntimeAgentRegistry(store, config) first");
}

function native<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw refusal(error);
  }
}
