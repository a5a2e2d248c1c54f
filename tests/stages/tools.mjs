// What every stage needs: where things are, how to run a command, how to skip work that is already done.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const binding = join(root, "node-binding");
export const host = join(root, "tests/hosts/livestore-0.3");
/** The same source on LiveStore 0.4. */
export const host04 = join(root, "tests/hosts/livestore-0.4");
export const nodeVersions = join(root, "tests/node-versions");
export const bench = join(root, "tests/bench");

/** A command that did not succeed; its own output has been shown. */
export class CommandFailed extends Error {
  constructor(command, status) {
    super(`\`${command}\` ended with status ${status}`);
    this.status = status;
  }
}

/** Runs a command with its output shown; `quiet` shows it only when the command fails. */
export function run(command, args, { cwd = root, env = {}, quiet = false } = {}) {
  const options = { cwd, env: { ...process.env, ...env }, stdio: quiet ? "pipe" : "inherit", maxBuffer: 1 << 28 };
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, options);
  if (error) throw error;
  if (status === 0) return;
  if (quiet) process.stderr.write(Buffer.concat([stdout, stderr]));
  throw new CommandFailed([command, ...args].join(" "), status ?? signal);
}

/** Whether a command can be run at all. */
export function has(command, args = ["--version"]) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** Ends with one line where a tool is missing that nothing here can install. */
export function requireTools() {
  const missing = [];
  if (Number(process.versions.node.split(".")[0]) < 20) missing.push(`Node 20 or newer (this is ${process.version})`);
  if (!has("cargo")) missing.push("cargo (Rust 1.95 or newer: https://rustup.rs)");
  if (!has("npm")) missing.push("npm");
  if (missing.length === 0) return;
  console.error(`missing: ${missing.join(", ")}`);
  process.exit(2);
}

/** Does work unless its inputs are the same as when it was last done. */
export function once(stamp, inputs, work) {
  const hash = createHash("sha256").update(process.version);
  for (const input of inputs) hash.update(input).update(readFileSync(input));
  const digest = hash.digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

/** The files below a folder, by ending. */
export function filesBelow(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(ending))
    .sort();
}
