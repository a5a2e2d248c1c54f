//! The events that the old html runtime commits, field by field as it built them.

use registry::{
    CellId, Container, ErrorOutputAdded, Event, ExecutionAssigned, ExecutionCompleted, ExecutionStarted,
    ExecutionStatus, MultimediaResultOutputAdded, Now, OutputId, QueueEntry, QueueId, RuntimeSessionStarted,
    RuntimeSessionStatusChanged, RuntimeSessionTerminated, SessionId, SessionIdentity, SessionStatus,
    TerminationReason,
};
use serde_json::Map;

pub(crate) fn started_session(identity: &SessionIdentity) -> Event {
    Event::RuntimeSessionStarted(RuntimeSessionStarted {
        session_id: identity.session_id.clone(),
        runtime_id: identity.runtime_id.clone(),
        runtime_type: "html".to_owned(),
        capabilities: identity.capabilities.clone(),
    })
}

pub(crate) fn ready(session_id: SessionId) -> Event {
    Event::RuntimeSessionStatusChanged(RuntimeSessionStatusChanged { session_id, status: SessionStatus::Ready })
}

pub(crate) fn terminated(session_id: SessionId, reason: TerminationReason) -> Event {
    Event::RuntimeSessionTerminated(RuntimeSessionTerminated { session_id, reason })
}

pub(crate) fn assigned(queue_id: QueueId, runtime_session_id: SessionId) -> Event {
    Event::ExecutionAssigned(ExecutionAssigned { queue_id, runtime_session_id })
}

pub(crate) fn started(entry: &QueueEntry, runtime_session_id: SessionId, now: Now) -> Event {
    Event::ExecutionStarted(ExecutionStarted {
        queue_id: entry.id.clone(),
        cell_id: entry.cell_id.clone(),
        runtime_session_id,
        started_at: now.timestamp(),
    })
}

/// A completion never carries an `error` field ([`crate::Quirk::CompletionWithoutError`]).
pub(crate) fn completed(entry: &QueueEntry, status: ExecutionStatus, now: Now, started_ms: u64) -> Event {
    Event::ExecutionCompleted(ExecutionCompleted {
        queue_id: entry.id.clone(),
        cell_id: entry.cell_id.clone(),
        status,
        error: None,
        completed_at: now.timestamp(),
        execution_duration_ms: now.mono_ms.saturating_sub(started_ms).into(),
    })
}

/// The source as html, at position 0, with the count 1 and empty metadata ([`crate::Quirk::ConstantExecutionCount`],
/// [`crate::Quirk::EmptyMetadata`]).
pub(crate) fn output(id: String, cell_id: CellId, code: &str) -> Event {
    Event::MultimediaResultOutputAdded(MultimediaResultOutputAdded {
        id: OutputId::from(id),
        cell_id,
        position: 0.into(),
        representations: [("text/html".to_owned(), inline(code))].into_iter().collect(),
        execution_count: 1,
    })
}

/// The message as a text behind `Error: ` ([`crate::Quirk::ErrorOutputIsText`]).
pub(crate) fn error_output(id: String, cell_id: CellId, message: &str) -> Event {
    Event::ErrorOutputAdded(ErrorOutputAdded {
        id: OutputId::from(id),
        cell_id,
        position: 0.into(),
        content: inline(&format!("Error: {message}")),
    })
}

fn inline(text: &str) -> Container {
    Container::Inline { data: text.into(), metadata: Some(Map::new()) }
}
