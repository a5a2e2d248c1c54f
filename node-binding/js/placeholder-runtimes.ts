import { addon } from "./internal/addon";
import { BaseRuntime } from "./base-runtime";
import type {
  LocalRuntime,
  RemoteRuntime,
  RemoteRuntimeConnection,
  RuntimeCapabilities,
  RuntimeConfiguration,
  RuntimeMetadata,
  RuntimeType,
} from "./types";

/** A default runtime as the core describes it. */
interface Description {
  metadata: RuntimeMetadata;
  capabilities: RuntimeCapabilities;
  setupInstructions: string | null;
  /** The message with which its start fails. */
  startFailure: string | null;
}

/** A default runtime that executes nothing itself: it has the lifecycle and no session in any store. */
abstract class PlaceholderRuntime extends BaseRuntime {
  readonly #description: Description;

  constructor(type: RuntimeType, config?: RuntimeConfiguration) {
    const description = JSON.parse(addon().defaultRuntime(type)) as Description;
    super(description.metadata, description.capabilities, config);
    this.#description = description;
  }

  getSetupInstructions(): string | null {
    return this.#description.setupInstructions;
  }

  protected override async doStart(): Promise<void> {
    const { startFailure } = this.#description;
    if (startFailure !== null) throw new Error(startFailure);
  }

  protected override async doStop(): Promise<void> {}
}

/** Keeps a place for Python in the browser. It cannot be started. */
export class PyodideRuntime extends PlaceholderRuntime implements LocalRuntime {
  declare readonly metadata: RuntimeMetadata & { readonly isLocal: true };

  constructor(config?: RuntimeConfiguration) {
    super("pyodide", config);
  }
}

/** Stands for a runtime that people start elsewhere, of which nothing is known here. */
export class ExternalRuntime extends PlaceholderRuntime implements RemoteRuntime {
  declare readonly metadata: RuntimeMetadata & { readonly isLocal: false };

  constructor(config?: RuntimeConfiguration) {
    super("external", config);
  }

  /** Whether it answers: there is nobody to ask. */
  async ping(): Promise<boolean> {
    return false;
  }

  getConnectionInfo(): RemoteRuntimeConnection | null {
    return null;
  }
}
