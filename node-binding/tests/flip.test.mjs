// What does a host see when the route of a running session changes?
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { bridge, configure } from "runtime-bridge";
import { Notebook, cellsAndRequests, drained, folder, replaceFile, reported, route, routes, until } from "./helpers.mjs";

const pathOf = (sessionId) => (sessionId?.startsWith("html-registry-") ? "registry" : "legacy");

/** The serving path, as operators see it. */
const serving = (notebook) => bridge.status().notebooks.find((one) => one.notebook === notebook.id).leases[0]?.path;

/** Resolves once the runtime's session is on this path. */
const on = (runtime, path) =>
  until(`${path} serves`, () => runtime.getState().isActive && pathOf(runtime.getState().sessionId) === path);

/** In the log, each session ends before the next one starts. */
const assertSessionsInTurn = (notebook) => {
  const isSession = ({ name }) => /RuntimeSession(Started|Terminated)/.test(name);
  const [first, ...rest] = notebook.events.filter(isSession);
  assert.match(first.name, /Started/);
  let current = first.args.sessionId;
  for (const [n, { name, args }] of rest.entries()) {
    const isEnd = n % 2 === 0;
    assert.match(name, isEnd ? /Terminated/ : /Started/);
    if (isEnd) assert.equal(args.sessionId, current);
    current = args.sessionId;
  }
};

/** Requests 40 cells in groups of two while `flip(path)` moves the route ten times; every group is left half done. */
const flipUnderLoad = async (t, flip) => {
  const { cells, requests } = cellsAndRequests(40);
  const notebook = await Notebook.open(t, { cells });
  flip("legacy");
  const runtime = await notebook.start();
  const since = runtime.states.length;
  const rest = [...requests];
  for (let n = 0; n < 10; n += 1) {
    const path = n % 2 === 0 ? "registry" : "legacy";
    notebook.request(...rest.splice(0, 2));
    flip(path);
    notebook.request(...rest.splice(0, 2));
    await on(runtime, path);
    await notebook.untilCompleted(requests.length - rest.length - 1);
  }
  await notebook.untilCompleted(40);
  return { notebook, requests, states: runtime.states.slice(since) };
};

const assertSmooth = ({ notebook, requests, states }) => {
  notebook.assertEachRanOnce(requests);
  notebook.assertNeverTwoSessions();
  assertSessionsInTurn(notebook);
  assert.ok(states.every(({ isActive }) => isActive));
  const sessions = states.map(({ sessionId }) => sessionId).filter((id, n, all) => id !== all[n - 1]);
  assert.equal(new Set(sessions).size, sessions.length, "a session never comes back");
  const announced = notebook.all("v1.RuntimeSessionStarted").map(({ sessionId }) => sessionId);
  assert.deepEqual(sessions.filter((id) => id !== announced[0]), announced.slice(1));
};

test("ten flips of the flag object under load lose and double nothing", async (t) => {
  assertSmooth(await flipUnderLoad(t, (path) => route(path)));
});

test("ten flips of the flag file under load lose and double nothing", async (t) => {
  const file = join(folder(t), "flags.json");
  replaceFile(file, routes("legacy", { boundary: "drain" }));
  configure({ flags: file });
  assertSmooth(await flipUnderLoad(t, (path) => replaceFile(file, routes(path, { boundary: "drain" }))));
});

test("a flip of an idle session is exactly one ready callback with the new ids", async (t) => {
  route("legacy");
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  for (const path of ["registry", "legacy"]) {
    const [since, before] = [runtime.states.length, runtime.getState()];
    route(path);
    await on(runtime, path);
    await drained();
    const [state, ...more] = runtime.states.slice(since);
    assert.deepEqual(more, []);
    assert.deepEqual([state.status, state.isActive, pathOf(state.sessionId)], ["ready", true, path]);
    assert.notEqual(state.runtimeId, before.runtimeId);
    assert.deepEqual(notebook.activeSessions, [state.sessionId]);
  }
});

test("without a boundary a session waits for the next one on the way there and drains on the way back", async (t) => {
  const { cells, requests } = cellsAndRequests(3);
  const notebook = await Notebook.open(t, { cells });
  route("legacy", {});
  const runtime = await notebook.start();
  route("registry", {});
  notebook.request(requests[0]);
  await notebook.untilCompleted(1);
  assert.equal(serving(notebook), "legacy");

  await runtime.stop();
  await runtime.start(notebook.id);
  notebook.request(requests[1]);
  await notebook.untilCompleted(2);
  assert.equal(serving(notebook), "registry");

  route("legacy", {});
  notebook.request(requests[2]);
  await notebook.untilCompleted(3);
  assert.equal(serving(notebook), "legacy");
  notebook.assertEachRanOnce(requests);
});

test("the kill switch takes a running session back, whatever its boundary", async (t) => {
  const notebook = await Notebook.open(t);
  route("registry");
  const runtime = await notebook.start();
  configure({ flags: routes("registry", { state: "DISABLED", boundary: "next-session" }) });
  await on(runtime, "legacy");
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  const { decision } = bridge.status().notebooks.find((one) => one.notebook === notebook.id).leases[0];
  assert.equal(decision.reason, "killed");
  notebook.assertEachRanOnce([["q1", "a"]]);
});

test("a refused document moves nobody", async (t) => {
  const notebook = await Notebook.open(t);
  route("registry");
  await notebook.start();
  assert.throws(() => configure({ flags: { flags: [] } }), { name: "BridgeError" });
  assert.equal(serving(notebook), "registry");
  assert.deepEqual(reported("FLIP_FAILED"), []);
});
