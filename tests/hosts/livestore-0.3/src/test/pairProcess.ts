/**
 * One of two processes that serve the same notebook, over a sync server. `old` is the host's old code alone, without the bridge;
 * `bridge` is the same host behind its binding file. It does what it is told, and keeps notes on what it sees.
 */
import { recordCommits } from "../eventRecorder.js";
import type { HtmlRuntime as OldRuntime } from "../old/index.js";
import { closeStore, commit, drain, follow, openStore, queryDb, type Store } from "../store.js";
import { tables } from "../schema.js";
import { type Ask, type Notes, type Side, NOTEBOOK } from "./pair.js";

const side = process.argv[2] as Side;
const port = Number(process.argv[3]);

const now_ms = (): number => performance.timeOrigin + performance.now();

const store = await openStore({ storeId: NOTEBOOK, clientId: `${side}-${process.pid}`, syncPort: port });
const claimed: Record<string, number> = {};
const seen: Record<string, number> = {};
recordCommits(store, (events) => {
  for (const { name, args } of events) {
    if (name === "v1.ExecutionAssigned") claimed[String(args["queueId"])] ??= now_ms();
  }
});
const known: Record<string, number> = {};
follow(store, queryDb(tables.executionQueue), (rows) => {
  for (const { id } of rows) known[id] ??= now_ms();
});
const taken = queryDb(tables.executionQueue.where({ status: { op: "!=", value: "pending" } }));
follow(store, taken, (rows) => {
  for (const { id } of rows) if (!(id in claimed)) seen[id] ??= now_ms();
});

type Started = Pick<OldRuntime, "start" | "stop" | "getState">;
const made: Started[] = [];

/** Only the bridge's side loads the bridge. */
const Runtime = async (): Promise<new (config: { store: Store; userId: string }) => Started> =>
  side === "old" ? (await import("../old/index.js")).HtmlRuntime : (await import("../runtimes.js")).HtmlRuntime;

const perform = async (ask: Ask): Promise<Notes | null> => {
  switch (ask.do) {
    case "create":
      for (const id of ask.cells) {
        commit(
          store,
          { name: "v2.CellCreated", args: { id, cellType: "code", fractionalIndex: "a0", createdBy: "u1" } },
          { name: "v1.CellSourceChanged", args: { id, source: `<p>${id}</p>`, modifiedBy: "u1" } },
        );
      }
      await drain(store);
      return null;
    case "request":
      for (const id of ask.cells) {
        const args = { queueId: `q${id}`, cellId: id, executionCount: 1, requestedBy: "u1" };
        commit(store, { name: "v1.ExecutionRequested", args });
      }
      return null;
    case "route":
      (await import("./bound.js")).route(ask.route, "drain");
      return null;
    case "start": {
      const runtime = new (await Runtime())({ store, userId: "u1" });
      await runtime.start(NOTEBOOK);
      made.push(runtime);
      return null;
    }
    case "stop":
      await Promise.allSettled(made.splice(0).map((runtime) => runtime.stop()));
      return null;
    case "notes": {
      const rows = store.query(tables.executionQueue);
      const statuses = Object.fromEntries(rows.map(({ id, status }) => [id, status]));
      return { known, claimed, seen, statuses, cells: store.query(tables.cells).length, isActive: made.map((one) => one.getState().isActive) };
    }
    case "end":
      await closeStore(store);
      return null;
  }
};

process.on("message", (ask: Ask & { id: number }) => {
  perform(ask).then(
    (notes) => process.send?.({ id: ask.id, notes }),
    (error: unknown) => process.send?.({ id: ask.id, error: String(error) }),
  );
});
process.send?.({ id: 0, notes: null });
