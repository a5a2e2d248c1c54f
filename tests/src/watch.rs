//! What the live query shows of a store in memory: see [`bridge_host::sql::WATCH`].

use bridge_host::step::Input;
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
