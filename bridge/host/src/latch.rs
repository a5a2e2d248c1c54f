//! The latch's store: a file in which a guard's state outlives its process.
//!
//! One environment writes one file. It is replaced as a whole, so that a process that dies in between leaves the old state or
//! the new one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The largest state that is read, in bytes: ten thousand notebooks with evidence take about 3 MB.
const MAX_STATE_BYTES: u64 = 16 * 1024 * 1024;

/// Tells the unfinished files of one process apart.
static WRITES: AtomicU32 = AtomicU32::new(0);

/// The file of one environment's guard.
#[derive(Clone, Debug)]
pub struct LatchFile {
    path: PathBuf,
}

/// Whether a state has to survive a crash of the machine, or only one of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Evidence: the last second of it may be lost.
    Process,
    /// A rollback or its end.
    Machine,
}

impl LatchFile {
    /// The file at this path, which need not exist.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self { path: std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned()) }
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state as it was written last; nothing where there is no file yet.
    ///
    /// # Errors
    /// When the file is there and cannot be read as text.
    pub fn read(&self) -> io::Result<Option<String>> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut state = String::new();
        file.take(MAX_STATE_BYTES).read_to_string(&mut state)?;
        Ok(Some(state))
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// Those of the file system; the file is then as it was.
    pub fn write(&self, state: &str, durability: Durability) -> io::Result<()> {
        let unfinished = self.unfinished();
        let written = self.replace(&unfinished, state, durability);
        if written.is_err() {
            // What is left of it is in nobody's way.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn replace(&self, unfinished: &Path, state: &str, durability: Durability) -> io::Result<()> {
        let mut file = File::create(unfinished)?;
        file.write_all(state.as_bytes())?;
        if durability == Durability::Machine {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(unfinished, &self.path)
    }

    fn unfinished(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{}.new", process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
        self.path.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = LatchFile::at(folder.path().join("latch"));
        assert_eq!(file.read().unwrap(), None);
        for (state, durability) in [("one", Durability::Process), ("two", Durability::Machine)] {
            file.write(state, durability).unwrap();
            assert_eq!(file.read().unwrap().as_deref(), Some(state));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latch");
        fs::create_dir(&path).unwrap();
        let file = LatchFile::at(&path);
        assert!(file.write("state", Durability::Machine).is_err());
        assert!(file.read().is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
