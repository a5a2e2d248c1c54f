import {
  getRuntimeRegistry,
  RuntimeRegistry,
  type RuntimeConfiguration,
  type RuntimeType,
} from "runtime-bridge/legacy";
import type { Args } from "../args.js";
import type { Player, PlayedRuntime } from "../player.js";
import type { Operation, Operations } from "./operation.js";
import { runtimeOf } from "./runtime.js";

/** Subscribes a callback, whatever it is told; gives the function that ends it. */
type Subscribe = (callback: (...told: readonly unknown[]) => void) => () => unknown;

const registryOf = (player: Player, args: Args): RuntimeRegistry =>
  player.registries.named(args.text("registry", "reg"));

const typeOf = (args: Args): RuntimeType => args.text("type") as RuntimeType;

/** An operation that shows what a synchronous method gives. */
const shows = (
  args: readonly string[],
  of: (registry: RuntimeRegistry, args: Args, player: Player) => unknown,
): Operation => ({
  args: ["registry", ...args],
  run(player, given) {
    const registry = registryOf(player, given);
    player.returns(() => of(registry, given, player));
  },
});

/** An operation that calls an asynchronous method. */
const calls = (
  args: readonly string[],
  call: (registry: RuntimeRegistry, args: Args) => Promise<unknown>,
): Operation => ({
  args: ["registry", ...args],
  run(player, given) {
    const registry = registryOf(player, given);
    player.calls(given, () => call(registry, given));
  },
});

/** An operation that subscribes a callback, which records what it is told and may throw. */
const listens = (kind: string, on: (registry: RuntimeRegistry) => Subscribe, fields: readonly string[]): Operation => ({
  args: ["registry", "as", "throws"],
  run(player, args) {
    const [cb, throws] = [args.text("as"), args.optionalText("throws")];
    const callback = (...told: readonly unknown[]): void => {
      player.observe(kind, { cb, ...Object.fromEntries(fields.map((field, i) => [field, told[i]])) });
      if (throws !== undefined) throw new Error(throws);
    };
    const registry = registryOf(player, args);
    const unsubscribe = on(registry).call(registry, callback);
    player.subscriptions.set(cb, { callback, unsubscribe });
  },
});

export const REGISTRY_OPERATIONS: Operations = {
  "new-registry": {
    args: ["as", "config"],
    run(player, args) {
      player.returns(() => {
        const registry = new RuntimeRegistry(args.object("config"));
        player.registries.set(args.text("as", "reg"), registry);
        return registry;
      });
    },
  },
  "get-instance": {
    args: ["as", "config", "helper"],
    run(player, args) {
      player.returns(() => {
        const config = args.object("config");
        const registry = args.flag("helper") ? getRuntimeRegistry(config) : RuntimeRegistry.getInstance(config);
        return player.nameRegistry(args.text("as", "reg"), registry);
      });
    },
  },
  "reset-instance": { args: [], run: (player) => player.returns(() => RuntimeRegistry.resetInstance()) },
  register: shows(["runtime"], (registry, args, player) => registry.register(runtimeOf(player, args))),
  unregister: shows(["runtimeId"], (registry, args) => registry.unregister(args.text("runtimeId"))),
  "get-available": shows([], (registry) => registry.getAvailableRuntimes()),
  "get-runtime": shows(["runtimeId", "as"], (registry, args, player) => {
    const runtime = registry.getRuntime(args.text("runtimeId")) as PlayedRuntime | undefined;
    const name = args.optionalText("as");
    if (name !== undefined && runtime !== undefined) player.runtimes.set(name, runtime);
    return runtime;
  }),
  "get-by-type": shows(["type"], (registry, args) => registry.getRuntimesByType(typeOf(args))),
  "get-active-runtimes": shows([], (registry) => registry.getActiveRuntimes()),
  "get-active-runtime": shows([], (registry) => registry.getActiveRuntime()),
  "get-active-of-type": shows(["type"], (registry, args) => registry.getActiveRuntimeOfType(typeOf(args))),
  "can-start": shows([], (registry) => registry.canStartRuntime()),
  "start-runtime": calls(["runtimeId", "notebookId", "config"], (registry, args) =>
    registry.startRuntime(
      args.text("runtimeId"),
      args.text("notebookId", "nb-main"),
      args.object("config") as RuntimeConfiguration | undefined,
    ),
  ),
  "stop-all": calls([], (registry) => registry.stopAllRuntimes()),
  "on-event": listens("registry-event", (registry) => registry.onEvent, ["event"]),
  "on-state-changed": listens("registry-state", (registry) => registry.onRuntimeStateChanged, ["runtime", "state"]),
  "on-registered": listens("registry-registered", (registry) => registry.onRuntimeRegistered, ["runtime"]),
  "on-unregistered": listens("registry-unregistered", (registry) => registry.onRuntimeUnregistered, ["runtimeId"]),
  "get-stats": shows([], (registry) => registry.getStats()),
  "debug-log": shows([], (registry) => registry.debugLog()),
};
