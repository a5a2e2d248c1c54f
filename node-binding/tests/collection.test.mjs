// Are runtime objects that the host has dropped collected?
import assert from "node:assert/strict";
import test from "node:test";
import { BaseRuntime, HtmlRuntime } from "runtime-bridge/legacy";
import { Notebook, drained, route } from "./helpers.mjs";

const COUNT = 2000;
/** Stack slots and inline caches may hold on to the last few. */
const ENOUGH = 1990;

class Mine extends BaseRuntime {
  constructor() {
    super({ id: "mine", name: "Mine", type: "external" }, {});
  }
  async doStart() {}
  async doStop() {}
}

/** How many of the objects that `make` gives are collected; it is asked for `COUNT`. */
const collected = async (make) => {
  const refs = [];
  for (let n = 0; n < COUNT; n += 1) refs.push(new WeakRef(await make()));
  for (let turn = 0; turn < 10; turn += 1) {
    await drained();
    globalThis.gc();
  }
  return refs.filter((ref) => ref.deref() === undefined).length;
};

test("host classes that were started and stopped", async () => {
  const count = await collected(async () => {
    const runtime = new Mine();
    runtime.onStateChange(() => runtime.toString());
    await runtime.start("nb");
    await runtime.stop();
    return runtime;
  });
  assert.ok(count >= ENOUGH, `${count} of ${COUNT}`);
});

test("html runtimes that were never started", async () => {
  const count = await collected(async () => new HtmlRuntime({ userId: "u1" }));
  assert.ok(count >= ENOUGH, `${count} of ${COUNT}`);
});

test("html runtimes of one store, started and stopped on either route, leave nothing at its notebook", async (t) => {
  const notebook = await Notebook.open(t);
  const refs = [];
  for (const path of ["legacy", "registry", "legacy", "registry"]) {
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
    globalThis.gc();
  }
  assert.ok(refs.filter((ref) => ref.deref() === undefined).length >= 3);
  notebook.request(["q1", "a"]);
  await notebook.start();
  await notebook.untilCompleted(1);
});
