/** What stands in a browser's bundle for `platform`: no addon and no environment. */

import type { Loaded } from "./addon";
import { BridgeError } from "./errors";

/** A page has no environment. */
export function environmentVariable(_name: string): undefined {
  return undefined;
}

/** A browser loads no native code. */
export function load(): Loaded {
  return {
    error: new BridgeError(
      "LEGACY_UNAVAILABLE",
      "there is no native addon in a browser",
      "bind the host's own old code as the legacy path, or run the bridge in a host process",
    ),
  };
}

/** A page starts no processes; without an addon nobody asks. */
export function shadowProgram(): never {
  throw new Error("a browser starts no processes");
}

/** Without an addon nothing is left to do at the end of a page. */
export function onExit(_callback: () => void): void {
  return undefined;
}
