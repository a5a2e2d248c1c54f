//! Stores that a Rust owner keeps its notebooks in: the log of events is the truth, the tables are what it makes.
//!
//! A store is the log of one notebook and belongs to the one thread that owns the notebook. Others may append to the same
//! log, so every append says which sequence number it expects to write next; who is late gets [`StoreError::Conflict`],
//! calls [`Store::catch_up`], and decides anew from the tables.
//!
//! Host stores of the LiveStore kind are not among these: their owner is the JavaScript thread.

mod error;
pub mod memory;
pub(crate) mod record;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use registry::{Event, NotebookState, Query, Reply, Timestamp};

pub use error::StoreError;

/// A place in the log of one notebook. The first event has [`Seq::FIRST`], and no number is ever left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The place of the first event, which is where an empty log is written next.
    pub const FIRST: Self = Self(0);

    /// The place so many events further.
    #[must_use]
    pub fn after(self, events: usize) -> Self {
        Self(self.0.saturating_add(u64::try_from(events).unwrap_or(u64::MAX)))
    }

    /// Whether an append that expects `self` may be written to a log whose next place is `actual`.
    fn expects(self, actual: Self) -> Result<(), StoreError> {
        if self == actual { Ok(()) } else { Err(StoreError::Conflict { expected: self, actual }) }
    }
}

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// When its batch was appended, by the clock of whoever appended it.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
}

/// The event log of one notebook, with the tables that it makes.
pub trait Store {
    /// The place after the last event that the tables hold.
    fn next_seq(&self) -> Seq;

    /// Every table, as of [`Store::next_seq`].
    fn state(&self) -> &NotebookState;

    /// Appends a batch, all of it or nothing, and takes it into the tables. Gives the place after it.
    ///
    /// Events come back from the log as their JSON reads: a number such as `1.0` as the integer that JavaScript writes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the log does not end before `expected`, [`StoreError::Unwritable`] when an event
    /// could not be read back. After either nothing has been written. After any other error the tables are as they were,
    /// but a batch whose acknowledgement failed may still be found in the log: catch up before deciding anew.
    fn append(&mut self, expected: Seq, at: Timestamp, events: &[Event]) -> Result<Seq, StoreError>;

    /// Takes into the tables what others have appended since. Gives the place after it.
    ///
    /// # Errors
    /// When the log cannot be read; the tables then hold the events before the one that could not.
    fn catch_up(&mut self) -> Result<Seq, StoreError>;

    /// The log from a place on, in order, at most `limit` events.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn read(&self, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Answers what a core asks, from the tables.
    fn answer(&self, query: &Query) -> Reply {
        self.state().answer(query)
    }
}
