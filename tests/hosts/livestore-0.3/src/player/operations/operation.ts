import type { Args } from "../args.js";
import type { Player } from "../player.js";
import { StepError, toStep, type Step } from "../trace.js";

/** Something that a step can do. */
export interface Operation {
  /** The arguments that it reads. */
  readonly args: readonly string[];
  /** Checks arguments that tell a step that cannot be played before anything is. */
  readonly check?: (args: Step["args"]) => void;
  run(player: Player, args: Args): void | Promise<void>;
}

export type Operations = Readonly<Record<string, Operation>>;

/** The steps within a step. */
export const innerSteps = (args: Step["args"]): Step[] => {
  const ops = args["ops"];
  if (!Array.isArray(ops)) throw new StepError("argument `ops` is no list", "it has to be a list of steps");
  return ops.map(toStep);
};
