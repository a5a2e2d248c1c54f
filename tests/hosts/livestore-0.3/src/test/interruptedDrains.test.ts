// What if the world stands still, jumps or ends while a drain is under way?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeConfiguration } from "../old/types.js";
import { HtmlRuntime } from "../runtimes.js";
import { allTables } from "../store.js";
import { Bound, diagnostics, drained, held, route } from "./bound.js";

const FENCED = "runtime-bridge: fenced";
const HOUR_MS = 3_600_000;

/** How executions ended: by id, with the error if any. */
const ends = (notebook: Bound): unknown[] =>
  notebook.all("v1.ExecutionCompleted").map(({ queueId, error }) => [queueId, error ?? null]);

test("test 11: a handler that returns after its fence and commits a thousand outputs leaves the store as it was", async (t) => {
  const { notebook, runtime, release } = await held(t, 1000);
  route("registry", "now");
  await notebook.on(runtime, "registry");
  await notebook.untilCompleted(2);
  const [events, rows] = [notebook.events.length, JSON.stringify(allTables(notebook.store))];
  const before = notebook.status.gateCounts;
  release();
  await drained();
  const { passed, late } = notebook.status.gateCounts;
  assert.deepEqual([passed, late], [before.passed, 1001], "a thousand outputs and their end");
  assert.equal(notebook.events.length, events);
  assert.equal(JSON.stringify(allTables(notebook.store)), rows);
});

test("test 15: an event loop that is blocked for longer than the drain fences once, and loses and doubles nothing", async (t) => {
  const { notebook, runtime, release } = await held(t);
  route("registry", "now");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
  await notebook.on(runtime, "registry");
  await notebook.untilCompleted(2);
  release();
  await drained();
  assert.deepEqual(ends(notebook), [
    ["qc000", FENCED],
    ["qc001", null],
  ]);
  assert.equal(notebook.all("v1.ExecutionStarted").length, 2);
});

test("test 17: a clock that jumps back an hour puts no deadline off", async (t) => {
  const { notebook, runtime } = await held(t);
  const real = Date.now;
  t.after(() => (Date.now = real));
  const since_ms = performance.now();
  route("registry", "now");
  Date.now = () => real() - HOUR_MS;
  await notebook.on(runtime, "registry");
  await notebook.untilCompleted(2);
  assert.ok(performance.now() - since_ms < HOUR_MS / 60);
  assert.deepEqual(ends(notebook)[0], ["qc000", FENCED]);
});

for (const path of ["legacy", "registry"] as const) {
  test(`test 14: a stop while a start is under way leaves one session that can be stopped, ${path}`, async (t) => {
    route(path);
    const notebook = await Bound.open(t, 1);
    const runtime = notebook.add(new HtmlRuntime({ store: notebook.store, userId: "u1" }));
    const [started, stopped] = await Promise.allSettled([runtime.start(notebook.id, {} as RuntimeConfiguration), runtime.stop()]);
    assert.deepEqual([started.status, stopped.status], ["fulfilled", "fulfilled"]);
    assert.deepEqual(notebook.activeSessions, [runtime.getState().sessionId], "as the old code has it: it was not active yet");
    notebook.request("c000");
    await notebook.untilCompleted(1);
    notebook.assertEachRanOnce(["c000"]);
    await runtime.stop();
    assert.deepEqual(notebook.activeSessions, []);
  });
}

test("test 14: a stop and a start during a drain ends what had been started and runs what had not, once", async (t) => {
  const { notebook, runtime, release } = await held(t);
  route("registry");
  await runtime.stop();
  await runtime.start(notebook.id, {} as RuntimeConfiguration);
  await notebook.untilCompleted(2);
  release();
  await drained();
  assert.equal(notebook.serving, "registry");
  assert.deepEqual(ends(notebook).sort(), [
    ["qc000", "runtime-bridge: orphaned"],
    ["qc001", null],
  ]);
  assert.equal(notebook.all("v1.ExecutionStarted").length, 2);
  assert.deepEqual(notebook.activeSessions, [runtime.getState().sessionId]);
});

test("nothing of this was worth another error than that of a fence", () => {
  const errors = diagnostics.filter(({ level }) => level === "error").map(({ code }) => code);
  assert.deepEqual([...new Set(errors)], ["FENCED"]);
});
