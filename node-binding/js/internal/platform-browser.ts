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
