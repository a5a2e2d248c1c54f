//! The events that the old html runtimes commit, field by field as both generations built them.

use registry::{
    CellId, Container, ErrorOutputAdded, Event, ExecutionAssigned, ExecutionCompleted, ExecutionStarted,
    ExecutionStatus, MultimediaResultOutputAdded, Now, OutputId, QueueEntry, QueueId, Reply, RuntimeSessionStarted,
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
pub(crate) fn completed(entry: &QueueEntry, status: ExecutionStatus, now: Now, duration_ms: u64) -> Event {
    Event::ExecutionCompleted(ExecutionCompleted {
        queue_id: entry.id.clone(),
        cell_id: entry.cell_id.clone(),
        status,
        error: None,
        completed_at: now.timestamp(),
        execution_duration_ms: duration_ms.into(),
    })
}

/// The source as html, at position 0, with empty metadata ([`crate::Quirk::EmptyMetadata`]).
pub(crate) fn output(id: String, cell_id: CellId, code: &str, execution_count: i64) -> Event {
    Event::MultimediaResultOutputAdded(MultimediaResultOutputAdded {
        id: OutputId::from(id),
        cell_id,
        position: 0.into(),
        representations: [("text/html".to_owned(), inline(code))].into_iter().collect(),
        execution_count,
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

/// An unknown cell has the empty source ([`crate::Quirk::MissingCellSucceeds`]).
pub(crate) fn source_or_empty(reply: Reply, cell: &CellId) -> String {
    match reply {
        Reply::Sources(mut sources) => sources.swap_remove(cell).unwrap_or_default(),
        _ => String::new(),
    }
}

fn inline(text: &str) -> Container {
    Container::Inline { data: text.into(), metadata: Some(Map::new()) }
}
