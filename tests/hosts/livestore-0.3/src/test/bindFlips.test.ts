// Does an execution of the host's own code survive a flip exactly once?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeConfiguration } from "../old/types.js";
import { events, tables } from "../old/livestore.js";
import type { HtmlRuntime } from "../runtimes.js";
import { follow, queryDb, type Store } from "../store.js";
import { Bound, cellIds, diagnostics, drained, held, pathOf, route, until } from "./bound.js";

/** The facade that the host's doStart was given. */
const facadeOf = (runtime: HtmlRuntime): Store => (runtime as unknown as { store: Store }).store;

const pending = tables.executionQueue.where({ status: "pending" });

test("ten flips under load give every entry one start, one output and one end", async (t) => {
  const cells = cellIds(40);
  const notebook = await Bound.open(t, 40);
  route("legacy");
  const runtime = await notebook.start();
  const since = runtime.states.length;
  const rest = [...cells];
  for (let n = 0; n < 10; n += 1) {
    const path = n % 2 === 0 ? "registry" : "legacy";
    notebook.request(...rest.splice(0, 2));
    route(path);
    notebook.request(...rest.splice(0, 2));
    await notebook.on(runtime, path);
    await notebook.untilCompleted(cells.length - rest.length - 1);
  }
  await notebook.untilCompleted(40);
  notebook.assertEachRanOnce(cells);
  const states = runtime.states.slice(since);
  assert.ok(states.every(({ isActive }) => isActive));
  const sessions = states.map(({ sessionId }) => sessionId).filter((id, n, all) => id !== all[n - 1]);
  assert.equal(new Set(sessions).size, sessions.length, "a session never comes back");
  assert.equal(notebook.all("v1.RuntimeSessionStarted").length, 11);
});

test("a flip of an idle session is one ready with the new ids, both ways", async (t) => {
  route("legacy");
  const notebook = await Bound.open(t);
  const runtime = await notebook.start();
  for (const path of ["registry", "legacy", "registry"] as const) {
    const since = runtime.states.length;
    route(path);
    await notebook.on(runtime, path);
    await drained();
    const [state, ...more] = runtime.states.slice(since);
    assert.deepEqual(more, []);
    assert.deepEqual([state?.status, state?.isActive, pathOf(state?.sessionId)], ["ready", true, path]);
    assert.deepEqual(notebook.activeSessions, [state?.sessionId]);
  }
});

test("a session that began on the registry is taken over by the host's code, which announces nothing twice", async (t) => {
  route("registry");
  const notebook = await Bound.open(t);
  const runtime = await notebook.start();
  const since = notebook.events.length;
  route("legacy");
  await notebook.on(runtime, "legacy");
  notebook.request("c000");
  await notebook.untilCompleted(1);
  const sessionEvents = notebook.events.slice(since).filter(({ name }) => name.startsWith("v1.RuntimeSession"));
  assert.deepEqual(
    sessionEvents.map(({ name }) => name),
    ["v1.RuntimeSessionTerminated", "v1.RuntimeSessionStarted", "v1.RuntimeSessionStatusChanged"],
  );
  notebook.assertEachRanOnce(["c000"]);
  await runtime.stop();
  assert.deepEqual(notebook.activeSessions, []);
});

test("closed, the facade shows no work and takes no commit; open again, it does both", async (t) => {
  route("legacy");
  const notebook = await Bound.open(t, 3);
  const runtime = await notebook.start();
  const facade = facadeOf(runtime);
  assert.notEqual(facade, notebook.store);
  assert.equal(facade.storeId, notebook.store.storeId);
  route("registry");
  await notebook.on(runtime, "registry");

  // A store that refuses the registry's commits keeps an entry waiting.
  notebook.beforeCommit = (committed) => {
    if (committed.some(({ name }) => name === "v1.ExecutionAssigned")) throw new Error("not now");
  };
  notebook.request("c000");
  assert.equal(notebook.store.query(pending).length, 1);
  assert.deepEqual(facade.query(pending), []);
  assert.equal(facade.query(tables.cells.select()).length, 3, "everything else is seen");

  const before = notebook.status.gateCounts.droppedStale;
  const { sessionId } = runtime.getState();
  const claim = events.executionAssigned({ queueId: "qc000", runtimeSessionId: String(sessionId) });
  assert.equal(facade.commit(claim), undefined, "it returns as if it had been committed");
  assert.equal(notebook.status.gateCounts.droppedStale, before + 1);
  assert.equal(notebook.store.query(pending).length, 1);

  notebook.beforeCommit = () => undefined;
  route("legacy");
  await notebook.on(runtime, "legacy");
  assert.equal(facadeOf(runtime), facade);
  await notebook.untilCompleted(1);
});

