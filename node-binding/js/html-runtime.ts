import { addon } from "./internal/addon";
import { admit, type Notebook, notebookOf, seat, type Seated } from "./internal/notebook";
import type { SessionIds } from "./internal/protocol";
import { BaseRuntime } from "./base-runtime";
import type { HtmlRuntimeConfig, LiveStore, LocalRuntime, RuntimeConfiguration, RuntimeMetadata } from "./types";

/** A notebook keeps a seat for every runtime object that it has met, until the object is collected. */
const leaving = new FinalizationRegistry<{ notebook: WeakRef<Notebook>; runtime: number }>(({ notebook, runtime }) => {
  notebook.deref()?.step({ type: "forget", runtime });
});

/**
 * Runs the html cells of a notebook. Its session is served by the path that the notebook's flag gives; on the legacy path it
 * behaves as the old `HtmlRuntime`, oddities included.
 */
export class HtmlRuntime extends BaseRuntime implements LocalRuntime {
  declare readonly metadata: RuntimeMetadata & { readonly isLocal: true };
  #notebook: Notebook | null = null;
  #seatedAt: Notebook | null = null;

  constructor(config: Partial<HtmlRuntimeConfig> = {}) {
    super(
      {
        id: "html-runtime",
        name: "HTML Agent",
        description: "Browser-based HTML rendering",
        icon: "🌐",
        type: "html",
        version: "1.0.0",
        isLocal: true,
        isAvailable: true,
        priority: 100,
      },
      {
        canExecuteCode: true,
        canExecuteSql: false,
        canExecuteAi: false,
        supportedLanguages: ["html"],
        supportsInterruption: false,
        supportsRestart: true,
      },
      config,
    );
  }

  override async restart(config?: RuntimeConfiguration): Promise<void> {
    return super.restart({ ...this.getConfiguration(), ...config });
  }

  /** Shows `code` as the output of a cell, outside the queue. */
  async executeCode(cellId: string, code: string): Promise<void> {
    if (this.#notebook === null) {
      this.validateStarted();
      throw new Error("Store not available");
    }
    return this.#notebook.call(this[seat](), { name: "executeCode", cellId, code });
  }

  getSetupInstructions(): string | null {
    return null;
  }

  protected override async doStart(notebookId: string, config: RuntimeConfiguration): Promise<void> {
    const { store, userId } = config as Partial<HtmlRuntimeConfig>;
    const reason = addon().checkHtmlConfiguration(Boolean(store), userId ?? null);
    if (reason !== null) throw new Error(reason);
    this.#notebook = notebookOf(store as LiveStore, notebookId);
    const { runtimeId, sessionId } = this.state;
    const ids = { runtimeId: String(runtimeId), sessionId: String(sessionId) };
    return this.#notebook.call(this[seat](), { name: "start", ids, capabilities: this.capabilities });
  }

  protected override async doStop(): Promise<void> {
    await this.#notebook?.call(this[seat](), { name: "stop" });
  }

  /** @internal */
  override [admit](seated: Seated): SessionIds | null {
    const { store, userId } = this.configuration as Partial<HtmlRuntimeConfig>;
    if (!store || !userId) return null;
    const isBuiltIn = this.doStart === HtmlRuntime.prototype.doStart && this.doStop === HtmlRuntime.prototype.doStop;
    const notebook = notebookOf(store, this.notebookId ?? "");
    if (this.#seatedAt !== notebook) leaving.register(this, { notebook: new WeakRef(notebook), runtime: seated.handle });
    this.#seatedAt = notebook;
    return notebook.admit(seated, { runtimeType: this.metadata.type, userId, isBuiltIn, legacy: "compat" });
  }
}
