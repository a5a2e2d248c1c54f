//! In-flight marks: while a candidate runs on a thread of this process, a file says so. What brings the whole process down
//! (an abort, a stack that overflows) leaves its mark for the next start to find.
//!
//! Beside the guard's latch file `latch` each process keeps `latch.mark-PID-N`, locked for as long as it lives: the operating
//! system lets go of the lock when the process is gone, whatever its number is used for later. Marks go into the page cache,
//! which survives the process and not the machine.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use registry::NotebookId;
use serde::{Deserialize, Serialize};

use crate::lane::MAX_WEDGED;

/// Runs that may be marked at once: those of threads that are away, and the one on duty.
const SLOTS: usize = MAX_WEDGED + 1;

/// The bytes of a slot. A notebook whose id does not fit is not marked; the file has holes where nothing was written.
const SLOT_BYTES: usize = 64 * 1024;

/// Files of one process, one an environment.
const MAX_FILES: u32 = 1000;

/// What a slot begins with while a run is under way. An empty slot begins with anything else.
const RUNNING: u8 = b'!';
const IDLE: u8 = b'.';

/// What is known of a run that never ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The notebook.
    pub notebook: NotebookId,
    /// The candidate's build.
    pub build: String,
    /// When the run began, in milliseconds since 1970.
    pub since_wall_ms: u64,
}

/// The file of this environment.
#[derive(Debug)]
pub struct Marks {
    file: File,
    path: PathBuf,
    latch: PathBuf,
    build: &'static str,
    /// The slots in use. Threads of one lane take and leave them.
    used: Mutex<[bool; SLOTS]>,
}

/// A run that is marked, until this is dropped.
#[derive(Debug)]
pub struct Marked {
    marks: Arc<Marks>,
    slot: usize,
}

impl Marks {
    /// Makes the file beside a latch file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn beside(latch: &Path, build: &'static str) -> io::Result<Self> {
        for n in 0..MAX_FILES {
            let path = sibling(latch, &format!("{}-{n}", process::id()));
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0)?;
                    return Ok(Self { file, path, latch: latch.to_owned(), build, used: Mutex::default() });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "every name for a file of marks is taken"))
    }

    /// Whether this is the file beside that latch.
    pub fn is_beside(&self, latch: &Path) -> bool {
        self.latch == latch
    }

    /// Marks a run. Nothing where it cannot be marked: the shadow goes on without.
    pub fn begin(self: &Arc<Self>, notebook: &NotebookId) -> Option<Marked> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mark = Mark {
            notebook: notebook.clone(),
            build: self.build.to_owned(),
            since_wall_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        };
        let mut text = vec![RUNNING];
        serde_json::to_writer(&mut text, &mark).ok()?;
        text.push(b'\n');
        if text.len() > SLOT_BYTES {
            return None;
        }
        let slot = self.take_slot()?;
        let marked = Marked { marks: Arc::clone(self), slot };
        write_at(&self.file, &text, offset(slot)).ok()?;
        Some(marked)
    }

    /// Clears all marks: the process ends in order, and whatever is under way says nothing.
    pub fn clear(&self) {
        (0..SLOTS).for_each(|slot| self.clear_slot(slot));
    }

    fn clear_slot(&self, slot: usize) {
        // A mark that cannot be cleared says later that a run never ended: too careful, not too little.
        let _ = write_at(&self.file, &[IDLE], offset(slot));
    }

    fn take_slot(&self) -> Option<usize> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = used.iter().position(|is_used| !is_used)?;
        used[slot] = true;
        Some(slot)
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        self.marks.clear_slot(self.slot);
        self.marks.used.lock().unwrap_or_else(PoisonError::into_inner)[self.slot] = false;
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        // Every run has ended: each holds on to this.
        let _ = fs::remove_file(&self.path);
    }
}

/// The marks that processes which are gone have left beside a latch file, and their files, which are the caller's to remove
/// once it has taken note.
///
/// # Errors
/// When the folder cannot be listed; a file that cannot be read is left alone.
pub fn left_beside(latch: &Path) -> io::Result<Vec<Left>> {
    let prefix = sibling(latch, "");
    let folder = prefix.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut left = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(left),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)) {
            left.extend(Left::at(path));
        }
    }
    left.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(left)
}

