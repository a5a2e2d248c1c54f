// What happens to a session on the registry route when another session takes the notebook?
import assert from "node:assert/strict";
import test from "node:test";
import { Notebook, cellsAndRequests, drained, route, until } from "./helpers.mjs";

test.before(() => route("registry"));

const foreign = {
  name: "v1.RuntimeSessionStarted",
  args: {
    sessionId: "theirs",
    runtimeId: "their-runtime",
    runtimeType: "python3",
    capabilities: { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false },
  },
};

const terminated = (sessionId) => ({ name: "v1.RuntimeSessionTerminated", args: { sessionId, reason: "displaced" } });

test("a session that somebody else displaces claims nothing more and its runtime becomes inactive", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  const since = notebook.commits.length;
  notebook.host(terminated(runtime.getState().sessionId), foreign);
  notebook.request(["q1", "a"]);
  await until("inactive", () => runtime.getState().status === "inactive");
  await drained();
  assert.equal(runtime.getState().isActive, false);
  assert.deepEqual(notebook.names(since), ["RuntimeSessionTerminated", "RuntimeSessionStarted", "ExecutionRequested"]);
  assert.deepEqual(notebook.activeSessions, ["theirs"]);
});

test("a session that somebody else ends is over, and a new start takes the notebook again", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  notebook.host(terminated(runtime.getState().sessionId));
  await until("inactive", () => runtime.getState().status === "inactive");
  await runtime.start(notebook.id);
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  notebook.assertEachRanOnce([["q1", "a"]]);
});

test("of two runtimes on one store the second displaces the first and each entry runs once", async (t) => {
  const { cells, requests } = cellsAndRequests(6);
  const notebook = await Notebook.open(t, { cells });
  const first = await notebook.start();
  notebook.request(...requests.slice(0, 2));
  await notebook.untilCompleted(2);
  const displaced = first.getState().sessionId;
  const second = await notebook.start();
  notebook.request(...requests.slice(2));
  await notebook.untilCompleted(6);
  await until("the first is inactive", () => first.getState().status === "inactive");
  notebook.assertEachRanOnce(requests);
  notebook.assertNeverTwoSessions();
  assert.deepEqual(notebook.activeSessions, [second.getState().sessionId]);
  assert.deepEqual(notebook.all("v1.RuntimeSessionTerminated"), [{ sessionId: displaced, reason: "displaced" }]);
});

test("a runtime that fails to start leaves the one that serves alone", async (t) => {
  const notebook = await Notebook.open(t);
  const first = await notebook.start();
  const second = notebook.runtime();
  notebook.beforeCommit = () => {
    throw new Error("offline");
  };
  await assert.rejects(second.start(notebook.id), { message: "offline" });
  notebook.beforeCommit = () => {};
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  assert.equal(first.getState().isActive, true);
  assert.deepEqual(notebook.activeSessions, [first.getState().sessionId]);
});
