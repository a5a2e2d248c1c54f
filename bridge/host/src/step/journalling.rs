//! The journal of starts, where a notebook has one: what has side effects is noted before it is entered, and what an earlier
//! process has noted is never entered again, whatever the log has kept of it.

use std::sync::PoisonError;

use bridge_core::Standing;
use registry::{Event, Failure, Now, QueueEntry, QueueId, QueueStatus, RuntimeType};

use super::{Notebook, RuntimeKey};
use crate::journal::SharedJournal;
use crate::store::StoreError;

/// The failure of a commit whose journal is in the hands of a thread that has panicked.
const POISONED: &str = "the journal of starts was left in the middle of a write";

impl Notebook {
    /// Runs cells of this type on the new path, for runtime objects that come from now on; html unless told.
    pub fn serve(&mut self, runtime_type: RuntimeType) {
        self.runtime_type = runtime_type;
    }

    /// Notes starts here from now on, before any session: what is there already was noted by processes before this one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn keep_journal(&mut self, journal: SharedJournal) -> Result<(), StoreError> {
        self.entered_before = journal.lock().unwrap_or_else(PoisonError::into_inner).entered(&self.id)?;
        self.journal = Some(journal);
        Ok(())
    }

    /// Notes the executions that these events start. What cannot be noted must not be entered.
    pub(super) fn note_starts(&mut self, now: Now, runtime: RuntimeKey, events: &[Event]) -> Result<(), Failure> {
        let Some(journal) = &self.journal else { return Ok(()) };
        if !self.seats.get(&runtime).is_some_and(|seat| seat.agent.runtime_type().has_side_effects) {
            return Ok(());
        }
        let started = |event: &Event| match event {
            Event::ExecutionStarted(started) => Some(started.queue_id.clone()),
            _ => None,
        };
        let started: Vec<QueueId> = events.iter().filter_map(started).collect();
        if started.is_empty() {
            return Ok(());
        }
        let mut journal = journal.lock().map_err(|_| Failure::new(POISONED))?;
        journal.enter(now, &self.id, &started).map_err(|error| Failure::new(error.to_string()))
    }

    /// True for an entry that is open in the log although it has been entered before this process began.
    pub(super) fn was_entered_before(&self, entry: &QueueEntry) -> bool {
        let is_open = matches!(entry.status, QueueStatus::Pending | QueueStatus::Assigned | QueueStatus::Executing);
        is_open
            && self.entered_before.contains(&entry.id)
            && !matches!(self.ledger.standing(&entry.id), Standing::Terminal(_))
    }
}
