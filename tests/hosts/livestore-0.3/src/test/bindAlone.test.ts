// Does the host's own code go on where nothing can be routed?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { queryDb, Schema } from "@livestore/livestore";
import { bind, bridge } from "runtime-bridge";
import { unbind } from "runtime-bridge/testing";
import * as old from "../old/index.js";
import { Bound, diagnostics, route } from "./bound.js";

const livestore = { queryDb, Schema };

// The notebooks of these tests come with the binding file.
unbind(old);

/** The host as it is where its platform has no addon: it runs a cell and tells what it saw. */
const WITHOUT_ADDON = `
import { bridge, configure } from "runtime-bridge";
import { closeStore, commit, openStore, tables } from "./store.js";
import { BaseRuntime, createRuntimeFactory, HtmlRuntime } from "./runtimes.js";
class Mine extends BaseRuntime { async doStart() {} async doStop() {} }
configure({ flags: { flags: {} } });
const store = await openStore({ storeId: "alone" });
const args = { queueId: "q1", cellId: "a", executionCount: 1, requestedBy: "u1" };
commit(store, { name: "v1.ExecutionRequested", args });
const runtime = createRuntimeFactory({ store, userId: "u1" }).getRegistry().getRuntime("html-runtime");
const ended = new Promise((resolve) => {
  runtime.onStateChange(() => {
    if (tables(store).executionQueue[0].status === "completed") resolve();
  });
});
await runtime.start("alone");
await ended;
await runtime.stop();
await closeStore(store);
console.log(JSON.stringify({
  isRouted: Symbol.for("runtime-bridge.routed") in HtmlRuntime.prototype,
  isHosts: runtime instanceof HtmlRuntime && new Mine({ id: "m" }, {}).getState().status,
  status: bridge.status(),
}));
`;

const runAlone = (): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", WITHOUT_ADDON], {
      cwd: new URL("..", import.meta.url),
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, RUNTIME_BRIDGE_ADDON: "/nowhere/runtime-bridge.node" },
      timeout: 20_000,
    });
    const out = { stdout: "", stderr: "" };
    child.stdout.on("data", (text) => (out.stdout += String(text)));
    child.stderr.on("data", (text) => (out.stderr += String(text)));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...out }));
  });

test("without the addon the host's code serves, and one diagnostic says so", async () => {
  const { code, stdout, stderr } = await runAlone();
  assert.equal(code, 0, stderr);
  assert.equal(stderr.match(/\[\w+\]/g)?.join(), "[ADDON_UNAVAILABLE]", stderr);
  assert.match(stderr, /the host's own code serves every notebook/);
  const { isRouted, isHosts, status } = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
  assert.deepEqual([isRouted, isHosts, status?.["addon"], status?.["legacy"]], [false, "inactive", false, "host"]);
});

test("binding twice routes once, and the routing can be taken away", async (t) => {
  const { doStart } = old.HtmlRuntime.prototype as unknown as { doStart: unknown };
  const names = Object.getOwnPropertyNames(old.HtmlRuntime.prototype);
  assert.equal(bind({ legacy: old, ...livestore }), old);
  const { doStart: routed } = old.HtmlRuntime.prototype as unknown as { doStart: unknown };
  assert.notEqual(routed, doStart);
  bind({ legacy: old, ...livestore });
  assert.equal((old.HtmlRuntime.prototype as unknown as { doStart: unknown }).doStart, routed);

  route("registry");
  const notebook = await Bound.open(t);
  await notebook.start();
  assert.equal(notebook.serving, "registry");
  await notebook.close();

  unbind(old);
  assert.equal((old.HtmlRuntime.prototype as unknown as { doStart: unknown }).doStart, doStart);
  assert.deepEqual(Object.getOwnPropertyNames(old.HtmlRuntime.prototype), names);
  assert.equal(bridge.status().legacy, "compat");
});

test("a module whose HtmlRuntime is not the old one is left alone, with a diagnostic", () => {
  const since = diagnostics.length;
  const legacy = { HtmlRuntime: class {}, useRuntimeRegistry: () => 7 };
  assert.equal(bind({ legacy, ...livestore }).useRuntimeRegistry(), 7);
  const [diagnostic, ...more] = diagnostics.slice(since);
  assert.deepEqual([diagnostic?.code, more], ["NOT_ROUTABLE", []]);
  assert.match(diagnostic?.message ?? "", /no method `doStart`/);
  unbind(legacy);
});

test("the host's hooks may be given and are never called", () => {
  const hook = (): never => assert.fail("a hook outside of React");
  const hooks = { useStore: hook, useAuth: hook, useAuthenticatedUser: hook, Loading: null };
  assert.equal(bind({ legacy: old, ...livestore, ...hooks }), old);
  unbind(old);
});

test("a store that cannot be attached is served by the host's code, with its reason", async (t) => {
  route("registry");
  const since = diagnostics.length;
  bind({ legacy: old, queryDb, Schema: undefined as never });
  t.after(() => unbind(old));
  const notebook = await Bound.open(t);
  await notebook.start();
  notebook.request("c000");
  await notebook.untilCompleted(1);
  assert.equal(notebook.serving, "legacy");
  const codes = diagnostics.slice(since).map(({ code }) => code);
  assert.deepEqual(codes.filter((code) => code !== "FLAGS_LOADED"), ["ATTACH_FAILED", "ROUTE_IN_DOUBT"]);
});
