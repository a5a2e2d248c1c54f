// Does the bridge's adapter keep, on the store of a host, the contract that the bridge's own stores keep?
//
// The questions that a core asks, and their answers, are those of `tests/stores/queries.json`, which the stores in Rust
// answer as well.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { attach, type Changes, commit as commitThrough, read, watch } from "runtime-bridge/livestore";
import { allTables, commit, type EncodedEvent, follow, LIVESTORE, openStore, queryDb, Schema, shutDown } from "../store.js";
import type { JsonValue, Store } from "../store.js";
import { withStore } from "./withStore.js";

interface Asked {
  readonly statements: Readonly<Record<string, string>>;
  readonly cases: readonly {
    readonly name: string;
    readonly commits: readonly (readonly EncodedEvent[])[];
    /** What the live query shows behind each commit. */
    readonly changes: readonly { readonly entries: JsonValue; readonly sessions: JsonValue }[];
    readonly asks: readonly { readonly ask: string; readonly bindValues: string[]; readonly reply: JsonValue }[];
  }[];
}

const QUERIES = new URL("../../../../stores/queries.json", import.meta.url);
const { statements, cases } = JSON.parse(readFileSync(QUERIES, "utf8")) as Asked;

/** Commits as the registry does: what went wrong, or undefined. */
const commitAsRegistry = (store: Store, ...events: readonly EncodedEvent[]): string | undefined => {
  const answer = commitThrough(store, "registry", events as Parameters<typeof commitThrough>[2]);
  return "Err" in answer ? answer.Err.message : undefined;
};

const microtask = (): Promise<void> => Promise.resolve();

/** What an attached store's live query shows from now on, and the function that ends it. */
const watched = (store: Store): { readonly seen: Changes[]; readonly end: () => void } => {
  attach(store, { queryDb, Schema });
  const seen: Changes[] = [];
  return { seen, end: watch(store, (changes) => seen.push(changes)) };
};

for (const { name, commits, changes, asks } of cases) {
  test(`what a core asks: ${name}`, () =>
    withStore(async (store) => {
      const { seen, end } = watched(store);
      await microtask();
      // Nothing is there yet; the first look tells that no session is active.
      assert.deepEqual(seen.splice(0), [{ entries: [], sessions: [] }]);
      for (const [at, events] of commits.entries()) {
        assert.equal(commitAsRegistry(store, ...events), undefined);
        assert.deepEqual(seen, [], "nothing is told within the commit");
        await microtask();
        const shown = seen.splice(0)[0] ?? { entries: [], sessions: null };
        assert.deepEqual(shown, changes[at], `commit ${at}`);
      }
      for (const { ask, bindValues, reply } of asks) {
        const query = statements[ask] ?? assert.fail(`unknown question ${ask}`);
        assert.deepEqual(JSON.parse(read(store, { query, bindValues, reply: "entries" }).raw), reply, ask);
      }
      end();
    }));
}

test("a question that has been answered is answered anew once its answer has changed", () =>
  withStore(async (store) => {
    const capabilities = { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false };
    const session = { sessionId: "s1", runtimeId: "r1", runtimeType: "html", capabilities };
    const query = statements["work"] ?? assert.fail("unknown question");
    const work = (): JsonValue => JSON.parse(read(store, { query, bindValues: ["s1", '["a"]'], reply: "work" }).raw) as JsonValue;
    commit(store, cell, { name: "v1.RuntimeSessionStarted", args: session });
    assert.deepEqual([work(), work()], [{ a: "" }, { a: "" }]);
    commit(store, { name: "v1.CellSourceChanged", args: { id: "a", source: "new", modifiedBy: "ada" } });
    assert.deepEqual(work(), { a: "new" });
    commit(store, { name: "v1.RuntimeSessionTerminated", args: { sessionId: "s1", reason: "displaced" } });
    assert.equal(work(), null);
  }));

const cell: EncodedEvent = {
  name: "v2.CellCreated",
  args: { id: "a", fractionalIndex: "a0", cellType: "code", createdBy: "ada" },
};
const request = (queueId: string): EncodedEvent => ({
  name: "v1.ExecutionRequested",
  args: { queueId, cellId: "a", executionCount: 1, requestedBy: "ada" },
});
const delta: EncodedEvent = {
  name: "v2.TerminalOutputAppended",
  args: { id: "t1", outputId: "o1", delta: "x", sequenceNumber: 0 },
};
const completed = { queueId: "q1", cellId: "a", status: "success", completedAt: "2026-03-01T10:00:00.000Z" };

