//! The state of one notebook: the tables that its events become, by the rules of the hosts' LiveStore schema.
//!
//! The rules are total: an event about a row that is gone changes what it can and never fails. The recordings of real
//! stores in `tests/traces` are the oracle for all of them. Tables are read in insertion order, as SQLite reads them.

mod answer;
mod cell;
mod execution;
mod output;
mod presence;
mod representation;
mod row;
mod table;

use serde::{Serialize, Serializer};

pub use row::{
    ActorRow, CellRow, MetadataRow, OutputDeltaRow, OutputRow, PendingClearRow, PresenceRow, QueueRow, SessionRow,
    ToolApprovalRow,
};
use table::Table;

use crate::event::{Event, QueueStatus};
use crate::id::{CellId, OutputId, QueueId, SessionId, ToolCallId, UserId};

/// Every table of one notebook, materialised from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotebookState {
    sessions: Table<SessionId, SessionRow>,
    queue: Table<QueueId, QueueRow>,
    cells: Table<CellId, CellRow>,
    outputs: Table<OutputId, OutputRow>,
    output_deltas: Table<OutputId, OutputDeltaRow>,
    pending_clears: Table<CellId, PendingClearRow>,
    presence: Table<UserId, PresenceRow>,
    metadata: Table<String, MetadataRow>,
    actors: Table<UserId, ActorRow>,
    tool_approvals: Table<ToolCallId, ToolApprovalRow>,
}

impl NotebookState {
    /// A notebook without any event.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next event of the log. Unknown events and renewals change nothing.
    pub fn apply(&mut self, event: &Event) {
        self.apply_to_sessions(event);
        self.apply_to_queue(event);
        self.apply_to_cells(event);
        self.apply_to_outputs(event);
        self.apply_to_presence(event);
        self.apply_to_notebook(event);
    }

    /// The tables that recordings dump, ready to be serialised: see [`Tables`].
    #[must_use]
    pub fn tables(&self) -> Tables<'_> {
        Tables { state: self }
    }

    /// Every queue entry, in request order.
    pub fn queue(&self) -> impl Iterator<Item = &QueueRow> {
        self.queue.rows()
    }

    /// One queue entry.
    #[must_use]
    pub fn queue_entry(&self, id: &QueueId) -> Option<&QueueRow> {
        self.queue.get(id)
    }

    /// The first pending entry in the byte order of the ids: what legacy claims next (`q10` before `q9`).
    #[must_use]
    pub fn pending_by_id(&self) -> Option<&QueueRow> {
        self.pending_in_order().min_by_key(|row| &row.id)
    }

    /// The pending entries, in request order.
    pub fn pending_in_order(&self) -> impl Iterator<Item = &QueueRow> {
        self.queue().filter(|row| row.status == QueueStatus::Pending)
    }

    /// The entries that the session has claimed and not yet started, in request order.
    pub fn assigned_to<'a>(&'a self, session: &'a SessionId) -> impl Iterator<Item = &'a QueueRow> {
        self.queue().filter(move |row| {
            row.status == QueueStatus::Assigned && row.assigned_runtime_session.as_ref() == Some(session)
        })
    }

    /// Every session, in table order.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionRow> {
        self.sessions.rows()
    }

    /// One session.
    #[must_use]
    pub fn session(&self, id: &SessionId) -> Option<&SessionRow> {
        self.sessions.get(id)
    }

    /// The sessions that are not terminated, in table order.
    pub fn active_sessions(&self) -> impl Iterator<Item = &SessionRow> {
        self.sessions().filter(|row| row.is_active)
    }

    /// Every cell, in order of creation; a notebook shows them sorted by `fractional_index`.
    pub fn cells(&self) -> impl Iterator<Item = &CellRow> {
        self.cells.rows()
    }

    /// One cell.
    #[must_use]
    pub fn cell(&self, id: &CellId) -> Option<&CellRow> {
        self.cells.get(id)
    }

    /// Every output, in order of insertion.
    pub fn outputs(&self) -> impl Iterator<Item = &OutputRow> {
        self.outputs.rows()
    }

    /// The outputs of a cell, in order of insertion; a notebook shows them sorted by `position`.
    pub fn outputs_of<'a>(&'a self, cell: &'a CellId) -> impl Iterator<Item = &'a OutputRow> {
        self.outputs().filter(move |row| row.cell_id == *cell)
    }

    /// The deltas appended to an output, in order of insertion.
    pub fn deltas_of<'a>(&'a self, output: &'a OutputId) -> impl Iterator<Item = &'a OutputDeltaRow> {
        self.output_deltas.rows().filter(move |row| row.output_id == *output)
    }

    /// The text of an output: its data, then its deltas in the order of their sequence numbers.
    #[must_use]
    pub fn full_text(&self, output: &OutputId) -> Option<String> {
        let mut text = self.outputs.get(output)?.data.clone().unwrap_or_default();
        let mut deltas: Vec<_> = self.deltas_of(output).collect();
        deltas.sort_by_key(|delta| delta.sequence_number);
        text.extend(deltas.iter().map(|delta| delta.delta.as_str()));
        Some(text)
    }

    /// Where users are; whoever acted last comes last.
    pub fn presence(&self) -> impl Iterator<Item = &PresenceRow> {
        self.presence.rows()
    }

    /// The pending clears, in order of insertion.
    pub fn pending_clears(&self) -> impl Iterator<Item = &PendingClearRow> {
        self.pending_clears.rows()
    }

    /// The value of a metadata key, such as `title`.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata_rows().find(|row| row.key == key).map(|row| row.value.as_str())
    }

    /// All metadata; what was set last comes last.
    pub fn metadata_rows(&self) -> impl Iterator<Item = &MetadataRow> {
        self.metadata.rows()
    }

    /// The profiles of people and agents.
    pub fn actors(&self) -> impl Iterator<Item = &ActorRow> {
        self.actors.rows()
    }

    /// The tool calls that wait, or waited, for approval.
    pub fn tool_approvals(&self) -> impl Iterator<Item = &ToolApprovalRow> {
        self.tool_approvals.rows()
    }
}

/// The tables in the shape of a recording's `tables`: an object of arrays of rows, `runtimeSessions`, `executionQueue`,
/// `cells`, `outputs`, `outputDeltas`, `pendingClears` and `presence` in this order.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    state: &'a NotebookState,
}

impl Serialize for Tables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let state = self.state;
        let mut out = serializer.serialize_struct("Tables", 7)?;
        out.serialize_field("runtimeSessions", &state.sessions)?;
        out.serialize_field("executionQueue", &state.queue)?;
        out.serialize_field("cells", &state.cells)?;
        out.serialize_field("outputs", &state.outputs)?;
        out.serialize_field("outputDeltas", &state.output_deltas)?;
        out.serialize_field("pendingClears", &state.pending_clears)?;
        out.serialize_field("presence", &state.presence)?;
        out.end()
    }
}

#[cfg(test)]
mod tests;
