// Host code as it was written against the old runtime layer: every type and value outside React, in the shape it always had.
// It is compiled, never run.

import {
  BaseRuntime,
  createRuntimeFactory,
  getRuntimeRegistry,
  HtmlRuntime,
  Registry,
  RuntimeFactory,
  RuntimeRegistry,
  type HtmlRuntimeConfig,
  type HtmlRuntimeContextType,
  type HtmlRuntimeState,
  type LiveStore,
  type LocalRuntime,
  type RemoteRuntime,
  type RemoteRuntimeConnection,
  type Runtime,
  type RuntimeCapabilities,
  type RuntimeConfiguration,
  type RuntimeEvent,
  type RuntimeFactoryConfig,
  type RuntimeFactoryInterface,
  type RuntimeMetadata,
  type RuntimeRegistryConfig,
  type RuntimeRegistryInterface,
  type RuntimeState,
  type RuntimeStatus,
  type RuntimeType,
} from "runtime-bridge/legacy";

/** Whether two types are one; `any` is only itself. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** A function that no call satisfies unless the types are one. */
export function same<A, B>(_: Same<A, B>): void {}

// Every literal of every union, and no other.
same<RuntimeType, "html" | "pyodide" | "external">(true);
same<RuntimeStatus, "inactive" | "starting" | "ready" | "busy" | "stopping" | "error">(true);

export function labelOfType(type: RuntimeType): string {
  switch (type) {
    case "html":
      return "HTML";
    case "pyodide":
      return "Pyodide";
    case "external":
      return "External";
    default:
      return type satisfies never;
  }
}

export function isUsable(status: RuntimeStatus): boolean {
  switch (status) {
    case "ready":
    case "busy":
      return true;
    case "inactive":
    case "starting":
    case "stopping":
    case "error":
      return false;
    default:
      return status satisfies never;
  }
}

export function describe(event: RuntimeEvent): string {
  switch (event.type) {
    case "state-changed": {
      const { runtimeId, state } = event;
      return `${runtimeId}: ${labelOfState(state)}`;
    }
    case "registered":
      return event.runtime.metadata.name;
    case "unregistered":
      return event.runtimeId;
    case "error":
      return `${event.runtimeId}: ${event.error}`;
    default:
      return event satisfies never;
  }
}

function labelOfState(state: RuntimeState): string {
  const since: number | undefined = state.lastHeartbeat?.getTime();
  return [state.isActive, state.isStarting, state.isStopping, state.status, state.error, state.runtimeId, state.sessionId, since].join(" ");
}

// Data in full, and with everything optional left out.
export const states: RuntimeState[] = [
  { isActive: false, isStarting: false, isStopping: false, status: "inactive", error: null, runtimeId: null, sessionId: null },
  {
    isActive: true,
    isStarting: false,
    isStopping: false,
    status: "ready",
    error: "text",
    runtimeId: "r",
    sessionId: "s",
    lastHeartbeat: new Date(),
  },
];
export const capabilities: RuntimeCapabilities[] = [
  { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false },
  {
    canExecuteCode: true,
    canExecuteSql: true,
    canExecuteAi: true,
    supportedLanguages: ["python"],
    supportsInterruption: true,
    supportsRestart: true,
  },
];
export const configurations: RuntimeConfiguration[] = [
  {},
  { environment: { KEY: "value" }, maxExecutionTime: 30_000, options: { anything: [1, "two"] } },
];
const metadata: RuntimeMetadata = {
  id: "mine",
  name: "Mine",
  description: "",
  icon: "",
  type: "external",
  version: "1.0.0",
  isLocal: true,
  isAvailable: true,
  priority: 1,
};
export const { version, ...withoutVersion }: RuntimeMetadata = metadata;
withoutVersion satisfies RuntimeMetadata;
export const connection: RemoteRuntimeConnection = { endpoint: "wss://host", sessionId: "s", lastSeen: new Date() };
same<RemoteRuntimeConnection["version"], string | undefined>(true);
export const registryConfigs: RuntimeRegistryConfig[] = [
  {},
  {
    maxConcurrentRuntimes: 2,
    defaultRuntimeType: "html",
    allowMultipleRuntimesOfSameType: true,
    runtimeConfigs: { html: { maxExecutionTime: 1 }, external: {} },
  },
];
export const htmlState: HtmlRuntimeState = {
  isActive: true,
  isStarting: false,
  isStopping: false,
  error: null,
  runtimeId: "r",
  sessionId: "s",
};
export const context: HtmlRuntimeContextType = {
  runtimeState: htmlState,
  startRuntime: async () => {},
  stopRuntime: async () => {},
  restartRuntime: async () => {},
};

