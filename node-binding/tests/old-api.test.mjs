// Does a host class that extends BaseRuntime work as it did?
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";
import { bridge } from "runtime-bridge";
import { BaseRuntime, HtmlRuntime } from "runtime-bridge/legacy";

const require = createRequire(import.meta.url);

const METADATA = {
  id: "mine",
  name: "Mine",
  description: "",
  icon: "",
  type: "external",
  isLocal: true,
  isAvailable: true,
  priority: 1,
};
const CAPABILITIES = { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false };

class HostRuntime extends BaseRuntime {
  calls = [];

  constructor(config) {
    super(METADATA, CAPABILITIES, config);
  }

  async start(notebookId, config) {
    this.calls.push("start");
    await super.start(notebookId, config);
  }

  async stop() {
    this.calls.push("stop");
    await super.stop();
  }

  async restart(config) {
    this.calls.push("restart");
    await super.restart(config);
  }

  async doStart(notebookId, config) {
    this.calls.push(["doStart", notebookId, config]);
    this.validated = attempt(() => this.validateStarted());
  }

  async doStop() {
    this.calls.push("doStop");
  }

  generateRuntimeId() {
    return "my-runtime-id";
  }
}

const attempt = (work) => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

const started = async () => {
  const runtime = new HostRuntime();
  const states = [];
  runtime.onStateChange((state) => states.push(state));
  await runtime.start("nb");
  return { runtime, states };
};

test("start calls the host's hooks and shows three states", async () => {
  const { runtime, states } = await started();
  assert.deepEqual(
    states.map(({ status, isActive, runtimeId }) => [status, isActive, runtimeId]),
    [
      ["starting", false, null],
      ["starting", false, "my-runtime-id"],
      ["ready", true, "my-runtime-id"],
    ],
  );
  assert.deepEqual(runtime.calls, ["start", ["doStart", "nb", runtime.configuration]]);
  assert.match(runtime.getState().sessionId, /^my-runtime-id-\d{13}$/);
  await runtime.stop();
  assert.deepEqual(states.slice(3).map(({ status }) => status), ["stopping", "inactive"]);
  assert.deepEqual(runtime.calls.slice(2), ["stop", "doStop"]);
});

test("protected members are the object's own", async () => {
  const { runtime, states } = await started();
  assert.equal(runtime.notebookId, "nb");
  assert.equal(runtime.getCurrentNotebookId(), "nb");
  assert.equal(runtime.isActiveAndReady(), true);
  assert.equal(runtime.state.status, "ready");
  assert.deepEqual(runtime.state, runtime.getState());
  assert.notEqual(runtime.state, runtime.getState());
  assert.match(runtime.generateSessionId("rt"), /^rt-\d{13}$/);
  assert.match(BaseRuntime.prototype.generateRuntimeId.call(runtime), /^external-.+/);

  const since = states.length;
  runtime.setBusy();
  assert.equal(runtime.isActiveAndReady(), false);
  runtime.setReady();
  runtime.updateState({ status: "error", error: "by hand" });
  assert.deepEqual(states.slice(since).map(({ status }) => status), ["busy", "ready", "error"]);
  assert.equal(runtime.getState().error, "by hand");
  runtime.state = { ...runtime.state, status: "ready" };
  assert.equal(states.length, since + 3, "an assignment tells nobody");
  assert.equal(runtime.getState().status, "ready");
  runtime.notebookId = "other";
  assert.equal(runtime.getCurrentNotebookId(), "other");
  await runtime.stop();
  assert.throws(() => runtime.validateStarted(), Error);
  assert.throws(() => runtime.getCurrentNotebookId(), Error);
  assert.equal(runtime.notebookId, null);
});

test("setError tells the console and keeps the runtime active", async (t) => {
  const { runtime } = await started();
  const { mock } = t.mock.method(console, "error", () => {});
  runtime.setError(new Error("boom"));
  const { status, error, isActive } = runtime.getState();
  assert.deepEqual({ status, error, isActive }, { status: "error", error: "boom", isActive: true });
  assert.equal(mock.calls[0].arguments[0], "Mine error:");
  await runtime.stop();
});

test("doStart does not see itself started", async () => {
  const { runtime } = await started();
  assert.ok(runtime.validated instanceof Error);
  await runtime.stop();
});

test("configuration is merged shallowly and nested objects keep their identity", async () => {
  const options = { deep: {} };
  const runtime = new HostRuntime({ options });
  assert.equal(runtime.configuration.maxExecutionTime, 30000);
  assert.equal(runtime.getConfiguration().options, options);
  await runtime.start("nb", { maxExecutionTime: undefined });
  assert.deepEqual(runtime.getConfiguration(), { maxExecutionTime: undefined, environment: {}, options });
  const info = runtime.getDebugInfo();
  assert.deepEqual(Object.keys(info), ["metadata", "state", "configuration", "notebookId", "capabilities"]);
  assert.deepEqual([info.metadata, info.capabilities, info.notebookId], [METADATA, CAPABILITIES, "nb"]);
  assert.equal(info.metadata, runtime.metadata);
  assert.equal(runtime.toString(), "Mine (mine) - ready");
  await runtime.stop();
});

test("what doStart throws is rethrown as it is and the state keeps the ids", async () => {
  class Failing extends HostRuntime {
    async doStart() {
      throw "a string";
    }
  }
  const runtime = new Failing();
  await assert.rejects(runtime.start("nb"), (error) => error === "a string");
  const { status, error, runtimeId, isActive } = runtime.getState();
  assert.deepEqual({ status, error, runtimeId, isActive }, {
    status: "error",
    error: "a string",
    runtimeId: "my-runtime-id",
    isActive: false,
  });
});

test("callbacks get copies, one that throws harms nobody, and an ended one is not called", async (t) => {
  t.mock.method(console, "error", () => {});
  const runtime = new HostRuntime();
  const seen = [];
  runtime.onStateChange(() => {
    throw new Error("host");
  });
  runtime.onStateChange((state) => {
    state.status = "scribbled";
  });
  const end = runtime.onStateChange((state) => seen.push(state.status));
  await runtime.start("nb");
  assert.equal(runtime.getState().status, "ready");
  assert.deepEqual(seen, ["starting", "starting", "ready"]);
  end();
  await runtime.stop();
  assert.equal(seen.length, 3);
});

test("import and require give the same classes and the same bridge", async () => {
  const legacy = require("runtime-bridge/legacy");
  assert.equal(legacy.BaseRuntime, BaseRuntime);
  assert.equal(legacy.HtmlRuntime, HtmlRuntime);
  assert.equal(require("runtime-bridge").bridge, bridge);
  class FromRequire extends legacy.BaseRuntime {}
  assert.ok(new FromRequire(METADATA, CAPABILITIES) instanceof BaseRuntime);
  assert.ok(new HtmlRuntime() instanceof legacy.BaseRuntime);
});

test("an HtmlRuntime describes itself as before and refuses to start without a store or a user", async (t) => {
  t.mock.method(console, "error", () => {});
  const runtime = new HtmlRuntime();
  assert.equal(runtime.toString(), "HTML Agent (html-runtime) - inactive");
  assert.equal(runtime.getSetupInstructions(), null);
  assert.deepEqual(runtime.capabilities.supportedLanguages, ["html"]);
  await assert.rejects(runtime.start("nb"), { message: "LiveStore instance is required for HTML runtime" });
  const store = { commit() {}, query: () => [], subscribe: () => () => {} };
  await assert.rejects(runtime.start("nb", { store }), { message: "User ID is required for HTML runtime" });
});
