//! Does every store keep the contract of `bridge_host::store::Store`?
//!
//! The contract is one list of questions, asked of each store. What only a file can do, or survive, is in the modules below.

mod contract;
mod file;
mod killed;
mod random;

use bridge_host::store::memory::MemoryStore;
use bridge_host::store::sqlite::SqliteStore;
use bridge_host::store::{Record, Seq, Store};
use registry::{Event, NotebookId, NotebookState};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Somewhere that stores can be made.
trait Place {
    type Store: Store;

    fn new() -> Self;

    /// The store of a notebook; one that is new is empty.
    fn notebook(&self, id: &str) -> Self::Store;

    fn store(&self) -> Self::Store {
        self.notebook("nb")
    }
}

struct Memory;

impl Place for Memory {
    type Store = MemoryStore;

    fn new() -> Self {
        Self
    }

    fn notebook(&self, _id: &str) -> MemoryStore {
        MemoryStore::new()
    }
}

/// A folder with one file.
struct File {
    dir: TempDir,
}

impl File {
    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("notebooks.db")
    }
}

impl Place for File {
    type Store = SqliteStore;

    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn notebook(&self, id: &str) -> SqliteStore {
        SqliteStore::open(self.path(), NotebookId::from(id)).unwrap()
    }
}

fn event(name: &str, args: Value) -> Event {
    Event::from_parts(name, args).unwrap()
}

fn cell(id: &str) -> Event {
    event("v2.CellCreated", json!({ "id": id, "fractionalIndex": "a0", "cellType": "code", "createdBy": "user" }))
}

/// The whole log.
fn log(store: &impl Store) -> Vec<Record> {
    store.read(Seq::FIRST, usize::MAX).unwrap()
}

/// The tables that a log makes.
fn replayed(log: &[Record]) -> NotebookState {
    let mut state = NotebookState::new();
    log.iter().for_each(|record| state.apply(&record.event));
    state
}
