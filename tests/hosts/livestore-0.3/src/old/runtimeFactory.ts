/** Makes the default runtimes and registers them with the one registry. */
import { BaseRuntime } from "./baseRuntime.js";
import { HtmlRuntime } from "./htmlRuntime.js";
import { RuntimeRegistry } from "./runtimeRegistry.js";
import type { RuntimeConfiguration, RuntimeFactoryConfig, RuntimeMetadata, RuntimeType } from "./types.js";

const EXTERNAL: RuntimeMetadata = {
  id: "external-runtime",
  name: "External Agent",
  description: "A process that people start themselves",
  icon: "🔗",
  type: "external",
  isLocal: false,
  isAvailable: true,
  priority: 80,
};

class ExternalRuntime extends BaseRuntime {
  constructor(config?: RuntimeConfiguration) {
    super(EXTERNAL, { canExecuteCode: true, canExecuteSql: true, canExecuteAi: true }, config);
  }

  protected override async doStart(): Promise<void> {}

  protected override async doStop(): Promise<void> {}
}

export class RuntimeFactory {
  private readonly registry = RuntimeRegistry.getInstance();

  constructor(private readonly config: RuntimeFactoryConfig) {}

  static createWithDefaults(config: RuntimeFactoryConfig): RuntimeFactory {
    const factory = new RuntimeFactory(config);
    if (factory.registry.getAvailableRuntimes().length === 0) factory.setupDefaultRuntimes();
    return factory;
  }

  createRuntime(type: RuntimeType, config?: RuntimeConfiguration): BaseRuntime {
    const { store, userId } = this.config;
    return type === "html" ? new HtmlRuntime({ ...config, store, userId }) : new ExternalRuntime(config);
  }

  getSupportedTypes(): RuntimeType[] {
    return ["html", "external"];
  }

  setupDefaultRuntimes(): void {
    for (const type of this.getSupportedTypes()) this.registry.register(this.createRuntime(type));
  }

  getRegistry(): RuntimeRegistry {
    return this.registry;
  }
}

export const createRuntimeFactory = (config: RuntimeFactoryConfig): RuntimeFactory =>
  RuntimeFactory.createWithDefaults(config);
