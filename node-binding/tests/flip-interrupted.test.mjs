// What if something comes between a session and its flip?
import assert from "node:assert/strict";
import test from "node:test";
import { CALLBACKS_MAY_THROW, Notebook, Schema, cellsAndRequests, diagnostics, drained, follow, queryDb } from "./helpers.mjs";
import { reported, route, settled, until } from "./helpers.mjs";

const isRegistry = (sessionId) => sessionId?.startsWith("html-registry-") ?? false;
const announces = (events) => events.some(({ name }) => name === "v1.RuntimeSessionStarted");

for (const [from, to] of [
  ["legacy", "registry"],
  ["registry", "legacy"],
]) {
  test(`a flip to ${to} whose commit is refused leaves the session at work where it was`, async (t) => {
    const { cells, requests } = cellsAndRequests(3);
    const notebook = await Notebook.open(t, { cells });
    route(from);
    const runtime = await notebook.start();
    const [since, before] = [diagnostics.length, runtime.getState().sessionId];
    notebook.beforeCommit = (events) => {
      if (announces(events)) throw new Error("offline");
    };
    notebook.request(requests[0]);
    route(to);
    await until("the failure is told", () => reported("FLIP_FAILED", since).length > 0);
    notebook.request(requests[1]);
    await notebook.untilCompleted(2);
    assert.equal(runtime.getState().sessionId, before);
    assert.equal(runtime.getState().isActive, true);
    assert.match(reported("FLIP_FAILED", since)[0].message, /offline/);

    notebook.beforeCommit = () => {};
    route(from);
    route(to);
    await until("the flip", () => isRegistry(runtime.getState().sessionId) === (to === "registry"));
    notebook.request(requests[2]);
    await notebook.untilCompleted(3);
    notebook.assertEachRanOnce(requests);
    notebook.assertNeverTwoSessions();
  });

  test(`a flip to ${to} whose commit throws behind its effect has taken place`, CALLBACKS_MAY_THROW, async (t) => {
    const notebook = await Notebook.open(t);
    route(from);
    const runtime = await notebook.start();
    const before = runtime.getState().sessionId;
    let throws = 0;
    const query = { query: "SELECT sessionId FROM runtimeSessions WHERE isActive = 1", bindValues: {} };
    const definition = queryDb({ ...query, schema: Schema.Array(Schema.Any), queriedTables: new Set(["runtimeSessions"]) });
    follow(notebook.store, definition, (rows) => {
      if (rows.some(({ sessionId }) => sessionId !== before) && (throws += 1) === 1) throw new Error("the host's callback threw");
    });
    route(to);
    await until("the flip", () => isRegistry(runtime.getState().sessionId) === (to === "registry"));
    assert.equal(throws > 0, true);
    assert.deepEqual(notebook.activeSessions, [runtime.getState().sessionId]);
    notebook.request(["q1", "a"]);
    await notebook.untilCompleted(1);
    notebook.assertEachRanOnce([["q1", "a"]]);
  });

  test(`stop in the middle of a flip to ${to} ends the session for good`, async (t) => {
    const notebook = await Notebook.open(t);
    route(from);
    const runtime = await notebook.start();
    let stop = null;
    notebook.beforeCommit = (events) => {
      if (announces(events)) stop = runtime.stop();
    };
    route(to);
    await until("the flip", () => stop !== null);
    await settled("stop", stop);
    assert.deepEqual([runtime.getState().status, runtime.getState().isActive], ["inactive", false]);
    assert.deepEqual(notebook.activeSessions, []);
    const since = notebook.commits.length;
    notebook.request(["q1", "a"]);
    await drained();
    assert.deepEqual(notebook.names(since), ["ExecutionRequested"]);
  });

  test(`a flip to ${to} while the session starts comes after the start`, async (t) => {
    const notebook = await Notebook.open(t);
    route(from);
    const runtime = notebook.runtime();
      let isFlipped = false;
    notebook.beforeCommit = (events) => {
      if (announces(events) && !isFlipped) {
        isFlipped = true;
        route(to);
      }
    };
    await runtime.start(notebook.id);
    notebook.request(["q1", "a"]);
    await until("the flip", () => isRegistry(runtime.getState().sessionId) === (to === "registry"));
    await notebook.untilCompleted(1);
    notebook.assertEachRanOnce([["q1", "a"]]);
    notebook.assertNeverTwoSessions();
  });
}

test("a flag that comes back before the flip took place calls it off", async (t) => {
  const notebook = await Notebook.open(t);
  route("registry");
  const runtime = notebook.runtime();
  let isFlipped = false;
  notebook.beforeCommit = (events) => {
    if (!announces(events) || isFlipped) return;
    isFlipped = true;
    route("legacy");
    route("registry");
  };
  await runtime.start(notebook.id);
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  assert.equal(notebook.all("v1.RuntimeSessionStarted").length, 1);
});
