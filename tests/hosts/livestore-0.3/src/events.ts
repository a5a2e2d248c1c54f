/** Every event of the notebook log, as it is committed. What they do to the tables is in `schema`. */
import { Events, Schema } from "@livestore/livestore";

const optional = Schema.optional;
export const CellType = Schema.Literal("code", "markdown", "sql", "raw", "ai");
const Metadata = Schema.Record({ key: Schema.String, value: Schema.Any });

/** One form of an output: the data itself, or the id under which the artifact service keeps it. */
export const Container = Schema.Union(
  Schema.Struct({ type: Schema.Literal("inline"), data: Schema.Any, metadata: optional(Metadata) }),
  Schema.Struct({ type: Schema.Literal("artifact"), artifactId: Schema.String, metadata: optional(Metadata) }),
);
export type Container = typeof Container.Type;

/** MIME type to container. */
export const Representations = Schema.Record({ key: Schema.String, value: Container });
export type Representations = typeof Representations.Type;

const Capabilities = Schema.Struct({
  canExecuteCode: Schema.Boolean,
  canExecuteSql: Schema.Boolean,
  canExecuteAi: Schema.Boolean,
  // Models are described by their providers; the log keeps what they say.
  availableAiModels: optional(Schema.Array(Schema.Any)),
});

export const AiSettings = Schema.Struct({
  temperature: optional(Schema.Number),
  maxTokens: optional(Schema.Int),
  systemPrompt: optional(Schema.String),
});

const OutputDelta = Schema.Struct({
  id: Schema.String,
  outputId: Schema.String,
  delta: Schema.String,
  sequenceNumber: Schema.Number,
});

