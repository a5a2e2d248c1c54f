//! Executions of agents elsewhere as the tables of a store show them, where nobody hands over the events.
//!
//! A row no longer tells what was there before it. What is made of rows are the fewest events that bring them about: what was
//! cleared again is not among them, an updated display shows what it shows last, and an end in error has no message.

use registry::{
    CellOutputsCleared, Container, ErrorOutputAdded, Event, ExecutionAssigned, ExecutionCompleted, ExecutionRows,
    ExecutionStarted, ExecutionStatus, MarkdownOutputAdded, MarkdownOutputAppended, MultimediaDisplayOutputAdded,
    MultimediaResultOutputAdded, Now, OutputDeltaRow, OutputId, OutputRow, OutputType, QueueEntry, QueueStatus,
    SessionIdentity, StreamName, TerminalOutputAdded, TerminalOutputAppended, UserId,
};
use serde_json::Value;

use super::{Control, Observation, ObservedExecution, Source};
use crate::{Path, Why};

/// An execution that is looked at before it begins, once it has begun, and once it is over.
#[derive(Clone, Debug)]
pub struct SeenExecution {
    entry: QueueEntry,
    rank: u64,
    source: Source,
    /// The outputs that its cell showed before it began, where somebody has looked in time.
    before: Option<Vec<OutputId>>,
    has_begun: bool,
}

impl SeenExecution {
    /// An execution that was seen for the first time, as this row.
    pub fn new(entry: &QueueEntry, rank: u64) -> Self {
        let has_begun = entry.status == QueueStatus::Executing;
        let entry = QueueEntry { status: QueueStatus::Pending, assigned_runtime_session: None, ..entry.clone() };
        Self { entry, rank, source: Source::Unread, before: None, has_begun }
    }

    /// Takes in how its row stands now; true where it has just begun.
    pub fn saw(&mut self, status: QueueStatus) -> bool {
        let begins = status == QueueStatus::Executing && !self.has_begun;
        self.has_begun |= begins;
        begins
    }

    /// Takes in what its cell holds and shows, while it is not over.
    pub fn pin(&mut self, rows: &ExecutionRows) {
        self.source = source(rows);
        if !self.has_begun {
            self.before = Some(rows.outputs.iter().map(|output| output.id.clone()).collect());
        }
    }

    /// It is over: what the tables show of it, under the session that has run it. Nothing where it was never begun.
    pub fn end(
        mut self,
        runtime_type: &str,
        identity: &SessionIdentity,
        rows: &ExecutionRows,
        now: Now,
    ) -> Option<Observation> {
        let has_ended = matches!(rows.entry.status, QueueStatus::Completed | QueueStatus::Failed);
        if !has_ended && !self.has_begun {
            return None;
        }
        if self.source == Source::Unread {
            self.source = source(rows);
        }
        let unclear = match rows.entry.status {
            QueueStatus::Cancelled => Some(Why::Cancelled),
            _ if rows.is_followed => Some(Why::OutputsGone),
            _ => None,
        };
        let execution = ObservedExecution {
            events: self.events(identity, rows, now),
            entry: self.entry,
            rank: self.rank,
            source: self.source,
            refused: Vec::new(),
            unclear,
        };
        Some(Observation {
            serving: Path::Legacy,
            control: Control::External { runtime_type: runtime_type.to_owned() },
            identity: identity.clone(),
            began: now,
            saw_refusal: false,
            executions: vec![execution],
        })
    }

    fn events(&self, identity: &SessionIdentity, rows: &ExecutionRows, now: Now) -> Vec<Event> {
        let (queue_id, cell_id) = (self.entry.id.clone(), self.entry.cell_id.clone());
        let session = identity.session_id.clone();
        let (runtime_session_id, started_at) = (session.clone(), now.timestamp());
        let assigned = ExecutionAssigned { queue_id: queue_id.clone(), runtime_session_id: session };
        let started =
            ExecutionStarted { queue_id: queue_id.clone(), cell_id: cell_id.clone(), runtime_session_id, started_at };
        let mut events = vec![assigned.into(), started.into()];
        let before = self.before.as_deref().unwrap_or_default();
        let is_new = |output: &&OutputRow| !before.contains(&output.id);
        // What is still there of an earlier run was not cleared.
        if rows.outputs.iter().all(|output| is_new(&output)) {
            let cleared_by = UserId::from(format!("runtime-{}", identity.runtime_id));
            events.push(CellOutputsCleared { cell_id: cell_id.clone(), wait: false, cleared_by }.into());
        }
        for output in rows.outputs.iter().filter(is_new) {
            events.push(added(output));
            let deltas = rows.deltas.iter().filter(|delta| delta.output_id == output.id);
            events.extend(deltas.map(|delta| appended(output.output_type, delta)));
        }
        let is_success = rows.entry.status == QueueStatus::Completed;
        let status = if is_success { ExecutionStatus::Success } else { ExecutionStatus::Error };
        let execution_duration_ms = rows.execution_duration_ms.clone().unwrap_or_else(|| 0.into());
        let (error, completed_at) = (None, now.timestamp());
        events
            .push(ExecutionCompleted { queue_id, cell_id, status, error, completed_at, execution_duration_ms }.into());
        events
    }
}

fn text(text: &str) -> Value {
    text.into()
}

fn source(rows: &ExecutionRows) -> Source {
    rows.source.clone().map_or(Source::Missing, Source::Text)
}

/// The event that has made a row.
fn added(row: &OutputRow) -> Event {
    let OutputRow { id, cell_id, position, .. } = row.clone();
    let representations = row.representations.clone().unwrap_or_default();
    match row.output_type {
        OutputType::MultimediaDisplay => {
            let display_id = row.display_id.clone();
            MultimediaDisplayOutputAdded { id, cell_id, position, representations, display_id }.into()
        }
        OutputType::MultimediaResult => {
            let execution_count = row.execution_count.unwrap_or_default();
            MultimediaResultOutputAdded { id, cell_id, position, representations, execution_count }.into()
        }
        OutputType::Terminal => {
            let stream_name = row.stream_name.unwrap_or(StreamName::Stdout);
            TerminalOutputAdded { id, cell_id, position, content: content(row, text), stream_name }.into()
        }
        OutputType::Markdown => MarkdownOutputAdded { id, cell_id, position, content: content(row, text) }.into(),
        OutputType::Error => {
            let parsed = |text: &str| registry::json::from_str(text).unwrap_or_else(|_| text.into());
            ErrorOutputAdded { id, cell_id, position, content: content(row, parsed) }.into()
        }
    }
}

/// What holds a text; the row has it as it was, but for an error, which is there as JSON.
fn content(row: &OutputRow, data: impl Fn(&str) -> Value) -> Container {
    let metadata = row.metadata.clone();
    match &row.artifact_id {
        Some(artifact_id) => Container::Artifact { artifact_id: artifact_id.clone(), metadata },
        None => Container::Inline { data: data(row.data.as_deref().unwrap_or_default()), metadata },
    }
}

fn appended(kind: OutputType, row: &OutputDeltaRow) -> Event {
    let OutputDeltaRow { id, output_id, delta, sequence_number } = row.clone();
    match kind {
        OutputType::Markdown => MarkdownOutputAppended { id, output_id, delta, sequence_number }.into(),
        _ => TerminalOutputAppended { id, output_id, delta, sequence_number }.into(),
    }
}
