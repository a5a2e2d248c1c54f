//! The reads of a core, answered from the tables: in Rust what [`crate::sql`] is in SQL.

use registry::{NotebookState, Query, QueueEntry, QueueRow, QueueStatus, Reply};

/// Answers a query from a notebook's tables.
pub fn answer(state: &NotebookState, query: &Query) -> Reply {
    match query {
        Query::ActiveSessions => Reply::Sessions(state.active_sessions().map(|row| row.session_id.clone()).collect()),
        Query::PendingById => by_id(state.pending_in_order()),
        Query::AssignedTo(session) => by_id(state.assigned_to(session)),
        Query::OpenEntries => in_order(state.queue().filter(|row| is_open(row))),
        Query::Entries(ids) => in_order(state.queue().filter(|row| ids.contains(&row.id))),
        Query::CellSources(cells) => {
            let source = |id| state.cell(id).map(|cell| (cell.id.clone(), cell.source.clone()));
            Reply::Sources(cells.iter().filter_map(source).collect())
        }
    }
}

fn is_open(row: &QueueRow) -> bool {
    matches!(row.status, QueueStatus::Pending | QueueStatus::Assigned | QueueStatus::Executing)
}

fn in_order<'a>(rows: impl Iterator<Item = &'a QueueRow>) -> Reply {
    Reply::Entries(rows.map(entry).collect())
}

fn by_id<'a>(rows: impl Iterator<Item = &'a QueueRow>) -> Reply {
    let mut entries: Vec<_> = rows.map(entry).collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Reply::Entries(entries)
}

fn entry(row: &QueueRow) -> QueueEntry {
    QueueEntry {
        id: row.id.clone(),
        cell_id: row.cell_id.clone(),
        execution_count: row.execution_count,
        status: row.status,
        assigned_runtime_session: row.assigned_runtime_session.clone(),
    }
}
