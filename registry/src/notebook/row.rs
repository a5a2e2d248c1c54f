//! The rows of the notebook's tables, with their columns in order. Unset columns are null in JSON, as in the database.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::event::{
    ActorType, AiSettings, ApprovalStatus, CellType, ExecutionState, Metadata, OutputType, QueueStatus,
    Representations, SessionStatus, StreamName,
};
use crate::id::{CellId, DisplayId, OutputId, QueueId, RuntimeId, SessionId, Timestamp, ToolCallId, UserId};

/// A row of `cells`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CellRow {
    /// The cell.
    pub id: CellId,
    /// What it holds.
    pub cell_type: CellType,
    /// Its source.
    pub source: String,
    /// Place in the notebook: cells sort by this text.
    pub fractional_index: Option<String>,
    /// The count of the execution asked for last.
    pub execution_count: Option<i64>,
    /// Where it stands.
    pub execution_state: ExecutionState,
    /// The session that started it last.
    pub assigned_runtime_session: Option<SessionId>,
    /// How long it took last, in milliseconds.
    pub last_execution_duration_ms: Option<Number>,
    /// The connection of an SQL cell.
    pub sql_connection_id: Option<String>,
    /// The variable that takes the result of an SQL cell.
    pub sql_result_variable: Option<String>,
    /// The provider of an AI cell.
    pub ai_provider: Option<String>,
    /// The model of an AI cell.
    pub ai_model: Option<String>,
    /// How an AI cell asks its model.
    pub ai_settings: Option<AiSettings>,
    /// Whether the source shows.
    pub source_visible: bool,
    /// Whether the outputs show.
    pub output_visible: bool,
    /// Whether AI cells see it.
    pub ai_context_visible: bool,
    /// Who created it.
    pub created_by: UserId,
}

/// A row of `executionQueue`. Rows never leave it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueRow {
    /// The queue entry.
    pub id: QueueId,
    /// The cell to execute; it may be gone.
    pub cell_id: CellId,
    /// The count shown beside the cell.
    pub execution_count: i64,
    /// Who asked for it.
    pub requested_by: UserId,
    /// Where it stands.
    pub status: QueueStatus,
    /// The session that claimed it last.
    pub assigned_runtime_session: Option<SessionId>,
    /// When it started last.
    pub started_at: Option<Timestamp>,
    /// When it ended last.
    pub completed_at: Option<Timestamp>,
    /// How long it took last, in milliseconds.
    pub execution_duration_ms: Option<Number>,
}

/// A row of `runtimeSessions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRow {
    /// The session.
    pub session_id: SessionId,
    /// Its agent.
    pub runtime_id: RuntimeId,
    /// `html`, `python3` and so on.
    pub runtime_type: String,
    /// Where it stands.
    pub status: SessionStatus,
    /// False once it is terminated.
    pub is_active: bool,
    /// Runs code cells.
    pub can_execute_code: bool,
    /// Runs SQL cells.
    pub can_execute_sql: bool,
    /// Runs AI cells.
    pub can_execute_ai: bool,
    /// The models it offers.
    pub available_ai_models: Option<Vec<Value>>,
}

/// A row of `outputs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputRow {
    /// The output.
    pub id: OutputId,
    /// Its cell; it may be gone.
    pub cell_id: CellId,
    /// What it is.
    pub output_type: OutputType,
    /// Order among the outputs of the cell.
    #[serde(deserialize_with = "crate::json::number")]
    pub position: Number,
    /// The stream of a terminal output.
    pub stream_name: Option<StreamName>,
    /// The count of a result.
    pub execution_count: Option<i64>,
    /// The name of a display.
    pub display_id: Option<DisplayId>,
    /// The primary content as text; none for a terminal, markdown or error output in an artifact.
    pub data: Option<String>,
    /// The artifact of a terminal, markdown or error output.
    pub artifact_id: Option<String>,
    /// The type of `data`.
    pub mime_type: Option<String>,
    /// Facts about a terminal, markdown or error output.
    pub metadata: Option<Metadata>,
    /// A display or result in each of its types.
    pub representations: Option<Representations>,
}

/// A row of `output_deltas`: text appended to an output. Clearing outputs leaves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputDeltaRow {
    /// The delta.
    pub id: OutputId,
    /// The output; it may be gone.
    pub output_id: OutputId,
    /// The text.
    pub delta: String,
    /// Order among the deltas of the output.
    pub sequence_number: i64,
}

/// A row of `pendingClears`: the next output of the cell clears the others first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingClearRow {
    /// The cell.
    pub cell_id: CellId,
    /// Who cleared it.
    pub cleared_by: UserId,
}

/// A row of `presence`: where a user acted last.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenceRow {
    /// The user.
    pub user_id: UserId,
    /// The cell; none where the user left all cells.
    pub cell_id: Option<CellId>,
}

/// A row of `notebookMetadata`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataRow {
    /// `title`, `ownerId` and so on.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A row of `actors`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorRow {
    /// The actor.
    pub id: UserId,
    /// Person or agent.
    #[serde(rename = "type")]
    pub actor_type: ActorType,
    /// The name to show.
    pub display_name: String,
    /// URL of a picture.
    pub avatar: Option<String>,
}

/// A row of `toolApprovals`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolApprovalRow {
    /// The call.
    pub tool_call_id: ToolCallId,
    /// The cell whose execution made the call.
    pub cell_id: CellId,
    /// The tool.
    pub tool_name: String,
    /// Where the approval stands.
    pub status: ApprovalStatus,
    /// Who answered.
    pub approved_by: Option<UserId>,
    /// When the wait began.
    pub requested_at: Timestamp,
    /// When the answer came.
    pub responded_at: Option<Timestamp>,
}
