/** The types of the old runtime layer, as host code imports them. */

export type RuntimeType = "html" | "pyodide" | "external";

export type RuntimeStatus = "inactive" | "starting" | "ready" | "busy" | "stopping" | "error";

/** A snapshot of a runtime. */
export interface RuntimeState {
  isActive: boolean;
  isStarting: boolean;
  isStopping: boolean;
  status: RuntimeStatus;
  error: string | null;
  runtimeId: string | null;
  sessionId: string | null;
  /** The last change of `status` or `isActive`; absent before the first. */
  lastHeartbeat?: Date;
}

/** What `useHtmlRuntime()` shows of the notebook's html runtime. */
export interface HtmlRuntimeState {
  isActive: boolean;
  isStarting: boolean;
  isStopping: boolean;
  error: string | null;
  runtimeId: string | null;
  sessionId: string | null;
}

/** What `useHtmlRuntime()` gives. */
export interface HtmlRuntimeContextType {
  runtimeState: HtmlRuntimeState;
  startRuntime(): Promise<void>;
  stopRuntime(): Promise<void>;
  restartRuntime(): Promise<void>;
}

export interface RuntimeCapabilities {
  canExecuteCode: boolean;
  canExecuteSql: boolean;
  canExecuteAi: boolean;
  supportedLanguages?: string[];
  supportsInterruption?: boolean;
  supportsRestart?: boolean;
}

/** What a session may announce that it can do; other members are passed on as they are. */
export type Capabilities = RuntimeCapabilities;

export interface RuntimeConfiguration {
  environment?: Record<string, string>;
  /** Milliseconds. The old path ignores it. */
  maxExecutionTime?: number;
  options?: Record<string, unknown>;
}

export interface RuntimeMetadata {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly icon: string;
  readonly type: RuntimeType;
  readonly version?: string;
  readonly isLocal: boolean;
  readonly isAvailable: boolean;
  readonly priority: number;
}

export interface Runtime {
  readonly metadata: RuntimeMetadata;
  readonly capabilities: RuntimeCapabilities;
  getState(): RuntimeState;
  getConfiguration(): RuntimeConfiguration;
  start(notebookId: string, config?: RuntimeConfiguration): Promise<void>;
  stop(): Promise<void>;
  restart(config?: RuntimeConfiguration): Promise<void>;
  ping?(): Promise<boolean>;
  getSetupInstructions?(): string | null;
}

export interface LocalRuntime extends Runtime {
  readonly metadata: RuntimeMetadata & { readonly isLocal: true };
  executeCode?(cellId: string, code: string): Promise<void>;
}

export interface RemoteRuntimeConnection {
  endpoint: string;
  sessionId: string;
  lastSeen: Date;
  version?: string;
}

export interface RemoteRuntime extends Runtime {
  readonly metadata: RuntimeMetadata & { readonly isLocal: false };
  ping(): Promise<boolean>;
  getSetupInstructions(): string | null;
  getConnectionInfo(): RemoteRuntimeConnection | null;
}

export interface RuntimeRegistryConfig {
  /** How many runtimes may be active at once; 1 unless set, and then the active one makes room. */
  maxConcurrentRuntimes?: number;
  defaultRuntimeType?: RuntimeType;
  allowMultipleRuntimesOfSameType?: boolean;
  runtimeConfigs?: Partial<Record<RuntimeType, RuntimeConfiguration>>;
}

export type RuntimeEvent =
  | { type: "state-changed"; runtimeId: string; state: RuntimeState }
  | { type: "registered"; runtime: Runtime }
  | { type: "unregistered"; runtimeId: string }
  | { type: "error"; runtimeId: string; error: string };

export interface RuntimeRegistryInterface {
  register(runtime: Runtime): void;
  unregister(runtimeId: string): void;
  getAvailableRuntimes(): Runtime[];
  getRuntime(runtimeId: string): Runtime | undefined;
  getRuntimesByType(type: RuntimeType): Runtime[];
  getActiveRuntimes(): Runtime[];
  getActiveRuntime(): Runtime | undefined;
  canStartRuntime(): boolean;
  startRuntime(runtimeId: string, notebookId: string, config?: RuntimeConfiguration): Promise<void>;
  stopAllRuntimes(): Promise<void>;
  onRuntimeStateChanged(callback: (runtime: Runtime, state: RuntimeState) => void): () => void;
  onRuntimeRegistered(callback: (runtime: Runtime) => void): () => void;
  onRuntimeUnregistered(callback: (runtimeId: string) => void): () => void;
}

/** What the bridge needs of a LiveStore store. */
export interface LiveStore {
  // Stores are typed by their schema, so what goes in and comes out is theirs.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  commit(...events: any[]): unknown;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  query(query: any): any;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  subscribe(query: any, options: any): () => void;
  shutdown?(): unknown;
}

export interface HtmlRuntimeConfig extends RuntimeConfiguration {
  /** The notebook's store. */
  store: LiveStore;
  /** The user on whose behalf the runtime runs. */
  userId: string;
}

export interface RuntimeFactoryConfig {
  /** The notebook's store, which html runtimes are given. */
  store: LiveStore;
  /** The user on whose behalf html runtimes run. */
  userId: string;
  /** Ignored, as it always was: the registry is a singleton. */
  registryConfig?: RuntimeRegistryConfig;
}

export interface RuntimeFactoryInterface {
  createRuntime(type: RuntimeType, config?: RuntimeConfiguration): Runtime;
  getSupportedTypes(): RuntimeType[];
}