// Members that always had to be there still have to be.
// @ts-expect-error a state has a session id, if only null
export const noState: RuntimeState = { isActive: false, isStarting: false, isStopping: false, status: "ready", error: null, runtimeId: null };
// @ts-expect-error what a runtime cannot do is said
export const noCapabilities: RuntimeCapabilities = { canExecuteCode: true };
// @ts-expect-error an html runtime has a user
export const noUser: HtmlRuntimeConfig = { store: {} as LiveStore };
// @ts-expect-error no runtime is of another type
export const noType: RuntimeType = "python";

// A store as hosts describe theirs.
const store: LiveStore = {
  commit(event: { name: string; args: object }) {
    return event;
  },
  query(query: { query: string }): unknown[] {
    return [query];
  },
  subscribe(_query: object, { onUpdate }: { onUpdate(rows: readonly unknown[]): void }) {
    onUpdate([]);
    return () => {};
  },
};
export const closable: LiveStore = { ...store, shutdown: async () => {} };
const rows: { id: string }[] = store.query({ query: "SELECT id FROM cells" });
const unsubscribe: () => void = store.subscribe({}, { onUpdate: () => rows.length });
store.commit({ name: "v1.ExecutionRequested", args: {} });
store.shutdown?.();
unsubscribe();

/** A host's own runtime, which uses everything that subclasses may. */
export class Mine extends BaseRuntime implements LocalRuntime {
  declare readonly metadata: RuntimeMetadata & { readonly isLocal: true };
  readonly #log: string[] = [];

  constructor(config: RuntimeConfiguration = {}) {
    super(metadata, capabilities[0] ?? { canExecuteCode: false, canExecuteSql: false, canExecuteAi: false }, config);
    same<typeof this.state, RuntimeState>(true);
    same<typeof this.configuration, RuntimeConfiguration>(true);
    same<typeof this.notebookId, string | null>(true);
  }

  protected async doStart(notebookId: string, config: RuntimeConfiguration): Promise<void> {
    this.#log.push(notebookId, String(config.maxExecutionTime));
    this.state = { ...this.state, status: "busy" };
    this.configuration = { ...this.configuration, options: { own: true } };
    this.notebookId = notebookId;
    this.updateState({ status: "ready", isActive: true });
    this.updateState({});
  }

  protected async doStop(): Promise<void> {
    this.setError("text");
    this.setError(new Error("text"));
  }

  protected override async doRestart(config?: RuntimeConfiguration): Promise<void> {
    await this.restart(config);
  }

  async executeCode(cellId: string, code: string): Promise<void> {
    this.validateStarted();
    if (!this.isActiveAndReady()) return;
    this.setBusy();
    const id: string = this.generateSessionId(this.generateRuntimeId());
    this.#log.push(this.getCurrentNotebookId(), id, cellId, code);
    this.setReady();
  }

  getSetupInstructions(): string | null {
    return null;
  }

  async ping(): Promise<boolean> {
    return this.getState().isActive;
  }
}

/** One that changes what it inherits. */
export class Loud extends Mine {
  override getState(): RuntimeState {
    return { ...super.getState(), error: "loud" };
  }

  override async start(notebookId: string, config?: RuntimeConfiguration): Promise<void> {
    await super.start(notebookId, config);
  }

  override toString(): string {
    return super.toString().toUpperCase();
  }

  override destroy(): void {
    super.destroy();
  }

  protected override generateRuntimeId(): string {
    return "loud";
  }

  protected override generateSessionId(runtimeId: string): string {
    return `${runtimeId}-1`;
  }

  protected override updateState(updates: Partial<RuntimeState>): void {
    super.updateState({ ...updates, error: null });
  }
}

/** A subclass of the built-in runtime. */
export class MyHtml extends HtmlRuntime {
  constructor() {
    super({ store, userId: "u1", options: {} });
  }

