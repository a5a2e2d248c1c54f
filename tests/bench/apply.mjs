// Putting a document of 1,000 flags with targeting in force: what it does to the event loop.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlagdCore } from "@openfeature/flagd-core";
import { bridge, configure, shutdown } from "runtime-bridge";

import { many } from "./documents.mjs";
import { median, stallOf } from "./measure.mjs";
import { silent } from "./quiet.mjs";
import { row } from "./table.mjs";

export const topic = "a new document of 1,000 flags";

const FLAGS = 1000;

export async function measure({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    const file = join(folder, "flags.json");
    const rounds = quick ? 2 : 15;
    const measured = { object: [], watched: [], flagd: [] };
    const flagd = new FlagdCore(undefined, silent);
    for (let edition = 1; edition <= rounds; edition += 1) {
      const document = many(FLAGS, edition);
      measured.flagd.push(await stallOf(() => flagd.setConfigurations(JSON.stringify(document))));
      measured.object.push(await stallOf(() => configure({ flags: document })));
      measured.watched.push(await whenWatched(file, edition));
    }
    return rows(measured);
  } finally {
    await shutdown();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The file is followed; then another document takes its place. The event loop should see nothing but the new answer. */
async function whenWatched(file, edition) {
  writeFileSync(file, JSON.stringify(many(FLAGS, edition, "legacy")));
  configure({ flags: file });
  writeFileSync(`${file}.new`, JSON.stringify(many(FLAGS, edition, "registry")));
  const { generation } = bridge.status().flags;
  return stallOf(
    () => renameSync(`${file}.new`, file),
    () => bridge.status().flags.generation > generation,
  );
}

function rows({ object, watched, flagd }) {
  const of = (stalls, what) => median(stalls.map((stall) => stall[what]));
  const beside = (what, ours, which, goal) =>
    row({ what, ours: of(ours, which), peer: of(flagd, which), unit: "ms", better: "less", goal });
  return [
    beside("configure({ flags: object }) beside flagd-core, time of the call", object, "held_ms", { value: 1 }),
    beside("configure({ flags: object }) beside flagd-core, longest gap", object, "stall_ms"),
    beside("a watched file is replaced beside flagd-core, longest gap", watched, "stall_ms", { value: 1 }),
  ];
}
