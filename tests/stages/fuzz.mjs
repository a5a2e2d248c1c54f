// `npm run fuzz`: looks for bytes that break what `tests/src/fuzzed.rs` says of all bytes, so many seconds for each target
// (`--seconds 20`, `--only NAME`). What is found lies in `fuzz/found` of cargo's target folder; put it among the seeds, and a test repeats it.

import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { has, root, run } from "./tools.mjs";

const crate = join(root, "tests/fuzz");
const work = join(process.env["CARGO_TARGET_DIR"] ?? join(root, "target"), "fuzz");

/** Of the machines that have a fuzzer, those that this has been run on. */
const TARGET = { "linux-x64": "x86_64-unknown-linux-gnu", "linux-arm64": "aarch64-unknown-linux-gnu" }[`${process.platform}-${process.arch}`];

/** libFuzzer's instrumentation, as any Rust compiler has it: what is fuzzed has no unsafe code, so no sanitizer is needed. */
const COVERAGE = [
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
  "-Cllvm-args=-sanitizer-coverage-trace-compares",
  "--cfg fuzzing",
].join(" ");

/** Why nothing can be fuzzed here; nothing where it can. */
export function cannotFuzz() {
  if (!TARGET) return "libFuzzer is run on Linux, x64 and arm64";
  if (!has("c++")) return "libFuzzer is C++, and there is no compiler `c++`";
  return null;
}

/** Fuzzes each target for so many seconds; a finding is a failure. */
export function fuzz({ seconds, only }) {
  const env = { CARGO_TARGET_DIR: work, RUSTFLAGS: COVERAGE };
  run("cargo", ["build", "--release", "--locked", "--quiet", "--manifest-path", join(crate, "Cargo.toml"), "--target", TARGET], { env });
  const targets = readdirSync(join(crate, "seeds")).filter((name) => only === undefined || name === only);
  if (targets.length === 0) throw new Error(`there is no target \`${only}\``);
  for (const target of targets) {
    console.log(`${target}: ${seconds} s`);
    fuzzOne(target, seconds);
  }
}

function fuzzOne(target, seconds) {
  const folders = ["corpus", "found"].map((name) => join(work, name, target));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const [corpus, found] = folders;
  const dictionary = join(crate, `${target}.dict`);
  const args = [
    `-max_total_time=${seconds}`,
    // A second is a thousand times what these take; memory is that of an ordinary input a hundred times over.
    "-timeout=5",
    "-rss_limit_mb=1024",
    "-max_len=4096",
    `-artifact_prefix=${found}/`,
    ...(existsSync(dictionary) ? [`-dict=${dictionary}`] : []),
    corpus,
    join(crate, "seeds", target),
  ];
  run(join(work, TARGET, "release/fuzz"), args, { env: { FUZZ_TARGET: target }, quiet: true });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const options = { seconds: { type: "string", default: "20" }, only: { type: "string" } };
  const { seconds, only } = parseArgs({ options }).values;
  const reason = cannotFuzz();
  if (reason) {
    console.log(`not run: ${reason}`);
    process.exitCode = 1;
  } else {
    fuzz({ seconds: Number(seconds), only });
  }
}
