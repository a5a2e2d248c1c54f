//! The journal of starts: which executions have been entered, known on disk before they are.
//!
//! A LiveStore store keeps a commit in memory for some milliseconds before it is on the disk. A process that is killed in
//! between forgets that it has entered an execution, and the next one would enter it again: harmless for html, which has no
//! effects outside of its notebook, and wrong for code. A store that syncs its log before it answers needs no journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use registry::{NotebookId, Now, QueueId};

#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::{KEPT_MS, SqliteJournal};

use crate::store::StoreError;

/// Where starts are noted.
pub trait Journal: Send {
    /// Notes that these executions are about to be entered. They are on the disk when this returns.
    ///
    /// # Errors
    /// When that cannot be said for certain: then they must not be entered.
    fn enter(&mut self, now: Now, notebook: &NotebookId, executions: &[QueueId]) -> Result<(), StoreError>;

    /// Every execution of a notebook that has been noted.
    ///
    /// # Errors
    /// When the journal cannot be read.
    fn entered(&mut self, notebook: &NotebookId) -> Result<BTreeSet<QueueId>, StoreError>;
}

/// The journal that the notebooks of an environment write in turn.
pub type SharedJournal = Arc<Mutex<dyn Journal>>;

/// A journal that ends with the process: for simulations, in which the process ends and the journal does not.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    entered: BTreeMap<NotebookId, BTreeSet<QueueId>>,
}

impl Journal for MemoryJournal {
    fn enter(&mut self, _now: Now, notebook: &NotebookId, executions: &[QueueId]) -> Result<(), StoreError> {
        self.entered.entry(notebook.clone()).or_default().extend(executions.iter().cloned());
        Ok(())
    }

    fn entered(&mut self, notebook: &NotebookId) -> Result<BTreeSet<QueueId>, StoreError> {
        Ok(self.entered.get(notebook).cloned().unwrap_or_default())
    }
}
