import type { EncodedEvent, JsonObject } from "../../store.js";
import type { Args } from "../args.js";
import type { Player } from "../player.js";
import type { PlayedStore } from "../stores.js";
import type { Operation, Operations } from "./operation.js";

const USER_ID = "user-1";
const DEFAULT_REASON = "user requested";

const storeOf = (player: Player, args: Args): PlayedStore => player.stores.named(args.text("store", "main"));

const requested = (queueId: string, cellId: string, executionCount: number): EncodedEvent => ({
  name: "v1.ExecutionRequested",
  args: { queueId, cellId, executionCount, requestedBy: USER_ID },
});

/** An operation that commits one event. */
const commits = (args: readonly string[], event: (args: Args) => EncodedEvent): Operation => ({
  args: [...args, "store"],
  run: (player, given) => storeOf(player, given).commit(event(given)),
});

/** Entries q001, q002, … of these cells in turn. */
const manyRequests = (count: number, cellIds: readonly string[]): EncodedEvent[] =>
  Array.from({ length: count }, (_, i) =>
    requested(`q${String(i + 1).padStart(3, "0")}`, cellIds[i % cellIds.length] ?? "", i + 1),
  );

export const STORE_OPERATIONS: Operations = {
  "request-execution": commits(["queueId", "cellId", "executionCount"], (args) =>
    requested(args.text("queueId"), args.text("cellId"), args.number("executionCount", 1)),
  ),
  "request-many": {
    args: ["count", "cellIds", "oneCommit", "store"],
    run(player, args) {
      const store = storeOf(player, args);
      const events = manyRequests(args.number("count"), args.texts("cellIds"));
      if (args.flag("oneCommit")) store.commit(...events);
      else for (const event of events) store.commit(event);
    },
  },
  "cancel-execution": commits(["queueId", "cellId", "reason"], (args) => ({
    name: "v1.ExecutionCancelled",
    args: {
      queueId: args.text("queueId"),
      cellId: args.text("cellId"),
      cancelledBy: USER_ID,
      reason: args.text("reason", DEFAULT_REASON),
    },
  })),
  commit: commits(["name", "args"], (args) => ({
    name: args.text("name"),
    args: (args.object("args") ?? {}) as JsonObject,
  })),
  "edit-source": commits(["cellId", "source"], (args) => ({
    name: "v1.CellSourceChanged",
    args: { id: args.text("cellId"), source: args.text("source"), modifiedBy: USER_ID },
  })),
  "dump-tables": {
    args: ["store"],
    run(player, args) {
      const store = storeOf(player, args);
      player.observe("tables", { tables: store.tables(), ...(store.isMain ? {} : { store: store.name }) });
    },
  },
  "new-store": { args: ["as"], run: (player, args) => player.openStore(args.text("as")) },
  "store-shutdown": { args: ["store"], run: (player, args) => storeOf(player, args).shutdown() },
  fault: {
    args: ["event", "message", "times", "skip", "nonError", "store"],
    run(player, args) {
      storeOf(player, args).inject({
        event: args.optionalText("event"),
        message: args.text("message"),
        times: args.number("times", 1),
        skip: args.number("skip", 0),
        nonError: args.flag("nonError"),
      });
    },
  },
};