export const events = {
  notebookInitialized: Events.synced({
    name: "v1.NotebookInitialized",
    schema: Schema.Struct({ id: Schema.String, title: Schema.String, ownerId: Schema.String }),
  }),
  notebookTitleChanged: Events.synced({
    name: "v1.NotebookTitleChanged",
    schema: Schema.Struct({ title: Schema.String }),
  }),
  notebookMetadataSet: Events.synced({
    name: "v1.NotebookMetadataSet",
    schema: Schema.Struct({ key: Schema.String, value: Schema.String }),
  }),

  cellCreated: Events.synced({
    name: "v1.CellCreated",
    schema: Schema.Struct({
      id: Schema.String,
      cellType: CellType,
      position: Schema.Number,
      createdBy: Schema.String,
      actorId: optional(Schema.String),
    }),
  }),
  cellCreated2: Events.synced({
    name: "v2.CellCreated",
    schema: Schema.Struct({
      id: Schema.String,
      fractionalIndex: Schema.String,
      cellType: CellType,
      createdBy: Schema.String,
    }),
  }),
  cellSourceChanged: Events.synced({
    name: "v1.CellSourceChanged",
    schema: Schema.Struct({ id: Schema.String, source: Schema.String, modifiedBy: Schema.String }),
  }),
  cellTypeChanged: Events.synced({
    name: "v1.CellTypeChanged",
    schema: Schema.Struct({ id: Schema.String, cellType: CellType, actorId: optional(Schema.String) }),
  }),
  cellDeleted: Events.synced({
    name: "v1.CellDeleted",
    schema: Schema.Struct({ id: Schema.String, actorId: optional(Schema.String) }),
  }),
  cellMoved: Events.synced({
    name: "v1.CellMoved",
    schema: Schema.Struct({ id: Schema.String, newPosition: Schema.Number, actorId: optional(Schema.String) }),
  }),
  cellMoved2: Events.synced({
    name: "v2.CellMoved",
    schema: Schema.Struct({ id: Schema.String, fractionalIndex: Schema.String, actorId: optional(Schema.String) }),
  }),
  cellSourceVisibilityToggled: Events.synced({
    name: "v1.CellSourceVisibilityToggled",
    schema: Schema.Struct({ id: Schema.String, sourceVisible: Schema.Boolean, actorId: optional(Schema.String) }),
  }),
  cellOutputVisibilityToggled: Events.synced({
    name: "v1.CellOutputVisibilityToggled",
    schema: Schema.Struct({ id: Schema.String, outputVisible: Schema.Boolean, actorId: optional(Schema.String) }),
  }),
  cellAiContextVisibilityToggled: Events.synced({
    name: "v1.CellAiContextVisibilityToggled",
    schema: Schema.Struct({ id: Schema.String, aiContextVisible: Schema.Boolean, actorId: optional(Schema.String) }),
  }),
  presenceSet: Events.synced({
    name: "v1.PresenceSet",
    schema: Schema.Struct({ userId: Schema.String, cellId: optional(Schema.String) }),
  }),

  runtimeSessionStarted: Events.synced({
    name: "v1.RuntimeSessionStarted",
    schema: Schema.Struct({
      sessionId: Schema.String,
      runtimeId: Schema.String,
      runtimeType: Schema.String,
      capabilities: Capabilities,
    }),
  }),
  runtimeSessionStatusChanged: Events.synced({
    name: "v1.RuntimeSessionStatusChanged",
    schema: Schema.Struct({ sessionId: Schema.String, status: Schema.Literal("ready", "busy", "restarting") }),
  }),
  runtimeSessionTerminated: Events.synced({
    name: "v1.RuntimeSessionTerminated",
    schema: Schema.Struct({
      sessionId: Schema.String,
      reason: Schema.Literal("shutdown", "restart", "error", "timeout", "displaced"),
    }),
  }),
  runtimeSessionRenewal: Events.synced({
    name: "v1.RuntimeSessionRenewal",
    schema: Schema.Struct({ sessionId: Schema.String, renewedAt: Schema.Date, validForMs: Schema.Number }),
  }),

  executionRequested: Events.synced({
    name: "v1.ExecutionRequested",
    schema: Schema.Struct({
      queueId: Schema.String,
      cellId: Schema.String,
      executionCount: Schema.Number,
      requestedBy: Schema.String,
      actorId: optional(Schema.String),
    }),
  }),
  executionAssigned: Events.synced({
    name: "v1.ExecutionAssigned",
    schema: Schema.Struct({ queueId: Schema.String, runtimeSessionId: Schema.String }),
  }),
  executionStarted: Events.synced({
    name: "v1.ExecutionStarted",
    schema: Schema.Struct({
      queueId: Schema.String,
      cellId: Schema.String,
      runtimeSessionId: Schema.String,
      startedAt: Schema.Date,
    }),
  }),
  executionCompleted: Events.synced({
    name: "v1.ExecutionCompleted",
    schema: Schema.Struct({
      queueId: Schema.String,
      cellId: Schema.String,
      status: Schema.Literal("success", "error", "cancelled"),
      error: optional(Schema.String),
      completedAt: Schema.Date,
      executionDurationMs: Schema.Number,
    }),
  }),
  executionCancelled: Events.synced({
    name: "v1.ExecutionCancelled",
    schema: Schema.Struct({
      queueId: Schema.String,
      cellId: Schema.String,
      cancelledBy: Schema.String,
      actorId: optional(Schema.String),
      reason: Schema.String,
    }),
  }),

  multimediaDisplayOutputAdded: Events.synced({
    name: "v1.MultimediaDisplayOutputAdded",
    schema: Schema.Struct({
      id: Schema.String,
      cellId: Schema.String,
      position: Schema.Number,
      representations: Representations,
      displayId: optional(Schema.String),
    }),
  }),
  multimediaDisplayOutputUpdated: Events.synced({
    name: "v1.MultimediaDisplayOutputUpdated",
    schema: Schema.Struct({ displayId: Schema.String, representations: Representations }),
  }),
  multimediaResultOutputAdded: Events.synced({
    name: "v1.MultimediaResultOutputAdded",
    schema: Schema.Struct({
      id: Schema.String,
      cellId: Schema.String,
      position: Schema.Number,
      representations: Representations,
      executionCount: Schema.Number,
    }),
  }),
  terminalOutputAdded: Events.synced({
    name: "v1.TerminalOutputAdded",
    schema: Schema.Struct({
      id: Schema.String,
      cellId: Schema.String,
      position: Schema.Number,
      content: Container,
      streamName: Schema.Literal("stdout", "stderr"),
    }),
  }),
  terminalOutputAppended: Events.synced({
    name: "v1.TerminalOutputAppended",
    schema: Schema.Struct({ outputId: Schema.String, content: Container }),
  }),
  terminalOutputAppended2: Events.synced({ name: "v2.TerminalOutputAppended", schema: OutputDelta }),
  markdownOutputAdded: Events.synced({
    name: "v1.MarkdownOutputAdded",
    schema: Schema.Struct({
      id: Schema.String,
      cellId: Schema.String,
      position: Schema.Number,
      content: Container,
    }),
  }),
  markdownOutputAppended: Events.synced({
    name: "v1.MarkdownOutputAppended",
    schema: Schema.Struct({ outputId: Schema.String, content: Container }),
  }),
  markdownOutputAppended2: Events.synced({ name: "v2.MarkdownOutputAppended", schema: OutputDelta }),
  errorOutputAdded: Events.synced({
    name: "v1.ErrorOutputAdded",
    schema: Schema.Struct({
      id: Schema.String,
      cellId: Schema.String,
      position: Schema.Number,
      content: Container,
    }),
  }),
  cellOutputsCleared: Events.synced({
    name: "v1.CellOutputsCleared",
    schema: Schema.Struct({ cellId: Schema.String, wait: Schema.Boolean, clearedBy: Schema.String }),
  }),

  aiSettingsChanged: Events.synced({
    name: "v1.AiSettingsChanged",
    schema: Schema.Struct({
      cellId: Schema.String,
      provider: Schema.String,
      model: Schema.String,
      settings: AiSettings,
    }),
  }),
  sqlConnectionChanged: Events.synced({
    name: "v1.SqlConnectionChanged",
    schema: Schema.Struct({
      cellId: Schema.String,
      connectionId: optional(Schema.String),
      changedBy: Schema.String,
    }),
  }),
  sqlResultVariableChanged: Events.synced({
    name: "v1.SqlResultVariableChanged",
    schema: Schema.Struct({
      cellId: Schema.String,
      resultVariable: optional(Schema.String),
      changedBy: Schema.String,
    }),
  }),
  actorProfileSet: Events.synced({
    name: "v1.ActorProfileSet",
    schema: Schema.Struct({
      id: Schema.String,
      type: Schema.Literal("human", "runtime_agent"),
      displayName: Schema.String,
      avatar: optional(Schema.String),
    }),
  }),
  toolApprovalRequested: Events.synced({
    name: "v1.ToolApprovalRequested",
    schema: Schema.Struct({
      toolCallId: Schema.String,
      cellId: Schema.String,
      toolName: Schema.String,
      arguments: Schema.Record({ key: Schema.String, value: Schema.Any }),
      requestedAt: Schema.Date,
    }),
  }),
  toolApprovalResponded: Events.synced({
    name: "v1.ToolApprovalResponded",
    schema: Schema.Struct({
      toolCallId: Schema.String,
      status: Schema.Literal("approved_once", "approved_always", "denied"),
      approvedBy: Schema.String,
      respondedAt: Schema.Date,
    }),
  }),
};
