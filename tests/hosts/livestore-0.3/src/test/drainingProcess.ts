/**
 * A process, or a worker thread, that ends in the middle of a drain: one of its executions has been started and does not end,
 * one is claimed, one waits, the flags in their file say that the notebook is to move, and a candidate hangs.
 */
import { renameSync, writeFileSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { bridge, configure } from "runtime-bridge";
import { seedCandidateFault } from "runtime-bridge/testing";
import { recordCommits } from "../eventRecorder.js";
import { HtmlRuntime } from "../runtimes.js";
import { commit, drain, openStore, tables } from "../store.js";
import { notice, pathOf, routeDocument, until } from "./bound.js";
import { DRAINED_CELLS, type EndedDrain, notebookOf } from "./death.js";

const { directory, latch, flags, from, at, by } = JSON.parse(process.argv[2] ?? "") as EndedDrain;
const [done, started, claimed] = DRAINED_CELLS;

/** The flags as an operator changes them. */
const route = (variant: "legacy" | "shadow" | "registry"): void => {
  writeFileSync(`${flags}.new`, JSON.stringify(routeDocument(variant)));
  renameSync(`${flags}.new`, flags);
};

let release = (): void => undefined;
const released = new Promise<void>((resolve) => (release = resolve));

/** Host code that does not end until it may. */
class Slow extends HtmlRuntime {
  override async executeCode(cellId: string, code: string): Promise<void> {
    if (cellId !== done) await released;
    await super.executeCode(cellId, code);
  }
}

const isExecuting = (cell: string | undefined): boolean =>
  tables(store).executionQueue.some(({ id, status }) => id === `q${cell}` && status === "executing");

/** Whether a flip is under way: the flags say one path, the session that runs is still on the other. */
const isDraining = (): boolean =>
  bridge.route(store.storeId).route === "registry" && pathOf(runtime.getState().sessionId) === "legacy";

const end = (): void => {
  if (by === "itself") process.exit(0);
  parentPort?.postMessage("in the middle");
  setInterval(() => bridge.route(store.storeId), 1);
};

route(from === "legacy" ? "legacy" : "shadow");
configure({ flags, guard: { latch }, shadow: { process: from === "separate" ? "separate" : "shared" } });
seedCandidateFault("hang");
const store = await openStore({ storeId: notebookOf(0), directory });
recordCommits(store, (events) => {
  const isAnnounced = events.some(({ name, args }) => name === "v1.RuntimeSessionStarted" && pathOf(String(args["sessionId"])) === "registry");
  if (at === "announcing" && isAnnounced) end();
  notice();
});
for (const id of DRAINED_CELLS) {
  commit(
    store,
    { name: "v2.CellCreated", args: { id, cellType: "code", fractionalIndex: "a0", createdBy: "u1" } },
    { name: "v1.CellSourceChanged", args: { id, source: `<p>${id}</p>`, modifiedBy: "u1" } },
    { name: "v1.ExecutionRequested", args: { queueId: `q${id}`, cellId: id, executionCount: 1, requestedBy: "u1" } },
  );
}
const runtime = new Slow({ store, userId: "u1" });
await runtime.start(store.storeId);
await until("the start", () => isExecuting(started));
const session = { runtimeSessionId: String(runtime.getState().sessionId) };
commit(store, { name: "v1.ExecutionAssigned", args: { queueId: `q${claimed}`, ...session } });
await drain(store);
route("registry");
const look = setInterval(() => {
  if (!isDraining()) return;
  clearInterval(look);
  if (at === "announcing") release();
  else end();
}, 1);
