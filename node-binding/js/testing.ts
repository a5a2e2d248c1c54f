/**
 * Helpers for tests of host code.
 *
 * @module
 */

import { addon } from "./internal/addon";
import { type Clock, replaceClock } from "./internal/clock";
import { BridgeError } from "./internal/errors";

export { unbind } from "./bind";
export type { Clock } from "./internal/clock";

/** Runs the bridge on this clock instead of the host's; gives the function that ends it. */
export function useClock(clock: Clock): () => void {
  replaceClock(clock);
  return () => replaceClock(null);
}

/**
 * Spoils what the candidate does on the routes `shadow` and `live`, to see that the comparison notices: every comparison of
 * this environment is run with this fault or breakdown until it is called with `null`. What serves is never touched, but for
 * `abort` and `stack-overflow`, which bring down the process that the candidate runs in.
 */
export function seedCandidateFault(name: string | null): void {
  if (addon().seedCandidateFault(name)) return;
  throw new BridgeError(
    "UNKNOWN_FAULT",
    `seedCandidateFault: no fault is called \`${name}\``,
    `the faults are: ${[...candidateFaults(), ...candidateBreakdowns()].join(", ")}`,
  );
}

/** The names of the faults with which a candidate differs. */
export function candidateFaults(): string[] {
  return addon().candidateFaults();
}

/** The names of the breakdowns with which a candidate does not even come to differ: `hang`, `spin`, `panic`, `flood` and others. */
export function candidateBreakdowns(): string[] {
  return addon().candidateBreakdowns();
}
