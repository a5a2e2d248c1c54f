// Soaks the package in a process of its own, and says what that has come to hold of the machine. MINUTES=n for another time than an
// hour: a run that is too short to tell fails, and says so.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { asText, judge } from "../soak/verdict.mjs";
import { buildAddon, buildHost, buildPackage } from "./setup.mjs";
import { root } from "./tools.mjs";

/** How often a sample is taken, so that collecting for it takes a hundredth of the time. */
const EVERY_MS = 10_000;

/** What the process says may be as long as a day's samples. */
const MAX_OUTPUT_BYTES = 1 << 26;

/** Why nothing can be soaked here; nothing where it can. */
export function cannotSoak() {
  return process.platform === "linux" ? null : "threads and open files are counted as Linux shows them";
}

/** Soaks for so many minutes; a leak, a trouble or a run that cannot tell is a failure. */
export function soak({ minutes }) {
  buildAddon();
  buildPackage();
  buildHost();
  const { samples, account } = soaked({ milliseconds: minutes * 60_000, every: EVERY_MS });
  const rows = judge(samples);
  console.log(asText(rows));
  const { executions, stores, environments, flips, played, told } = account;
  console.log(`${executions} executions in ${stores} notebooks and ${environments} more environments, ${flips} flips`);
  for (const [what, counts] of [["done", played], ["told", told]]) console.log(`${what}: ${listed(counts)}`);
  const failures = [...troublesOf(account), ...rows.filter(({ isLeak }) => isLeak !== false).map(({ name, isLeak }) => `${name}: ${isLeak ? "leaks" : "this run cannot tell"}`)];
  if (failures.length > 0) throw new Error(failures.join("; "));
}

/** Runs the process to its end: `{ samples, account }`. */
export function soaked({ milliseconds, every }) {
  const folder = mkdtempSync(join(tmpdir(), "runtime-bridge-soak-"));
  try {
    const { status, signal, error, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", join(root, "tests/soak/main.mjs")], {
      cwd: root,
      input: JSON.stringify({ milliseconds, every, folder }),
      env: { ...process.env, NODE_ENV: "production", NODE_TEST_CONTEXT: "", RUST_BACKTRACE: "0", RUNTIME_BRIDGE_FLAGS: "" },
      encoding: "utf8",
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    if (error) throw error;
    if (status !== 0) throw new Error(`the process ended with ${status ?? signal}: ${stderr.slice(-2000)}`);
    const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
    return { samples: lines.flatMap(({ sample }) => sample ?? []), account: lines.at(-1).account };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What an account tells that should not be. */
export function troublesOf({ troubles, astray, shadow }) {
  const notOnce = astray.map((execution) => `${execution} has not ended exactly once`);
  const ofShadow = [[shadow.isOff, "the shadow is off"], [shadow.breaches > 0, "a candidate has committed"]];
  return [...troubles, ...notOnce, ...ofShadow.filter(([is]) => is).map(([, what]) => what)];
}

function listed(counts) {
  return Object.entries(counts).map(([what, count]) => `${what} ${count}`).join(", ");
}
