/**
 * The notebook product's LiveStore schema: every table and materialiser rule of the notebook event log.
 *
 * It is the host's side of the contract. It knows nothing of the runtime bridge, so that what it makes of the
 * bridge's events is an independent witness.
 */
import { makeSchema, Schema, State } from "@livestore/livestore";
import { AiSettings, CellType, events, Representations, type Container } from "./events.js";

export { events };

const id = () => State.SQLite.text({ primaryKey: true });
const text = () => State.SQLite.text();
const textOrNull = () => State.SQLite.text({ nullable: true });
const integerOrNull = () => State.SQLite.integer({ nullable: true });
const jsonOrNull = () => State.SQLite.json({ nullable: true, schema: Schema.Any });
const flag = () => State.SQLite.boolean({ default: true });

export const tables = {
  cells: State.SQLite.table({
    name: "cells",
    columns: {
      id: id(),
      cellType: State.SQLite.text({ schema: CellType }),
      source: State.SQLite.text({ default: "" }),
      fractionalIndex: textOrNull(),
      executionCount: integerOrNull(),
      executionState: State.SQLite.text({
        default: "idle",
        schema: Schema.Literal("idle", "queued", "running", "completed", "error"),
      }),
      assignedRuntimeSession: textOrNull(),
      lastExecutionDurationMs: integerOrNull(),
      sqlConnectionId: textOrNull(),
      sqlResultVariable: textOrNull(),
      aiProvider: textOrNull(),
      aiModel: textOrNull(),
      aiSettings: State.SQLite.json({ nullable: true, schema: AiSettings }),
      sourceVisible: flag(),
      outputVisible: flag(),
      aiContextVisible: flag(),
      createdBy: text(),
    },
  }),
  executionQueue: State.SQLite.table({
    name: "executionQueue",
    columns: {
      id: id(),
      cellId: text(),
      executionCount: State.SQLite.integer(),
      requestedBy: text(),
      status: State.SQLite.text({
        default: "pending",
        schema: Schema.Literal("pending", "assigned", "executing", "completed", "failed", "cancelled"),
      }),
      assignedRuntimeSession: textOrNull(),
      startedAt: State.SQLite.datetime({ nullable: true }),
      completedAt: State.SQLite.datetime({ nullable: true }),
      executionDurationMs: integerOrNull(),
    },
  }),
  runtimeSessions: State.SQLite.table({
    name: "runtimeSessions",
    columns: {
      sessionId: id(),
      runtimeId: text(),
      runtimeType: State.SQLite.text({ default: "python3" }),
      status: State.SQLite.text({ schema: Schema.Literal("starting", "ready", "busy", "restarting", "terminated") }),
      isActive: flag(),
      canExecuteCode: State.SQLite.boolean({ default: false }),
      canExecuteSql: State.SQLite.boolean({ default: false }),
      canExecuteAi: State.SQLite.boolean({ default: false }),
      availableAiModels: jsonOrNull(),
    },
  }),
  outputs: State.SQLite.table({
    name: "outputs",
    columns: {
      id: id(),
      cellId: text(),
      outputType: State.SQLite.text({
        schema: Schema.Literal("multimedia_display", "multimedia_result", "terminal", "markdown", "error"),
      }),
      position: State.SQLite.real(),
      streamName: textOrNull(),
      executionCount: integerOrNull(),
      displayId: textOrNull(),
      data: textOrNull(),
      artifactId: textOrNull(),
      mimeType: textOrNull(),
      metadata: jsonOrNull(),
      representations: State.SQLite.json({ nullable: true, schema: Representations }),
    },
  }),
  outputDeltas: State.SQLite.table({
    name: "output_deltas",
    columns: { id: id(), outputId: text(), delta: text(), sequenceNumber: State.SQLite.integer() },
  }),
  pendingClears: State.SQLite.table({
    name: "pendingClears",
    columns: { cellId: id(), clearedBy: text() },
  }),
  presence: State.SQLite.table({
    name: "presence",
    columns: { userId: id(), cellId: textOrNull() },
  }),
  notebookMetadata: State.SQLite.table({
    name: "notebookMetadata",
    columns: { key: id(), value: text() },
  }),
  actors: State.SQLite.table({
    name: "actors",
    columns: {
      id: id(),
      type: State.SQLite.text({ schema: Schema.Literal("human", "runtime_agent") }),
      displayName: text(),
      avatar: textOrNull(),
    },
  }),
  toolApprovals: State.SQLite.table({
    name: "toolApprovals",
    columns: {
      toolCallId: id(),
      cellId: text(),
      toolName: text(),
      status: State.SQLite.text({
        default: "pending",
        schema: Schema.Literal("pending", "approved_once", "approved_always", "denied"),
      }),
      approvedBy: textOrNull(),
      requestedAt: State.SQLite.datetime(),
      respondedAt: State.SQLite.datetime({ nullable: true }),
    },
  }),
};

