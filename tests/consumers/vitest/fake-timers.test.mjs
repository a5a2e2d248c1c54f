// Do a host's unit tests work with fake timers, in a DOM, in a thread?
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bridge, configure } from "runtime-bridge";
import { BaseRuntime, getRuntimeRegistry, HtmlRuntime } from "runtime-bridge/legacy";
import { attach } from "runtime-bridge/livestore";

const { closeStore, commit, openStore, queryDb, Schema } = await import(/* @vite-ignore */ process.env.LIVESTORE_HOST);

const flags = (route) => ({
  flags: { "runtime-route": { state: "ENABLED", variants: { [route]: route }, defaultVariant: route, targeting: {} } },
});

let store;
let storeCount = 0;

beforeEach(async () => {
  storeCount += 1;
  store = await openStore({ storeId: `nb-${storeCount}` });
  attach(store, { queryDb, Schema });
  vi.useFakeTimers();
});

afterEach(async () => {
  vi.useRealTimers();
  await closeStore(store);
});

const request = (n) =>
  commit(
    store,
    { name: "v2.CellCreated", args: { id: `c${n}`, cellType: "code", fractionalIndex: `a${n}`, createdBy: "u1" } },
    { name: "v1.CellSourceChanged", args: { id: `c${n}`, source: `<b>${n}</b>`, modifiedBy: "u1" } },
    { name: "v1.ExecutionRequested", args: { queueId: `q${n}`, cellId: `c${n}`, executionCount: n, requestedBy: "u1" } },
  );

const select = (query) => store.query({ query, bindValues: {} });
const completed = () => select("SELECT id FROM executionQueue WHERE status = 'completed' ORDER BY id").map(({ id }) => id);
const outputs = () => select("SELECT cellId FROM outputs ORDER BY cellId").map(({ cellId }) => cellId);

test("this is a DOM in a thread, and the addon is there", () => {
  expect(document.createElement("b").outerHTML).toBe("<b></b>");
  expect(process.getBuiltinModule("node:worker_threads").isMainThread).toBe(false);
  expect(bridge.status().addon).toBe(true);
});

test.each(["legacy", "registry"])("start, request and output settle on the route %s", async (route) => {
  configure({ flags: flags(route) });
  const runtime = new HtmlRuntime({ store, userId: "u1" });
  await runtime.start(store.storeId);
  expect(bridge.status().notebooks.find(({ notebook }) => notebook === store.storeId).leases[0].path).toBe(route);
  request(1);
  await vi.advanceTimersByTimeAsync(50);
  expect(completed()).toEqual(["q1"]);
  request(2);
  request(3);
  await vi.advanceTimersByTimeAsync(100);
  expect(completed()).toEqual(["q1", "q2", "q3"]);
  expect(outputs()).toEqual(["c1", "c2", "c3"]);
  await runtime.stop();
  expect(runtime.getState().status).toBe("inactive");
  expect(select("SELECT sessionId FROM runtimeSessions WHERE isActive = 1")).toEqual([]);
});

test("sessions begin and end at the time that the test has set", async () => {
  configure({ flags: flags("registry") });
  vi.setSystemTime(new Date("2020-02-02T02:02:02Z"));
  const runtime = new HtmlRuntime({ store, userId: "u1" });
  await runtime.start(store.storeId);
  expect(runtime.getState().lastHeartbeat).toEqual(new Date("2020-02-02T02:02:02Z"));
  expect(runtime.getState().sessionId).toContain(`-${Date.parse("2020-02-02T02:02:02Z")}-`);
  await runtime.stop();
});

class Mine extends BaseRuntime {
  constructor() {
    super({ id: "mine", name: "Mine", type: "external", isLocal: true, isAvailable: true, priority: 1 }, { canExecuteCode: true });
  }

  async doStart() {}

  async doStop() {}
}

test("a restart waits 100 ms of the test's time, and the registry hears of it within a second of it", async () => {
  const registry = getRuntimeRegistry();
  const runtime = new Mine();
  const heard = [];
  registry.onRuntimeStateChanged((_, { status }) => heard.push(status));
  registry.register(runtime);
  await registry.startRuntime("mine", "nb");
  await vi.advanceTimersByTimeAsync(1000);
  expect(heard).toContain("ready");
  const failure = vi.fn();
  runtime.restart().catch(failure);
  await vi.advanceTimersByTimeAsync(99);
  expect(failure).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(failure).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(1000);
  expect(heard.at(-1)).toBe("inactive");
});
