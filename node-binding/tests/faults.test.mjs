// What does the registry route do when the store refuses commits?
import assert from "node:assert/strict";
import test from "node:test";
import { CALLBACKS_MAY_THROW, LIVESTORE, Notebook, Schema, cellsAndRequests, diagnostics, follow } from "./helpers.mjs";
import { queryDb, reported, route, settled, until } from "./helpers.mjs";

test.before(() => route("registry"));

const isExecution = (events) => events.some(({ name }) => name === "v1.ExecutionStarted");
const errors = (notebook) => notebook.completed.filter(({ status }) => status === "error").map(({ queueId }) => queueId);

test("a batch that is refused once is committed one by one, nothing lost and nothing doubled", async (t) => {
  const { cells, requests } = cellsAndRequests(5);
  const notebook = await Notebook.open(t, { cells });
  const runtime = await notebook.start();
  let refusals = 0;
  notebook.beforeCommit = (events) => {
    if (isExecution(events) && refusals++ === 0) throw new Error("refused once");
  };
  notebook.request(...requests);
  await notebook.untilCompleted(5);
  notebook.assertEachRanOnce(requests);
  assert.deepEqual(errors(notebook), []);
  assert.equal(notebook.commits.filter(isExecution).length, 5);
  assert.equal(runtime.getState().isActive, true);
});

test("one execution that is always refused fails alone", async (t) => {
  const { cells, requests } = cellsAndRequests(4);
  const notebook = await Notebook.open(t, { cells });
  const runtime = await notebook.start();
  notebook.beforeCommit = (events) => {
    const isBad = ({ name, args }) => name === "v1.MultimediaResultOutputAdded" && args.cellId === "c001";
    if (events.some(isBad)) throw new Error("too big");
  };
  notebook.request(...requests);
  await notebook.untilCompleted(4);
  assert.deepEqual(errors(notebook), ["q001"]);
  assert.equal(notebook.completed.find(({ queueId }) => queueId === "q001").error, "too big");
  assert.deepEqual(notebook.all("v1.ExecutionStarted").map(({ queueId }) => queueId), ["q000", "q001", "q002", "q003"]);

  notebook.addCell("later", "x");
  notebook.request(["q9", "later"]);
  await notebook.untilCompleted(5);
  assert.deepEqual(errors(notebook), ["q001"]);
  assert.equal(runtime.getState().status, "ready");
});

test("a store that refuses every commit puts the runtime into error, says so, and stop still settles", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  const since = diagnostics.length;
  notebook.request(["q0", "a"]);
  await notebook.untilCompleted(1);
  let isBroken = true;
  notebook.beforeCommit = (events) => {
    if (isBroken && !events.some(({ name }) => name === "v1.ExecutionRequested")) throw new Error("disk full");
  };
  notebook.request(["q1", "a"], ["q2", "a"]);
  await until("the error state", () => runtime.getState().status === "error");
  assert.equal(runtime.getState().error, "disk full");
  const [refused] = reported("STORE_REFUSED", since);
  assert.match(refused.message, new RegExp(`${notebook.id}.*disk full`));
  assert.ok(refused.help);
  await settled("stop", runtime.stop().catch(() => {}));
  isBroken = false;
});

test("after the store has recovered, stop and start run what was left behind, once", async (t) => {
  const { cells, requests } = cellsAndRequests(3);
  const notebook = await Notebook.open(t, { cells });
  const runtime = await notebook.start();
  let isBroken = true;
  notebook.beforeCommit = (events) => {
    if (isBroken && isExecution(events)) throw new Error("disk full");
  };
  notebook.request(...requests);
  await until("the error state", () => runtime.getState().status === "error");
  isBroken = false;
  await runtime.stop();
  await runtime.start(notebook.id);
  await notebook.untilCompleted(3);
  notebook.assertEachRanOnce(requests);
  notebook.assertNeverTwoSessions();
});

test("after a refusing store, the way back to the old path runs what was left behind, once", async (t) => {
  t.after(() => route("registry"));
  const { cells, requests } = cellsAndRequests(2);
  const notebook = await Notebook.open(t, { cells });
  const runtime = await notebook.start();
  let isBroken = true;
  notebook.beforeCommit = (events) => {
    if (isBroken && isExecution(events)) throw new Error("disk full");
  };
  notebook.request(...requests);
  await until("the error state", () => runtime.getState().status === "error");
  isBroken = false;
  route("legacy");
  await notebook.untilCompleted(2);
  notebook.assertEachRanOnce(requests);
  assert.equal(runtime.getState().status, "ready");
});

/** A live query of the host's own, whose callback throws when `isFatal` says so of its rows. */
const subscribe = ({ store }, isFatal) => {
  const query = { query: "SELECT id, status FROM executionQueue", bindValues: {} };
  const definition = queryDb(
    { ...query, schema: Schema.Array(Schema.Any), queriedTables: new Set(["executionQueue"]) },
    { label: "host" },
  );
  return follow(store, definition, (rows) => {
    if (isFatal(rows)) throw new Error("the host's callback threw");
  });
};

test("a subscriber of the host's that throws behind our commit makes nothing run twice", CALLBACKS_MAY_THROW, async (t) => {
  const { cells, requests } = cellsAndRequests(3);
  const notebook = await Notebook.open(t, { cells });
  await notebook.start();
  let throws = 0;
  const isOver = (rows) => rows.some(({ status }) => status === "completed") && (throws += 1) === 1;
  subscribe(notebook, isOver);
  notebook.request(...requests);
  await notebook.untilCompleted(3);
  notebook.addCell("later", "x");
  notebook.request(["q9", "later"]);
  await notebook.untilCompleted(4);
  assert.ok(throws > 0);
  notebook.assertEachRanOnce([...requests, ["q9", "later"]]);
  assert.deepEqual(errors(notebook), []);
});

test("a store that is lost behind our commit puts the runtime into error and says so", { skip: LIVESTORE === "0.3" }, async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start();
  const since = diagnostics.length;
  subscribe(notebook, (rows) => rows.some(({ status }) => status === "completed"));
  notebook.beforeCommit = () => t.mock.method(console, "error", () => {});
  notebook.request(["q1", "a"]);
  await until("the error state", () => runtime.getState().status === "error");
  assert.match(runtime.getState().error, /the store is lost: .*shut down/);
  assert.match(reported("STORE_REFUSED", since)[0].message, /the store is lost/);
  await settled("stop", runtime.stop().catch(() => {}));
});

test("a session whose announcement is refused is not started, and the next start works", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = notebook.runtime();
  notebook.beforeCommit = () => {
    throw new Error("offline");
  };
  await assert.rejects(runtime.start(notebook.id), { message: "offline" });
  assert.equal(runtime.getState().isActive, false);
  assert.deepEqual(notebook.activeSessions, []);
  notebook.beforeCommit = () => {};
  await runtime.start(notebook.id);
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  await runtime.stop();
});