/** Richest first: what a display output shows when it has several representations. */
const DISPLAY_MIME_ORDER = [
  "application/vnd.plotly.v1+json",
  "application/vnd.vegalite.v6+json",
  "application/vnd.vegalite.v5+json",
  "application/vnd.vegalite.v4+json",
  "application/vnd.vegalite.v3+json",
  "application/vnd.vegalite.v2+json",
  "application/vnd.vega.v5+json",
  "application/vnd.vega.v4+json",
  "application/vnd.vega.v3+json",
  "application/vnd.jupyter.widget-view+json",
  "application/vnd.jupyter.widget-state+json",
  "application/vnd.dataresource+json",
  "application/vdom.v1+json",
  "application/geo+json",
  "application/json",
  "application/javascript",
  "text/html",
  "image/svg+xml",
  "image/png",
  "image/jpeg",
  "image/gif",
  "text/latex",
  "text/markdown",
  "text/plain",
] as const;

/** A result prefers what a person reads; it is an order of its own, not a part of the display order. */
const RESULT_MIME_ORDER = [
  "text/html",
  "image/png",
  "image/jpeg",
  "image/svg+xml",
  "application/json",
  "text/plain",
] as const;

interface Primary {
  readonly data: string;
  readonly mimeType: string;
}

const inlineText = (container: Container): string => (container.type === "inline" ? String(container.data) : "");

/** What stands for an output of several representations; `0`, `false` and `null` stand for nothing. */
const primaryText = (container: Container): string =>
  container.type === "inline" ? String(container.data || "") : "";

const primaryOf = (representations: Representations, order: readonly string[]): Primary | undefined => {
  for (const mimeType of order) {
    const container = representations[mimeType];
    if (container !== undefined) return { data: primaryText(container), mimeType };
  }
  return undefined;
};

const NOTHING_KNOWN: Primary = { data: "", mimeType: "text/plain" };

// A replaced row moves to the end of the table, and so does a user in the recorded presence rows.
const present = (userId: string, cellId: string | undefined) =>
  tables.presence.insert({ userId, cellId: cellId ?? null }).onConflict("userId", "replace");

const presentIf = (userId: string | undefined, cellId: string) =>
  userId === undefined ? [] : [present(userId, cellId)];

const clearOutputs = (cellId: string) => [
  tables.outputs.delete().where({ cellId }),
  tables.pendingClears.delete().where({ cellId }),
];

/** The materialiser context's query function, reduced to the one question asked through it. */
type HasPendingClear = (query: ReturnType<typeof pendingClearOf>) => readonly unknown[];
const pendingClearOf = (cellId: string) => tables.pendingClears.where({ cellId });

const honourPendingClear = (cellId: string, query: HasPendingClear) =>
  query(pendingClearOf(cellId)).length === 0 ? [] : clearOutputs(cellId);

const updateDisplays = (displayId: string, representations: Representations) => {
  const primary = primaryOf(representations, DISPLAY_MIME_ORDER);
  if (primary === undefined) return [];
  return [tables.outputs.update({ ...primary, representations }).where({ displayId })];
};

/** Outputs of one container, whose data is in the row or with the artifact; `textOf` is given where it is not plain text. */
const containerColumns = (content: Container, textOf: (data: unknown) => string = String) => ({
  data: content.type === "inline" ? textOf(content.data) : null,
  artifactId: content.type === "artifact" ? content.artifactId : null,
  metadata: content.metadata ?? null,
});

const appendText = (outputId: string, content: Container) => ({
  sql: "UPDATE outputs SET data = coalesce(data, '') || $text WHERE id = $outputId",
  bindValues: { outputId, text: inlineText(content) },
  writeTables: new Set(["outputs"]),
});

/** Positions of the first version have no column any more; the index that stands for one sorts alike up to 35. */
const indexOfPosition = (position: number): string => `a${Math.floor(position).toString(36)}`;

