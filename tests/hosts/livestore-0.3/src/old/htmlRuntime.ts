/** Runs html cells in the page, as the host's product has always done: it polls the queue every 50 ms. */
import { type RowOf, events, tables } from "./livestore.js";
import { BaseRuntime, freshId } from "./baseRuntime.js";
import type { Store } from "../store.js";
import type { HtmlRuntimeConfig, RuntimeConfiguration } from "./types.js";

const POLL_EVERY_MS = 50;

type Entry = RowOf<"executionQueue">;

export class HtmlRuntime extends BaseRuntime {
  private store: Store | null = null;
  private poll: ReturnType<typeof setInterval> | null = null;

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

  async executeCode(cellId: string, code: string): Promise<void> {
    this.validateStarted();
    if (!this.store) throw new Error("Store not available");
    this.setBusy();
    try {
      this.store.commit(
        events.multimediaResultOutputAdded({
          id: freshId(),
          cellId,
          position: 0,
          representations: { "text/html": { type: "inline", data: code, metadata: {} } },
          executionCount: 1,
        }),
      );
      this.setReady();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.setError(message);
      const content = { type: "inline", data: `Error: ${message}`, metadata: {} } as const;
      this.store.commit(events.errorOutputAdded({ id: freshId(), cellId, position: 0, content }));
      throw error;
    }
  }

  getSetupInstructions(): string | null {
    return null;
  }

  protected override async doStart(_notebookId: string, config: RuntimeConfiguration): Promise<void> {
    const { store, userId } = config as Partial<HtmlRuntimeConfig>;
    if (!store) throw new Error("LiveStore instance is required for HTML runtime");
    if (!userId) throw new Error("User ID is required for HTML runtime");
    this.store = store;
    for (const { sessionId } of store.query(tables.runtimeSessions.where({ isActive: true }))) {
      store.commit(events.runtimeSessionTerminated({ sessionId, reason: "displaced" }));
    }
    const { sessionId, runtimeId } = this.named();
    const { capabilities } = this;
    store.commit(events.runtimeSessionStarted({ sessionId, runtimeId, runtimeType: "html", capabilities }));
    store.commit(events.runtimeSessionStatusChanged({ sessionId, status: "ready" }));
    this.poll = setInterval(() => this.lookForWork(), POLL_EVERY_MS);
  }

  protected override async doStop(): Promise<void> {
    if (this.poll) clearInterval(this.poll);
    this.poll = null;
    const { sessionId } = this.state;
    if (this.store && sessionId) {
      this.store.commit(events.runtimeSessionTerminated({ sessionId, reason: "shutdown" }));
    }
    this.store = null;
  }

  private named(): { sessionId: string; runtimeId: string } {
    const { sessionId, runtimeId } = this.state;
    if (!sessionId || !runtimeId) throw new Error("Session not initialized");
    return { sessionId, runtimeId };
  }

  /** Claims one entry, then runs whatever is assigned to its session. */
  private lookForWork(): void {
    if (!this.isActiveAndReady() || !this.store) return;
    try {
      const { store } = this;
      const { sessionId } = this.named();
      const [next] = store.query(tables.executionQueue.where({ status: "pending" }).orderBy("id", "asc"));
      if (next) store.commit(events.executionAssigned({ queueId: next.id, runtimeSessionId: sessionId }));
      const mine = { status: "assigned", assignedRuntimeSession: sessionId } as const;
      const assigned = store.query(tables.executionQueue.where(mine).orderBy("id", "asc"));
      for (const entry of assigned) void this.run(entry, sessionId);
    } catch (error) {
      this.setError(error instanceof Error ? error : String(error));
    }
  }

  private async run(entry: Entry, runtimeSessionId: string): Promise<void> {
    if (!this.store) return;
    const startedAt_ms = performance.now();
    const { id: queueId, cellId } = entry;
    const complete = (status: "success" | "error"): void => {
      if (!this.store) throw new TypeError("Cannot read properties of null (reading 'commit')");
      const executionDurationMs = Math.round(performance.now() - startedAt_ms);
      const args = { queueId, cellId, status, completedAt: new Date(), executionDurationMs };
      this.store.commit(events.executionCompleted(args));
    };
    try {
      this.setBusy();
      this.store.commit(events.executionStarted({ queueId, cellId, runtimeSessionId, startedAt: new Date() }));
      const [cell] = this.store.query(tables.cells.where({ id: cellId }));
      await this.executeCode(cellId, cell?.source ?? "");
      complete("success");
      this.setReady();
    } catch (error) {
      try {
        complete("error");
        this.setError(error instanceof Error ? error : String(error));
      } catch (lost) {
        console.error("Failed to complete execution:", lost);
      }
    }
  }
}
