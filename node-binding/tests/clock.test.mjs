// Does the bridge live by the clock it is given?
import assert from "node:assert/strict";
import test from "node:test";
import { BaseRuntime } from "runtime-bridge/legacy";
import { useClock } from "runtime-bridge/testing";
import { Notebook, VirtualClock } from "./helpers.mjs";

const clockFor = (t) => {
  const clock = new VirtualClock();
  t.after(useClock(clock));
  return clock;
};

test("restart waits 100 ms of it", async (t) => {
  const clock = clockFor(t);
  class Mine extends BaseRuntime {
    async doStart() {}
    async doStop() {}
  }
  const runtime = new Mine({ id: "mine", name: "Mine", type: "external" }, {});
  await runtime.start("nb");
  assert.equal(runtime.getState().lastHeartbeat.getTime(), clock.now());
  let outcome = null;
  runtime.restart().catch((error) => (outcome = error.message));
  await clock.advance(99);
  assert.equal(outcome, null);
  await clock.advance(1);
  assert.equal(outcome, "Cannot restart runtime: no notebook ID available");
  assert.equal(runtime.getState().isActive, false);
});

test("the old path polls every 50 ms of it", async (t) => {
  const clock = clockFor(t);
  const notebook = await Notebook.open(t, { isAttached: false });
  const runtime = await notebook.start();
  notebook.request(["q1", "a"], ["q2", "a"]);
  await clock.advance(49);
  assert.equal(notebook.completed.length, 0);
  await clock.advance(1);
  assert.equal(notebook.completed.length, 1);
  await clock.advance(50);
  assert.equal(notebook.completed.length, 2);
  await runtime.stop();
  assert.equal(clock.timerCount, 0);
});
