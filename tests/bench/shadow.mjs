// What serving pays for a shadow, whatever the candidate does; beside what callers of LaunchDarkly's migrations and of
// tzientist pay for theirs.

import { createMigration, init, LDConcurrentExecution, LDMigrationSuccess } from "@launchdarkly/node-server-sdk";
import { TestData } from "@launchdarkly/node-server-sdk/integrations";
import { setTimeout as pause } from "node:timers/promises";
import { bridge, configure } from "runtime-bridge";
import { experimentAsync } from "tzientist";

import { run } from "./html.mjs";
import { median, percentile } from "./measure.mjs";
import { silent } from "./quiet.mjs";
import { row } from "./table.mjs";

export const topic = "the shadow";

/** Served by the old path, which a person waits for up to 50 ms; and by the registry, where every millisecond shows. */
const ROUTES = [
  { alone: "legacy", shadowed: "shadow" },
  { alone: "registry", shadowed: "live" },
];

/** What a candidate does, and where it runs. Of a process that hangs there is always a new one; threads are three. */
const CANDIDATES = [
  { name: "a healthy candidate" },
  { name: "a candidate that hangs", breakdown: "hang" },
  { name: "a candidate that spins", breakdown: "spin" },
  { name: "a candidate that panics", breakdown: "panic" },
  { name: "a candidate that floods", breakdown: "flood" },
  { name: "a healthy candidate in a process of its own", shadow: { process: "separate" } },
  { name: "a candidate that spins in a process of its own", breakdown: "spin", shadow: { process: "separate" } },
];

/** The route without a shadow once more: by how much two measurements of the same thing differ. */
const AGAIN = "none, again";

/** A candidate that does not hang, so that the others' callers come back at all. */
const SLOW_MS = 200;

export async function measure({ quick, repetitions }, progress) {
  const size = quick ? { cells: 8, warmUp: 5, times: 1 } : { cells: 100, warmUp: 60, times: repetitions };
  // A smoke run looks at one route and at what is not like the others.
  const [routes, candidates] = quick ? [ROUTES.slice(1), CANDIDATES.slice(0, 2)] : [ROUTES, CANDIDATES];
  const served = routes.map((route) => ({ ...route, results: rounds(route, candidates, size, progress) }));
  const peers = await launchDarkly();
  try {
    return [
      ...served.flatMap((route) => servingRows(route)),
      ...(await waitingRows(served.at(-1), peers, quick ? 3 : 30)),
      ...(await callRows(peers, quick ? 100 : 5000)),
      ...(await flipRows(peers, quick ? 20 : 1000)),
    ];
  } finally {
    peers.client.close();
  }
}

/** Every case once, then every case again: a busy minute of the machine hits all of them. */
function rounds({ alone, shadowed }, candidates, { cells, warmUp, times }, progress) {
  const results = new Map();
  for (let round = 1; round <= times; round += 1) {
    for (const { name, breakdown, shadow } of [{ name: null }, ...candidates, { name: AGAIN }]) {
      progress(`shadow, ${shadowed}, ${name ?? "none"}, round ${round} of ${times}`);
      const mode = name === null || name === AGAIN ? alone : shadowed;
      const { latencies } = run({ mode, shape: "single", cells, warmUp, pauses: true, seed: round, breakdown, shadow });
      results.set(name, [...(results.get(name) ?? []), ...latencies]);
    }
  }
  return results;
}

function servingRows({ alone, shadowed, results }) {
  const names = [...results.keys()].filter((name) => name !== null);
  return names.flatMap((name) =>
    [0.5, 0.99].map((share) =>
      row({
        what: `${name === AGAIN ? `${alone} again` : `${shadowed} with ${name}`}, beside ${alone}, p${share * 100} of ${results.get(name).length}`,
        ours: percentile(results.get(name), share),
        peer: percentile(results.get(null), share),
        unit: "ms",
        better: "less",
        goal: share === 0.99 && name !== AGAIN ? { ratio: 1.05 } : null,
      }),
    ),
  );
}

