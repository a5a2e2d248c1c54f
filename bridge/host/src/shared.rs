//! A latch that several processes share through a store that compares and sets, and what this one has not told the store yet.
//!
//! The store is the authority: what it holds replaces what is known here, and then what was done here since is done again on
//! top. So of two processes that roll back at once both rollbacks stand, and a notebook that somebody has re-armed elsewhere is
//! not rolled back by an old copy.

use std::collections::VecDeque;

use bridge_core::{Closed, Kill, Latch, Scope, StateError};
use registry::Now;

/// Changes that wait for the store. A latch holds a thousand notebooks at most; what is more closes everywhere.
const MAX_UNSENT: usize = 2_000;

/// What was done to the latch here.
#[derive(Clone, Debug)]
enum Change {
    Close(Closed),
    Rearm { now: Now, scope: Scope, by: Option<String>, reason: String },
    Kill(Kill),
    Unkill { reason: String },
}

/// What to write into the store, if it still holds what was read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Offer {
    /// The latch as a text.
    pub state: String,
    /// How many changes that settles.
    pub changes: usize,
}

/// What the store does not know yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct SharedLatch {
    unsent: VecDeque<Change>,
}

impl SharedLatch {
    /// What is closed now and was not before.
    pub(crate) fn note_closed(&mut self, before: &Latch, now: &Latch) {
        let was_closed = |closed: &&Closed| !before.closed().any(|known| known.scope == closed.scope);
        now.closed().filter(was_closed).for_each(|closed| self.note(Change::Close(closed.clone())));
    }

    pub(crate) fn note_rearmed(&mut self, now: Now, scope: &Scope, by: Option<&str>, reason: &str) {
        let (scope, by, reason) = (scope.clone(), by.map(str::to_owned), reason.to_owned());
        self.note(Change::Rearm { now, scope, by, reason });
    }

    pub(crate) fn note_killed(&mut self, kill: Kill) {
        self.note(Change::Kill(kill));
    }

    pub(crate) fn note_unkilled(&mut self, reason: &str) {
        self.note(Change::Unkill { reason: reason.to_owned() });
    }

    fn note(&mut self, change: Change) {
        self.unsent.push_back(change);
        while self.unsent.len() > MAX_UNSENT {
            self.unsent.pop_front();
        }
    }

    /// The latch that the store holds, with what was done here since.
    pub(crate) fn on_top_of(&self, state: Option<&str>) -> Result<Latch, StateError> {
        let mut latch = state.map_or_else(|| Ok(Latch::default()), Latch::restore)?;
        for change in &self.unsent {
            match change {
                Change::Close(closed) => drop(latch.close(closed.clone())),
                // Somebody else may have opened it as well.
                Change::Rearm { now, scope, by, reason } => drop(latch.rearm(*now, scope, by.as_deref(), reason)),
                Change::Kill(kill) => latch.kill(kill.clone()),
                Change::Unkill { reason } => drop(latch.unkill(reason)),
            }
        }
        Ok(latch)
    }

    pub(crate) fn offer(&self, latch: &Latch) -> Option<Offer> {
        (!self.unsent.is_empty()).then(|| Offer { state: latch.state(), changes: self.unsent.len() })
    }

    /// The store has taken so many changes.
    pub(crate) fn sent(&mut self, changes: usize) {
        self.unsent.drain(..changes.min(self.unsent.len()));
    }
}
