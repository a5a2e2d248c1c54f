import { innerSteps, type Operations } from "./operation.js";

export const TIME_OPERATIONS: Operations = {
  advance: { args: ["ms"], run: (player, args) => player.advance(args.number("ms")) },
  // Every step settles when it has been done.
  settle: { args: [], run: () => undefined },
  "same-tick": {
    args: ["ops"],
    async run(player, args) {
      for (const step of innerSteps(args.raw)) {
        const later = player.act(step);
        // Awaiting what has nothing to await would end the tick.
        if (later !== undefined) await later;
      }
    },
  },
  idle: { args: [], run: (player) => player.idle() },
};
