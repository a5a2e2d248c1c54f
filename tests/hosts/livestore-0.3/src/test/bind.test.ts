// Is the host's own code the old path, and does a call site see nothing but that?
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bridge } from "runtime-bridge";
import * as old from "../old/index.js";
import { events } from "../old/livestore.js";
import type { HtmlRuntimeConfig, RuntimeConfiguration } from "../old/types.js";
import { BaseRuntime, createRuntimeFactory, getRuntimeRegistry, HtmlRuntime, RuntimeRegistry } from "../runtimes.js";
import { Bound, diagnostics, drained, pathOf, route } from "./bound.js";

// Both classes are made as the module is loaded, as a host's are.
class EchoRuntime extends BaseRuntime {
  readonly notebooks: string[] = [];

  constructor() {
    const metadata = { id: "echo", name: "Echo", description: "", icon: "", type: "external" } as const;
    const capabilities = { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false };
    super({ ...metadata, isLocal: true, isAvailable: true, priority: 1 }, capabilities);
  }

  protected override async doStart(notebookId: string): Promise<void> {
    this.notebooks.push(notebookId);
  }

  protected override async doStop(): Promise<void> {}
}

class CountingRuntime extends HtmlRuntime {
  starts = 0;

  protected override async doStart(notebookId: string, config: RuntimeConfiguration): Promise<void> {
    this.starts += 1;
    await super.doStart(notebookId, config);
  }
}

/** It attaches itself, and leaves it to the class to end the session. */
class SelfMadeRuntime extends HtmlRuntime {
  protected override async doStart(_notebookId: string, config: RuntimeConfiguration): Promise<void> {
    const { sessionId, runtimeId } = this.state;
    const { store } = config as HtmlRuntimeConfig;
    const names = { sessionId: String(sessionId), runtimeId: String(runtimeId), runtimeType: "html" };
    store.commit(events.runtimeSessionStarted({ ...names, capabilities: this.capabilities }));
    Object.assign(this, { store });
  }
}

class RenamedRuntime extends HtmlRuntime {
  override getSetupInstructions(): string {
    return "none";
  }
}

test("what the binding file exports is the host's own", () => {
  assert.equal(HtmlRuntime, old.HtmlRuntime);
  assert.equal(BaseRuntime, old.BaseRuntime);
  assert.equal(RuntimeRegistry, old.RuntimeRegistry);
  assert.equal(bridge.status().legacy, "host");
});

test("a host's subclass of BaseRuntime lives as before", async () => {
  const echo = new EchoRuntime();
  await echo.start("nb-1");
  assert.deepEqual(echo.notebooks, ["nb-1"]);
  assert.equal(echo.getState().status, "ready");
  await echo.stop();
});

test("routed legacy, the host's code runs the cells and the gate only counts", async (t) => {
  route("legacy");
  const notebook = await Bound.open(t);
  const runtime = await notebook.start();
  notebook.request("c000");
  await notebook.untilCompleted(1);
  const { gate, gateCounts, leases } = notebook.status;
  assert.deepEqual([gate, leases[0]?.path], ["observe", "legacy"]);
  assert.deepEqual(gateCounts, { passed: 6, droppedStale: 0, droppedEntry: 0, late: 0, observed: 0, breaches: 0 });
  assert.equal(notebook.all("v1.CellOutputsCleared").length, 0);
  assert.equal(notebook.all("v1.MultimediaResultOutputAdded")[0]?.["executionCount"], 1, "the old code's constant");
  assert.deepEqual(
    runtime.states.slice(0, 3).map(({ status, sessionId }) => [status, sessionId === null]),
    [
      ["starting", true],
      ["starting", false],
      ["ready", false],
    ],
  );
});

test("routed registry, the session has the registry's ids from the first and the host's code does not run", async (t) => {
  route("registry");
  const notebook = await Bound.open(t);
  const runtime = await notebook.start();
  notebook.request("c000");
  await notebook.untilCompleted(1);
  assert.equal(notebook.serving, "registry");
  assert.equal(notebook.all("v1.MultimediaResultOutputAdded")[0]?.["executionCount"], 7);
  const ids = runtime.states.slice(0, 3).map(({ status, sessionId }) => [status, sessionId && pathOf(sessionId)]);
  assert.deepEqual(ids, [
    ["starting", null],
    ["starting", "registry"],
    ["ready", "registry"],
  ]);
  await runtime.stop();
  assert.deepEqual(notebook.activeSessions, []);
  assert.equal(runtime.getState().status, "inactive");
});

test("getConfiguration().store is the host's own store on both paths", async (t) => {
  for (const path of ["legacy", "registry"] as const) {
    route(path);
    const notebook = await Bound.open(t);
    const runtime = await notebook.start();
    assert.equal((runtime.getConfiguration() as { store?: unknown }).store, notebook.store);
  }
});

