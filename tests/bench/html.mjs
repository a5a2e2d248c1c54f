// Html cells on real LiveStore 0.3.1 stores: each route beside the floor, which is the registry's events committed by hand.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { median, percentile } from "./measure.mjs";
import { row } from "./table.mjs";

const CASE = fileURLToPath(new URL("html-case.mjs", import.meta.url));

/** A case that takes longer is lost: the slowest, the old path with everything queued, takes half a minute. */
const TIMEOUT_MS = 300_000;

const MODES = ["floor", "registry", "live", "legacy", "shadow"];

export const topic = "html cells on LiveStore 0.3.1";

export function measure({ quick, repetitions }, progress) {
  const size = quick ? { cells: 10, warmUp: 5, times: 1 } : { cells: 200, warmUp: 60, times: repetitions };
  const results = rounds(size, progress);
  checkFloor(results);
  return [...queuedRows(results, size), ...singleRows(results, size)];
}

/** Every case once, then every case again: a busy minute of the machine hits all of them. */
function rounds({ cells, warmUp, times }, progress) {
  const results = { queued: {}, single: {} };
  for (let round = 1; round <= times; round += 1) {
    for (const shape of ["queued", "single"]) {
      for (const mode of MODES) {
        progress(`html, ${shape}, ${mode}, round ${round} of ${times}`);
        (results[shape][mode] ??= []).push(run({ mode, shape, cells, warmUp, pauses: true, seed: round }));
      }
    }
  }
  return results;
}

/** Runs one case: on which path, requested how, how many cells. */
export function run(what) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [CASE], {
    input: JSON.stringify(what),
    env: { ...process.env, NODE_ENV: "production" },
    maxBuffer: 1 << 28,
    timeout: TIMEOUT_MS,
  });
  if (status !== 0) throw new Error(`the case ${JSON.stringify(what)} ended with ${status ?? signal}\n${stderr}`);
  return JSON.parse(stdout);
}

/** A floor that commits something else than the registry does would say nothing. */
function checkFloor({ single }) {
  const [floor, registry] = [single.floor[0].shape, single.registry[0].shape].map((shape) => shape.join("\n"));
  if (floor !== registry) throw new Error(`the floor commits\n${floor}\nand the registry\n${registry}`);
}

function queuedRows({ queued }, { cells }) {
  const rate = (mode) => median(queued[mode].map(({ elapsed_ms }) => (cells / elapsed_ms) * 1000));
  const what = (route) => `${route}, ${cells} queued at once`;
  const beside = (ours, peer, goal) => {
    return row({ what: what(`${ours} beside ${peer}`), ours: rate(ours), peer: rate(peer), unit: "cells/s", better: "more", goal });
  };
  return [
    beside("registry", "floor", { ratio: 0.9 }),
    beside("registry", "legacy", { ratio: 10 }),
    beside("live", "registry", { ratio: 0.95 }),
    beside("shadow", "legacy", { ratio: 0.95 }),
  ];
}

function singleRows({ single }, { cells }) {
  const at = (mode, share) => median(single[mode].map(({ latencies }) => percentile(latencies, share)));
  const beside = (ours, peer, share, goal) => {
    const what = `${ours} beside ${peer}, one at a time, p${share * 100} of ${cells}`;
    return row({ what, ours: at(ours, share), peer: at(peer, share), unit: "ms", better: "less", goal });
  };
  return [
    beside("registry", "floor", 0.5, { ratio: 1.2 }),
    beside("registry", "floor", 0.9),
    beside("registry", "legacy", 0.5),
    beside("registry", "legacy", 0.9),
    beside("live", "registry", 0.5, { ratio: 1.05 }),
    beside("shadow", "legacy", 0.5, { ratio: 1.05 }),
  ];
}
