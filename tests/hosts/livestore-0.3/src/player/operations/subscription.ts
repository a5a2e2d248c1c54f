import type { RuntimeState } from "runtime-bridge/legacy";
import type { Args } from "../args.js";
import type { Player } from "../player.js";
import type { Operations } from "./operation.js";
import { runtimeOf } from "./runtime.js";

/** A state callback that records, then does what its step says. */
const stateCallback = (player: Player, args: Args): ((state: RuntimeState) => void) => {
  const [runtime, cb] = [args.text("runtime"), args.text("as")];
  const [throws, stopWhen] = [args.optionalText("throws"), args.optionalText("stopWhen")];
  const [mutates, unsubscribesItself] = [args.flag("mutates"), args.flag("unsubscribeSelf")];
  return (state) => {
    player.observe("state", { runtime, cb, state });
    const isStopping = state.status === stopWhen;
    if (mutates) Object.assign(state, { status: "error", isActive: !state.isActive, error: "mutated", mutated: true });
    if (unsubscribesItself) player.subscriptions.named(cb).unsubscribe();
    if (isStopping) void player.settles("stop-from-callback", () => player.runtimes.named(runtime).stop());
    if (throws !== undefined) throw new Error(throws);
  };
};

/** A name for a further subscription of the same callback: `cb#2`, `cb#3`, … */
const furtherName = (player: Player, name: string): string => {
  let count = 2;
  while (player.subscriptions.has(`${name}#${count}`)) count += 1;
  return `${name}#${count}`;
};

export const SUBSCRIPTION_OPERATIONS: Operations = {
  subscribe: {
    args: ["as", "runtime", "throws", "mutates", "unsubscribeSelf", "stopWhen"],
    run(player, args) {
      const callback = stateCallback(player, args);
      const unsubscribe = runtimeOf(player, args).onStateChange(callback);
      player.subscriptions.set(args.text("as"), { callback, unsubscribe });
    },
  },
  "subscribe-again": {
    args: ["as", "runtime"],
    run(player, args) {
      const { callback } = player.subscriptions.named(args.text("as"));
      const unsubscribe = runtimeOf(player, args).onStateChange(callback);
      player.subscriptions.set(furtherName(player, args.text("as")), { callback, unsubscribe });
    },
  },
  unsubscribe: {
    args: ["as"],
    run(player, args) {
      const { unsubscribe } = player.subscriptions.named(args.text("as"));
      player.returns(() => unsubscribe());
    },
  },
};
