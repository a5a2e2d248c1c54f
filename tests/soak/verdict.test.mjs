// Does the verdict find a leak of one KiB an execution, and none where there is none?
import assert from "node:assert/strict";
import test from "node:test";

import { randomOf } from "../bench/measure.mjs";
import { LEAK_BYTES, judge } from "./verdict.mjs";

const MIB = 1024 * 1024;

/**
 * An hour of twenty executions a second, sampled every ten seconds: the heap goes up and down by 30 MiB, every third sample
 * finds a second environment of 100 MiB, and the first minutes fill caches.
 */
const innocent = (seed, count = 360) => {
  const random = randomOf(seed);
  return Array.from({ length: count }, (_, n) => {
    const isVisited = random() < 0.3;
    const filled = 30 * MIB * (1 - Math.exp(-n / 20));
    const heapUsed = 70 * MIB + random() * 30 * MIB;
    const rss = 180 * MIB + filled + heapUsed + (isVisited ? 100 * MIB : 0);
    const [threads, files] = isVisited ? [21, 33] : [16 + Math.floor(random() * 2), 24];
    const waiting = Math.floor(random() * 10);
    const external = 90 * MIB + Math.floor(random() * 3) * 16 * MIB;
    return { executions: n * 200, rss, heapUsed, external, threads, files, notebooks: 4 + (n % 2), waiting, waitingBytes: waiting * 4000, wedged: 1, environments: isVisited ? 1 : 0 };
  });
};

const leaks = (samples) => judge(samples).filter(({ isLeak }) => isLeak).map(({ name }) => name);
const unknown = (samples) => judge(samples).filter(({ isLeak }) => isLeak === null).length;
const adding = (samples, field, of) => samples.map((sample) => ({ ...sample, [field]: sample[field] + of(sample) }));

const SEEDS = Array.from({ length: 200 }, (_, n) => n + 1);

test("an innocent process has leaked nothing, and in nineteen runs of twenty it can be told", () => {
  for (const seed of SEEDS) assert.deepEqual(leaks(innocent(seed)), [], `seed ${seed}`);
  assert.ok(SEEDS.filter((seed) => unknown(innocent(seed)) > 0).length <= SEEDS.length / 20);
});

for (const [field, name] of [["rss", "resident memory"], ["heapUsed", "JavaScript heap"], ["external", "memory outside the heap"]]) {
  test(`a KiB of ${name} that every execution leaves behind never passes, and in nineteen runs of twenty is called a leak`, () => {
    const verdicts = SEEDS.map((seed) => {
      const rows = judge(adding(innocent(seed), field, ({ executions }) => executions * LEAK_BYTES));
      return rows.find((row) => row.name === name).isLeak;
    });
    assert.ok(!verdicts.includes(false));
    assert.ok(verdicts.filter((isLeak) => isLeak).length >= SEEDS.length * 0.95);
  });
}

test("a thread, a file or a notebook for every thousand executions is found", () => {
  for (const field of ["threads", "files", "notebooks", "wedged", "waiting"]) {
    const leaking = adding(innocent(1), field, ({ executions }) => Math.floor(executions / 1000));
    assert.equal(leaks(leaking).length, 1, field);
  }
});

test("a run that is too short to tell says so", () => {
  assert.equal(unknown(innocent(1, 12)), 9);
  assert.ok(judge(innocent(1, 60)).some(({ name, isLeak }) => name === "resident memory" && isLeak === null));
});