for (const [what, event, reason] of [
  ["of an unknown name", { name: "v9.Unknown", args: {} }, /^v9\.Unknown: the host's schema has no such event$/],
  ["without a field", { name: "v2.CellCreated", args: { id: "b" } }, /^v2\.CellCreated: .*fractionalIndex/s],
  ["with null for a field", { name: "v1.PresenceSet", args: { userId: "ada", cellId: null } }, /^v1\.PresenceSet: /],
  [
    "with a fraction for a whole number",
    { name: "v1.ExecutionCompleted", args: { ...completed, executionDurationMs: 1.5 } },
    /`executionDurationMs` is no whole number$/,
  ],
] as const) {
  test(`an event ${what} refuses its whole batch, and costs nothing`, () =>
    withStore((store) => {
      watched(store);
      assert.equal(commitAsRegistry(store, cell), undefined);
      const before = allTables(store);
      assert.match(commitAsRegistry(store, request("q1"), event, request("q2")) ?? "", reason);
      assert.deepEqual(allTables(store), before);
      assert.equal(commitAsRegistry(store, request("q1")), undefined);
      assert.equal(allTables(store)["executionQueue"]?.length, 1);
    }));
}

/** A store that will not be closed in order; LiveStore prints what it dies of. */
const openDoomed = (context: TestContext): Promise<Store> => {
  context.mock.method(console, "error", () => undefined);
  return openStore({ storeId: "nb-test" });
};

test("a batch that the database refuses is told as the loss of the store, now and at each commit after it", async (context) => {
  const store = await openDoomed(context);
  watched(store);
  assert.equal(commitAsRegistry(store, cell, delta), undefined);
  assert.match(commitAsRegistry(store, request("q1"), delta) ?? "", /^the store (is lost: .*UNIQUE|keeps nothing any more)/s);
  assert.match(commitAsRegistry(store, request("q2")) ?? "", /^the store keeps nothing any more$/);
  await shutDown(store).catch(() => undefined);
});

test("a store that its host has shut down is told as lost", async (context) => {
  const store = await openDoomed(context);
  watched(store);
  await shutDown(store);
  assert.match(commitAsRegistry(store, cell) ?? "", /^the store keeps nothing any more$/);
});

test("a callback of the host's that throws costs no event, and the live query goes on where the store does", async (context) => {
  const store = await openDoomed(context);
  const query = { query: "SELECT id FROM executionQueue", bindValues: {}, schema: Schema.Array(Schema.Any) };
  const definition = queryDb({ ...query, queriedTables: new Set(["executionQueue"]) }, { label: "host" });
  follow(store, definition, (rows) => {
    if (rows.length === 1) throw new Error("the host's callback threw");
  });
  const { seen } = watched(store);
  await microtask();
  seen.splice(0);
  const failure = commitAsRegistry(store, request("q1"));
  if (LIVESTORE === "0.4") {
    assert.match(failure ?? "", /^the store keeps nothing any more$/);
    return;
  }
  assert.equal(failure, "the host's callback threw");
  assert.equal(commitAsRegistry(store, request("q2")), undefined);
  await microtask();
  assert.deepEqual(
    seen.flatMap(({ entries }) => entries.map(({ id }) => id)),
    ["q1", "q2"],
  );
  await shutDown(store);
});

test("a legacy commit is passed on as it is", (context) =>
  openDoomed(context).then((store) => {
    const passed: unknown[] = [];
    store.commit = ((...events: readonly unknown[]) => passed.push(...events)) as unknown as Store["commit"];
    commitThrough(store, "legacy", [{ name: "v9.Unknown", args: { startedAt: "2026-03-01T10:00:00.000Z" } }]);
    assert.deepEqual(passed, [{ name: "v9.Unknown", args: { startedAt: new Date("2026-03-01T10:00:00.000Z") } }]);
    return shutDown(store);
  }));

test("a detached store has no live query", () =>
  withStore((store) => {
    attach(store, { queryDb, Schema }).detach();
    assert.throws(() => watch(store, () => undefined), { code: "NOT_ATTACHED" });
    commit(store, cell);
  }));
