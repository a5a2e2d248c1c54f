/**
 * Helpers for tests of host code.
 *
 * @module
 */

import { type Clock, replaceClock } from "./internal/clock";

export { unbind } from "./bind";
export type { Clock } from "./internal/clock";

/** Runs the bridge on this clock instead of the host's; gives the function that ends it. */
export function useClock(clock: Clock): () => void {
  replaceClock(clock);
  return () => replaceClock(null);
}
