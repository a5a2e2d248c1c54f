//! Arguments of the events about runtime sessions and executions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::kind::{ExecutionStatus, SessionStatus, TerminationReason};
use crate::id::{CellId, QueueId, RuntimeId, SessionId, Timestamp, UserId};

/// `v1.RuntimeSessionStarted`: inserts the session, or replaces one of this id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSessionStarted {
    /// The session.
    pub session_id: SessionId,
    /// The agent.
    pub runtime_id: RuntimeId,
    /// `html`, `python3` and so on; hosts add types.
    pub runtime_type: String,
    /// What the session can do.
    pub capabilities: Capabilities,
}

/// What a session announces that it can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Runs code cells.
    pub can_execute_code: bool,
    /// Runs SQL cells.
    pub can_execute_sql: bool,
    /// Runs AI cells.
    pub can_execute_ai: bool,
    /// The models it offers, as the host describes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_ai_models: Option<Vec<Value>>,
    /// Further keys (`supportedLanguages` and so on): legacy passes them with the event, the schema of hosts strips
    /// them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `v1.RuntimeSessionStatusChanged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSessionStatusChanged {
    /// The session.
    pub session_id: SessionId,
    /// The new status; the schema of hosts takes ready, busy and restarting only.
    pub status: SessionStatus,
}

/// `v1.RuntimeSessionTerminated`: ends a session, by itself or by the one that displaces it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSessionTerminated {
    /// The session.
    pub session_id: SessionId,
    /// Why it ended; no table keeps it.
    pub reason: TerminationReason,
}

/// `v1.RuntimeSessionRenewal` (newer hosts only): a sign of life. Changes no table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSessionRenewal {
    /// The session.
    pub session_id: SessionId,
    /// When.
    pub renewed_at: Timestamp,
    /// For how long the session counts as alive.
    pub valid_for_ms: u64,
}

/// `v1.ExecutionRequested`: a queue entry, pending. An id already there leaves the queue alone, but still sets the cell
/// to queued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionRequested {
    /// The new queue entry.
    pub queue_id: QueueId,
    /// The cell to execute.
    pub cell_id: CellId,
    /// The count shown beside the cell (1, 2, …).
    pub execution_count: i64,
    /// Who asked for it.
    pub requested_by: UserId,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v1.ExecutionAssigned`: a session claims a queue entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionAssigned {
    /// The queue entry.
    pub queue_id: QueueId,
    /// The session that does it.
    pub runtime_session_id: SessionId,
}

/// `v1.ExecutionStarted`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionStarted {
    /// The queue entry.
    pub queue_id: QueueId,
    /// The cell.
    pub cell_id: CellId,
    /// The session that does it.
    pub runtime_session_id: SessionId,
    /// When.
    pub started_at: Timestamp,
}

/// `v1.ExecutionCompleted`: the end of an execution, good or bad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionCompleted {
    /// The queue entry.
    pub queue_id: QueueId,
    /// The cell.
    pub cell_id: CellId,
    /// How it ended.
    pub status: ExecutionStatus,
    /// What went wrong; no table keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When.
    pub completed_at: Timestamp,
    /// How long it took, in milliseconds.
    #[serde(deserialize_with = "crate::json::number")]
    pub execution_duration_ms: Number,
}

/// `v1.ExecutionCancelled`: at any time, even after the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionCancelled {
    /// The queue entry.
    pub queue_id: QueueId,
    /// The cell.
    pub cell_id: CellId,
    /// Who cancelled it.
    pub cancelled_by: UserId,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
    /// Why; no table keeps it.
    pub reason: String,
}
