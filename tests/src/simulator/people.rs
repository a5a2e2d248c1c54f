//! Users who ask for executions and change their minds, and another process at the same notebook.

use registry::{
    Capabilities, CellCreated, CellDeleted, CellId, CellSourceChanged, CellType, Event, ExecutionAssigned,
    ExecutionCancelled, ExecutionCompleted, ExecutionRequested, ExecutionStarted, ExecutionStatus, QueueId, QueueRow,
    QueueStatus, RuntimeId, RuntimeSessionTerminated, RuntimeType, SessionId, SessionIdentity, TerminationReason,
    UserId, session_events,
};

use super::action::{CELLS, Foreign, Ids, Standing};
use super::oracle::By;
use super::site::Site;

/// Entries that a notebook is asked for at most, unless at once: a longer run shows nothing that several do not.
const MAX_ENTRIES: usize = 60;

impl Site {
    pub(super) fn request(&mut self, count: usize, ids: Ids, in_one_commit: bool) {
        let known = self.requested;
        let count = if known == 0 { count } else { count.min(MAX_ENTRIES.saturating_sub(known)) };
        let name = |number: usize| match ids {
            Ids::Ascending => format!("q{:04}", 5000 + number),
            Ids::Descending => format!("q{:04}", 5000 - number),
            Ids::Repeated => format!("q{:04}", 5000 + number.saturating_sub(3)),
        };
        let requests = (known..known + count).map(|number| {
            Event::ExecutionRequested(ExecutionRequested {
                queue_id: QueueId::from(name(number)),
                cell_id: cell(number % (CELLS + 1)),
                execution_count: 1,
                requested_by: user(),
                actor_id: None,
            })
        });
        let requests: Vec<Event> = requests.collect();
        self.requested += count;
        if in_one_commit {
            self.commit_as(By::User, requests);
        } else {
            requests.into_iter().for_each(|request| self.commit_as(By::User, vec![request]));
        }
    }

    /// Cancels the newest entry in this standing.
    pub(super) fn cancel(&mut self, standing: Standing) {
        let is_meant = |row: &QueueRow| match standing {
            Standing::Pending => row.status == QueueStatus::Pending,
            Standing::Claimed => row.status == QueueStatus::Assigned,
            Standing::Running => row.status == QueueStatus::Executing,
            Standing::Finished => matches!(row.status, QueueStatus::Completed | QueueStatus::Failed),
        };
        let Some(row) = self.store.tables.queue().filter(|row| is_meant(row)).last().cloned() else { return };
        let cancelled = ExecutionCancelled {
            queue_id: row.id,
            cell_id: row.cell_id,
            cancelled_by: user(),
            actor_id: None,
            reason: "user".into(),
        };
        self.commit_as(By::User, vec![Event::ExecutionCancelled(cancelled)]);
    }

    pub(super) fn create(&mut self, number: usize) {
        let created = CellCreated {
            id: cell(number),
            fractional_index: "a0".into(),
            cell_type: CellType::Code,
            created_by: user(),
        };
        self.commit_as(By::User, vec![created.into()]);
    }

    pub(super) fn edit(&mut self, number: usize) {
        self.edits += 1;
        let source = format!("<b>{}</b>", self.edits);
        let edited = CellSourceChanged { id: cell(number), source, modified_by: user() };
        self.commit_as(By::User, vec![edited.into()]);
    }

    pub(super) fn delete(&mut self, number: usize) {
        self.commit_as(By::User, vec![CellDeleted { id: cell(number), actor_id: None }.into()]);
    }

    /// Another process with a runtime of its own; it sees at once when it is displaced, and claims nothing more then.
    pub(super) fn foreign(&mut self, what: Foreign) {
        let events = match what {
            Foreign::Displace => self.foreign_session(),
            Foreign::Claim => self.foreign_claim(),
            Foreign::Start => self.foreign_start(),
            Foreign::Finish => self.foreign_end(),
            Foreign::Leave => self.foreign_leave(),
        };
        self.commit_as(By::Foreign, events);
    }

    fn foreign_session(&mut self) -> Vec<Event> {
        let runtime_id = RuntimeId::from(format!("elsewhere-{}", self.ids.nanoid()));
        let session_id = SessionId::from(format!("{runtime_id}-1"));
        self.foreign = Some(session_id.clone());
        let active = self.store.tables.active_sessions().map(|row| row.session_id.clone()).collect();
        let identity = SessionIdentity { runtime_id, session_id, capabilities: Capabilities::default() };
        session_events(active, &identity, RuntimeType::html().name)
    }

    fn foreign_serving(&self) -> Option<SessionId> {
        let session = self.foreign.clone()?;
        self.store.tables.session(&session).is_some_and(|row| row.is_active).then_some(session)
    }

    fn foreign_claim(&self) -> Vec<Event> {
        let (Some(session), Some(row)) = (self.foreign_serving(), self.store.tables.pending_in_order().next()) else {
            return Vec::new();
        };
        vec![Event::ExecutionAssigned(ExecutionAssigned { queue_id: row.id.clone(), runtime_session_id: session })]
    }

    fn foreign_start(&self) -> Vec<Event> {
        let Some(session) = self.foreign_serving() else { return Vec::new() };
        let row = self.store.tables.assigned_to(&session).next().cloned();
        let start = |row: QueueRow| {
            Event::ExecutionStarted(ExecutionStarted {
                queue_id: row.id,
                cell_id: row.cell_id,
                runtime_session_id: session.clone(),
                started_at: self.now.timestamp(),
            })
        };
        row.map(start).into_iter().collect()
    }

    /// Ends what it has started, displaced or not.
    fn foreign_end(&self) -> Vec<Event> {
        let is_its = |row: &&QueueRow| {
            row.status == QueueStatus::Executing
                && row.assigned_runtime_session == self.foreign
                && self.foreign.is_some()
        };
        let end = |row: &QueueRow| {
            Event::ExecutionCompleted(ExecutionCompleted {
                queue_id: row.id.clone(),
                cell_id: row.cell_id.clone(),
                status: ExecutionStatus::Success,
                error: None,
                completed_at: self.now.timestamp(),
                execution_duration_ms: 1_u64.into(),
            })
        };
        self.store.tables.queue().find(is_its).map(end).into_iter().collect()
    }

    fn foreign_leave(&mut self) -> Vec<Event> {
        let session = self.foreign_serving();
        self.foreign = None;
        let reason = TerminationReason::Shutdown;
        let end = |session_id| Event::RuntimeSessionTerminated(RuntimeSessionTerminated { session_id, reason });
        session.map(end).into_iter().collect()
    }

    /// The other process ends what it has, and goes.
    pub(super) fn foreign_goes(&mut self) {
        while !self.foreign_end().is_empty() {
            self.foreign(Foreign::Finish);
        }
        self.foreign(Foreign::Leave);
    }
}

/// The number behind the last is a cell that never exists.
fn cell(number: usize) -> CellId {
    CellId::from(format!("c{number}"))
}

fn user() -> UserId {
    UserId::from("user")
}
