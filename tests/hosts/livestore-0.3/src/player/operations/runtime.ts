import {
  type HtmlRuntimeConfig,
  type RuntimeConfiguration,
  type RuntimeMetadata,
} from "runtime-bridge/legacy";
import type { Args } from "../args.js";
import { TestRuntime, toBehaviour } from "../behaviours.js";
import type { Player, PlayedRuntime } from "../player.js";
import { StepError } from "../trace.js";
import type { Operation, Operations } from "./operation.js";

/** The runtime that a step names. */
export const runtimeOf = (player: Player, args: Args): PlayedRuntime => player.runtimes.named(args.text("runtime"));

const configOf = (args: Args): RuntimeConfiguration | undefined => args.object("config");

/** An operation that shows what a synchronous method gives. */
const shows = (args: readonly string[], of: (runtime: PlayedRuntime, args: Args) => unknown): Operation => ({
  args: ["runtime", ...args],
  run(player, given) {
    const runtime = runtimeOf(player, given);
    player.returns(() => of(runtime, given));
  },
});

/** An operation that calls an asynchronous method. */
const calls = (args: readonly string[], call: (runtime: PlayedRuntime, args: Args) => Promise<unknown>): Operation => ({
  args: ["runtime", ...args],
  run(player, given) {
    const runtime = runtimeOf(player, given);
    player.calls(given, () => call(runtime, given));
  },
});

const CLASSES = new Set([undefined, "HtmlRuntime", "TestRuntime", "BaseRuntime"]);

const newRuntime: Operation = {
  args: ["as", "class", "metadata", "config", "behaviour"],
  check(args) {
    toBehaviour(args["behaviour"]);
    const className = args["class"] as string | undefined;
    if (CLASSES.has(className)) return;
    throw new StepError(
      `unknown class \`${className}\``,
      "it has to be HtmlRuntime, or left out for the test subclass",
    );
  },
  run(player, args) {
    const make = (): PlayedRuntime => {
      if (args.optionalText("class") === "HtmlRuntime")
        return new player.HtmlRuntime(args.object("config") as Partial<HtmlRuntimeConfig>);
      const metadata = (args.object("metadata") ?? {}) as Partial<RuntimeMetadata>;
      return new TestRuntime(metadata, configOf(args), toBehaviour(args.raw["behaviour"]), player);
    };
    player.returns(() => {
      const runtime = make();
      player.runtimes.set(args.text("as"), runtime);
      return runtime;
    });
  },
};

const ASYNCHRONOUS: ReadonlySet<string> = new Set(["doStart", "doStop", "doRestart"]);

const protectedCall: Operation = {
  args: ["runtime", "method", "args"],
  run(player, args) {
    const runtime = runtimeOf(player, args);
    const name = args.text("method");
    const method: unknown = Reflect.get(runtime, name);
    if (typeof method !== "function") throw new StepError(`there is no method \`${name}\``, "see the old surface");
    const call = (): unknown => method.apply(runtime, args.list("args"));
    if (ASYNCHRONOUS.has(name)) player.calls(args, async () => call());
    else player.returns(call);
  },
};

/** Changes a copy in place: members of members too, which is how shared objects show. */
const mutate = (copy: object): void => {
  for (const member of Object.values(copy)) {
    if (isPlain(member)) Object.assign(member, { mutated: true });
  }
  Object.assign(copy, { status: "error", isActive: true, maxExecutionTime: -1, mutated: true });
};

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** An operation that changes what a getter gave; what became of it is for later steps to see. */
const mutates = (get: (runtime: PlayedRuntime) => object): Operation => ({
  args: ["runtime"],
  run: (player, args) => mutate(get(runtimeOf(player, args))),
});

const hasMethods = (runtime: PlayedRuntime, names: readonly string[]): Record<string, boolean> =>
  Object.fromEntries(names.map((name) => [name, typeof Reflect.get(runtime, name) === "function"]));

export const RUNTIME_OPERATIONS: Operations = {
  "new-runtime": newRuntime,
  start: calls(["notebookId", "config"], (runtime, args) =>
    runtime.start(args.text("notebookId", "nb-main"), configOf(args)),
  ),
  stop: calls([], (runtime) => runtime.stop()),
  restart: calls(["config"], (runtime, args) => runtime.restart(configOf(args))),
  "execute-code": calls(["cellId", "code"], (runtime, args) =>
    (runtime as Required<PlayedRuntime>).executeCode(args.text("cellId"), args.text("code")),
  ),
  ping: calls([], (runtime) => (runtime as Required<PlayedRuntime>).ping()),
  destroy: shows([], (runtime) => runtime.destroy()),
  "get-state": shows([], (runtime) => runtime.getState()),
  "get-config": shows([], (runtime) => runtime.getConfiguration()),
  "get-debug-info": shows([], (runtime) => runtime.getDebugInfo()),
  "get-metadata": shows([], (runtime) => runtime.metadata),
  "get-capabilities": shows([], (runtime) => runtime.capabilities),
  "to-string": shows([], (runtime) => runtime.toString()),
  "setup-instructions": shows([], (runtime) => (runtime as Required<PlayedRuntime>).getSetupInstructions()),
  "connection-info": shows([], (runtime) => (runtime as Required<PlayedRuntime>).getConnectionInfo()),
  "has-method": shows(["methods"], (runtime, args) => hasMethods(runtime, args.texts("methods"))),
  "mutate-state-copy": mutates((runtime) => runtime.getState()),
  "mutate-config-copy": mutates((runtime) => runtime.getConfiguration()),
  "config-store-is": {
    args: ["runtime"],
    run(player, args) {
      const { store, userId } = runtimeOf(player, args).getConfiguration() as Partial<HtmlRuntimeConfig>;
      player.returns(() => ({ store: player.storeName(store), userId }));
    },
  },
  protected: protectedCall,
};
