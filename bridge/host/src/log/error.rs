//! Why a log cannot be read.

use std::path::PathBuf;

use bridge_core::Place;
use registry::EventError;

/// A log that cannot be read.
///
/// Displays with the file first; [`LogError::hint`] is apart from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened.
    #[error("{}: cannot be opened: `{detail}`", path.display())]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        detail: String,
    },
    /// The file is something else.
    #[error("{}: not a log: `{found}`", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// This build reads no databases.
    #[error("not readable by this build, which has no SQLite: `{}`", path.display())]
    NoDatabases {
        /// The file.
        path: PathBuf,
    },
    /// The state of LiveStore, which holds the tables and not the events.
    #[error("not a log but LiveStore's tables: `{}`", path.display())]
    State {
        /// The file.
        path: PathBuf,
    },
    /// An event cannot be read.
    #[error("{}: {place}: {source}", path.display())]
    Event {
        /// The file.
        path: PathBuf,
        /// Where.
        place: Place,
        /// What is wrong with it.
        source: EventError,
    },
    /// A line is no text, or too long to be an event.
    #[error("{}: {place}: {detail}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Where.
        place: Place,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// Events are missing.
    #[error("{}: event {missing} is missing before `{found}`", path.display())]
    Gap {
        /// The file.
        path: PathBuf,
        /// The first number that is missing.
        missing: u64,
        /// The next that is there.
        found: u64,
    },
    /// A process that is gone has left changes beside the file.
    #[error("changes beside it are not merged: `{}`", path.display())]
    Unmerged {
        /// The file.
        path: PathBuf,
    },
    /// Somebody is writing.
    #[error("being written by another process: `{}`", path.display())]
    Busy {
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
    },
    /// SQLite cannot read the file.
    #[error("{}: damaged: `{detail}`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's own words.
        detail: String,
    },
}

impl LogError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unopenable { .. } => "name a file that exists and that this process may read",
            Self::NotALog { .. } => {
                "name a file with `{ \"name\", \"args\" }` a line, a store of ours, or LiveStore's `eventlog@….db`"
            }
            Self::NoDatabases { .. } => "use the command line as it is built in the repository",
            Self::State { .. } => "name the file `eventlog@….db` beside it",
            Self::Event { source, .. } => source.hint(),
            Self::Line { .. } => "write one event a line, as UTF-8",
            Self::Gap { .. } => "copy the file again while nothing has it open",
            Self::Unmerged { .. } => "open it once with the program that wrote it, and close that",
            Self::Busy { .. } => "close the application that has it open, or read a copy made while it was closed",
            Self::Newer { .. } => "read it with the version that wrote it, or a later one",
            Self::Damaged { .. } => "copy the file again while nothing has it open",
        }
    }
}
