import { existsSync } from "node:fs";
import { join } from "node:path";

import { BridgeError, messageOf } from "./errors";

/** The exports of the native addon. */
export type Addon = typeof import("../../native/addon");

type Loaded = { addon: Addon } | { error: BridgeError };

let loaded: Loaded | null = null;

/** The addon, or nothing where it cannot be loaded. */
export function addonOrNull(): Addon | null {
  loaded ??= load();
  return "addon" in loaded ? loaded.addon : null;
}

/** Why the addon cannot be loaded, or nothing where it can. */
export function addonError(): BridgeError | null {
  loaded ??= load();
  return "error" in loaded ? loaded.error : null;
}

/** The addon; throws `LEGACY_UNAVAILABLE` where it cannot be loaded: there is no old path in TypeScript to fall back to. */
export function addon(): Addon {
  loaded ??= load();
  if ("addon" in loaded) return loaded.addon;
  throw loaded.error;
}

function load(): Loaded {
  const name = `runtime-bridge.${platform()}.node`;
  const candidates = process.env["RUNTIME_BRIDGE_ADDON"]
    ? [process.env["RUNTIME_BRIDGE_ADDON"]]
    : [join(__dirname, "..", "..", "native", name), `runtime-bridge-${platform()}`];
  let reason: unknown = null;
  for (const candidate of candidates) {
    try {
      // The addon is a CommonJS module whose name is only known here.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      return { addon: require(candidate) as Addon };
    } catch (error) {
      // A file that is there and cannot be loaded says more than a package that is not installed.
      if (reason === null || existsSync(candidate)) reason = error;
    }
  }
  return {
    error: new BridgeError(
      "LEGACY_UNAVAILABLE",
      `the native addon cannot be loaded on ${platform()} (Node ${process.version}): ${firstLine(reason)}`,
      "install runtime-bridge for this platform, or bind the host's own old code as the legacy path",
      { cause: reason },
    ),
  };
}

/** Platform, architecture and C library in the words of the addon's file names. */
function platform(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${base}-msvc`;
  if (process.platform !== "linux") return base;
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return `${base}-${report?.header?.glibcVersionRuntime ? "gnu" : "musl"}`;
}

function firstLine(error: unknown): string {
  return messageOf(error).split("\n", 1)[0] ?? "";
}
