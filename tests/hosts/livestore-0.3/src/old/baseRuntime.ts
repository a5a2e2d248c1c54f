/** The lifecycle of a runtime, as the host's product has always had it. */
import { randomBytes } from "node:crypto";
import type { RuntimeCapabilities, RuntimeConfiguration, RuntimeMetadata, RuntimeState } from "./types.js";

const RESTART_PAUSE_MS = 100;

/** 21 characters. */
export const freshId = (): string => randomBytes(16).toString("base64url").slice(0, 21);

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export abstract class BaseRuntime {
  readonly metadata: RuntimeMetadata;
  readonly capabilities: RuntimeCapabilities;
  protected configuration: RuntimeConfiguration;
  protected notebookId: string | null = null;
  protected state: RuntimeState = {
    isActive: false,
    isStarting: false,
    isStopping: false,
    status: "inactive",
    error: null,
    runtimeId: null,
    sessionId: null,
  };
  private readonly callbacks = new Set<(state: RuntimeState) => void>();

  constructor(
    metadata: RuntimeMetadata,
    capabilities: RuntimeCapabilities,
    initialConfig: RuntimeConfiguration = {},
  ) {
    this.metadata = metadata;
    this.capabilities = capabilities;
    this.configuration = { maxExecutionTime: 30000, environment: {}, options: {}, ...initialConfig };
  }

  getState(): RuntimeState {
    return { ...this.state };
  }

  getConfiguration(): RuntimeConfiguration {
    return { ...this.configuration };
  }

  async start(notebookId: string, config?: RuntimeConfiguration): Promise<void> {
    if (this.state.isActive || this.state.isStarting) return;
    if (config) this.configuration = { ...this.configuration, ...config };
    this.notebookId = notebookId;
    this.updateState({ isStarting: true, status: "starting", error: null });
    try {
      const runtimeId = this.generateRuntimeId();
      const sessionId = this.generateSessionId(runtimeId);
      this.updateState({ runtimeId, sessionId });
      await this.doStart(notebookId, this.configuration);
      this.updateState({ isStarting: false, isActive: true, status: "ready" });
    } catch (error) {
      this.updateState({ isStarting: false, isActive: false, status: "error", error: textOf(error) });
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (!this.state.isActive || this.state.isStopping) return;
    this.updateState({ isStopping: true, status: "stopping" });
    try {
      await this.doStop();
      const over = { isActive: false, isStopping: false, status: "inactive", error: null } as const;
      this.updateState({ ...over, runtimeId: null, sessionId: null });
      this.notebookId = null;
    } catch (error) {
      this.updateState({ isStopping: false, status: "error", error: textOf(error) });
      throw error;
    }
  }

  async restart(config?: RuntimeConfiguration): Promise<void> {
    if (this.state.isActive) await this.stop();
    await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS));
    if (!this.notebookId) throw new Error("Cannot restart runtime: no notebook ID available");
    await this.start(this.notebookId, config);
  }

  onStateChange(callback: (state: RuntimeState) => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  destroy(): void {
    if (this.state.isActive) {
      console.warn(`Destroying active runtime ${this.metadata.id} - should stop first`);
      this.stop().catch((error: unknown) => console.error("Error stopping runtime during destroy:", error));
    }
    this.callbacks.clear();
  }

  toString(): string {
    return `${this.metadata.name} (${this.metadata.id}) - ${this.state.status}`;
  }

  getDebugInfo(): object {
    const { metadata, configuration, notebookId, capabilities } = this;
    return { metadata, state: this.getState(), configuration, notebookId, capabilities };
  }

  protected abstract doStart(notebookId: string, config: RuntimeConfiguration): Promise<void>;

  protected abstract doStop(): Promise<void>;

  protected updateState(updates: Partial<RuntimeState>): void {
    const before = JSON.stringify(this.state);
    this.state = { ...this.state, ...updates };
    if (updates.status !== undefined || updates.isActive !== undefined) this.state.lastHeartbeat = new Date();
    if (JSON.stringify(this.state) !== before) this.emit();
  }

  protected setError(error: string | Error): void {
    console.error(`${this.metadata.name} error:`, error);
    this.updateState({ status: "error", error: textOf(error) });
  }

  protected setBusy(): void {
    if (this.state.isActive) this.updateState({ status: "busy" });
  }

  protected setReady(): void {
    if (this.state.isActive) this.updateState({ status: "ready" });
  }

  protected generateRuntimeId(): string {
    return `${this.metadata.type}-runtime-${freshId()}`;
  }

  protected generateSessionId(runtimeId: string): string {
    return `${runtimeId}-${Date.now()}`;
  }

  protected getCurrentNotebookId(): string {
    if (!this.notebookId) throw new Error("No notebook ID available - runtime not started");
    return this.notebookId;
  }

  protected isActiveAndReady(): boolean {
    return this.state.isActive && this.state.status === "ready";
  }

  protected validateStarted(): void {
    if (!this.state.isActive) throw new Error(`Runtime ${this.metadata.id} is not active`);
  }

  private emit(): void {
    for (const callback of [...this.callbacks]) {
      try {
        callback(this.getState());
      } catch (error) {
        console.error(`Error in state change callback for ${this.metadata.id}:`, error);
      }
    }
  }
}
