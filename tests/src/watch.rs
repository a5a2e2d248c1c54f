//! What the live query shows of a store in memory: see [`bridge_host::sql::WATCH`].

use bridge_host::step::{Input, SessionElsewhere};
use registry::{NotebookState, Query, QueueId, QueueStatus, Reply};

/// The inputs that bring an owner's notebook up to date.
pub(crate) fn news(state: &NotebookState) -> Vec<Input> {
    let wanted = [QueueStatus::Pending, QueueStatus::Assigned, QueueStatus::Cancelled];
    let ids: Vec<QueueId> =
        state.queue().filter(|row| wanted.contains(&row.status)).map(|row| row.id.clone()).collect();
    let mut news = Vec::new();
    if let Reply::Sessions(sessions) = state.answer(&Query::ActiveSessions) {
        news.push(Input::ActiveSessions { sessions });
    }
    if let Reply::Entries(entries) = state.answer(&Query::Entries(ids)) {
        news.push(Input::Queued { entries });
    }
    news
}

/// The same of agents elsewhere: see [`bridge_host::sql::ELSEWHERE`].
pub(crate) fn elsewhere(state: &NotebookState, with_entries: bool) -> Input {
    let sessions = state.active_sessions().map(|row| SessionElsewhere {
        session_id: row.session_id.clone(),
        runtime_id: row.runtime_id.clone(),
        runtime_type: row.runtime_type.clone(),
    });
    let entries = match state.answer(&Query::OpenEntries) {
        Reply::Entries(entries) => Some(entries).filter(|_| with_entries),
        _ => None,
    };
    Input::Elsewhere { sessions: sessions.collect(), entries }
}
