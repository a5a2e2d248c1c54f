//! The store of mismatch records: a folder with one JSON file a record, and one that counts.
//!
//! It is written on the shadow's lane. What cannot be written is counted and told once; nothing that serves waits for it or
//! fails with it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bridge_core::{
    Case, Diagnostic, Keeper, Level, Mismatch, Record, RecordTotals, Secret, Sighting, Sources, mismatches,
};
use serde::{Deserialize, Serialize};

use crate::latch::{Durability, LatchFile};

/// The file that counts. A record's name is never like it.
const COUNTS: &str = "counts.json";

/// The form of that file.
const COUNTS_SCHEMA: u32 = 1;

/// The end of the name of a file that a process has not finished writing.
const UNFINISHED: &str = ".new";

/// The least time between two writes of counts alone. A crash loses what a storm of mismatches had counted in it.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// The largest file that is read as a record or as counts, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The records of one environment, which its owner configures and its lane writes.
///
/// The locks: the two threads share the folder, and an owner must not wait for a lane that is writing or wedged. So what an
/// owner asks for stands apart, and neither of the outer locks is ever held over IO.
#[derive(Clone, Default)]
pub struct Records {
    folder: Arc<Mutex<Option<Arc<Mutex<Folder>>>>>,
    shown: Arc<Mutex<Shown>>,
}

/// What an owner can see at any time.
#[derive(Default)]
struct Shown {
    status: Option<RecordsStatus>,
    news: Vec<Diagnostic>,
}

/// What an operator sees of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordsStatus {
    /// The folder.
    pub folder: String,
    /// Whether they may hold what users have written.
    pub sources: Sources,
    /// Signatures that are told apart.
    pub signatures: usize,
    /// What was counted, by earlier processes too.
    #[serde(flatten)]
    pub totals: RecordTotals,
}

#[derive(Serialize, Deserialize)]
struct Counts {
    schema: u32,
    keeper: Keeper,
}

struct Folder {
    path: PathBuf,
    sources: Sources,
    secret: Secret,
    keeper: Keeper,
    saved: Instant,
    has_told: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Records {
    /// Writes to this folder from now on. It is read at once: counts go on where another process had left them.
    pub fn configure(&self, folder: &Path, sources: Sources, secret: Secret) -> Vec<Diagnostic> {
        self.save();
        let (folder, news) = Folder::open(folder, sources, secret);
        lock(&self.shown).status = Some(folder.status());
        *lock(&self.folder) = Some(Arc::new(Mutex::new(folder)));
        news
    }

    /// What an operator sees; nothing where no folder is configured.
    pub fn status(&self) -> Option<RecordsStatus> {
        lock(&self.shown).status.clone()
    }

    /// What there is to tell since the last time.
    pub fn news(&self) -> Vec<Diagnostic> {
        std::mem::take(&mut lock(&self.shown).news)
    }

    /// Counts the mismatches of a comparison, and writes down those that are to be kept.
    pub fn take(&self, case: &Case<'_>) {
        let Some(folder) = lock(&self.folder).clone() else { return };
        let mut folder = lock(&folder);
        let news = folder.take(case);
        let mut shown = lock(&self.shown);
        shown.status = Some(folder.status());
        shown.news.extend(news);
    }

    /// Writes the counts, unless the lane is about to.
    pub fn save(&self) {
        let Some(folder) = lock(&self.folder).clone() else { return };
        if let Ok(mut folder) = folder.try_lock() {
            // Whoever ends now can do nothing about it: the records are there, and tell most of the counts.
            let _ = folder.save();
        }
    }
}

impl Folder {
    fn open(path: &Path, sources: Sources, secret: Secret) -> (Self, Vec<Diagnostic>) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut folder =
            Self { path, sources, secret, keeper: Keeper::default(), saved: Instant::now(), has_told: false };
        if let Err(error) = create(&folder.path) {
            let news = folder.tell("cannot be created", &error);
            return (folder, news.into_iter().collect());
        }
        let mut news = Vec::new();
        match folder.read_counts() {
            Ok(keeper) => folder.keeper = keeper.unwrap_or_default(),
            Err(reason) => news.push(folder.counts_lost(&reason)),
        }
        if let Err(error) = folder.find_records() {
            news.extend(folder.tell("cannot be read", &error));
        }
        if let Err(error) = folder.save() {
            news.extend(folder.tell("cannot be written", &error));
        }
        (folder, news)
    }

    fn status(&self) -> RecordsStatus {
        RecordsStatus {
            folder: self.path.display().to_string(),
            sources: self.sources,
            signatures: self.keeper.signatures().count(),
            totals: self.keeper.totals(),
        }
    }

