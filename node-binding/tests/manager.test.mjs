// Does the session of the old React component work without React, on each route and across a flip?
import assert from "node:assert/strict";
import test from "node:test";
import { bridge } from "runtime-bridge";
import { HtmlRuntimeManagerSession } from "runtime-bridge/legacy/html-runtime-manager";
import { useClock } from "runtime-bridge/testing";
import { cellsAndRequests, drained, Notebook, notice, route, until, VirtualClock } from "./helpers.mjs";

const DEFAULT_STATE = {
  isActive: false,
  isStarting: false,
  isStopping: false,
  error: null,
  runtimeId: null,
  sessionId: null,
};

/** A mounted manager whose states are kept in `states`; it is unmounted when the test ends. */
const mounted = (t, notebook, { isAuthenticated = true } = {}) => {
  const manager = new HtmlRuntimeManagerSession({ store: notebook.store, notebookId: "nb", isAuthenticated, userId: "u1" });
  const states = [];
  manager.subscribe(() => {
    states.push(manager.getState());
    notice();
  });
  manager.mount();
  t.after(() => manager.unmount());
  return Object.assign(manager, { states });
};

const active = (manager) => until("an active session", () => manager.getState().isActive);
const inactive = (manager) => until("no active session", () => !manager.getState().isActive);

/** A manager with a session on this route. */
const started = async (t, variant, options) => {
  const notebook = await Notebook.open(t, options);
  route(variant);
  const manager = mounted(t, notebook);
  await manager.startRuntime();
  await active(manager);
  return { notebook, manager };
};

const serving = (notebook) => bridge.status().notebooks.find((one) => one.notebook === notebook.id).leases.map(({ path }) => path);
const executionsOf = (notebook) => notebook.names().filter((name) => !/RuntimeSession|Requested/.test(name));

test("on the legacy route the next entry is claimed while one is run", async (t) => {
  const { notebook, manager } = await started(t, "legacy", { cells: { a: "1", b: "2", c: "3" } });
  notebook.request(["q1", "a"], ["q2", "b"], ["q3", "c"]);
  await notebook.untilCompleted(3);
  const [claimed, ran] = ["ExecutionAssigned", ["ExecutionStarted", "MultimediaResultOutputAdded", "ExecutionCompleted"]];
  assert.deepEqual(executionsOf(notebook), [claimed, claimed, ...ran, claimed, ...ran, ...ran]);
  assert.deepEqual(
    notebook.completed.map(({ executionDurationMs }) => executionDurationMs),
    [100, 100, 100],
  );
  assert.equal(notebook.all("v1.MultimediaResultOutputAdded")[0].executionCount, 7);
  assert.match(manager.getState().sessionId, /^html-runtime-[\w-]{21}-\d{13}$/);
  assert.deepEqual(serving(notebook), ["legacy"]);
});

test("on the legacy route a stop is committed twice and the ids come back with the next start", async (t) => {
  const { notebook, manager } = await started(t, "legacy");
  const first = manager.getState();
  await manager.stopRuntime();
  await inactive(manager);
  assert.deepEqual(notebook.names().slice(-2), ["RuntimeSessionTerminated", "RuntimeSessionTerminated"]);
  assert.deepEqual(serving(notebook), []);
  await manager.startRuntime();
  await active(manager);
  assert.deepEqual(manager.states, [DEFAULT_STATE, first, DEFAULT_STATE, first]);
});

test("the state is one object until it changes", async (t) => {
  const { notebook, manager } = await started(t, "legacy");
  const state = manager.getState();
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  assert.equal(manager.getState(), state);
});

test("on the legacy route a restart only stops, and starts an inactive one 100 ms later by the host's clock", async (t) => {
  const clock = new VirtualClock();
  t.after(useClock(clock));
  const { notebook, manager } = await started(t, "legacy");
  await manager.restartRuntime();
  await inactive(manager);
  await clock.advance(1000);
  assert.equal(manager.getState().isActive, false);
  await manager.restartRuntime();
  await clock.advance(99);
  assert.equal(notebook.all("v1.RuntimeSessionStarted").length, 1);
  await clock.advance(1);
  await active(manager);
});

