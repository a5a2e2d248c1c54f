//! A store that forgets everything when it is dropped: for tests, demos and simulations.

use registry::{Event, NotebookState, Timestamp};

use super::record::encode;
use super::{Record, Seq, Store, StoreError};

/// The log of one notebook in memory. Nobody else can append to it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    log: Vec<Record>,
    state: NotebookState,
}

impl MemoryStore {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn next_seq(&self) -> Seq {
        Seq::FIRST.after(self.log.len())
    }

    fn state(&self) -> &NotebookState {
        &self.state
    }

    fn append(&mut self, expected: Seq, at: Timestamp, events: &[Event]) -> Result<Seq, StoreError> {
        expected.expects(self.next_seq())?;
        for written in encode(events)? {
            self.state.apply(&written.event);
            self.log.push(Record { seq: self.next_seq(), at, event: written.event });
        }
        Ok(self.next_seq())
    }

    fn catch_up(&mut self) -> Result<Seq, StoreError> {
        Ok(self.next_seq())
    }

    fn read(&self, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError> {
        let skipped = usize::try_from(from.0).unwrap_or(usize::MAX);
        Ok(self.log.iter().skip(skipped).take(limit).cloned().collect())
    }
}
