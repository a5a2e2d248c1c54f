// What can host code do where the addon cannot be loaded?
import assert from "node:assert/strict";
import test from "node:test";
import { runs } from "./helpers.mjs";

const env = { RUNTIME_BRIDGE_ADDON: "/nowhere/runtime-bridge.node", RUNTIME_BRIDGE_FLAGS: "" };

test("classes are defined, constructed and asked for their state; an operation says what is missing", async () => {
  const out = await runs(
    `
      import { bridge, ready } from "runtime-bridge";
      import { BaseRuntime, HtmlRuntime } from "runtime-bridge/legacy";
      const refusal = (error) => ({ code: error.code, message: error.message, help: error.help, isError: error instanceof Error });
      class Mine extends BaseRuntime {
        async doStart() { console.log("never"); }
        async doStop() {}
      }
      const metadata = { id: "mine", name: "Mine", type: "external" };
      const mine = new Mine(metadata, { canExecuteCode: true });
      const html = new HtmlRuntime({ userId: "u1" });
      console.log(JSON.stringify({
        state: mine.getState(),
        html: html.getState(),
        configuration: mine.getConfiguration(),
        debug: mine.getDebugInfo().notebookId,
        end: typeof mine.onStateChange(() => {}),
        status: bridge.status(),
        started: await mine.start("nb").catch(refusal),
        htmlStarted: await html.start("nb").catch(refusal),
        ready: await ready().catch(refusal),
      }));
      mine.destroy();
    `,
    { env },
  );
  const seen = JSON.parse(out);
  const inactive = { isActive: false, isStarting: false, isStopping: false, status: "inactive", error: null };
  assert.deepEqual(seen.state, { ...inactive, runtimeId: null, sessionId: null });
  assert.deepEqual(seen.html, seen.state);
  assert.equal(seen.configuration.maxExecutionTime, 30000);
  assert.deepEqual([seen.debug, seen.end], [null, "function"]);
  assert.equal(seen.status.addon, false);
  assert.equal(seen.status.legacy, "unavailable");
  for (const refusal of [seen.started, seen.htmlStarted, seen.ready]) {
    assert.equal(refusal.code, "LEGACY_UNAVAILABLE");
    assert.ok(refusal.isError);
    assert.ok(refusal.message.includes(`${process.platform}-${process.arch}`), refusal.message);
    assert.ok(refusal.message.includes("/nowhere/runtime-bridge.node"), refusal.message);
    assert.ok(refusal.help.length > 0);
  }
});

test("require works as well", async () => {
  const script = `
    const { BaseRuntime } = require("runtime-bridge/legacy");
    module.exports = class extends BaseRuntime {};
    console.log(require("runtime-bridge").bridge.status().addon);
  `;
  assert.equal(await runs(script, { env, isModule: false }), "false\n");
});

test("configuring flags tells the operator and lets the host go on", async () => {
  const out = await runs(
    `
      import { bridge, configure } from "runtime-bridge";
      bridge.on("diagnostic", ({ level, code }) => console.log(level, code));
      configure({ flags: "flags.json" });
      console.log("on");
    `,
    { env },
  );
  assert.equal(out, "error LEGACY_UNAVAILABLE\non\n");
});
