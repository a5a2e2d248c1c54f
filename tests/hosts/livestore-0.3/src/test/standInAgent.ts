/**
 * A stand-in for an agent in another process: it commits what the recorded TypeScript `RuntimeAgent` commits, and runs nothing.
 * The shapes are those of the recordings `agent__*`.
 */
import { commit, type EncodedEvent, type JsonObject, type Store } from "../store.js";

/** What a handler shows: an event without its place. */
export interface Shown {
  readonly name: string;
  readonly args: JsonObject;
}

const CHANGES = ["v1.MultimediaDisplayOutputUpdated", "v2.TerminalOutputAppended", "v2.MarkdownOutputAppended"];

export class StandInAgent {
  readonly sessionId: string;
  /** Everything that it has committed, in order. */
  readonly committed: EncodedEvent[] = [];
  #outputs = 0;

  constructor(
    readonly store: Store,
    readonly runtimeType: string,
  ) {
    this.sessionId = `${runtimeType}-agent-1-1700000000000-k3x9`;
  }

  start(): void {
    const { sessionId, runtimeType } = this;
    const capabilities = { canExecuteCode: true, canExecuteSql: true, canExecuteAi: true };
    this.#commit("v1.RuntimeSessionStarted", { sessionId, runtimeId: "agent-1", runtimeType, capabilities });
    this.#commit("v1.RuntimeSessionStatusChanged", { sessionId, status: "ready" });
  }

  stop(): void {
    this.#commit("v1.RuntimeSessionTerminated", { sessionId: this.sessionId, reason: "shutdown" });
  }

  begin(queueId: string, cellId: string): void {
    this.#commit("v1.ExecutionAssigned", { queueId, runtimeSessionId: this.sessionId });
    const startedAt = new Date(1_700_000_000_000).toISOString();
    this.#commit("v1.ExecutionStarted", { queueId, cellId, runtimeSessionId: this.sessionId, startedAt });
    this.#commit("v1.CellOutputsCleared", { cellId, wait: false, clearedBy: "runtime-agent-1" });
  }

  show(cellId: string, shown: readonly Shown[]): void {
    let position = 0;
    for (const { name, args } of shown) {
      this.#outputs += 1;
      const id = `output-${this.#outputs}`;
      if (name === "v1.MultimediaDisplayOutputUpdated") this.#commit(name, args);
      else if (CHANGES.includes(name)) this.#commit(name, { ...args, id });
      else this.#commit(name, { id, ...args, cellId, position: position++ });
    }
  }

  end(queueId: string, cellId: string): void {
    const completedAt = new Date(1_700_000_000_012).toISOString();
    this.#commit("v1.ExecutionCompleted", { queueId, cellId, status: "success", completedAt, executionDurationMs: 12 });
  }

  #commit(name: string, args: JsonObject): void {
    const event = { name, args };
    this.committed.push(event);
    commit(this.store, event);
  }
}
