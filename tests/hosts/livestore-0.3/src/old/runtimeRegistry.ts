/** The runtimes of the application; one of them is active at a time unless it is configured otherwise. */
import type { BaseRuntime } from "./baseRuntime.js";
import type { RuntimeConfiguration, RuntimeRegistryConfig } from "./types.js";

export class RuntimeRegistry {
  private static instance: RuntimeRegistry | null = null;
  private readonly runtimes = new Map<string, BaseRuntime>();
  private readonly config: RuntimeRegistryConfig;

  constructor(config: RuntimeRegistryConfig = {}) {
    this.config = { maxConcurrentRuntimes: 1, ...config };
  }

  static getInstance(config?: RuntimeRegistryConfig): RuntimeRegistry {
    RuntimeRegistry.instance ??= new RuntimeRegistry(config);
    return RuntimeRegistry.instance;
  }

  static resetInstance(): void {
    RuntimeRegistry.instance = null;
  }

  register(runtime: BaseRuntime): void {
    const { id } = runtime.metadata;
    if (!this.runtimes.has(id)) this.runtimes.set(id, runtime);
  }

  unregister(runtimeId: string): void {
    const runtime = this.runtimes.get(runtimeId);
    if (runtime?.getState().isActive) runtime.stop().catch((error: unknown) => console.error(error));
    this.runtimes.delete(runtimeId);
  }

  getRuntime(runtimeId: string): BaseRuntime | undefined {
    return this.runtimes.get(runtimeId);
  }

  getAvailableRuntimes(): BaseRuntime[] {
    return [...this.runtimes.values()].filter(({ metadata }) => metadata.isAvailable);
  }

  getActiveRuntimes(): BaseRuntime[] {
    return [...this.runtimes.values()].filter((runtime) => runtime.getState().isActive);
  }

  async startRuntime(runtimeId: string, notebookId: string, config?: RuntimeConfiguration): Promise<void> {
    const runtime = this.runtimes.get(runtimeId);
    if (!runtime) throw new Error(`Runtime ${runtimeId} not found`);
    const [active] = this.getActiveRuntimes();
    const limit = this.config.maxConcurrentRuntimes ?? 1;
    if (active && limit === 1 && active !== runtime) await active.stop();
    else if (this.getActiveRuntimes().length >= limit) {
      throw new Error(`Cannot start runtime: would exceed maximum concurrent runtimes (${limit})`);
    }
    await runtime.start(notebookId, config);
  }

  async stopAllRuntimes(): Promise<void> {
    await Promise.all(this.getActiveRuntimes().map((runtime) => runtime.stop()));
  }
}

export const getRuntimeRegistry = (config?: RuntimeRegistryConfig): RuntimeRegistry =>
  RuntimeRegistry.getInstance(config);
