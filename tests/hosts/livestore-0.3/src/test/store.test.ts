// Is a store an honest log, from its opening to its close?
import assert from "node:assert/strict";
import { test } from "node:test";
import { closeStore, commit, openStore, TABLE_NAMES, tables } from "../store.js";
import { withStore } from "./withStore.js";

test("an empty store dumps every recorded table", () =>
  withStore((store) => assert.deepEqual(tables(store), Object.fromEntries(TABLE_NAMES.map((name) => [name, []])))));

test("each store is a client of its own", async () => {
  const [first, second] = await Promise.all([openStore({ storeId: "nb-1" }), openStore({ storeId: "nb-1" })]);
  assert.notEqual(first.clientId, second.clientId);
  assert.equal(first.storeId, "nb-1");
  await Promise.all([closeStore(first), closeStore(second)]);
});

test("an event that the schema does not know is refused", (context) =>
  withStore((store) => {
    // LiveStore prints a failed commit before it throws.
    context.mock.method(console, "error", () => undefined);
    assert.throws(() => commit(store, { name: "v9.Unknown", args: {} }), /v9\.Unknown/);
    commit(store, { name: "v1.PresenceSet", args: { userId: "ada" } });
    assert.equal(tables(store).presence.length, 1);
  }));

test("closing a store waits for its leader, and says so when it has lost events", async (context) => {
  context.mock.method(console, "error", () => undefined);
  const store = await openStore({ storeId: "nb-1" });
  const delta = {
    name: "v2.TerminalOutputAppended",
    args: { id: "t1", outputId: "o1", delta: "x", sequenceNumber: 0 },
  };
  commit(store, delta);
  assert.throws(() => commit(store, delta), /UNIQUE|output_deltas/);
  await assert.rejects(closeStore(store), /lost its leader/);
});
