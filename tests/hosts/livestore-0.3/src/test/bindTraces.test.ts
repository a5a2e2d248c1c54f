// Does a bound host's own code, behind its facade, do what the recordings of the old code show?
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { VirtualClock } from "../player/clock.js";
import { type HtmlRuntimeClass, type Played, Player } from "../player/player.js";
import { quietly } from "../player/quiet.js";
import { readTraces, type Trace } from "../player/trace.js";
import { HtmlRuntime } from "../runtimes.js";
import { route } from "./bound.js";

const TRACES = fileURLToPath(new URL("../../../../traces/", import.meta.url));

/** What the fixture leaves out of the old layer: the pause of a restart, the polls of a registry. */
const NOT_PLAYED = ["html/restart", "html/restart-after-failed-start", "html/monitored-by-registry"];

/** Host code takes its time from the globals. */
const virtualise = (t: TestContext, clock: VirtualClock): (() => void) => {
  const RealDate = Date;
  class VirtualDate extends RealDate {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [clock.now()] : given) as []));
    }

    static override now(): number {
      return clock.now();
    }
  }
  const mocks = [
    t.mock.method(performance, "now", () => clock.now()),
    t.mock.method(globalThis, "setInterval", (callback: () => void, ms: number) => clock.setInterval(callback, ms)),
    t.mock.method(globalThis, "clearInterval", (timer: unknown) => clock.clearTimeout(timer)),
  ];
  globalThis.Date = VirtualDate as DateConstructor;
  return () => {
    globalThis.Date = RealDate;
    for (const { mock } of mocks) mock.restore();
  };
};

/** Ids by their first appearance; measured durations are zero on virtual time anyway. */
const aliased = (played: Played): unknown => {
  const seen = new Map<string, string>();
  const alias = (id: string): string => {
    if (!seen.has(id)) seen.set(id, `<id:${seen.size + 1}>`);
    return seen.get(id) as string;
  };
  const text = JSON.stringify(played);
  return JSON.parse(text.replaceAll(/html-runtime-[\w-]{21}-\d+|html-runtime-[\w-]{21}|(?<=")[\w-]{21}(?=")/g, alias));
};

const play = async (trace: Trace, Class?: HtmlRuntimeClass, t?: TestContext): Promise<unknown> => {
  const player = new Player(Class);
  const restore = t && virtualise(t, player.clock);
  try {
    return aliased(await quietly(() => player.play(trace)));
  } finally {
    restore?.();
  }
};

for (const trace of await readTraces(TRACES, new Set(["html"]))) {
  if (NOT_PLAYED.includes(trace.scenario)) continue;
  test(trace.scenario, async (t) => {
    route("legacy");
    const reproduced = await play(trace);
    assert.deepEqual(await play(trace, HtmlRuntime as unknown as HtmlRuntimeClass, t), reproduced);
  });
}
