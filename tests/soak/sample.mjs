// How much of the machine this process holds, once what nobody holds any more has been collected.

import { readFileSync, readdirSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

import { bridge } from "../../node-binding/dist/index.mjs";

/** Collected twice: what is finalised after the first time lets go of more. */
export async function sample() {
  for (let time = 0; time < 2; time += 1) {
    globalThis.gc();
    await turn();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const { shadow, notebooks, mismatches } = bridge.status();
  const { waiting, waitingBytes, wedged } = shadow;
  return {
    seconds: Math.round(performance.now() / 1000),
    rss, heapUsed, external,
    threads: Number(/^Threads:\s*(\d+)$/m.exec(readFileSync("/proc/self/status", "utf8"))[1]),
    files: readdirSync("/proc/self/fd").length,
    notebooks: notebooks.length,
    waiting, waitingBytes, wedged,
    records: mismatches?.kept ?? 0,
  };
}
