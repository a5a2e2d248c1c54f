//! What is known of noise, and its store: a file beside the guard's latch.
//!
//! It is learned and written on the shadow's lane. What cannot be read is set aside and told, what cannot be written is told
//! once, and either costs no more than learning it again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use bridge_core::{Comparison, Diagnostic, Lesson, Level, NoiseModel, Observation};

use crate::guarding::BUILD;
use crate::latch::{Durability, LatchFile};

/// The least time between two writes where something has become noise, or is none any more: as for evidence against a candidate,
/// with which it has to keep pace.
const SAVE_NOISE_EVERY: Duration = Duration::from_secs(1);

/// The least time between two writes of counts alone. A crash loses what can be had again.
const SAVE_PAIRS_EVERY: Duration = Duration::from_secs(60);

/// The noise of one environment, which its owner configures and its lane learns.
///
/// The locks: an owner must not wait for a lane that is writing or wedged. None is held over IO but `writing`, for which nobody
/// waits.
#[derive(Clone, Default)]
pub struct Noise {
    model: Arc<Mutex<NoiseModel>>,
    store: Arc<Mutex<Store>>,
    writing: Arc<Mutex<()>>,
}

/// Where it is kept, and what of it is not there yet.
#[derive(Default)]
struct Store {
    file: Option<LatchFile>,
    saved: Option<Instant>,
    /// What was learned since.
    unsaved: Lesson,
    has_told: bool,
    news: Vec<Diagnostic>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Noise {
    /// Keeps it beside this latch from now on. What an earlier process of this build has left there is known when this returns.
    pub fn keep_beside(&self, latch: &Path) -> Vec<Diagnostic> {
        let file = file_beside(latch);
        let read = file.read().map_err(|error| error.to_string());
        let model = read.and_then(|state| match state {
            Some(state) => NoiseModel::restore(BUILD, &state).map_err(|error| error.to_string()),
            None => Ok(None),
        });
        let news = match model {
            Ok(None) => None,
            Ok(Some(model)) => {
                *lock(&self.model) = model;
                None
            }
            Err(reason) => Some(set_aside(&file, &reason)),
        };
        // What is known is in the file, and what becomes noise from now on need not wait.
        let saved = Instant::now().checked_sub(SAVE_NOISE_EVERY);
        *lock(&self.store) = Store { file: Some(file), saved, ..Store::default() };
        news.into_iter().collect()
    }

    /// Whether it is kept beside this latch.
    pub fn is_beside(&self, latch: &Path) -> bool {
        lock(&self.store).file.as_ref().is_some_and(|file| file.path() == file_beside(latch).path())
    }

    /// Tells noise from mismatches and learns; see [`NoiseModel::take`]. What is worth it is written.
    pub(crate) fn take(&self, observation: &Observation, comparison: &mut Comparison) {
        let lesson = lock(&self.model).take(observation.runtime_type(), observation, comparison);
        let is_due = {
            let mut store = lock(&self.store);
            store.unsaved = store.unsaved.max(lesson);
            store.is_due()
        };
        if is_due && let Some(diagnostic) = self.save() {
            lock(&self.store).news.push(diagnostic);
        }
    }

    /// Writes what is not written yet, unless somebody else is about to.
    pub fn save(&self) -> Option<Diagnostic> {
        let _writing = match self.writing.try_lock() {
            Err(TryLockError::WouldBlock) => return None,
            Ok(writing) => writing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let file = lock(&self.store).begin_to_save()?;
        let state = lock(&self.model).state(BUILD);
        let error = file.write(&state, Durability::Process).err()?;
        let is_first = !std::mem::replace(&mut lock(&self.store).has_told, true);
        is_first.then(|| not_saved(&file, &error))
    }

    /// What there is to tell since the last time.
    pub fn news(&self) -> Vec<Diagnostic> {
        std::mem::take(&mut lock(&self.store).news)
    }

    /// What is known, for tests that hold it.
    #[cfg(test)]
    pub(crate) fn model(&self) -> MutexGuard<'_, NoiseModel> {
        lock(&self.model)
    }
}

impl Store {
    fn is_due(&self) -> bool {
        let patience = match self.unsaved {
            Lesson::Nothing => return false,
            Lesson::Pair => SAVE_PAIRS_EVERY,
            Lesson::Noise => SAVE_NOISE_EVERY,
        };
        self.file.is_some() && self.saved.is_none_or(|saved| saved.elapsed() >= patience)
    }

    /// The file to write now; nothing where it has all. A write that fails is not tried again before there is more to write.
    fn begin_to_save(&mut self) -> Option<LatchFile> {
        if self.unsaved == Lesson::Nothing {
            return None;
        }
        self.unsaved = Lesson::Nothing;
        self.saved = Some(Instant::now());
        self.file.clone()
    }
}

fn file_beside(latch: &Path) -> LatchFile {
    LatchFile::at(with_end(LatchFile::at(latch).path(), ".noise"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

/// Makes room for what is learned from now on. One file is kept for people to look at, the last.
fn set_aside(file: &LatchFile, reason: &str) -> Diagnostic {
    let aside = with_end(file.path(), ".unreadable");
    let what_became = match std::fs::rename(file.path(), &aside) {
        Ok(()) => format!("it was set aside as {}", aside.display()),
        Err(error) => format!("it cannot be set aside either: {error}"),
    };
    Diagnostic {
        level: Level::Warning,
        code: "NOISE_UNREADABLE",
        message: format!("{}: what is known of noise cannot be read: {reason}; {what_became}", file.path().display()),
        help: "noise is learned anew: until then what varies by itself counts as different, so that the guard may roll back"
            .to_owned(),
    }
}

fn not_saved(file: &LatchFile, error: &io::Error) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        code: "NOISE_NOT_SAVED",
        message: format!("{}: what is known of noise cannot be written: {error}", file.path().display()),
        help: "it is in force here, and is learned anew by the next process: make the file writable".to_owned(),
    }
}

#[cfg(test)]
mod tests;
