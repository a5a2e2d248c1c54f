// From the atomic replacement of a flag file (300 flags) to the answer that follows from it.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { OpenFeature } from "@openfeature/server-sdk";
import { FlagdProvider } from "@openfeature/flagd-provider";
import { bridge, configure, shutdown } from "runtime-bridge";

import { many } from "./documents.mjs";
import { percentile, randomOf } from "./measure.mjs";
import { silent } from "./quiet.mjs";
import { row } from "./table.mjs";

export const topic = "a flag file of 300 flags is replaced";

const FLAGS = 300;

/** flagd's provider looks at its file every 5,007 ms (Node's `watchFile`); a change comes at any moment of that. */
const PEER_POLL_MS = 5007;

export async function measure({ quick }, progress) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    progress("file, the bridge");
    const ours = await latencies(await ofBridge(join(folder, "ours.json")), { changes: quick ? 4 : 50, longestPause_ms: 40 });
    progress("file, flagd's provider, which takes seconds a change");
    const peer = await ofProvider(join(folder, "peer.json"));
    const theirs = await latencies(peer, { changes: quick ? 1 : 15, longestPause_ms: quick ? 0 : PEER_POLL_MS });
    await peer.close();
    return [0.5, 0.9].map((share) =>
      row({
        what: `until the answer is new, beside flagd's provider, p${share * 100}`,
        ours: percentile(ours, share),
        peer: percentile(theirs, share),
        unit: "ms",
        better: "less",
        goal: share === 0.5 ? { value: 10 } : null,
      }),
    );
  } finally {
    await shutdown();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function latencies({ file, answer }, { changes, longestPause_ms }) {
  const random = randomOf(1);
  const measured = [];
  for (let change = 1; change <= changes; change += 1) {
    const serving = servingAt(change);
    writeFileSync(`${file}.new`, documentAt(change));
    await pause(random() * longestPause_ms);
    const began = performance.now();
    renameSync(`${file}.new`, file);
    while ((await answer()) !== serving) await new Promise((resolve) => setImmediate(resolve));
    measured.push(performance.now() - began);
  }
  return measured;
}

function servingAt(change) {
  return change % 2 === 0 ? "legacy" : "registry";
}

function documentAt(change) {
  return JSON.stringify(many(FLAGS, change, servingAt(change)));
}

async function ofBridge(file) {
  writeFileSync(file, documentAt(0));
  configure({ flags: file });
  return { file, answer: () => bridge.route("notebook-1").route };
}

async function ofProvider(file) {
  writeFileSync(file, documentAt(0));
  OpenFeature.setLogger(silent);
  await OpenFeature.setProviderAndWait(new FlagdProvider({ resolverType: "in-process", offlineFlagSourcePath: file }, silent));
  const client = OpenFeature.getClient();
  const answer = () => client.getStringValue("runtime-route", "none", { targetingKey: "notebook-1" });
  return { file, answer, close: () => OpenFeature.close() };
}
