// Does plain JS with an HtmlRuntime on a real store, no flags and nothing attached, behave as the old code?
import assert from "node:assert/strict";
import test from "node:test";
import { bridge } from "runtime-bridge";
import { Notebook, reported, until } from "./helpers.mjs";

test("html cells run by the poll, with the old code's events, ids and states", async (t) => {
  const notebook = await Notebook.open(t, { cells: { a: "<b>a</b>", b: "b" }, isAttached: false });
  const runtime = await notebook.start();
  assert.deepEqual(notebook.commits.map((events) => events.length), [1, 1], "one event a commit");
  assert.match(runtime.getState().runtimeId, /^html-(?!registry)/);
  const since = notebook.commits.length;
  notebook.request(["q10", "a"], ["q9", "b"]);
  await notebook.untilCompleted(2);

  const execution = ["ExecutionAssigned", "ExecutionStarted", "MultimediaResultOutputAdded", "ExecutionCompleted"];
  assert.deepEqual(notebook.names(since + 1), [...execution, ...execution]);
  assert.ok(notebook.commits.slice(since + 1).every((events) => events.length === 1));
  assert.deepEqual(notebook.completed.map(({ queueId }) => queueId), ["q10", "q9"], "ids are ordered as text");
  const [output] = notebook.all("v1.MultimediaResultOutputAdded");
  assert.deepEqual(
    { ...output, id: null },
    {
      id: null,
      cellId: "a",
      position: 0,
      representations: { "text/html": { type: "inline", data: "<b>a</b>", metadata: {} } },
      executionCount: 1,
    },
  );
  await until("ready", () => runtime.getState().status === "ready");
  assert.ok(runtime.states.some(({ status }) => status === "busy"));
  await runtime.stop();
  assert.deepEqual(notebook.names().slice(-1), ["RuntimeSessionTerminated"]);
});

test("running a cell again leaves its old output in place", async (t) => {
  const notebook = await Notebook.open(t, { isAttached: false });
  await notebook.start();
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  notebook.request(["q2", "a"]);
  await notebook.untilCompleted(2);
  assert.deepEqual(notebook.rows.outputs.map(({ position }) => position), [0, 0]);
});

test("any commit that fails wedges it until it is stopped and started", async (t) => {
  const notebook = await Notebook.open(t, { isAttached: false });
  const runtime = await notebook.start();
  notebook.beforeCommit = (events) => {
    if (events.some(({ name }) => name === "v1.ExecutionAssigned")) throw new Error("offline");
  };
  notebook.request(["q1", "a"]);
  await until("the error", () => runtime.getState().status === "error");
  notebook.beforeCommit = () => {};
  assert.deepEqual([runtime.getState().isActive, runtime.getState().error], [true, "offline"]);
  await runtime.stop();
  await runtime.start(notebook.id);
  await notebook.untilCompleted(1);
  assert.equal(notebook.rows.executionQueue[0].status, "completed");
});

test("the gate only observes, and that nothing is configured was said once", async (t) => {
  const notebook = await Notebook.open(t, { isAttached: false });
  await notebook.start();
  assert.deepEqual(reported("FLAGS_NOT_CONFIGURED").length, 1);
  const shown = bridge.status().notebooks.find((one) => one.notebook === notebook.id);
  assert.equal(shown.gate, "observe");
  assert.equal(shown.leases[0].decision.reason, "not-configured");
});
