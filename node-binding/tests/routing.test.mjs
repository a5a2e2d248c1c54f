// What does a session on the registry route do with a real store?
import assert from "node:assert/strict";
import test from "node:test";
import { bridge } from "runtime-bridge";
import { Notebook, route, until } from "./helpers.mjs";

const EXECUTION = [
  "ExecutionAssigned",
  "ExecutionStarted",
  "CellOutputsCleared",
  "MultimediaResultOutputAdded",
  "ExecutionCompleted",
];

test.before(() => route("registry"));

test("requests of one commit are executed in one commit, in request order", async (t) => {
  const notebook = await Notebook.open(t, { cells: { a: "<b>a</b>", b: "<i>b</i>", c: "c" } });
  await notebook.start();
  const since = notebook.commits.length;
  notebook.request(["q10", "a"], ["q9", "b"], ["q1", "c"]);
  await notebook.untilCompleted(3);

  const [request, execution, ...more] = notebook.commits.slice(since);
  assert.equal(request.length, 3);
  assert.deepEqual(more, []);
  assert.deepEqual(notebook.names(since + 1), [...EXECUTION, ...EXECUTION, ...EXECUTION]);
  assert.deepEqual(notebook.completed.map(({ queueId, status }) => [queueId, status]), [
    ["q10", "success"],
    ["q9", "success"],
    ["q1", "success"],
  ]);
  const output = execution[3].args;
  assert.deepEqual(
    { ...output, id: null },
    {
      id: null,
      cellId: "a",
      position: 0,
      representations: { "text/html": { type: "inline", data: "<b>a</b>" } },
      executionCount: 7,
    },
  );
  assert.equal(execution[2].args.wait, false);
});

test("what was requested before the session started is executed at its start", async (t) => {
  const notebook = await Notebook.open(t);
  notebook.request(["q1", "a"]);
  await notebook.start();
  await notebook.untilCompleted(1);
  notebook.assertEachRanOnce([["q1", "a"]]);
});

test("running a cell again replaces its output", async (t) => {
  const notebook = await Notebook.open(t);
  await notebook.start();
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  notebook.host({ name: "v1.CellSourceChanged", args: { id: "a", source: "<b>new</b>", modifiedBy: "u1" } });
  notebook.request(["q2", "a"]);
  await notebook.untilCompleted(2);
  assert.deepEqual(notebook.rows.outputs.map(({ data }) => data), ["<b>new</b>"]);
});

test("a request for a missing cell completes with an error and without an output", async (t) => {
  const notebook = await Notebook.open(t);
  await notebook.start();
  const since = notebook.commits.length;
  notebook.request(["q1", "nowhere"]);
  await notebook.untilCompleted(1);
  assert.deepEqual(notebook.names(since + 1), ["ExecutionAssigned", "ExecutionStarted", "ExecutionCompleted"]);
  assert.equal(notebook.completed[0].status, "error");
  assert.equal(notebook.completed[0].error, "cell not found");
});

test("a request that is cancelled before it is seen is not executed", async (t) => {
  const notebook = await Notebook.open(t);
  await notebook.start();
  notebook.request(["q1", "a"]);
  const cancelled = { queueId: "q1", cellId: "a", cancelledBy: "u1", reason: "no" };
  notebook.host({ name: "v1.ExecutionCancelled", args: cancelled });
  notebook.request(["q2", "a"]);
  await notebook.untilCompleted(1);
  assert.deepEqual(notebook.all("v1.ExecutionStarted").map(({ queueId }) => queueId), ["q2"]);
});

test("the session is announced in one commit under ids that name the registry", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  assert.deepEqual(notebook.commits.map((events) => events.length), [2]);
  assert.deepEqual(notebook.names(), ["RuntimeSessionStarted", "RuntimeSessionStatusChanged"]);
  const { runtimeId, sessionId, status, isActive } = runtime.getState();
  assert.deepEqual({ status, isActive }, { status: "ready", isActive: true });
  assert.match(runtimeId, /^registry-[\w-]{21}$/);
  assert.match(sessionId, /^html-registry-[\w-]{21}-\d{13}-[0-9a-z]+$/);
  assert.ok(sessionId.startsWith(`html-${runtimeId}-`));
  assert.deepEqual(notebook.activeSessions, [sessionId]);
});

test("stop ends the session in the log and nothing is executed after it", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  await runtime.stop();
  assert.equal(runtime.getState().status, "inactive");
  assert.deepEqual(notebook.all("v1.RuntimeSessionTerminated").map(({ reason }) => reason), ["shutdown"]);
  notebook.request(["q1", "a"]);
  const again = await notebook.start();
  await notebook.untilCompleted(1);
  assert.equal(notebook.all("v1.ExecutionStarted")[0].runtimeSessionId, again.getState().sessionId);
});

test("an execution shows as busy and then ready, and executeCode replaces the cell's output", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  const since = runtime.states.length;
  notebook.request(["q1", "a"]);
  await until("ready again", () => runtime.states.length >= since + 2);
  assert.deepEqual(runtime.states.slice(since).map(({ status }) => status), ["busy", "ready"]);
  await runtime.executeCode("a", "<u>direct</u>");
  assert.deepEqual(notebook.rows.outputs.map(({ data }) => data), ["<u>direct</u>"]);
});

test("status shows the lease with its decision and counts every execution", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  notebook.request(["q1", "a"], ["q2", "a"]);
  await notebook.untilCompleted(2);
  const status = bridge.status();
  assert.deepEqual([status.addon, status.legacy, status.flags.configured], [true, "compat", true]);
  const shown = status.notebooks.find((one) => one.notebook === notebook.id);
  assert.deepEqual(shown.executions, { pending: 0, underWay: 0, foreign: 0, terminal: 2 });
  assert.equal(shown.gate, "enforce");
  assert.deepEqual([shown.gateCounts.droppedStale, shown.gateCounts.droppedEntry], [0, 0]);
  const [lease] = shown.leases;
  assert.deepEqual([lease.path, lease.sessionId], ["registry", runtime.getState().sessionId]);
  assert.deepEqual([lease.decision.route, lease.decision.notebook], ["registry", notebook.id]);
});
