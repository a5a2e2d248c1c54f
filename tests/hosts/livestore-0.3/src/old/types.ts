/** The types of the host's old runtime layer. */
import type { Store } from "../store.js";

export type RuntimeType = "html" | "external";

export type RuntimeStatus = "inactive" | "starting" | "ready" | "busy" | "stopping" | "error";

export interface RuntimeState {
  isActive: boolean;
  isStarting: boolean;
  isStopping: boolean;
  status: RuntimeStatus;
  error: string | null;
  runtimeId: string | null;
  sessionId: string | null;
  lastHeartbeat?: Date;
}

export interface RuntimeCapabilities {
  canExecuteCode: boolean;
  canExecuteSql: boolean;
  canExecuteAi: boolean;
  supportedLanguages?: string[];
  supportsInterruption?: boolean;
  supportsRestart?: boolean;
}

export interface RuntimeConfiguration {
  environment?: Record<string, string>;
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

export interface HtmlRuntimeConfig extends RuntimeConfiguration {
  store: Store;
  userId: string;
}

export interface RuntimeRegistryConfig {
  maxConcurrentRuntimes?: number;
}

export interface RuntimeFactoryConfig {
  store: Store;
  userId: string;
  registryConfig?: RuntimeRegistryConfig;
}
