//! Flags from a file: read once before the first decision, then followed.

use std::error;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use flags::{Applied, DocumentError, LiveFlags, MAX_DOCUMENT_BYTES};

use crate::watch::{Follow, Following, IsOver};
pub use crate::watch::{POLL, SETTLE};

/// A file whose content [`LiveFlags`] follows, until this is dropped.
///
/// Its thread ends by itself within moments of the drop and is never waited for, so that neither keeps a process alive.
#[derive(Debug)]
pub struct FlagFile {
    path: PathBuf,
    _following: Following,
}

/// What became of the file. Each is told once, not again while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// New content is in force.
    Loaded {
        /// The file.
        path: PathBuf,
        /// The generation now in force.
        generation: u64,
    },
    /// The file is back, after having been missing or bad, with the content that stayed in force all the while.
    Restored {
        /// The file.
        path: PathBuf,
        /// The generation in force.
        generation: u64,
    },
    /// The file is there, but its content cannot be used. What was in force stays.
    Rejected {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SourceError,
    },
    /// There is no file. What was in force stays.
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The operating system does not tell of changes, so they are only seen by the poll, up to [`POLL`] late; where
    /// `stopped`, not at all.
    Unwatched {
        /// The file.
        path: PathBuf,
        /// The operating system's own words.
        reason: String,
        /// Whether the poll is missing too, because no thread could be started.
        stopped: bool,
    },
}

/// Why the content of a flag file cannot be used.
///
/// Displays as `/etc/flags.json:4:16: flags.a.state: unknown state`, value last; [`SourceError::hint`] is apart from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is no valid flag document.
    #[error("{}:{}:{}: {}: {}", path.display(), error.place.line, error.place.column, json_path(error), error.cause)]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and where.
        error: DocumentError,
    },
    /// It is not UTF-8.
    #[error("{}: not UTF-8 from byte `{valid_up_to}` on", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The number of bytes before the first that is not UTF-8.
        valid_up_to: usize,
    },
    /// It cannot be read.
    #[error("{}: cannot be read: `{reason}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's own words.
        reason: String,
    },
}

impl SourceError {
    /// The cause as a stable name in capitals; for a document that of its [`DocumentError`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document { error, .. } => error.code(),
            Self::NotText { .. } => "NOT_TEXT",
            Self::Unreadable { .. } => "UNREADABLE",
        }
    }

    /// What to do about it, as one imperative sentence.
    pub fn hint(&self) -> &str {
        match self {
            Self::Document { error, .. } => error.hint(),
            Self::NotText { .. } => "save the file as UTF-8",
            Self::Unreadable { .. } => "make the path a regular file that this process may read",
        }
    }
}

fn json_path(error: &DocumentError) -> &str {
    if error.place.path.is_empty() { "document" } else { &error.place.path }
}

impl SourceEvent {
    /// What to do about it, where something should be done.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Loaded { .. } | Self::Restored { .. } => None,
            Self::Rejected { error, .. } => Some(error.hint()),
            Self::Missing { .. } => Some("create the file; until then the flags in force stay, or there are none"),
            Self::Unwatched { stopped: true, .. } => Some("free threads and open the file again; changes are not seen"),
            Self::Unwatched { stopped: false, .. } => {
                Some("raise the limit of watches (on Linux fs.inotify.max_user_instances); changes are seen by polling")
            }
        }
    }
}

impl fmt::Display for SourceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded { path, generation } => write!(f, "{}: in force as generation {generation}", path.display()),
            Self::Restored { path, generation } => write!(f, "{}: good again, generation {generation}", path.display()),
            Self::Rejected { error, .. } => write!(f, "{error}"),
            Self::Missing { path } => write!(f, "{}: no such flag file", path.display()),
            Self::Unwatched { path, reason, .. } => write!(f, "{}: cannot be watched: `{reason}`", path.display()),
        }
    }
}

impl FlagFile {
    /// Reads the file, applies it to `live`, and follows it from then on.
    ///
    /// Whatever is found at first, an event says so before this returns: on the caller's thread, later ones on the thread of
    /// the source. A missing or bad file is no reason to fail; `live` then stays as it is until the file is good.
    pub fn open(path: impl AsRef<Path>, live: Arc<LiveFlags>, on_event: impl Fn(SourceEvent) + Send + 'static) -> Self {
        Self::polling(path.as_ref(), live, POLL, on_event)
    }

