// Is a host's subclass of HtmlRuntime left to the host, whatever the flag says?
import assert from "node:assert/strict";
import test from "node:test";
import { bridge } from "runtime-bridge";
import { HtmlRuntime } from "runtime-bridge/legacy";
import { Notebook, drained, route } from "./helpers.mjs";

class Extending extends HtmlRuntime {
  calls = [];

  async doStart(notebookId, config) {
    this.calls.push("doStart");
    await super.doStart(notebookId, config);
  }

  async doStop() {
    this.calls.push("doStop");
    await super.doStop();
  }
}

class Replacing extends HtmlRuntime {
  calls = [];

  async doStart(notebookId) {
    this.calls.push(notebookId);
  }
}

class Renaming extends HtmlRuntime {
  getSetupInstructions() {
    return "mine";
  }
}

const lease = (notebook) => bridge.status().notebooks.find((one) => one.notebook === notebook.id)?.leases[0];

test.beforeEach(() => route("registry"));

test("one that extends doStart runs its hooks and stays on the old path, also when the flag changes", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start(Extending);
  assert.deepEqual([lease(notebook).path, lease(notebook).decision.reason], ["legacy", "host-subclass"]);
  route("legacy");
  route("registry");
  notebook.request(["q1", "a"]);
  await notebook.untilCompleted(1);
  assert.equal(lease(notebook).path, "legacy");
  assert.equal(notebook.all("v1.CellOutputsCleared").length, 0);
  assert.equal(notebook.all("v1.RuntimeSessionStarted").length, 1);
  await runtime.stop();
  assert.deepEqual(runtime.calls, ["doStart", "doStop"]);
});

test("one that replaces doStart has nothing committed for it", async (t) => {
  const notebook = await Notebook.open(t);
  const runtime = await notebook.start(Replacing);
  notebook.request(["q1", "a"]);
  route("legacy");
  route("registry");
  await drained();
  assert.deepEqual(runtime.calls, [notebook.id]);
  assert.deepEqual(notebook.names(), ["ExecutionRequested"]);
  assert.doesNotMatch(runtime.getState().runtimeId, /^registry-/);
  await runtime.stop();
  assert.equal(runtime.getState().status, "inactive");
});

test("one that overrides neither is routed as the built-in one", async (t) => {
  const notebook = await Notebook.open(t);
  await notebook.start(Renaming);
  assert.equal(lease(notebook).path, "registry");
});
