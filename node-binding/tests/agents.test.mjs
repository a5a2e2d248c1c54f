// What does the registry of agents promise a host?
import assert from "node:assert/strict";
import test from "node:test";
import { RuntimeAgentRegistry, createRuntimeAgentRegistry, getRuntimeAgentRegistry } from "runtime-bridge";
import { Notebook, route, statesOf, until } from "./helpers.mjs";

test.before(() => route("registry"));

/** A registry over so many notebooks. */
const setUp = async (t, count, config = {}) => {
  t.after(() => registry.shutdownAll());
  const notebooks = [];
  for (let n = 0; n < count; n += 1) notebooks.push(await Notebook.open(t));
  const storeOf = (id) => notebooks.find((notebook) => notebook.id === id).store;
  const registry = new RuntimeAgentRegistry(notebooks[0].store, { userId: "u1", maxConcurrentAgents: 10, storeOf, ...config });
  return { registry, notebooks };
};

const definition = (type, priority, isAvailable = true) => ({
  type,
  displayName: type,
  description: "",
  icon: "",
  capabilities: { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false },
  priority,
  isAvailable,
});

test("there is no registry until one is created, and then there is one", async (t) => {
  assert.throws(() => getRuntimeAgentRegistry(), { code: "NO_REGISTRY" });
  const { store } = await Notebook.open(t);
  const registry = createRuntimeAgentRegistry(store, { userId: "u1" });
  assert.equal(getRuntimeAgentRegistry(), registry);
  assert.equal(createRuntimeAgentRegistry(store, { userId: "u2" }), registry);
});

test("a notebook has one agent, which runs its cells", async (t) => {
  const { registry, notebooks: [notebook] } = await setUp(t, 1);
  const agent = await registry.getOrCreateAgent(notebook.id, "html");
  assert.equal(await registry.getOrCreateAgent(notebook.id, "html"), agent);
  assert.equal(registry.getAgent(notebook.id), agent);
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  notebook.assertEachRanOnce([["q1", "a"]]);
  const { agents, maxConcurrentAgents } = registry.getRegistryStatus();
  assert.deepEqual(agents.map(({ notebookId, type, state }) => [notebookId, type, state.isActive]), [[notebook.id, "html", true]]);
  assert.equal(maxConcurrentAgents, 10);
});

test("two calls at once give the same agent", async (t) => {
  const { registry, notebooks: [notebook] } = await setUp(t, 1);
  const [first, second] = await Promise.all([1, 2].map(() => registry.getOrCreateAgent(notebook.id, "html")));
  assert.equal(first, second);
  assert.equal(notebook.all("v1.RuntimeSessionStarted").length, 1);
});

test("one agent too many is refused with a hint, and fits once another has gone", async (t) => {
  const { registry, notebooks: [one, two] } = await setUp(t, 2, { maxConcurrentAgents: 1 });
  await registry.getOrCreateAgent(one.id, "html");
  await assert.rejects(registry.getOrCreateAgent(two.id, "html"), (error) => {
    assert.equal(error.code, "TOO_MANY_AGENTS");
    assert.ok(error.help.length > 0);
    return true;
  });
  await registry.shutdownAgent(one.id);
  assert.equal(registry.getAgent(one.id), null);
  assert.ok((await registry.getOrCreateAgent(two.id, "html")).isActive);
});

test("types are listed by priority, and one that nothing executes cannot be started", async (t) => {
  const { registry, notebooks: [notebook] } = await setUp(t, 1);
  registry.registerRuntimeType(definition("low", 1));
  registry.registerRuntimeType(definition("high", 1000));
  registry.registerRuntimeType(definition("off", 2000, false));
  const types = registry.getAvailableRuntimeTypes().map(({ type }) => type);
  assert.deepEqual([types[0], types.at(-1), types.includes("html"), types.includes("off")], ["high", "low", true, false]);
  assert.equal(registry.getRuntimeType("low").priority, 1);
  assert.equal(registry.getRuntimeType("nothing"), null);
  await assert.rejects(registry.getOrCreateAgent(notebook.id, "high"), { code: "NO_HANDLER" });
  await assert.rejects(registry.getOrCreateAgent(notebook.id, "nothing"), { name: "BridgeError" });
  assert.throws(() => registry.registerRuntimeType(definition("low", 2)), { name: "BridgeError" });
  assert.deepEqual(notebook.events, []);
});

test("an agent whose start fails leaves its place", async (t) => {
  const { registry, notebooks: [notebook] } = await setUp(t, 1, { maxConcurrentAgents: 1 });
  notebook.beforeCommit = () => {
    throw new Error("offline");
  };
  await assert.rejects(registry.getOrCreateAgent(notebook.id, "html"), { message: "offline" });
  notebook.beforeCommit = () => {};
  assert.equal(registry.getAgent(notebook.id), null);
  assert.ok((await registry.getOrCreateAgent(notebook.id, "html")).isActive);
});

test("an agent that is terminated from outside is forgotten", async (t) => {
  const { registry, notebooks: [notebook] } = await setUp(t, 1);
  const agent = await registry.getOrCreateAgent(notebook.id, "html");
  const { sessionId } = agent.getState();
  notebook.host({ name: "v1.RuntimeSessionTerminated", args: { sessionId, reason: "shutdown" } });
  statesOf(agent);
  await until("forgotten", () => registry.getAgent(notebook.id) === null);
  assert.equal(agent.isActive, false);
});

test("shutdownAll ends every session and reports the first failure after all have ended", async (t) => {
  const { registry, notebooks } = await setUp(t, 3);
  for (const { id } of notebooks) await registry.getOrCreateAgent(id, "html");
  notebooks[0].beforeCommit = () => {
    throw new Error("offline");
  };
  await assert.rejects(registry.shutdownAll(), { message: "offline" });
  notebooks[0].beforeCommit = () => {};
  assert.deepEqual(notebooks.slice(1).map((notebook) => notebook.activeSessions), [[], []]);
});
