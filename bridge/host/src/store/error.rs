//! Why a store could not do what it was asked.

use std::path::PathBuf;

use registry::{EventError, NotebookId};

use super::Seq;

/// A failed operation of a store.
///
/// Displays as `notebooks.db: written by a newer version, schema `2``, value last; [`StoreError::hint`] is apart from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has appended first, or the caller is ahead of the log.
    #[error("expected to append at `{expected}`, but the log goes on at `{actual}`")]
    Conflict {
        /// What the caller expected.
        expected: Seq,
        /// Where the log goes on.
        actual: Seq,
    },
    /// An event of the batch could not be read back once written.
    #[error("event {index} of the batch cannot be stored: {source}")]
    Unwritable {
        /// Its place in the batch, from 0.
        index: usize,
        /// What is wrong with it.
        source: EventError,
    },
    /// An event in the file cannot be read.
    #[error("{}: event {seq} of notebook `{notebook}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The notebook.
        notebook: NotebookId,
        /// The event's place in its log.
        seq: Seq,
        /// What is wrong with it.
        source: EventError,
    },
    /// An event is missing in the file.
    #[error("{}: event {missing} of notebook `{notebook}` is missing before `{found}`", path.display())]
    Gap {
        /// The file.
        path: PathBuf,
        /// The notebook.
        notebook: NotebookId,
        /// The place that is empty.
        missing: Seq,
        /// The next place that is not.
        found: Seq,
    },
    /// The file is damaged.
    #[error("{}: damaged: `{detail}`", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's own words.
        detail: String,
    },
    /// The file is no store of ours.
    #[error("not a notebook store: `{}`", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error("{}: written by a newer version, with schema `{found}`", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Another process or connection kept the file locked for as long as this one was willing to wait.
    #[error("locked by another process: `{}`", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no space left.
    #[error("no space left for `{}`", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file may be read, but not written.
    #[error("read-only: `{}`", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file can be neither opened nor created.
    #[error("{}: cannot be opened: `{detail}`", path.display())]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// SQLite's own words.
        detail: String,
    },
    /// What is at the path cannot keep a write-ahead log, so acknowledged events would not survive.
    #[error("{}: no write-ahead log, the journal mode is `{mode}`", path.display())]
    NotDurable {
        /// The path.
        path: PathBuf,
        /// The journal mode that SQLite offers instead.
        mode: String,
    },
    /// Anything else that the operating system or SQLite refuses.
    #[error("{}: failed: `{detail}`", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// SQLite's own words.
        detail: String,
    },
}

impl StoreError {
    /// The cause as a stable name in capitals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "STORE_CONFLICT",
            Self::Unwritable { .. } => "STORE_UNWRITABLE_EVENT",
            Self::Unreadable { .. } => "STORE_UNREADABLE_EVENT",
            Self::Gap { .. } => "STORE_GAP",
            Self::Corrupt { .. } => "STORE_CORRUPT",
            Self::Foreign { .. } => "STORE_FOREIGN",
            Self::Newer { .. } => "STORE_NEWER",
            Self::Locked { .. } => "STORE_LOCKED",
            Self::Full { .. } => "STORE_FULL",
            Self::ReadOnly { .. } => "STORE_READ_ONLY",
            Self::Unopenable { .. } => "STORE_UNOPENABLE",
            Self::NotDurable { .. } => "STORE_NOT_DURABLE",
            Self::Failed { .. } => "STORE_FAILED",
        }
    }

    /// What to do about it, as one imperative sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "catch up with the log and decide anew",
            Self::Unwritable { source, .. } => source.hint(),
            Self::Unreadable { .. } | Self::Gap { .. } => {
                "restore the file from a backup; the events before this one can still be read from it"
            }
            Self::Corrupt { .. } => "restore the file from a backup, or recover a copy of it with sqlite3's `.recover`",
            Self::Foreign { .. } => "name another file, or one that does not exist yet",
            Self::Newer { .. } => "open it with the version that wrote it, or a later one",
            Self::Locked { .. } => "find out what keeps the file locked, or try again later",
            Self::Full { .. } => "free space on the disk and append again; what was acknowledged is safe",
            Self::ReadOnly { .. } => "allow this process to write the file and its directory",
            Self::Unopenable { .. } => "name a file in a directory that exists and that this process may write",
            Self::NotDurable { .. } => "name a file on a local disk",
            Self::Failed { .. } => "read the reason and try again; what was acknowledged is safe",
        }
    }
}
