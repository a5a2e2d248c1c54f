/**
 * What Node has and a browser has not: the native addon and the environment's variables. Bundlers for browsers put
 * `platform-browser` in its place, as the `browser` field of package.json says.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Addon, Loaded } from "./addon";
import { BridgeError, messageOf } from "./errors";

const PACKAGE = join(__dirname, "..", "..");

/** A variable of the process's environment. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name];
}

/**
 * Loads the addon that was built here, or else the one of this platform's package. A file or package that is there and cannot
 * be loaded says more than one that is missing, so the first such failure is the reason that is given.
 */
export function load(): Loaded {
  const target = targetName();
  const failures: unknown[] = [];
  for (const attempt of attempts(target)) {
    try {
      return { addon: attempt() };
    } catch (error) {
      failures.push(error);
    }
  }
  const reason = failures.find((error) => !isMissing(error)) ?? failures.at(-1);
  return {
    error: new BridgeError(
      "LEGACY_UNAVAILABLE",
      `the native addon cannot be loaded on ${target} (Node ${process.version}): ${firstLine(reason)}`,
      `install the package \`${packageName(target)}\` of the same version, or bind the host's own old code as the legacy path`,
      { cause: reason },
    ),
  };
}

/** The ways to the addon, best first. A variable that names a file is obeyed: nothing else is tried. */
function attempts(target: string): (() => Addon)[] {
  const named = environmentVariable("RUNTIME_BRIDGE_ADDON");
  if (named) return [() => fromFile(named)];
  const built = join(PACKAGE, "native", `runtime-bridge.${target}.node`);
  return [() => fromFile(built), () => fromPackage(packageName(target))];
}

/** How this process starts another one that runs candidates: this very Node, with a script of this package. */
export function shadowProgram(): { path: string; args: string[]; env: [string, string][] } {
  return {
    path: process.execPath,
    args: [join(__dirname, "shadow-process.js")],
    // Electron's executable is a Node when it is told so. What the host preloads is not for this process.
    env: [
      ["ELECTRON_RUN_AS_NODE", "1"],
      ["NODE_OPTIONS", ""],
    ],
  };
}

/** Calls back when this environment ends in order: it returned, called `process.exit`, or threw. */
export function onExit(callback: () => void): void {
  process.once("exit", callback);
}

function packageName(target: string): string {
  return `runtime-bridge-${target}`;
}

function fromFile(path: string): Addon {
  if (!existsSync(path)) throw new Missing(`there is no file \`${path}\``);
  return required(path) as Addon;
}

/** The JSON that facade and addon speak changes between versions, so a package of another version is refused. */
function fromPackage(name: string): Addon {
  const found = versionOf(name);
  if (found === null) throw new Missing(`the package \`${name}\` is not installed`);
  const wanted = versionOf(PACKAGE);
  if (found !== wanted) throw new Error(`the package \`${name}\` is of version \`${found}\`, not \`${wanted}\``);
  return required(name) as Addon;
}

function versionOf(name: string): string | null {
  try {
    return (required(`${name}/package.json`) as { version: string }).version;
  } catch {
    return null;
  }
}

class Missing extends Error {}

function isMissing(error: unknown): boolean {
  return error instanceof Missing;
}

/** What is loaded is only known by name here, and addons can only be required. */
function required(name: string): unknown {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(name);
}

/** Platform, architecture and C library as the addon's files and packages are named. */
function targetName(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${base}-msvc`;
  return process.platform === "linux" ? `${base}-${libc()}` : base;
}

/** Node's report names the version of glibc it runs on; where it names none, the C library is musl. */
function libc(): "gnu" | "musl" {
  const report: { excludeNetwork?: boolean; getReport(): object } = process.report;
  const { excludeNetwork = false } = report;
  // The report would look up the names of all peers, which blocks.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = excludeNetwork;
  return header.glibcVersionRuntime ? "gnu" : "musl";
}

function firstLine(error: unknown): string {
  return messageOf(error).split("\n", 1)[0] ?? "";
}