test("a subscription of the host's code is shown what it missed once its facade opens", async (t) => {
  route("legacy");
  const notebook = await Bound.open(t, 1);
  const runtime = await notebook.start();
  const facade = facadeOf(runtime);
  const seen: string[][] = [];
  const onUpdate = (rows: readonly { id: string }[]): void => void seen.push(rows.map(({ id }) => id));
  t.after(follow(facade, queryDb(pending), onUpdate));
  route("registry");
  await notebook.on(runtime, "registry");
  notebook.beforeCommit = (committed) => {
    const isRegistrys = committed.some(({ args }) => pathOf(args["runtimeSessionId"] as string | undefined) === "registry");
    if (isRegistrys) throw new Error("not now");
  };
  notebook.request("c000");
  assert.deepEqual(seen.at(-1), []);
  route("legacy");
  await notebook.on(runtime, "legacy");
  await notebook.untilCompleted(1);
  assert.ok(seen.some(([id]) => id === "qc000"));
});

test("a flip waits for what the host's code has started", async (t) => {
  const { notebook, runtime, release } = await held(t);
  route("registry");
  await drained();
  assert.equal(notebook.serving, "legacy");
  release();
  await notebook.on(runtime, "registry");
  await notebook.untilCompleted(2);
  notebook.assertEachRanOnce(["c000", "c001"]);
});

test("at the boundary `now` what has started is fenced after its grace, and what it does then goes nowhere", async (t) => {
  const { notebook, runtime, release } = await held(t);
  const since = diagnostics.length;
  route("registry", "now");
  await notebook.on(runtime, "registry");
  await notebook.untilCompleted(2);
  assert.deepEqual(
    notebook.all("v1.ExecutionCompleted").map(({ queueId, error }) => [queueId, error]),
    [
      ["qc000", "runtime-bridge: fenced"],
      ["qc001", undefined],
    ],
  );
  assert.ok(diagnostics.slice(since).some(({ code }) => code === "FENCED"));
  release();
  await drained();
  assert.equal(notebook.all("v1.MultimediaResultOutputAdded").length, 1, "only of the cell that the registry ran");
  assert.equal(notebook.all("v1.ExecutionCompleted").length, 2);
});

test("what the host's code has claimed and not started passes over, and its late start is dropped", async (t) => {
  route("legacy");
  const notebook = await Bound.open(t, 1);
  const runtime = await notebook.start();
  const facade = facadeOf(runtime);
  const { sessionId } = runtime.getState();
  notebook.request("c000");
  // The claim that the poll was about to make, but the start of it comes after the flip.
  facade.commit(events.executionAssigned({ queueId: "qc000", runtimeSessionId: String(sessionId) }));
  route("registry");
  await notebook.untilCompleted(1);
  const startedAt = new Date();
  const late = { queueId: "qc000", cellId: "c000", runtimeSessionId: String(sessionId), startedAt };
  facade.commit(events.executionStarted(late));
  notebook.assertEachRanOnce(["c000"]);
  assert.equal(notebook.serving, "registry");
});

test("a claim that was cancelled before the flip stays cancelled", async (t) => {
  route("legacy");
  const notebook = await Bound.open(t, 2);
  const runtime = await notebook.start();
  const { sessionId } = runtime.getState();
  notebook.request("c000");
  facadeOf(runtime).commit(events.executionAssigned({ queueId: "qc000", runtimeSessionId: String(sessionId) }));
  notebook.host({
    name: "v1.ExecutionCancelled",
    args: { queueId: "qc000", cellId: "c000", cancelledBy: "u1", reason: "user" },
  });
  route("registry");
  notebook.request("c001");
  await notebook.untilCompleted(1);
  notebook.assertEachRanOnce(["c001"]);
});

test("a session that a newer one displaced sees no more work and is stopped", async (t) => {
  route("registry");
  const notebook = await Bound.open(t, 2);
  const first = await notebook.start();
  route("legacy");
  await notebook.on(first, "legacy");
  const facade = facadeOf(first);
  const second = await notebook.start();
  await until("the first has stopped", () => first.getState().status === "inactive");
  notebook.request("c000");
  assert.deepEqual(facade.query(pending), []);
  await notebook.untilCompleted(1);
  assert.deepEqual(notebook.activeSessions, [second.getState().sessionId]);
  notebook.assertEachRanOnce(["c000"]);
});

test("stopping after a flip stops the host's code as well", async (t) => {
  route("legacy");
  const notebook = await Bound.open(t, 1);
  const runtime = await notebook.start();
  route("registry");
  await notebook.on(runtime, "registry");
  await runtime.stop();
  assert.equal(facadeOf(runtime), null, "its doStop has run");
  assert.deepEqual(notebook.activeSessions, []);
  route("legacy");
  await runtime.start(notebook.id, {} as RuntimeConfiguration);
  notebook.request("c000");
  await notebook.untilCompleted(1);
  notebook.assertEachRanOnce(["c000"]);
});

test("nothing of this was worth an error, but for the execution that was fenced", () => {
  const errors = diagnostics.filter(({ level }) => level === "error").map(({ code }) => code);
  assert.deepEqual(errors, ["FENCED"]);
});
