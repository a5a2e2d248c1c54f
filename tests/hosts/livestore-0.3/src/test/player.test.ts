// Does the player's clock move only as a trace says?
import assert from "node:assert/strict";
import { test } from "node:test";
import { EPOCH_MS, settle, VirtualClock } from "../player/clock.js";
import { Player } from "../player/player.js";

/** Fires every timer that is due within this time, as `advance` does; gives what `log` then holds. */
const fired = (clock: VirtualClock, ms: number, log: string[]): string[] => {
  const untilMs = clock.now() + ms;
  for (let fire = clock.takeDue(untilMs); fire !== undefined; fire = clock.takeDue(untilMs)) fire();
  clock.moveTo(untilMs);
  return log;
};

test("timers fire in order of due time, then of creation", () => {
  const [clock, log] = [new VirtualClock(), [] as string[]];
  clock.setTimeout(() => log.push("late"), 20);
  clock.setTimeout(() => log.push("first of two"), 10);
  clock.setTimeout(() => log.push("second of two"), 10);
  assert.deepEqual(fired(clock, 20, log), ["first of two", "second of two", "late"]);
});

test("a timer sees the time at which it is due, and time ends where it was advanced to", () => {
  const [clock, seen] = [new VirtualClock(), [] as number[]];
  clock.setTimeout(() => seen.push(clock.now()), 30);
  fired(clock, 100, []);
  assert.deepEqual([...seen, clock.now()], [EPOCH_MS + 30, EPOCH_MS + 100]);
});

test("a zero timeout counts as one millisecond", () => {
  const [clock, log] = [new VirtualClock(), [] as string[]];
  clock.setTimeout(() => log.push("zero"), 0);
  assert.deepEqual(fired(clock, 0, log), []);
  assert.deepEqual(fired(clock, 1, log), ["zero"]);
});

test("a timer that a timer sets fires in the same advance if it is due", () => {
  const [clock, log] = [new VirtualClock(), [] as string[]];
  clock.setTimeout(() => clock.setTimeout(() => log.push("inner"), 5), 5);
  assert.deepEqual(fired(clock, 9, log), []);
  assert.deepEqual(fired(clock, 1, log), ["inner"]);
});

test("an interval fires until it is cleared, and is no one-shot timer", () => {
  const [clock, log] = [new VirtualClock(), [] as string[]];
  const timer = clock.setInterval(() => log.push("tick"), 50);
  assert.equal(clock.hasOneShot(), false);
  assert.deepEqual(fired(clock, 120, log), ["tick", "tick"]);
  clock.clearInterval(timer);
  assert.deepEqual(fired(clock, 120, log), ["tick", "tick"]);
});

test("settling runs microtasks and immediates until nothing new is seen", async () => {
  const seen: string[] = [];
  setImmediate(() => {
    seen.push("immediate");
    void Promise.resolve().then(() => {
      seen.push("microtask");
      setImmediate(() => setImmediate(() => seen.push("immediate behind them")));
    });
  });
  await settle(() => seen.length);
  assert.deepEqual(seen, ["immediate", "microtask", "immediate behind them"]);
});

const trace = (steps: readonly { op: string; args: object }[]) =>
  ({ file: "made-up.json", scenario: "base/made-up", setup: { store: false }, steps }) as Parameters<Player["play"]>[0];

const newRuntime = (doStart: object) => ({ op: "new-runtime", args: { as: "r", behaviour: { doStart } } });

test("a waited call moves time as far as it needs, a call left running moves none", async () => {
  const waited = await new Player().play(trace([newRuntime({ sleep: 200 }), { op: "start", args: { runtime: "r" } }]));
  assert.deepEqual(
    waited.observations.map(({ kind }) => kind),
    ["return", "hook", "return"],
  );
  const start = { op: "start", args: { runtime: "r", wait: false, call: "first" } };
  const left = await new Player().play(
    trace([
      newRuntime({ sleep: 200 }),
      start,
      { op: "advance", args: { ms: 199 } },
      { op: "advance", args: { ms: 1 } },
    ]),
  );
  assert.deepEqual(left.observations.at(-1), { at: 3, kind: "return", call: "first", value: "<undefined>" });
});

test("a waited call that hangs never settles, and the step after it is played", async () => {
  const steps = [
    newRuntime({ hang: true }),
    { op: "start", args: { runtime: "r" } },
    { op: "to-string", args: { runtime: "r" } },
  ];
  const { observations } = await new Player().play(trace(steps));
  assert.deepEqual(observations.slice(-2), [
    { at: 1, kind: "never-settled" },
    { at: 2, kind: "return", value: "Test Agent (test-runtime) - starting" },
  ]);
});

test("a step that names nothing is told by file and number", async () => {
  const stop = { op: "stop", args: { runtime: "ghost" } };
  await assert.rejects(new Player().play(trace([stop])), {
    message: "made-up.json, step 0: there is no runtime `ghost`",
  });
});