  protected override async doStart(notebookId: string, config: RuntimeConfiguration): Promise<void> {
    await super.doStart(notebookId, config);
  }
}

export class Local implements LocalRuntime {
  readonly metadata = { ...metadata, isLocal: true } as const;
  readonly capabilities: RuntimeCapabilities = { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false };
  getState(): RuntimeState {
    throw new Error();
  }
  getConfiguration(): RuntimeConfiguration {
    return {};
  }
  async start(_notebookId: string, _config?: RuntimeConfiguration): Promise<void> {}
  async stop(): Promise<void> {}
  async restart(_config?: RuntimeConfiguration): Promise<void> {}
}

export class Remote implements RemoteRuntime {
  readonly metadata = { ...metadata, isLocal: false } as const;
  readonly capabilities: RuntimeCapabilities = { canExecuteCode: true, canExecuteSql: true, canExecuteAi: true };
  getState(): RuntimeState {
    throw new Error();
  }
  getConfiguration(): RuntimeConfiguration {
    return {};
  }
  async start(_notebookId: string, _config?: RuntimeConfiguration): Promise<void> {}
  async stop(): Promise<void> {}
  async restart(_config?: RuntimeConfiguration): Promise<void> {}
  async ping(): Promise<boolean> {
    return true;
  }
  getSetupInstructions(): string | null {
    return "run it";
  }
  getConnectionInfo(): RemoteRuntimeConnection | null {
    return { ...connection, version: "2" };
  }
}

// @ts-expect-error a remote runtime says how it is reached
export class NotRemote extends Local implements RemoteRuntime {}

