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

/** Has `act` done once, as soon as the runtime shows that it is about to execute. */
const onceBusy = (runtime, act) => {
  const unsubscribe = runtime.onStateChange(({ status }) => {
    if (status !== "busy") return;
    unsubscribe();
    act();
  });
};

test("a session that is ended while it takes up its line executes nothing more, before the live query has told it", async (t) => {
  const { cells, requests } = cellsAndRequests(50);
  const notebook = await Notebook.open(t, { cells });
  const runtime = await notebook.start();
  onceBusy(runtime, () => notebook.host(terminated(runtime.getState().sessionId), foreign));
  notebook.request(...requests);
  await until("inactive", () => runtime.getState().status === "inactive");
  await drained();
  assert.deepEqual(notebook.all("v1.ExecutionAssigned"), []);
  assert.deepEqual(notebook.activeSessions, ["theirs"]);
});

test("a session that is ended just before it executes a cell again does not", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  onceBusy(runtime, () => notebook.host(terminated(runtime.getState().sessionId), foreign));
  notebook.request(["q2", "a"]);
  await until("inactive", () => runtime.getState().status === "inactive");
  await drained();
  assert.deepEqual(notebook.completed.map(({ queueId }) => queueId), ["q1"]);
});

test("what such a session has claimed is taken up by the next one", async (t) => {
  const { cells, requests } = cellsAndRequests(50);
  const notebook = await Notebook.open(t, { cells });
  const first = await notebook.start();
  onceBusy(first, () => notebook.host(terminated(first.getState().sessionId)));
  notebook.request(...requests);
  await until("inactive", () => first.getState().status === "inactive");
  await first.start(notebook.id);
  await notebook.untilCompleted(50);
  notebook.assertEachRanOnce(requests);
});

test("a runtime that is started while another takes up its line executes the line", async (t) => {
  const { cells, requests } = cellsAndRequests(50);
  const notebook = await Notebook.open(t, { cells });
  const first = await notebook.start();
  const second = notebook.runtime();
  const started = new Promise((resolve) => onceBusy(first, () => resolve(second.start(notebook.id))));
  notebook.request(...requests);
  await started;
  await notebook.untilCompleted(50);
  notebook.assertEachRanOnce(requests);
  notebook.assertNeverTwoSessions();
});

test("a session that is ended and stopped while it takes up its line leaves the line", async (t) => {
  const { cells, requests } = cellsAndRequests(50);
  const notebook = await Notebook.open(t, { cells });
  const first = await notebook.start();
  const { sessionId } = first.getState();
  const stopped = new Promise((resolve) => onceBusy(first, () => {
    notebook.host(terminated(sessionId), foreign);
    resolve(first.stop());
  }));
  notebook.request(...requests);
  await stopped;
  assert.deepEqual(notebook.all("v1.ExecutionAssigned"), []);
  await first.start(notebook.id);
  await notebook.untilCompleted(50);
  notebook.assertEachRanOnce(requests);
});
