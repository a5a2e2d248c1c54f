//! Logs as they lie on a disk, to be looked at and never touched: a notebook's events as JSON Lines, in our own store's file,
//! or in the event log that LiveStore's Node adapter keeps.
//!
//! What a file is, its content says. Nothing is written, neither to the file nor beside it.

#[cfg(feature = "sqlite")]
mod database;
mod error;
mod lines;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bridge_core::Place;
use registry::{Event, NotebookId};

pub use error::LogError;

/// What an SQLite file begins with.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{ "name", "args" }` a line.
    JsonLines,
    /// The file of our own SQLite store.
    Store,
    /// The event log of LiveStore 0.3.
    LiveStore03,
    /// The event log of LiveStore 0.4, whose rows also count rebases.
    LiveStore04,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonLines => "JSON Lines",
            Self::Store => "our store",
            Self::LiveStore03 => "LiveStore 0.3",
            Self::LiveStore04 => "LiveStore 0.4",
        })
    }
}

/// The log of one notebook in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The notebook, as the file or its folder is named, or as our store knows it.
    pub notebook: NotebookId,
    /// How it is written.
    pub form: Form,
    /// Events of LiveStore that its sync backend has not confirmed: a rebase may still move them.
    pub unsynced: u64,
    path: PathBuf,
}

impl Log {
    /// Gives the events in the order of the log, each with its place. Events that we do not know are given too.
    ///
    /// # Errors
    /// At the first event that cannot be read; those before it have been given.
    pub fn read(&self, take: &mut dyn FnMut(Place, Event)) -> Result<(), LogError> {
        match self.form {
            Form::JsonLines => lines::read(&self.path, take),
            #[cfg(feature = "sqlite")]
            form => database::read(&self.path, form, &self.notebook, take),
            #[cfg(not(feature = "sqlite"))]
            _ => Err(LogError::NoDatabases { path: self.path.clone() }),
        }
    }
}

/// Finds the logs in a file: one, or of our store's file one per notebook.
///
/// # Errors
/// When the file cannot be read or holds no log.
pub fn open(path: &Path) -> Result<Vec<Log>, LogError> {
    let head = head(path).map_err(|error| LogError::Unopenable { path: path.to_owned(), detail: error.to_string() })?;
    if head.starts_with(SQLITE_MAGIC) {
        return open_database(path);
    }
    let text = head.strip_prefix(lines::BYTE_ORDER_MARK).unwrap_or(&head);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Ok(vec![Log::of(path, Form::JsonLines, name(path), 0)]),
        Some(_) => Err(LogError::NotALog { path: path.to_owned(), found: "neither JSON Lines nor SQLite" }),
        None => Err(LogError::NotALog { path: path.to_owned(), found: "an empty file" }),
    }
}

#[cfg(feature = "sqlite")]
fn open_database(path: &Path) -> Result<Vec<Log>, LogError> {
    database::open(path)
}

#[cfg(not(feature = "sqlite"))]
fn open_database(path: &Path) -> Result<Vec<Log>, LogError> {
    Err(LogError::NoDatabases { path: path.to_owned() })
}

impl Log {
    fn of(path: &Path, form: Form, notebook: NotebookId, unsynced: u64) -> Self {
        Self { notebook, form, unsynced, path: path.to_owned() }
    }
}

/// As much of a file as it takes to tell what it is.
fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut head)?;
    Ok(head)
}

/// The notebook that a file is named after.
fn name(path: &Path) -> NotebookId {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned().into()
}

#[cfg(test)]
mod tests;
