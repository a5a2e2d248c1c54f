// How do committed events become rows?
import assert from "node:assert/strict";
import { test } from "node:test";
import { events, schema } from "../schema.js";
import { commit, tables, type EncodedEvent, type JsonValue, type TableDump } from "../store.js";
import { withStore } from "./withStore.js";

const AT = "2026-03-01T10:00:00.000Z";

const cell = (id: string): EncodedEvent => ({
  name: "v2.CellCreated",
  args: { id, fractionalIndex: "a0", cellType: "code", createdBy: "ada" },
});
const request = (queueId: string, cellId: string, executionCount = 1): EncodedEvent => ({
  name: "v1.ExecutionRequested",
  args: { queueId, cellId, executionCount, requestedBy: "ada" },
});
const completed = (queueId: string, status: string): EncodedEvent => ({
  name: "v1.ExecutionCompleted",
  args: { queueId, cellId: "c1", status, completedAt: AT, executionDurationMs: 12 },
});
const inline = (data: JsonValue) => ({ type: "inline", data });
const display = (id: string, representations: JsonValue, displayId?: string): EncodedEvent => ({
  name: "v1.MultimediaDisplayOutputAdded",
  args: { id, cellId: "c1", position: 0, representations, ...(displayId === undefined ? {} : { displayId }) },
});
const stdout = (id: string, cellId: string, data: string): EncodedEvent => ({
  name: "v1.TerminalOutputAdded",
  args: { id, cellId, position: 0, content: inline(data), streamName: "stdout" },
});

/** The rows after `events`, reduced to the columns in question. */
const check = async <K extends keyof TableDump>(
  events: readonly EncodedEvent[],
  table: K,
  columns: readonly string[],
  expected: readonly (readonly JsonValue[])[],
): Promise<void> => {
  const rows = await withStore((store) => {
    commit(store, ...events);
    return tables(store)[table];
  });
  assert.deepEqual(
    rows.map((row) => columns.map((column) => row[column])),
    expected,
  );
};

test("an execution request queues its cell, and one with a known id leaves the entry alone", () =>
  withStore((store) => {
    commit(store, cell("c1"), request("q1", "c1", 1), completed("q1", "success"), request("q1", "c1", 2));
    const { cells, executionQueue } = tables(store);
    assert.deepEqual([cells[0]?.["executionState"], cells[0]?.["executionCount"]], ["queued", 2]);
    assert.deepEqual([executionQueue[0]?.["status"], executionQueue[0]?.["executionCount"]], ["completed", 1]);
    assert.equal(executionQueue[0]?.["completedAt"], AT);
  }));

test("a completion that is not a success fails the entry", () =>
  check(
    [cell("c1"), ...["q1", "q2", "q3"].map((id) => request(id, "c1"))].concat(
      ["success", "error", "cancelled"].map((status, index) => completed(`q${index + 1}`, status)),
    ),
    "executionQueue",
    ["id", "status"],
    [
      ["q1", "completed"],
      ["q2", "failed"],
      ["q3", "failed"],
    ],
  ));

test("a cancelled execution makes its cell idle", () =>
  check(
    [
      cell("c1"),
      request("q1", "c1"),
      { name: "v1.ExecutionCancelled", args: { queueId: "q1", cellId: "c1", cancelledBy: "bob", reason: "stop" } },
    ],
    "cells",
    ["executionState"],
    [["idle"]],
  ));

test("a waiting clear takes effect with the next output of its own cell", () =>
  check(
    [
      stdout("o1", "c1", "old"),
      { name: "v1.CellOutputsCleared", args: { cellId: "c1", wait: true, clearedBy: "ada" } },
      stdout("o2", "c2", "elsewhere"),
      stdout("o3", "c1", "new"),
      stdout("o4", "c1", "newer"),
    ],
    "outputs",
    ["id", "data"],
    [
      ["o2", "elsewhere"],
      ["o3", "new"],
      ["o4", "newer"],
    ],
  ));

test("a display updates earlier displays of its display id, but only with a known MIME type", () =>
  check(
    [
      display("o1", { "text/plain": inline("one") }, "d"),
      display("o2", { "text/plain": inline("two"), "text/html": inline("<b>two</b>") }, "d"),
      display("o3", { "x/unknown": inline("three") }, "d"),
    ],
    "outputs",
    ["id", "data", "mimeType"],
    [
      ["o1", "<b>two</b>", "text/html"],
      ["o2", "<b>two</b>", "text/html"],
      ["o3", "", "text/plain"],
    ],
  ));

test("displays prefer JSON to html, results html to JSON", () => {
  const representations = { "application/json": inline({ a: 1 }), "text/html": inline("<i>a</i>") };
  return check(
    [
      display("o1", representations),
      {
        name: "v1.MultimediaResultOutputAdded",
        args: { id: "o2", cellId: "c1", position: 1, representations, executionCount: 1 },
      },
    ],
    "outputs",
    ["mimeType", "data"],
    [
      ["application/json", "[object Object]"],
      ["text/html", "<i>a</i>"],
    ],
  );
});

test("the first version of append changes the output, the second adds a delta", () =>
  withStore((store) => {
    commit(
      store,
      stdout("o1", "c1", "a"),
      { name: "v1.TerminalOutputAppended", args: { outputId: "o1", content: inline("b") } },
      { name: "v1.TerminalOutputAppended", args: { outputId: "gone", content: inline("x") } },
      { name: "v2.TerminalOutputAppended", args: { id: "t1", outputId: "o1", delta: "c", sequenceNumber: 0 } },
    );
    const { outputs, outputDeltas } = tables(store);
    assert.deepEqual(
      outputs.map(({ data }) => data),
      ["ab"],
    );
    assert.deepEqual(outputDeltas, [{ id: "t1", outputId: "o1", delta: "c", sequenceNumber: 0 }]);
  }));

test("presence follows the acting user, and the actor wins over the user", () =>
  check(
    [
      cell("c1"),
      cell("c2"),
      {
        name: "v1.ExecutionRequested",
        args: { queueId: "q1", cellId: "c1", executionCount: 1, requestedBy: "ada", actorId: "agent" },
      },
      { name: "v1.PresenceSet", args: { userId: "ada" } },
    ],
    "presence",
    ["userId", "cellId"],
    [
      ["agent", "c1"],
      ["ada", null],
    ],
  ));

test("a session that starts again replaces its row", () => {
  const started = (canExecuteAi: boolean): EncodedEvent => ({
    name: "v1.RuntimeSessionStarted",
    args: {
      sessionId: "s1",
      runtimeId: "r1",
      runtimeType: "html",
      capabilities: { canExecuteCode: true, canExecuteSql: false, canExecuteAi },
    },
  });
  return check(
    [
      started(false),
      { name: "v1.RuntimeSessionTerminated", args: { sessionId: "s1", reason: "restart" } },
      started(true),
    ],
    "runtimeSessions",
    ["status", "isActive", "canExecuteAi", "availableAiModels"],
    [["starting", true, true, null]],
  );
});

test("every event has a materialiser", () => {
  const names = Object.values(events).map(({ name }) => name);
  assert.equal(names.length, 40);
  for (const name of names) assert.ok(schema.state.materializers.has(name), name);
});
