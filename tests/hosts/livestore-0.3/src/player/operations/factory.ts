import {
  createRuntimeFactory,
  RuntimeFactory,
  type RuntimeConfiguration,
  type RuntimeFactoryConfig,
  type RuntimeType,
} from "runtime-bridge/legacy";
import type { Args } from "../args.js";
import type { Player, PlayedRuntime } from "../player.js";
import type { Operation, Operations } from "./operation.js";

const CONFIG_ARGS = ["as", "store", "userId", "registryConfig"];

const factoryOf = (player: Player, args: Args): RuntimeFactory => player.factories.named(args.text("factory", "fac"));

const configOf = (player: Player, args: Args): RuntimeFactoryConfig => {
  const registryConfig = args.object("registryConfig");
  const config = { store: player.store(args.text("store", "main")), userId: args.text("userId", "user-1") };
  return registryConfig === undefined ? config : { ...config, registryConfig };
};

/** An operation that makes a factory. */
const makes = (args: readonly string[], make: (player: Player, args: Args) => RuntimeFactory): Operation => ({
  args: [...CONFIG_ARGS, ...args],
  run(player, given) {
    player.returns(() => {
      const factory = make(player, given);
      player.factories.set(given.text("as", "fac"), factory);
      return factory;
    });
  },
});

/** An operation that shows what a method gives. */
const shows = (
  args: readonly string[],
  of: (factory: RuntimeFactory, args: Args, player: Player) => unknown,
): Operation => ({
  args: ["factory", ...args],
  run(player, given) {
    const factory = factoryOf(player, given);
    player.returns(() => of(factory, given, player));
  },
});

const createWithDefaults = (player: Player, args: Args): RuntimeFactory => {
  const config = configOf(player, args);
  const factory = args.flag("helper") ? createRuntimeFactory(config) : RuntimeFactory.createWithDefaults(config);
  // Later steps mean its registry where they name none.
  player.registries.set("reg", factory.getRegistry());
  return factory;
};

export const FACTORY_OPERATIONS: Operations = {
  "new-factory": makes([], (player, args) => new RuntimeFactory(configOf(player, args))),
  "create-with-defaults": makes(["helper"], createWithDefaults),
  "factory-registry": shows(["as"], (factory, args, player) =>
    player.nameRegistry(args.text("as", "reg"), factory.getRegistry()),
  ),
  "create-runtime": shows(["type", "as", "config"], (factory, args, player) => {
    const config = args.object("config") as RuntimeConfiguration | undefined;
    const runtime = factory.createRuntime(args.text("type") as RuntimeType, config) as PlayedRuntime;
    const name = args.optionalText("as");
    if (name !== undefined) player.runtimes.set(name, runtime);
    return { metadata: runtime.metadata, capabilities: runtime.capabilities };
  }),
  "supported-types": shows([], (factory) => factory.getSupportedTypes()),
  "setup-defaults": shows([], (factory) => factory.setupDefaultRuntimes()),
};
