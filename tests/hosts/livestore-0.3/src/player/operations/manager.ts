import { queryDb, Schema } from "@livestore/livestore";
import { HtmlRuntimeManagerSession } from "runtime-bridge/legacy/html-runtime-manager";
import { attach } from "runtime-bridge/livestore";
import type { Args } from "../args.js";
import type { Player } from "../player.js";
import { StepError } from "../trace.js";
import type { Operation, Operations } from "./operation.js";

const MAIN_STORE = "main";

/** The component that was mounted last; nothing outside its provider. */
const mounted = (player: Player): HtmlRuntimeManagerSession | undefined => player.managers.at(-1);

const mount: Operation = {
  args: ["hook", "notebookId", "provider", "isAuthenticated", "userId"],
  check(args) {
    if (args["hook"] === "manager") return;
    throw new StepError(`unknown hook \`${String(args["hook"])}\``, "it has to be manager");
  },
  run(player, args) {
    // What a component outside its provider throws is React's.
    if (!args.flag("provider", true)) return;
    const store = player.store(MAIN_STORE);
    attach(store, { queryDb, Schema });
    const notebookId = args.text("notebookId", "nb-main");
    const isAuthenticated = args.flag("isAuthenticated", true);
    const manager = new HtmlRuntimeManagerSession({
      store,
      notebookId,
      isAuthenticated,
      userId: args.text("userId", "user-1"),
    });
    manager.subscribe(() => {
      const failure = manager.getThrown();
      if (failure === null) player.observe("state", { state: manager.getState(), from: "hook" });
      else player.throwsInRender(failure.reason);
    });
    player.managers.push(manager);
    manager.mount();
  },
};

/** A call that a component makes so many times in one tick; several have a number each. */
const calls = (
  name: string,
  call: (manager: HtmlRuntimeManagerSession) => Promise<void>,
  begin: (player: Player, args: Args, once: () => Promise<void>) => void,
): Operation => ({
  args: ["times"],
  run(player, args) {
    const manager = mounted(player);
    if (manager === undefined) return;
    const times = args.number("times", 1);
    if (times === 1) return begin(player, args, () => call(manager));
    for (let time = 1; time <= times; time += 1) void player.settles(`${name}-${time}`, () => call(manager));
  },
});

export const MANAGER_OPERATIONS: Operations = {
  mount,
  "set-auth": {
    args: ["isAuthenticated", "userId"],
    run: (player, args) => mounted(player)?.setAuth(args.flag("isAuthenticated", true)),
  },
  unmount: { args: [], run: (player) => mounted(player)?.unmount() },
  "ui-start": calls(
    "ui-start",
    (manager) => manager.startRuntime(),
    (player, args, once) => player.calls(args, once),
  ),
  "ui-stop": calls(
    "ui-stop",
    (manager) => manager.stopRuntime(),
    (player, args, once) => player.calls(args, once),
  ),
  "ui-restart": calls(
    "ui-restart",
    (manager) => manager.restartRuntime(),
    (player, _, once) => void player.settles("ui-restart", once),
  ),
  "ui-state": {
    args: [],
    run(player) {
      const manager = mounted(player);
      if (manager === undefined) throw new StepError("no component is mounted", "an earlier step has to mount one");
      player.returns(() => manager.getState());
    },
  },
  // What React rendered is nothing of the package's.
  dom: { args: [], run: () => undefined },
};