/// What a process that is gone has left.
#[derive(Debug)]
pub struct Left {
    /// The runs that never ended.
    pub marks: Vec<Mark>,
    path: PathBuf,
    /// Locked, so that no other process takes note of the same.
    _file: File,
}

impl Left {
    /// Nothing where the process that made the file lives.
    fn at(path: PathBuf) -> Option<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
        file.try_lock().ok()?;
        let mut bytes = Vec::new();
        (&file).take((SLOTS * SLOT_BYTES) as u64).read_to_end(&mut bytes).ok()?;
        Some(Self { marks: bytes.chunks(SLOT_BYTES).filter_map(read).collect(), path, _file: file })
    }

    /// Removes the file: what was in it is known elsewhere now.
    pub fn remove(self) {
        // It would be found again at the next start, and say what is known.
        let _ = fs::remove_file(&self.path);
    }
}

fn read(slot: &[u8]) -> Option<Mark> {
    let text = slot.strip_prefix(&[RUNNING])?;
    let end = text.iter().position(|byte| *byte == b'\n')?;
    serde_json::from_slice(&text[..end]).ok()
}

fn sibling(latch: &Path, suffix: &str) -> PathBuf {
    let mut name = latch.file_name().unwrap_or_default().to_owned();
    name.push(format!(".mark-{suffix}"));
    latch.with_file_name(name)
}

fn offset(slot: usize) -> u64 {
    (slot * SLOT_BYTES) as u64
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notebooks(left: &[Left]) -> Vec<&str> {
        left.iter().flat_map(|one| &one.marks).map(|mark| mark.notebook.as_str()).collect()
    }

    /// What the next process finds of a file that this one has left, as if it were gone.
    fn found(marks: &Marks, latch: &Path) -> Vec<String> {
        let copy = sibling(latch, "gone");
        fs::copy(&marks.path, &copy).unwrap();
        let left = left_beside(latch).unwrap();
        let found = notebooks(&left).into_iter().map(str::to_owned).collect();
        left.into_iter().for_each(Left::remove);
        assert!(!copy.exists());
        found
    }

    #[test]
    fn runs_are_marked_while_they_last_each_on_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let latch = folder.path().join("latch");
        let marks = Arc::new(Marks::beside(&latch, "1.0").unwrap());
        assert_eq!(found(&marks, &latch), Vec::<String>::new());
        let first = marks.begin(&NotebookId::from("a long name of a notebook")).unwrap();
        let second = marks.begin(&NotebookId::from("b")).unwrap();
        assert_eq!(found(&marks, &latch), ["a long name of a notebook", "b"]);
        drop(first);
        assert_eq!(found(&marks, &latch), ["b"]);
        let third = marks.begin(&NotebookId::from("c")).unwrap();
        assert_eq!(found(&marks, &latch), ["c", "b"]);
        marks.clear();
        assert_eq!(found(&marks, &latch), Vec::<String>::new());
        drop((second, third, marks));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_living_process_marks_is_its_own_affair() {
        let folder = tempfile::tempdir().unwrap();
        let latch = folder.path().join("latch");
        let marks = [1, 2].map(|_| Arc::new(Marks::beside(&latch, "1.0").unwrap()));
        let _marked = marks[1].begin(&NotebookId::from("a"));
        assert_eq!(left_beside(&latch).unwrap().len(), 0);
    }

    #[test]
    fn no_more_runs_are_marked_than_threads_can_be_away_and_no_id_that_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let marks = Arc::new(Marks::beside(&folder.path().join("latch"), "1.0").unwrap());
        assert!(marks.begin(&NotebookId::from("x".repeat(SLOT_BYTES))).is_none());
        let marked: Vec<_> = (0..SLOTS).map(|_| marks.begin(&NotebookId::from("a")).unwrap()).collect();
        assert!(marks.begin(&NotebookId::from("a")).is_none());
        drop(marked);
        assert!(marks.begin(&NotebookId::from("a")).is_some());
    }

    #[test]
    fn what_is_no_mark_is_none() {
        for text in
            ["", ".", "!", "!{}\n", "!{\"notebook\":\"a\"", ".{\"notebook\":\"a\",\"build\":\"b\",\"sinceWallMs\":1}\n"]
        {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        let text = "!{\"notebook\":\"a\",\"build\":\"b\",\"sinceWallMs\":1}\nwhat an older mark has left";
        assert_eq!(read(text.as_bytes()).unwrap().notebook.as_str(), "a");
    }
}
