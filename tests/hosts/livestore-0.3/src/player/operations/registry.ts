import * as legacy from "runtime-bridge/legacy";
import type { RuntimeConfiguration } from "runtime-bridge/legacy";
import type { Args } from "../args.js";
import type { Player, PlayedRuntime } from "../player.js";
import type { Operation, Operations } from "./operation.js";
import { runtimeOf } from "./runtime.js";

/** Subscribes a callback, whatever it is told; gives the function that ends it. */
type Subscribe = (callback: (...told: readonly unknown[]) => void) => () => unknown;

/** What steps call on a registry. */
export interface Registry {
  register(runtime: PlayedRuntime): void;
  unregister(runtimeId: string): void;
  getAvailableRuntimes(): unknown;
  getRuntime(runtimeId: string): PlayedRuntime | undefined;
  getRuntimesByType(type: string): unknown;
  getActiveRuntimes(): unknown;
  getActiveRuntime(): unknown;
  getActiveRuntimeOfType(type: string): unknown;
  canStartRuntime(): boolean;
  startRuntime(runtimeId: string, notebookId: string, config?: RuntimeConfiguration): Promise<void>;
  stopAllRuntimes(): Promise<void>;
  onEvent: Subscribe;
  onRuntimeStateChanged: Subscribe;
  onRuntimeRegistered: Subscribe;
  onRuntimeUnregistered: Subscribe;
  getStats(): unknown;
  debugLog(): void;
}

interface RegistryClass {
  new (config?: object): Registry;
  getInstance(config?: object): Registry;
  resetInstance(): void;
}

/** Looked up by name: a package without registries still plays what needs none. */
const { RuntimeRegistry, getRuntimeRegistry } = legacy as unknown as {
  RuntimeRegistry?: RegistryClass;
  getRuntimeRegistry?: (config?: object) => Registry;
};

const registryClass = (): RegistryClass => {
  if (RuntimeRegistry === undefined) throw new Error("the package has no RuntimeRegistry");
  return RuntimeRegistry;
};

/** Lets no scenario find the singleton of the one before. */
export const resetRegistry = (): void => RuntimeRegistry?.resetInstance();

const instance = (args: Args): Registry => {
  if (args.flag("helper") && getRuntimeRegistry !== undefined) return getRuntimeRegistry(args.object("config"));
  return registryClass().getInstance(args.object("config"));
};

/** The registry of a step; without the class there is none, which shows as a throw. */
const onRegistry = (player: Player, args: Args, use: (registry: Registry) => void): void => {
  if (RuntimeRegistry === undefined) player.returns(registryClass);
  else use(player.registries.named(args.text("registry", "reg")));
};

/** An operation that shows what a synchronous method gives. */
const shows = (args: readonly string[], of: (registry: Registry, args: Args, player: Player) => unknown): Operation => ({
  args: ["registry", ...args],
  run: (player, given) => onRegistry(player, given, (registry) => player.returns(() => of(registry, given, player))),
});

/** An operation that calls an asynchronous method. */
const calls = (args: readonly string[], call: (registry: Registry, args: Args) => Promise<unknown>): Operation => ({
  args: ["registry", ...args],
  run: (player, given) =>
    onRegistry(player, given, (registry) => player.calls(given, () => call(registry, given))),
});

/** An operation that subscribes a callback, which records what it is told and may throw. */
const listens = (kind: string, on: (registry: Registry) => Subscribe, fields: readonly string[]): Operation => ({
  args: ["registry", "as", "throws"],
  run(player, args) {
    const [cb, throws] = [args.text("as"), args.optionalText("throws")];
    const callback = (...told: readonly unknown[]): void => {
      player.observe(kind, { cb, ...Object.fromEntries(fields.map((field, i) => [field, told[i]])) });
      if (throws !== undefined) throw new Error(throws);
    };
    onRegistry(player, args, (registry) => {
      const unsubscribe = on(registry).call(registry, callback);
      player.subscriptions.set(cb, { callback, unsubscribe });
    });
  },
});

export const REGISTRY_OPERATIONS: Operations = {
  "new-registry": {
    args: ["as", "config"],
    run(player, args) {
      player.returns(() => {
        const registry = new (registryClass())(args.object("config"));
        player.registries.set(args.text("as", "reg"), registry);
        return registry;
      });
    },
  },
  "get-instance": {
    args: ["as", "config", "helper"],
    run(player, args) {
      player.returns(() => {
        const registry = instance(args);
        const sameAs = [...player.registries].filter(([, other]) => other === registry).map(([name]) => name);
        player.registries.set(args.text("as", "reg"), registry);
        return { sameAs };
      });
    },
  },
  "reset-instance": { args: [], run: (player) => player.returns(() => registryClass().resetInstance()) },
  register: shows(["runtime"], (registry, args, player) => registry.register(runtimeOf(player, args))),
  unregister: shows(["runtimeId"], (registry, args) => registry.unregister(args.text("runtimeId"))),
  "get-available": shows([], (registry) => registry.getAvailableRuntimes()),
  "get-runtime": shows(["runtimeId", "as"], (registry, args, player) => {
    const runtime = registry.getRuntime(args.text("runtimeId"));
    const name = args.optionalText("as");
    if (name !== undefined && runtime !== undefined) player.runtimes.set(name, runtime);
    return runtime;
  }),
  "get-by-type": shows(["type"], (registry, args) => registry.getRuntimesByType(args.text("type"))),
  "get-active-runtimes": shows([], (registry) => registry.getActiveRuntimes()),
  "get-active-runtime": shows([], (registry) => registry.getActiveRuntime()),
  "get-active-of-type": shows(["type"], (registry, args) => registry.getActiveRuntimeOfType(args.text("type"))),
  "can-start": shows([], (registry) => registry.canStartRuntime()),
  "start-runtime": calls(["runtimeId", "notebookId", "config"], (registry, args) =>
    registry.startRuntime(args.text("runtimeId"), args.text("notebookId", "nb-main"), args.object("config")),
  ),
  "stop-all": calls([], (registry) => registry.stopAllRuntimes()),
  "on-event": listens("registry-event", (registry) => registry.onEvent, ["event"]),
  "on-state-changed": listens("registry-state", (registry) => registry.onRuntimeStateChanged, ["runtime", "state"]),
  "on-registered": listens("registry-registered", (registry) => registry.onRuntimeRegistered, ["runtime"]),
  "on-unregistered": listens("registry-unregistered", (registry) => registry.onRuntimeUnregistered, ["runtimeId"]),
  "get-stats": shows([], (registry) => registry.getStats()),
  "debug-log": shows([], (registry) => registry.debugLog()),
};