    fn take(&mut self, case: &Case<'_>) -> Option<Diagnostic> {
        let mut outcome = Ok(());
        let mut is_due = false;
        for mismatch in mismatches(case.comparison) {
            let sighting = self.keeper.see(mismatch.signature, wall_ms());
            is_due |= sighting.keep.is_some() || self.saved.elapsed() >= SAVE_EVERY;
            self.remove(&sighting.remove);
            if let Err(error) = self.keep(case, mismatch, sighting) {
                self.keeper.failed();
                outcome = Err(error);
            }
        }
        if is_due {
            outcome = outcome.and(self.save());
        }
        outcome.err().and_then(|error| self.tell("cannot be written", &error))
    }

    /// Writes a mismatch down, where it is to be kept.
    fn keep(&mut self, case: &Case<'_>, mismatch: Mismatch<'_>, sighting: Sighting) -> io::Result<()> {
        let Some(name) = sighting.keep else { return Ok(()) };
        // The candidate is run again for it, and may do on redacted facts what it has not done before.
        let record = catch_unwind(AssertUnwindSafe(|| {
            case.record(mismatch, name.clone(), sighting.seen, self.sources, &self.secret)
        }));
        let record = record.map_err(|_| io::Error::other("the candidate panicked while its mismatch was recorded"))?;
        let text = serde_json::to_string_pretty(&record)?;
        let removed = self.keeper.make_room(&name, text.len() as u64);
        let removed = removed.ok_or_else(|| io::Error::other("the records of one signature fill the folder"))?;
        self.remove(&removed);
        write(&self.file(&name), &text)?;
        self.keeper.kept(&name, text.len() as u64);
        Ok(())
    }

    /// Removes records that have made room. One that cannot be removed is found by the next process, and counted.
    fn remove(&self, names: &[String]) {
        for name in names {
            let _ = fs::remove_file(self.file(name));
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.json"))
    }

    fn save(&mut self) -> io::Result<()> {
        self.saved = Instant::now();
        let counts = Counts { schema: COUNTS_SCHEMA, keeper: self.keeper.clone() };
        write(&self.path.join(COUNTS), &serde_json::to_string(&counts)?)
    }

    fn read_counts(&self) -> Result<Option<Keeper>, String> {
        let text = match read(&self.path.join(COUNTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| error.to_string())?,
        };
        match serde_json::from_str(&text) {
            Ok(Counts { schema: COUNTS_SCHEMA, keeper }) => Ok(Some(keeper)),
            Ok(Counts { schema, .. }) => Err(format!("this build does not know the schema `{schema}`")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Makes the counts agree with the records that are there: a process may have ended between a record and its counting, and
    /// people remove what they have looked at.
    fn find_records(&mut self) -> io::Result<()> {
        let known = self.keeper.names();
        let mut there = BTreeSet::new();
        for entry in fs::read_dir(&self.path)? {
            let file = entry?;
            let name = file.file_name().to_string_lossy().into_owned();
            if name.ends_with(UNFINISHED) {
                let _ = fs::remove_file(file.path());
            }
            let Some(name) = name.strip_suffix(".json") else { continue };
            if !known.contains(name) && name != COUNTS.trim_end_matches(".json") {
                let Ok(text) = read(&file.path()) else { continue };
                let Ok(record) = Record::from_json(&text) else { continue };
                self.keeper.found(name, record.seen, text.len() as u64);
            }
            there.insert(name.to_owned());
        }
        known.difference(&there).for_each(|name| self.keeper.lost(name));
        Ok(())
    }

    /// Once: a disk that is full stays so for longer than one comparison.
    fn tell(&mut self, what: &str, error: &io::Error) -> Option<Diagnostic> {
        let is_first = !std::mem::replace(&mut self.has_told, true);
        is_first.then(|| Diagnostic {
            level: Level::Error,
            code: "MISMATCHES_NOT_KEPT",
            message: format!("{}: mismatch records: the folder {what}: {error}", self.path.display()),
            help: "make the folder writable and its disk free; bridge.status().mismatches.failed counts what is lost"
                .to_owned(),
        })
    }

    fn counts_lost(&self, reason: &str) -> Diagnostic {
        Diagnostic {
            level: Level::Warning,
            code: "MISMATCHES_COUNTS_LOST",
            message: format!("{}: the counts of mismatches cannot be read: {reason}", self.path.join(COUNTS).display()),
            help: "the records are there; counts go on from what they say".to_owned(),
        }
    }
}

/// Creates a folder that is its owner's alone: records may hold what users have written.
fn create(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// As the latch's file, a record is replaced as a whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    LatchFile::at(path).write(text, Durability::Process)
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    fs::read_to_string(path)
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
