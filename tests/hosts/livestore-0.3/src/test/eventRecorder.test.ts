// What does a host see of the commits to its store?
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordCommits, type RecordedEvent } from "../eventRecorder.js";
import { events } from "../schema.js";
import { commit, tables } from "../store.js";
import { withStore } from "./withStore.js";

const sessionStarted = {
  name: "v1.RuntimeSessionStarted",
  args: {
    sessionId: "s1",
    runtimeId: "r1",
    runtimeType: "html",
    capabilities: { canExecuteCode: true, canExecuteSql: false, canExecuteAi: false },
  },
} as const;

test("events are recorded as the log spells them, before they take effect", () =>
  withStore((store) => {
    const seen: [RecordedEvent, number][] = [];
    recordCommits(store, (recorded) => {
      for (const event of recorded) seen.push([event, tables(store).runtimeSessions.length]);
    });
    store.commit(
      events.runtimeSessionStarted(sessionStarted.args),
      events.executionStarted({
        queueId: "q1",
        cellId: "c1",
        runtimeSessionId: "s1",
        startedAt: new Date("2026-03-01T10:00:00Z"),
      }),
    );
    const startedAt = "2026-03-01T10:00:00.000Z";
    assert.deepEqual(seen, [
      [sessionStarted, 0],
      [
        { name: "v1.ExecutionStarted", args: { queueId: "q1", cellId: "c1", runtimeSessionId: "s1", startedAt } },
        0,
      ],
    ]);
    assert.equal(tables(store).runtimeSessions.length, 1);
  }));

test("keys that the schema strips are recorded as dropped, unset ones are not", () =>
  withStore((store) => {
    const seen: RecordedEvent[] = [];
    recordCommits(store, (recorded) => seen.push(...recorded));
    const capabilities = { ...sessionStarted.args.capabilities, availableAiModels: undefined, supportsRestart: true };
    store.commit({ name: "v1.RuntimeSessionStarted", args: { ...sessionStarted.args, capabilities } });
    assert.deepEqual(seen, [{ ...sessionStarted, dropped: { capabilities: { supportsRestart: true } } }]);
  }));

test("what the observer throws reaches the committer, and nothing is committed", () =>
  withStore((store) => {
    const stop = recordCommits(store, () => {
      throw new Error("commit exploded");
    });
    assert.throws(() => commit(store, sessionStarted), { message: "commit exploded" });
    assert.deepEqual(tables(store).runtimeSessions, []);
    stop();
    commit(store, sessionStarted);
    assert.equal(tables(store).runtimeSessions.length, 1);
  }));

test("commit options and empty commits are no events", () =>
  withStore((store) => {
    const seen: string[] = [];
    recordCommits(store, (recorded) => seen.push(...recorded.map(({ name }) => name)));
    store.commit();
    store.commit({ label: "start" }, events.runtimeSessionStarted(sessionStarted.args));
    assert.deepEqual(seen, ["v1.RuntimeSessionStarted"]);
  }));

test("a recorder that stops beneath another one leaves it in place", () =>
  withStore((store) => {
    const seen: string[] = [];
    const stopFirst = recordCommits(store, () => seen.push("first"));
    recordCommits(store, () => seen.push("second"));
    stopFirst();
    commit(store, sessionStarted);
    assert.deepEqual(seen, ["second"]);
  }));