test("on the registry route a restart restarts and every session is terminated once", async (t) => {
  const clock = new VirtualClock();
  t.after(useClock(clock));
  const { notebook, manager } = await started(t, "registry");
  const first = manager.getState().sessionId;
  assert.match(first, /^html-registry-/);
  await manager.restartRuntime();
  await inactive(manager);
  await clock.advance(100);
  await active(manager);
  assert.notEqual(manager.getState().sessionId, first);
  await manager.stopRuntime();
  await inactive(manager);
  const ended = notebook.all("v1.RuntimeSessionTerminated").map(({ sessionId }) => sessionId);
  assert.equal(new Set(ended).size, ended.length);
  assert.deepEqual(notebook.activeSessions, []);
  notebook.assertNeverTwoSessions();
});

test("on the registry route two starts in one tick are one session", async (t) => {
  const notebook = await Notebook.open(t);
  route("registry");
  const manager = mounted(t, notebook);
  await Promise.all([manager.startRuntime(), manager.startRuntime()]);
  await active(manager);
  assert.equal(notebook.all("v1.RuntimeSessionStarted").length, 1);
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  assert.deepEqual(serving(notebook), ["registry"]);
});

for (const variant of ["legacy", "registry"]) {
  test(`on the ${variant} route unmounting ends the session, and the next mounting has ids of its own`, async (t) => {
    const { notebook, manager } = await started(t, variant);
    const first = manager.getState().sessionId;
    manager.unmount();
    assert.deepEqual(notebook.activeSessions, []);
    assert.equal(notebook.all("v1.RuntimeSessionTerminated").length, 1);
    manager.mount();
    await manager.startRuntime();
    await until("another session", () => manager.getState().isActive && manager.getState().sessionId !== first);
    notebook.assertNeverTwoSessions();
  });

  test(`on the ${variant} route logging out ends the session, and nobody starts until the login`, async (t) => {
    const { notebook, manager } = await started(t, variant);
    manager.setAuth(false);
    await inactive(manager);
    assert.deepEqual(notebook.activeSessions, []);
    await manager.startRuntime();
    await until("the error", () => manager.getState().error === "Not authenticated");
    manager.setAuth(true);
    await drained();
    await manager.startRuntime();
    await active(manager);
    assert.equal(manager.getState().error, null);
  });
}

test("a failing claim on the legacy route unmounts the manager and is there to be thrown", async (t) => {
  const { notebook, manager } = await started(t, "legacy");
  const failure = new Error("cannot claim");
  notebook.beforeCommit = (events) => {
    if (events.some(({ name }) => name === "v1.ExecutionAssigned")) throw failure;
  };
  notebook.request(["q1", "a"]);
  await until("the end of the session", () => notebook.activeSessions.length === 0);
  assert.equal(manager.getThrown().reason, failure);
});

test("flips under load lose and double nothing, and the session never looks inactive", async (t) => {
  const { cells, requests } = cellsAndRequests(40);
  const { notebook, manager } = await started(t, "legacy", { cells });
  const since = manager.states.length;
  const rest = [...requests];
  for (let n = 0; n < 10; n += 1) {
    const path = n % 2 === 0 ? "registry" : "legacy";
    notebook.request(...rest.splice(0, 2));
    route(path);
    notebook.request(...rest.splice(0, 2));
    await until(`${path} serves`, () => (manager.getState().sessionId.startsWith("html-registry-") ? "registry" : "legacy") === path);
  }
  await notebook.untilCompleted(40);
  notebook.assertEachRanOnce(requests);
  notebook.assertNeverTwoSessions();
  const states = manager.states.slice(since);
  assert.ok(states.every(({ isActive }) => isActive));
  assert.equal(states.length, 10, "one state a flip");
});

test("a manager without a live query refuses to mount, and calls before mounting are refused", async (t) => {
  const notebook = await Notebook.open(t, { isAttached: false });
  const manager = new HtmlRuntimeManagerSession({ store: notebook.store, notebookId: "nb", isAuthenticated: true });
  assert.throws(() => manager.mount(), { code: "NOT_ATTACHED" });
  await assert.rejects(manager.startRuntime(), { code: "NOT_MOUNTED" });
});