    fn polling(
        path: &Path,
        live: Arc<LiveFlags>,
        poll: Duration,
        on_event: impl Fn(SourceEvent) + Send + 'static,
    ) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let is_over = IsOver::default();
        let mut follower = Follower::new(path.clone(), live, Arc::clone(&is_over), poll, on_event);
        follower.look(Instant::now());
        follower.tell_trouble();
        Self { path, _following: Following::begin(follower, is_over) }
    }

    /// The absolute path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What a look at the file finds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Text(String),
    NotText { valid_up_to: usize },
    Unreadable { reason: String },
    Missing,
}

/// Reads the file when told to and decides what to apply and what to tell. Time is an argument.
struct Follower<F> {
    path: PathBuf,
    live: Arc<LiveFlags>,
    is_over: IsOver,
    poll: Duration,
    on_event: F,
    /// What the last look found.
    found: Option<Found>,
    /// The trouble the last look found, and since when: told once it has lasted for [`SETTLE`].
    unsettled: Option<(SourceEvent, Instant)>,
    /// What was found when trouble was told last, until the file is good again.
    told: Option<Found>,
}

impl<F: Fn(SourceEvent) + Send + 'static> Follower<F> {
    fn new(path: PathBuf, live: Arc<LiveFlags>, is_over: IsOver, poll: Duration, on_event: F) -> Self {
        Self { path, live, is_over, poll, on_event, found: None, unsettled: None, told: None }
    }

    /// Applies what was found, or says what is wrong with it.
    fn consider(&mut self, found: &Found) -> Option<SourceEvent> {
        let path = || self.path.clone();
        let error = match found {
            Found::Missing => return Some(SourceEvent::Missing { path: path() }),
            Found::NotText { valid_up_to } => SourceError::NotText { path: path(), valid_up_to: *valid_up_to },
            Found::Unreadable { reason } => SourceError::Unreadable { path: path(), reason: reason.clone() },
            Found::Text(text) => match self.apply(text)? {
                Err(error) => SourceError::Document { path: path(), error },
                Ok(applied) => {
                    self.tell_good(applied);
                    return None;
                }
            },
        };
        Some(SourceEvent::Rejected { path: path(), error })
    }

    /// Puts a document in force, unless the source has been let go.
    fn apply(&self, text: &str) -> Option<Result<Applied, DocumentError>> {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        (!*is_over).then(|| self.live.apply(text, &self.path.to_string_lossy()))
    }

    fn tell_good(&mut self, Applied { generation, changed }: Applied) {
        let path = self.path.clone();
        let restored = self.told.take().is_some();
        match (changed, restored) {
            (true, _) => (self.on_event)(SourceEvent::Loaded { path, generation }),
            (false, true) => (self.on_event)(SourceEvent::Restored { path, generation }),
            // The first look at content that another source has put in force already.
            (false, false) if self.found.is_none() => (self.on_event)(SourceEvent::Loaded { path, generation }),
            (false, false) => {}
        }
    }

    /// Tells the trouble found last, unless it was told last too: in between there may have been half of a file.
    fn tell_trouble(&mut self) {
        let Some((trouble, _)) = self.unsettled.take() else { return };
        if self.told != self.found {
            self.told.clone_from(&self.found);
            (self.on_event)(trouble);
        }
    }
}

impl<F: Fn(SourceEvent) + Send + 'static> Follow for Follower<F> {
    const THREAD: &'static str = "flag-file";

    fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file. New good content takes effect at once, trouble has to last.
    fn look(&mut self, now: Instant) {
        let found = Found::at(&self.path);
        if self.found.as_ref() != Some(&found) {
            self.unsettled = self.consider(&found).map(|trouble| (trouble, now));
            self.found = Some(found);
        }
        if self.unsettled.as_ref().is_some_and(|(_, since)| now.duration_since(*since) >= SETTLE) {
            self.tell_trouble();
        }
    }

    fn patience(&self) -> Duration {
        match &self.unsettled {
            Some((_, since)) => SETTLE.saturating_sub(since.elapsed()),
            None => self.poll,
        }
    }

    fn tell_unwatched(&self, error: &dyn error::Error, stopped: bool) {
        let reason = error.to_string();
        (self.on_event)(SourceEvent::Unwatched { path: self.path.clone(), reason, stopped });
    }
}

impl Found {
    fn at(path: &Path) -> Self {
        match read(path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Self::Text(text),
                Err(error) => Self::NotText { valid_up_to: error.utf8_error().valid_up_to() },
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Missing,
            Err(error) => Self::Unreadable { reason: error.to_string() },
        }
    }
}

/// The bytes of the file, cut one byte after the largest document that flags would read.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