export class MyRegistry implements RuntimeRegistryInterface {
  readonly #runtimes = new Map<string, Runtime>();
  register(runtime: Runtime): void {
    this.#runtimes.set(runtime.metadata.id, runtime);
  }
  unregister(runtimeId: string): void {
    this.#runtimes.delete(runtimeId);
  }
  getAvailableRuntimes(): Runtime[] {
    return [...this.#runtimes.values()];
  }
  getRuntime(runtimeId: string): Runtime | undefined {
    return this.#runtimes.get(runtimeId);
  }
  getRuntimesByType(type: RuntimeType): Runtime[] {
    return this.getAvailableRuntimes().filter((runtime) => runtime.metadata.type === type);
  }
  getActiveRuntimes(): Runtime[] {
    return this.getAvailableRuntimes().filter((runtime) => runtime.getState().isActive);
  }
  getActiveRuntime(): Runtime | undefined {
    return this.getActiveRuntimes()[0];
  }
  canStartRuntime(): boolean {
    return true;
  }
  async startRuntime(runtimeId: string, notebookId: string, config?: RuntimeConfiguration): Promise<void> {
    await this.getRuntime(runtimeId)?.start(notebookId, config);
  }
  async stopAllRuntimes(): Promise<void> {}
  onRuntimeStateChanged(_callback: (runtime: Runtime, state: RuntimeState) => void): () => void {
    return () => {};
  }
  onRuntimeRegistered(_callback: (runtime: Runtime) => void): () => void {
    return () => {};
  }
  onRuntimeUnregistered(_callback: (runtimeId: string) => void): () => void {
    return () => {};
  }
}

export class MyFactory implements RuntimeFactoryInterface {
  createRuntime(type: RuntimeType, config?: RuntimeConfiguration): Runtime {
    return type === "html" ? new HtmlRuntime({ ...config, store, userId: "u1" }) : new Mine(config);
  }
  getSupportedTypes(): RuntimeType[] {
    return ["html"];
  }
}

// The classes as their users see them.
export async function useRuntime(runtime: Mine | HtmlRuntime): Promise<void> {
  same<typeof runtime.capabilities, RuntimeCapabilities>(true);
  const stop: () => void = runtime.onStateChange((state) => labelOfState(state));
  const { metadata, state, configuration, notebookId, capabilities } = runtime.getDebugInfo();
  same<typeof metadata, RuntimeMetadata>(true);
  same<typeof state, RuntimeState>(true);
  same<typeof configuration, RuntimeConfiguration>(true);
  same<typeof notebookId, string | null>(true);
  same<typeof capabilities, RuntimeCapabilities>(true);
  same<ReturnType<typeof runtime.getState>, RuntimeState>(true);
  same<ReturnType<typeof runtime.getConfiguration>, RuntimeConfiguration>(true);
  await runtime.start("nb");
  await runtime.start("nb", { maxExecutionTime: 1 });
  await runtime.executeCode("cell", "<b></b>");
  await runtime.restart();
  await runtime.restart({});
  await runtime.stop();
  stop();
  runtime.destroy();
  // @ts-expect-error subclasses alone change the state
  runtime.updateState({});
  // @ts-expect-error the base class cannot be made
  new BaseRuntime(metadata, capabilities);
}

export async function useInterface(runtime: Runtime, local: LocalRuntime, remote: RemoteRuntime): Promise<void> {
  const isThere: boolean | undefined = await runtime.ping?.();
  const instructions: string | null | undefined = runtime.getSetupInstructions?.();
  await local.executeCode?.("cell", "code");
  same<typeof local.metadata.isLocal, true>(true);
  same<typeof remote.metadata.isLocal, false>(true);
  const info: RemoteRuntimeConnection | null = remote.getConnectionInfo();
  console.log(isThere, instructions, await remote.ping(), remote.getSetupInstructions(), info?.endpoint);
  // @ts-expect-error what a runtime is does not change
  runtime.metadata = metadata;
}

export async function useRegistry(): Promise<void> {
  const registry: RuntimeRegistry = RuntimeRegistry.getInstance({ maxConcurrentRuntimes: 2 });
  same<typeof Registry, typeof RuntimeRegistry>(true);
  same<ReturnType<typeof getRuntimeRegistry>, RuntimeRegistry>(true);
  const again: RuntimeRegistryInterface = getRuntimeRegistry();
  registry.register(new Mine());
  registry.register(new Local());
  registry.register(new Remote());
  again.unregister("mine");
  const found: (Runtime | undefined)[] = [
    registry.getRuntime("mine"),
    registry.getActiveRuntime(),
    registry.getActiveRuntimeOfType("html"),
    ...registry.getAvailableRuntimes(),
    ...registry.getRuntimesByType("external"),
    ...registry.getActiveRuntimes(),
  ];
  if (registry.canStartRuntime()) await registry.startRuntime("mine", "nb", { options: { found } });
  await registry.stopAllRuntimes();
  const stops: (() => void)[] = [
    registry.onRuntimeStateChanged((runtime, state) => console.log(runtime.metadata.id, state.status)),
    registry.onRuntimeRegistered((runtime) => console.log(runtime.metadata.id)),
    registry.onRuntimeUnregistered((runtimeId) => console.log(runtimeId.length)),
    registry.onEvent((event) => console.log(describe(event))),
  ];
  for (const stop of stops) stop();
  const { total, active, available, byType, config } = registry.getStats();
  same<typeof total, number>(true);
  same<typeof byType, Record<RuntimeType, number>>(true);
  same<typeof config, RuntimeRegistryConfig>(true);
  console.log(total + active + available + byType.html);
  registry.debugLog();
  RuntimeRegistry.resetInstance();
}

export function useFactory(): Runtime[] {
  const config: RuntimeFactoryConfig = { store, userId: "u1", registryConfig: { maxConcurrentRuntimes: 1 } };
  const factory: RuntimeFactory = new RuntimeFactory(config);
  same<ReturnType<typeof createRuntimeFactory>, RuntimeFactory>(true);
  const withDefaults: RuntimeFactoryInterface = RuntimeFactory.createWithDefaults({ store, userId: "u1" });
  factory.setupDefaultRuntimes();
  const registry: RuntimeRegistry = factory.getRegistry();
  const html: HtmlRuntimeConfig = { store, userId: "u1", maxExecutionTime: 1 };
  return [
    factory.createRuntime("html"),
    withDefaults.createRuntime("external", { environment: {} }),
    ...factory.getSupportedTypes().map((type) => createRuntimeFactory(config).createRuntime(type)),
    ...registry.getAvailableRuntimes(),
    new HtmlRuntime(),
    new HtmlRuntime({}),
    new HtmlRuntime(html),
  ];
}
