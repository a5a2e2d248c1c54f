import { HtmlRuntime } from "./html-runtime";
import { addon } from "./internal/addon";
import { messageOf } from "./internal/errors";
import { ExternalRuntime, PyodideRuntime } from "./placeholder-runtimes";
import { RuntimeRegistry } from "./runtime-registry";
import type { Runtime, RuntimeConfiguration, RuntimeFactoryConfig, RuntimeFactoryInterface, RuntimeType } from "./types";

/**
 * Makes the default runtimes and registers them with the environment's registry. It behaves as the old `RuntimeFactory` on every
 * route: `registryConfig` has no effect, and runtimes that are registered keep the store and the user they were made with.
 */
export class RuntimeFactory implements RuntimeFactoryInterface {
  readonly #config: RuntimeFactoryConfig;
  readonly #registry = RuntimeRegistry.getInstance();

  constructor(config: RuntimeFactoryConfig) {
    this.#config = config;
  }

  /** A factory; the default runtimes are registered unless a runtime of any kind is available already. */
  static createWithDefaults(config: RuntimeFactoryConfig): RuntimeFactory {
    const factory = new RuntimeFactory(config);
    factory.#register(addon().missingDefaultTypes(factory.#registry.getAvailableRuntimes().length));
    return factory;
  }

  /** A new runtime that is not registered; an html runtime has the factory's store and user. */
  createRuntime(type: RuntimeType, config?: RuntimeConfiguration): Runtime {
    switch (type) {
      case "html": {
        const { store, userId } = this.#config;
        return new HtmlRuntime({ ...config, store, userId });
      }
      case "pyodide":
        return new PyodideRuntime(config);
      case "external":
        return new ExternalRuntime(config);
      default:
        throw unsupported(type);
    }
  }

  /** The types that {@link createRuntime} takes. */
  getSupportedTypes(): RuntimeType[] {
    return addon().defaultRuntimeTypes() as RuntimeType[];
  }

  /** Registers the default runtimes one after the other; what the registry refuses is thrown, what came before stays. */
  setupDefaultRuntimes(): void {
    this.#register(addon().defaultRuntimeTypes());
  }

  getRegistry(): RuntimeRegistry {
    return this.#registry;
  }

  #register(types: readonly string[]): void {
    for (const type of types) this.#registry.register(this.createRuntime(type as RuntimeType));
  }
}

/** A factory with the default runtimes, by its old name. */
export function createRuntimeFactory(config: RuntimeFactoryConfig): RuntimeFactory {
  return RuntimeFactory.createWithDefaults(config);
}

/** The core knows the types, and what to say about any other. */
function unsupported(type: never): Error {
  try {
    return new Error(`no class for the default runtime ${addon().defaultRuntime(type)}`);
  } catch (error) {
    return new Error(messageOf(error));
  }
}
