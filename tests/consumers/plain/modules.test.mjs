// Do `import` and `require` give one bridge, in one process?
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import * as index from "runtime-bridge";
import * as legacy from "runtime-bridge/legacy";
import * as manager from "runtime-bridge/legacy/html-runtime-manager";
import * as livestore from "runtime-bridge/livestore";
import * as testing from "runtime-bridge/testing";

const require = createRequire(import.meta.url);
const common = require("./common.cjs");
const { closeStore, commit, openStore, queryDb, Schema } = await import(process.env.LIVESTORE_HOST);

const metadata = { id: "mine", name: "Mine", type: "external", isLocal: true, isAvailable: true, priority: 1 };

test("every value of every entry is the same", () => {
  for (const [name, imported] of Object.entries({ index, legacy, manager, livestore, testing })) {
    const required = common[name];
    assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort(), name);
    for (const [key, value] of Object.entries(imported)) assert.equal(value, required[key], `${name}: ${key}`);
  }
});

test("a class of one half serves in the other, and both see one registry", async () => {
  const runtime = new common.Mine(metadata, {});
  assert.ok(runtime instanceof legacy.BaseRuntime);
  const registry = common.legacy.getRuntimeRegistry({ maxConcurrentRuntimes: 3 });
  assert.equal(legacy.getRuntimeRegistry(), registry);
  assert.equal(legacy.RuntimeRegistry.getInstance().getStats().config.maxConcurrentRuntimes, 3);
  registry.register(runtime);
  await legacy.getRuntimeRegistry().startRuntime("mine", "nb");
  assert.equal(runtime.getState().status, "ready");
  await registry.stopAllRuntimes();
  registry.unregister("mine");
});

test("an agent created by one half is found by the other, and runs cells of a LiveStore store", async (t) => {
  const store = await openStore({ storeId: "nb" });
  t.after(() => closeStore(store));
  livestore.attach(store, { queryDb, Schema });
  const registry = { defaultVariant: "registry", variants: { registry: "registry" }, state: "ENABLED", targeting: {} };
  common.index.configure({ flags: { flags: { "runtime-route": registry } } });
  const agents = index.createRuntimeAgentRegistry(store, { userId: "u1" });
  assert.equal(common.index.getRuntimeAgentRegistry(), agents);
  const agent = await agents.getOrCreateAgent("nb", "html");
  assert.equal(common.index.bridge.status().notebooks[0].leases[0].path, "registry");
  commit(
    store,
    { name: "v2.CellCreated", args: { id: "a", cellType: "code", fractionalIndex: "a0", createdBy: "u1" } },
    { name: "v1.CellSourceChanged", args: { id: "a", source: "<b>a</b>", modifiedBy: "u1" } },
    { name: "v1.ExecutionRequested", args: { queueId: "q", cellId: "a", executionCount: 1, requestedBy: "u1" } },
  );
  await statusOf(store, "completed");
  await agent.shutdown();
  assert.equal(common.index.getRuntimeAgentRegistry().getAgent("nb"), null);
});

/** Resolves once the queue's one entry has this status. */
function statusOf(store, wanted) {
  const source = { query: "SELECT status FROM executionQueue", bindValues: {} };
  const query = queryDb({ ...source, schema: Schema.Array(Schema.Any), queriedTables: new Set(["executionQueue"]) });
  return new Promise((resolve) => {
    store.subscribe(query, { onUpdate: ([entry]) => entry?.status === wanted && resolve() });
  });
}

test("the package is whole: every file that its entries name is there", () => {
  const { exports, browser } = JSON.parse(readFileSync(require.resolve("runtime-bridge/package.json"), "utf8"));
  const root = new URL("./", `file://${require.resolve("runtime-bridge/package.json")}`);
  const paths = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(paths));
  for (const path of [...paths(exports), ...Object.keys(browser), ...paths(browser)]) readFileSync(new URL(path, root));
});