/** What a candidate that takes its time adds to the answer. Ours hangs, and adds what it adds. */
async function waitingRows({ results }, { reader }, calls) {
  const hung = "a candidate that hangs";
  const ours = Math.max(0, median(results.get(hung)) - median(results.get(null)));
  const slow = () => pause(SLOW_MS, 1);
  const trial = experimentAsync({ name: "slow", control: async () => 1, candidate: slow, options: { publish: () => undefined } });
  const peers = { "LaunchDarkly's migration": reader(slow), "tzientist's experiment": () => trial() };
  const rows = [];
  for (const [peer, call] of Object.entries(peers)) {
    const what = `added to p50: ours by a hang, ${peer} by a candidate of ${SLOW_MS} ms`;
    rows.push(row({ what, ours, peer: median(await timesOf(call, calls)), unit: "ms", better: "less" }));
  }
  return rows;
}

/** What a call costs that has nothing to do. Ours decides, and compares elsewhere. */
async function callRows({ reader }, calls) {
  const atOnce = async () => 1;
  const trial = experimentAsync({ name: "fast", control: atOnce, candidate: atOnce, options: { publish: () => undefined } });
  configure({ flags: flagsFor("shadow") });
  const decide = () => bridge.route("notebook-1");
  const peers = { "a read through LaunchDarkly's migration": reader(atOnce), "tzientist's experiment": () => trial() };
  const rows = [];
  const ours = await microsecondsOf(decide, calls);
  for (const [peer, call] of Object.entries(peers)) {
    const what = `bridge.route(id) beside ${peer}, both sides at once`;
    rows.push(row({ what, ours, peer: await microsecondsOf(call, calls), unit: "us", better: "less" }));
  }
  return rows;
}

/** A call among many: the first half warms up. */
async function microsecondsOf(call, calls) {
  for (let turn = 0; turn < calls; turn += 1) await call(turn);
  const began = performance.now();
  for (let turn = 0; turn < calls; turn += 1) await call(turn);
  return ((performance.now() - began) / calls) * 1000;
}

/** From the call that says so to an answer that says so. */
async function flipRows({ client, data, context }, flips) {
  const to = (turn) => (turn % 2 === 0 ? "legacy" : "live");
  const ours = await timesOf((turn) => {
    configure({ flags: flagsFor(to(turn)) });
    if (bridge.route("notebook-1").route !== to(turn)) throw new Error("the flip has not arrived");
  }, flips);
  const stageOf = (turn) => (turn % 2 === 0 ? "off" : "live");
  const theirs = await timesOf(async (turn) => {
    await data.update(data.flag("flipped").valueForAll(stageOf(turn)));
    const { value } = await client.migrationVariation("flipped", context, "shadow");
    if (value !== stageOf(turn)) throw new Error("the flip has not arrived");
  }, flips);
  return [0.5, 0.99].map((share) =>
    row({
      what: `a flip to the next admission, beside LaunchDarkly's SDK with its test data, p${share * 100}`,
      ours: percentile(ours, share),
      peer: percentile(theirs, share),
      unit: "ms",
      better: "less",
      goal: share === 0.5 ? { value: 1 } : null,
    }),
  );
}

async function timesOf(call, calls) {
  const times = [];
  for (let turn = 0; turn < calls; turn += 1) {
    const began = performance.now();
    await call(turn);
    times.push(performance.now() - began);
  }
  return times;
}

/** LaunchDarkly's SDK without a network, at the stage at which the old side serves and the new one is compared. */
async function launchDarkly() {
  const data = new TestData();
  await data.update(data.flag("migration").valueForAll("shadow"));
  const client = init("sdk-none", { updateProcessor: data.getFactory(), sendEvents: false, logger: silent });
  await client.waitForInitialization({ timeout: 10 });
  const context = { kind: "user", key: "user-1" };
  const reader = (candidate) => {
    const result = async (value) => LDMigrationSuccess(await value);
    const migration = createMigration(client, {
      execution: new LDConcurrentExecution(),
      readOld: () => result(1),
      readNew: () => result(candidate()),
      writeOld: () => result(1),
      writeNew: () => result(1),
      check: (one, other) => one === other,
    });
    return () => migration.read("migration", context, "off");
  };
  return { client, data, context, reader };
}

function flagsFor(route) {
  const flag = { state: "ENABLED", variants: { [route]: route }, defaultVariant: route, targeting: {} };
  return { flags: { "runtime-route": flag } };
}
