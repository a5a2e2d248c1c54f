// `npm run replay -- DIR`: plays recorded traces in Rust, and through the built package on either LiveStore, and compares each
// with the recording.
// Exit status: 0 no difference, 1 a difference, 2 bad input.

import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { resolve } from "node:path";

import { buildAddon, buildHost, buildPackage } from "./setup.mjs";
import { CommandFailed, host, host04, requireTools, root } from "./tools.mjs";

/** The suites that the Rust player plays. */
const SUITES = "base,html,manager,registry,factory,config";

const folder = process.argv[2] && resolve(process.env["INIT_CWD"] ?? process.cwd(), process.argv[2]);
if (!folder || !isFolder(folder)) {
  console.error(`replay: \`${process.argv[2] ?? ""}\` is no folder\n  hint: npm run replay -- tests/traces`);
  process.exit(2);
}
requireTools();
try {
  buildAddon();
  buildPackage();
  buildHost();
  buildHost(host04);
} catch (error) {
  if (!(error instanceof CommandFailed)) throw error;
  console.error(`set-up failed: ${error.message}`);
  process.exit(2);
}
process.exitCode = Math.max(inRust(), throughThePackage(host), throughThePackage(host04));

function inRust() {
  return spawnSync("cargo", ["run", "--quiet", "--package", "tests", "--bin", "replay", "--", folder], {
    cwd: root,
    stdio: "inherit",
  }).status;
}

/** The package's observations go straight to the comparison; nothing is written. */
function throughThePackage(livestore) {
  const player = spawnSync(process.execPath, ["build/player/main.js", folder, "--suites", SUITES, "--out", "-"], {
    cwd: livestore,
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 30,
  });
  if (player.status !== 0) return 2;
  return spawnSync("cargo", ["run", "--quiet", "--package", "tests", "--bin", "replay", "--", folder, "--observed", "-"], {
    cwd: root,
    input: player.stdout,
    stdio: ["pipe", "inherit", "inherit"],
  }).status;
}

function isFolder(path) {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