test("the html runtime that the host's factory makes is routed", async (t) => {
  route("registry");
  RuntimeRegistry.resetInstance();
  const notebook = await Bound.open(t);
  const factory = createRuntimeFactory({ store: notebook.store, userId: "u1" });
  assert.equal(factory.getRegistry(), getRuntimeRegistry());
  await getRuntimeRegistry().startRuntime("html-runtime", notebook.id);
  const runtime = getRuntimeRegistry().getRuntime("html-runtime");
  assert.ok(runtime instanceof HtmlRuntime);
  notebook.add(runtime);
  notebook.request("c000");
  await notebook.untilCompleted(1);
  assert.equal(notebook.serving, "registry");
  notebook.assertEachRanOnce(["c000"]);
});

test("a host's subclass with a doStart of its own is host code on every route", async (t) => {
  route("registry");
  const notebook = await Bound.open(t);
  const runtime = notebook.add(new CountingRuntime({ store: notebook.store, userId: "u1" }));
  await runtime.start(notebook.id);
  const [lease] = notebook.status.leases;
  assert.deepEqual([lease?.path, lease?.decision.reason], ["legacy", "host-subclass"]);
  route("legacy");
  route("registry");
  notebook.request("c000");
  await notebook.untilCompleted(1);
  assert.deepEqual([notebook.serving, runtime.starts], ["legacy", 1]);
  assert.equal(pathOf(runtime.getState().sessionId), "legacy");
});

test("a host's subclass that replaces doStart is stopped by the host's own doStop", async (t) => {
  route("registry");
  const notebook = await Bound.open(t);
  const runtime = notebook.add(new SelfMadeRuntime({ store: notebook.store, userId: "u1" }));
  await runtime.start(notebook.id);
  assert.deepEqual(notebook.activeSessions, [runtime.getState().sessionId]);
  await runtime.stop();
  assert.deepEqual(notebook.activeSessions, []);
  assert.deepEqual(notebook.status.leases, []);
});

test("a host's subclass that overrides neither is routed", async (t) => {
  route("registry");
  const notebook = await Bound.open(t);
  await notebook.start(RenamedRuntime);
  assert.equal(notebook.serving, "registry");
});

test("what the host's doStart says of a missing store or user is heard as it was", async () => {
  route("registry");
  await assert.rejects(new HtmlRuntime().start("nb"), { message: "LiveStore instance is required for HTML runtime" });
});

test("executeCode shows its output on either path", async (t) => {
  for (const path of ["legacy", "registry"] as const) {
    route(path);
    const notebook = await Bound.open(t);
    const runtime = await notebook.start();
    await runtime.executeCode("c000", "<i>x</i>");
    assert.equal(notebook.all("v1.MultimediaResultOutputAdded").length, 1, path);
  }
  await assert.rejects(new HtmlRuntime().executeCode("c000", ""), { message: "Runtime html-runtime is not active" });
});

test("what the store throws reaches the host's code as it is", async (t) => {
  t.mock.method(console, "error", () => undefined);
  route("legacy");
  const notebook = await Bound.open(t, 2);
  const lost = new Error("the store is full");
  notebook.beforeCommit = ([event]) => {
    if (event?.name === "v1.RuntimeSessionStarted") throw lost;
  };
  const runtime = notebook.add(new HtmlRuntime({ store: notebook.store, userId: "u1" }));
  await assert.rejects(runtime.start(notebook.id), (error) => error === lost);

  notebook.beforeCommit = ([event]) => {
    if (event?.name === "v1.MultimediaResultOutputAdded") throw lost;
  };
  await runtime.start(notebook.id);
  notebook.request("c000");
  await notebook.untilCompleted(1);
  await drained();
  assert.equal(notebook.all("v1.ExecutionCompleted")[0]?.["status"], "error");
  const { status, error, isActive } = runtime.getState();
  assert.deepEqual([status, error, isActive], ["error", lost.message, true], "wedged, as it always was");
});

test("bound runtimes that are stopped and dropped are collected, on either path", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const notebook = await Bound.open(t);
  const refs: WeakRef<HtmlRuntime>[] = [];
  for (const path of ["legacy", "registry", "legacy", "registry"] as const) {
    route(path);
    await (async () => {
      const runtime = new HtmlRuntime({ store: notebook.store, userId: "u1" });
      await runtime.start(notebook.id);
      await runtime.stop();
      refs.push(new WeakRef(runtime));
    })();
  }
  for (let turn = 0; turn < 10; turn += 1) {
    await drained();
    collect();
  }
  // A stack slot may hold on to the last one.
  assert.ok(refs.filter((ref) => ref.deref() === undefined).length >= 3);
});

test("nothing of this was worth a diagnostic", () => {
  assert.deepEqual(
    diagnostics.filter(({ level }) => level !== "info"),
    [],
  );
});
