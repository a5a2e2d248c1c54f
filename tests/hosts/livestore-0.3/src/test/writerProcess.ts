/** One of two plain stores that write to the same notebook: no bridge in it, no old code, nothing but LiveStore and a schema. */
import { setImmediate as nextTurn, setTimeout as after } from "node:timers/promises";
import { commit, openStore, pendingCount, unsynced } from "../store.js";
import { tables } from "../schema.js";
import type { Wrote } from "./writers.js";

const [name = "", port, events, patience] = process.argv.slice(2);

/** Between two commits: less than it takes to hear of the other's, more than a commit takes. */
const PAUSE_MS = 5;

const store = await openStore({ storeId: "written", clientId: name, syncPort: Number(port) });

const write = async (): Promise<void> => {
  for (let n = 0; n < Number(events); n += 1) {
    while (patience === "patient" && pendingCount(store) > 0) await nextTurn();
    const args = { id: `${name}-${n}`, cellType: "code", fractionalIndex: "a0", createdBy: "u1" };
    commit(store, { name: "v2.CellCreated", args });
    await after(PAUSE_MS);
  }
};

const look = async (): Promise<Wrote> => ({
  cells: store.query(tables.cells).length,
  unconfirmed: pendingCount(store),
  unsynced: await unsynced(store),
});

process.on("message", (asked: "write" | "look") => {
  const answered = asked === "write" ? write().then(() => null) : look();
  void answered.then((wrote) => process.send?.(wrote));
});
process.send?.(null);
