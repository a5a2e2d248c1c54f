import type { BridgeError } from "./errors";
import { load } from "./platform";

/** The exports of the native addon; the one that is called most is not generated, and neither is its type. */
export type Addon = typeof import("../../native/addon") & {
  route(notebook: string, question: number, wallMs: number): number;
};

export type Loaded = { addon: Addon } | { error: BridgeError };

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