const materializers = State.SQLite.materializers(events, {
  "v1.NotebookInitialized": ({ title, ownerId }) => [
    tables.notebookMetadata.insert({ key: "title", value: title }).onConflict("key", "replace"),
    tables.notebookMetadata.insert({ key: "ownerId", value: ownerId }).onConflict("key", "replace"),
  ],
  "v1.NotebookTitleChanged": ({ title }) =>
    tables.notebookMetadata.insert({ key: "title", value: title }).onConflict("key", "replace"),
  "v1.NotebookMetadataSet": ({ key, value }) =>
    tables.notebookMetadata.insert({ key, value }).onConflict("key", "replace"),

  "v1.CellCreated": ({ id, cellType, position, createdBy, actorId }) => [
    tables.cells
      .insert({ id, fractionalIndex: indexOfPosition(position), cellType, createdBy })
      .onConflict("id", "ignore"),
    present(actorId ?? createdBy, id),
  ],
  "v2.CellCreated": ({ id, fractionalIndex, cellType, createdBy }) => [
    tables.cells.insert({ id, fractionalIndex, cellType, createdBy }).onConflict("id", "ignore"),
    present(createdBy, id),
  ],
  "v1.CellSourceChanged": ({ id, source, modifiedBy }) => [
    tables.cells.update({ source }).where({ id }),
    present(modifiedBy, id),
  ],
  "v1.CellTypeChanged": ({ id, cellType, actorId }) => [
    tables.cells.update({ cellType }).where({ id }),
    ...presentIf(actorId, id),
  ],
  "v1.CellDeleted": ({ id, actorId }) => [tables.cells.delete().where({ id }), ...presentIf(actorId, id)],
  "v1.CellMoved": ({ id, newPosition, actorId }) => [
    tables.cells.update({ fractionalIndex: indexOfPosition(newPosition) }).where({ id }),
    ...presentIf(actorId, id),
  ],
  "v2.CellMoved": ({ id, fractionalIndex, actorId }) => [
    tables.cells.update({ fractionalIndex }).where({ id }),
    ...presentIf(actorId, id),
  ],
  "v1.CellSourceVisibilityToggled": ({ id, sourceVisible, actorId }) => [
    tables.cells.update({ sourceVisible }).where({ id }),
    ...presentIf(actorId, id),
  ],
  "v1.CellOutputVisibilityToggled": ({ id, outputVisible, actorId }) => [
    tables.cells.update({ outputVisible }).where({ id }),
    ...presentIf(actorId, id),
  ],
  "v1.CellAiContextVisibilityToggled": ({ id, aiContextVisible, actorId }) => [
    tables.cells.update({ aiContextVisible }).where({ id }),
    ...presentIf(actorId, id),
  ],
  "v1.PresenceSet": ({ userId, cellId }) => present(userId, cellId),

  "v1.RuntimeSessionStarted": ({ sessionId, runtimeId, runtimeType, capabilities }) =>
    tables.runtimeSessions
      .insert({
        sessionId,
        runtimeId,
        runtimeType,
        status: "starting",
        isActive: true,
        canExecuteCode: capabilities.canExecuteCode,
        canExecuteSql: capabilities.canExecuteSql,
        canExecuteAi: capabilities.canExecuteAi,
        availableAiModels: capabilities.availableAiModels ?? null,
      })
      .onConflict("sessionId", "replace"),
  "v1.RuntimeSessionStatusChanged": ({ sessionId, status }) =>
    tables.runtimeSessions.update({ status }).where({ sessionId }),
  "v1.RuntimeSessionTerminated": ({ sessionId }) =>
    tables.runtimeSessions.update({ status: "terminated", isActive: false }).where({ sessionId }),
  "v1.RuntimeSessionRenewal": () => [],

  "v1.ExecutionRequested": ({ queueId, cellId, executionCount, requestedBy, actorId }) => [
    tables.executionQueue
      .insert({ id: queueId, cellId, executionCount, requestedBy, status: "pending" })
      .onConflict("id", "ignore"),
    tables.cells.update({ executionState: "queued", executionCount }).where({ id: cellId }),
    present(actorId ?? requestedBy, cellId),
  ],
  "v1.ExecutionAssigned": ({ queueId, runtimeSessionId }) =>
    tables.executionQueue
      .update({ status: "assigned", assignedRuntimeSession: runtimeSessionId })
      .where({ id: queueId }),
  "v1.ExecutionStarted": ({ queueId, cellId, runtimeSessionId, startedAt }) => [
    tables.executionQueue.update({ status: "executing", startedAt }).where({ id: queueId }),
    tables.cells
      .update({ executionState: "running", assignedRuntimeSession: runtimeSessionId })
      .where({ id: cellId }),
  ],
  "v1.ExecutionCompleted": ({ queueId, cellId, status, completedAt, executionDurationMs }) => [
    tables.executionQueue
      .update({ status: status === "success" ? "completed" : "failed", completedAt, executionDurationMs })
      .where({ id: queueId }),
    tables.cells
      .update({
        executionState: status === "success" ? "completed" : "error",
        lastExecutionDurationMs: executionDurationMs,
      })
      .where({ id: cellId }),
  ],
  "v1.ExecutionCancelled": ({ queueId, cellId, cancelledBy, actorId }) => [
    tables.executionQueue.update({ status: "cancelled" }).where({ id: queueId }),
    tables.cells.update({ executionState: "idle" }).where({ id: cellId }),
    present(actorId ?? cancelledBy, cellId),
  ],

  "v1.MultimediaDisplayOutputAdded": ({ id, cellId, position, representations, displayId }, { query }) => [
    ...honourPendingClear(cellId, query),
    ...(displayId === undefined ? [] : updateDisplays(displayId, representations)),
    tables.outputs
      .insert({
        id,
        cellId,
        outputType: "multimedia_display",
        position,
        displayId: displayId ?? null,
        ...(primaryOf(representations, DISPLAY_MIME_ORDER) ?? NOTHING_KNOWN),
        representations,
      })
      .onConflict("id", "replace"),
  ],
  "v1.MultimediaDisplayOutputUpdated": ({ displayId, representations }) => updateDisplays(displayId, representations),
  "v1.MultimediaResultOutputAdded": ({ id, cellId, position, representations, executionCount }, { query }) => [
    ...honourPendingClear(cellId, query),
    tables.outputs
      .insert({
        id,
        cellId,
        outputType: "multimedia_result",
        position,
        executionCount,
        ...(primaryOf(representations, RESULT_MIME_ORDER) ?? NOTHING_KNOWN),
        representations,
      })
      .onConflict("id", "replace"),
  ],
  "v1.TerminalOutputAdded": ({ id, cellId, position, content, streamName }, { query }) => [
    ...honourPendingClear(cellId, query),
    tables.outputs
      .insert({
        id,
        cellId,
        outputType: "terminal",
        position,
        streamName,
        mimeType: "text/plain",
        ...containerColumns(content),
      })
      .onConflict("id", "replace"),
  ],
  "v1.TerminalOutputAppended": ({ outputId, content }) => appendText(outputId, content),
  "v2.TerminalOutputAppended": (delta) => tables.outputDeltas.insert(delta),
  "v1.MarkdownOutputAdded": ({ id, cellId, position, content }, { query }) => [
    ...honourPendingClear(cellId, query),
    tables.outputs
      .insert({
        id,
        cellId,
        outputType: "markdown",
        position,
        mimeType: "text/markdown",
        ...containerColumns(content),
      })
      .onConflict("id", "replace"),
  ],
  "v1.MarkdownOutputAppended": ({ outputId, content }) => appendText(outputId, content),
  "v2.MarkdownOutputAppended": (delta) => tables.outputDeltas.insert(delta),
  "v1.ErrorOutputAdded": ({ id, cellId, position, content }, { query }) => [
    ...honourPendingClear(cellId, query),
    tables.outputs
      .insert({
        id,
        cellId,
        outputType: "error",
        position,
        mimeType: "application/json",
        ...containerColumns(content, (data) => JSON.stringify(data) ?? ""),
      })
      .onConflict("id", "replace"),
  ],
  "v1.CellOutputsCleared": ({ cellId, wait, clearedBy }) => [
    wait
      ? tables.pendingClears.insert({ cellId, clearedBy }).onConflict("cellId", "replace")
      : tables.outputs.delete().where({ cellId }),
    present(clearedBy, cellId),
  ],

  "v1.AiSettingsChanged": ({ cellId, provider, model, settings }) =>
    tables.cells.update({ aiProvider: provider, aiModel: model, aiSettings: settings }).where({ id: cellId }),
  "v1.SqlConnectionChanged": ({ cellId, connectionId }) =>
    tables.cells.update({ sqlConnectionId: connectionId ?? null }).where({ id: cellId }),
  "v1.SqlResultVariableChanged": ({ cellId, resultVariable }) =>
    tables.cells.update({ sqlResultVariable: resultVariable ?? null }).where({ id: cellId }),
  "v1.ActorProfileSet": ({ id, type, displayName, avatar }) =>
    tables.actors.insert({ id, type, displayName, avatar: avatar ?? null }).onConflict("id", "replace"),
  "v1.ToolApprovalRequested": ({ toolCallId, cellId, toolName, requestedAt }) =>
    tables.toolApprovals
      .insert({ toolCallId, cellId, toolName, status: "pending", requestedAt })
      .onConflict("toolCallId", "replace"),
  "v1.ToolApprovalResponded": ({ toolCallId, status, approvedBy, respondedAt }) =>
    tables.toolApprovals.update({ status, approvedBy, respondedAt }).where({ toolCallId }),
});

export const schema = makeSchema({ events, state: State.SQLite.makeState({ tables, materializers }) });
