// Is a store an honest log, from its opening to its close?
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { closeStore, commit, LIVESTORE, openStore, TABLE_NAMES, tables } from "../store.js";
import type { EncodedEvent, Store } from "../store.js";
import { withStore } from "./withStore.js";

test("an empty store dumps every recorded table", () =>
  withStore((store) => assert.deepEqual(tables(store), Object.fromEntries(TABLE_NAMES.map((name) => [name, []])))));

test("each store is a client of its own", async () => {
  const [first, second] = await Promise.all([openStore({ storeId: "nb-1" }), openStore({ storeId: "nb-1" })]);
  assert.notEqual(first.clientId, second.clientId);
  assert.equal(first.storeId, "nb-1");
  await Promise.all([closeStore(first), closeStore(second)]);
});

const unknown: EncodedEvent = { name: "v9.Unknown", args: {} };
const delta: EncodedEvent = {
  name: "v2.TerminalOutputAppended",
  args: { id: "t1", outputId: "o1", delta: "x", sequenceNumber: 0 },
};

/** A store to lose; LiveStore prints a failed commit on standard error. */
const openLost = async (context: TestContext, ...events: readonly EncodedEvent[]): Promise<Store> => {
  context.mock.method(console, "error", () => undefined);
  const store = await openStore({ storeId: "nb-1" });
  for (const event of events) commit(store, event);
  return store;
};

describe("on 0.3.1", { skip: LIVESTORE !== "0.3" }, () => {
  test("an event that the schema does not know is refused", async (context) => {
    const store = await openLost(context);
    assert.throws(() => commit(store, unknown), /v9\.Unknown/);
    commit(store, { name: "v1.PresenceSet", args: { userId: "ada" } });
    assert.equal(tables(store).presence.length, 1);
    await closeStore(store);
  });

  test("closing a store waits for its leader, and says so when it has lost events", async (context) => {
    const store = await openLost(context, delta);
    assert.throws(() => commit(store, delta), /UNIQUE|output_deltas/);
    await assert.rejects(closeStore(store), /lost its leader/);
  });
});

describe("on 0.4", { skip: LIVESTORE !== "0.4" }, () => {
  for (const [what, events] of [
    ["that the schema does not know", [unknown]],
    ["that its materialiser cannot take", [delta, delta]],
  ] as const) {
    test(`an event ${what} shuts the store down without a word, and closing it says so`, async (context) => {
      const store = await openLost(context, ...events);
      assert.throws(() => tables(store), /has been shut down/);
      await assert.rejects(closeStore(store), /has been shut down/);
    });
  }
});
