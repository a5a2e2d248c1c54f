//! The reads of a core, answered from the tables.

use indexmap::IndexMap;

use super::{NotebookState, OutputRow, QueueRow};
use crate::event::QueueStatus;
use crate::protocol::{ExecutionRows, Query, QueueEntry, Reply};
use crate::{CellId, QueueId};

impl NotebookState {
    /// Answers what a core asks.
    #[must_use]
    pub fn answer(&self, query: &Query) -> Reply {
        match query {
            Query::ActiveSessions => {
                Reply::Sessions(self.active_sessions().map(|row| row.session_id.clone()).collect())
            }
            Query::PendingById => by_id(self.pending_in_order()),
            Query::AssignedTo(session) => by_id(self.assigned_to(session)),
            Query::OpenEntries => in_order(self.queue().filter(|row| is_open(row))),
            Query::Entries(ids) => in_order(self.queue().filter(|row| ids.contains(&row.id))),
            Query::CellSources(cells) => Reply::Sources(self.sources(cells)),
            Query::Work(session, cells) => {
                let is_active = self.active_sessions().any(|row| row.session_id == *session);
                Reply::Work(is_active.then(|| self.sources(cells)))
            }
            Query::Execution(id) => Reply::Execution(self.execution(id).map(Box::new)),
        }
    }

    fn sources(&self, cells: &[CellId]) -> IndexMap<CellId, String> {
        let source = |id| self.cell(id).map(|cell| (cell.id.clone(), cell.source.clone()));
        cells.iter().filter_map(source).collect()
    }

    fn execution(&self, id: &QueueId) -> Option<ExecutionRows> {
        let row = self.queue_entry(id)?;
        let outputs: Vec<OutputRow> = self.outputs_of(&row.cell_id).cloned().collect();
        let deltas = outputs.iter().flat_map(|output| self.deltas_of(&output.id)).cloned().collect();
        let later = self.queue().skip_while(|other| other.id != row.id).skip(1);
        let is_followed = later.filter(|other| other.cell_id == row.cell_id).any(|other| other.started_at.is_some());
        Some(ExecutionRows {
            entry: entry(row),
            execution_duration_ms: row.execution_duration_ms.clone(),
            source: self.cell(&row.cell_id).map(|cell| cell.source.clone()),
            outputs,
            deltas,
            is_followed,
        })
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
