//! Following a file: a thread that looks at it whenever the operating system tells of a change, and from time to time without.
//!
//! The directory is watched, not the file: a watched file is lost at the first atomic rename, and a Kubernetes volume swaps
//! a link beside it. Its parent is watched too, for a directory that is swapped as a whole. Beneath both lies a slow poll,
//! which finds whatever the operating system does not tell. Content is compared, so events may repeat and lie.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{error, fs, io, thread};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// How often the file is read without being told to: rare enough to cost nothing, and the most that a change can be late on
/// a file system without events, or after a directory has been recreated above the parent.
pub const POLL: Duration = Duration::from_millis(250);

/// How long bad content must stay the same before it is reported: a file written in place is bad for some milliseconds.
/// Good content never waits.
pub const SETTLE: Duration = Duration::from_millis(50);

/// What looks at a file and acts on what it finds. Time is an argument.
pub(crate) trait Follow: Sized + Send + 'static {
    /// The name of its thread.
    const THREAD: &'static str;

    /// The file, as an absolute path.
    fn path(&self) -> &Path;

    /// Looks at the file.
    fn look(&mut self, now: Instant);

    /// How long until the next look, if nothing is told before.
    fn patience(&self) -> Duration;

    /// The operating system does not tell of changes; where `stopped`, there is no thread to look either.
    fn tell_unwatched(&self, error: &dyn error::Error, stopped: bool);
}

/// Whether a file is not to be followed any longer. Its thread holds the lock while it acts on what it has found, so that
/// nothing takes effect after the drop: the next source may have put something else in force by then.
pub(crate) type IsOver = Arc<Mutex<bool>>;

/// The right to have a file followed, until this is dropped.
///
/// The thread ends by itself within moments of the drop and is never waited for, so that neither keeps a process alive.
#[derive(Debug)]
pub(crate) struct Following {
    signals: Sender<Signal>,
    is_over: IsOver,
}

impl Following {
    /// Begins to follow; the first look has been taken.
    pub(crate) fn begin(follower: impl Follow, is_over: IsOver) -> Self {
        let (signals, received) = mpsc::channel();
        start(follower, signals.clone(), received);
        Self { signals, is_over }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // The thread may have ended before; then there is nobody left to tell.
        let _ = self.signals.send(Signal::Stop);
    }
}

/// Why the thread wakes up before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// Something happened in the directory.
    Content,
    /// Something happened to the directory itself: its watch may be dead.
    Directory,
    /// The source was dropped.
    Stop,
}

fn start<F: Follow>(follower: F, signals: Sender<Signal>, received: Receiver<Signal>) {
    let (hand_over, taken) = mpsc::channel::<F>();
    let body = move || {
        if let Ok(follower) = taken.recv() {
            run(follower, signals, &received);
        }
    };
    match thread::Builder::new().name(F::THREAD.to_owned()).spawn(body) {
        // Cannot fail: the thread waits for it.
        Ok(_) => drop(hand_over.send(follower)),
        Err(error) => follower.tell_unwatched(&error, true),
    }
}

fn run(mut follower: impl Follow, signals: Sender<Signal>, received: &Receiver<Signal>) {
    let mut watches =
        Watches::new(follower.path(), signals).inspect_err(|error| follower.tell_unwatched(error, false)).ok();
    loop {
        if let Some(Err(error)) = watches.as_mut().map(Watches::arm) {
            follower.tell_unwatched(&error, false);
            watches = None;
        }
        // After arming, so that what came before the watch is seen as well.
        follower.look(Instant::now());
        match next(received, follower.patience()) {
            Some(Signal::Stop) => return,
            Some(Signal::Directory) => watches.iter_mut().for_each(Watches::disarm),
            Some(Signal::Content) | None => {}
        }
    }
}

/// The most urgent of the signals that are there, after waiting for one; `None` if none came.
fn next(received: &Receiver<Signal>, patience: Duration) -> Option<Signal> {
    let first = match received.recv_timeout(patience) {
        Ok(signal) => signal,
        Err(RecvTimeoutError::Timeout) => return None,
        Err(RecvTimeoutError::Disconnected) => return Some(Signal::Stop),
    };
    let urgency = |signal: &Signal| match signal {
        Signal::Content => 0,
        Signal::Directory => 1,
        Signal::Stop => 2,
    };
    received.try_iter().chain([first]).max_by_key(urgency)
}

/// The watches on the directory of the file and on the directory above it.
struct Watches {
    watcher: RecommendedWatcher,
    directory: PathBuf,
    armed: Vec<(PathBuf, Option<Identity>)>,
}

/// Tells a directory from another that has taken its name.
type Identity = (u64, u64);

impl Watches {
    fn new(path: &Path, signals: Sender<Signal>) -> notify::Result<Self> {
        let directory = path.parent().unwrap_or(path).to_owned();
        // From the top down: a directory that appears while its parent is being armed is then found when its turn comes.
        let above = directory.parent().map(Path::to_owned);
        let armed = above.into_iter().chain([directory.clone()]).map(|watched| (watched, None)).collect();
        let around = directory.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Some(signal) = signal(event, &around) {
                // The thread may have ended before; then there is nobody left to tell.
                let _ = signals.send(signal);
            }
        })?;
        Ok(Self { watcher, directory, armed })
    }

    /// Watches the directories that are there and not watched yet, or are others than before.
    fn arm(&mut self) -> notify::Result<()> {
        for (directory, armed) in &mut self.armed {
            let there = identity(directory);
            if *armed == there {
                continue;
            }
            // Fails where the watch has died with its directory, which is as good.
            let _ = self.watcher.unwatch(directory);
            *armed = there;
            if there.is_none() {
                continue;
            }
            match self.watcher.watch(directory, RecursiveMode::NonRecursive) {
                Err(error) if is_gone(&error) => *armed = None,
                // The directory above may belong to others; without it the poll sees a swap.
                Err(error) if *directory == self.directory => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn disarm(&mut self) {
        for (_, armed) in &mut self.armed {
            *armed = None;
        }
    }
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound | notify::ErrorKind::WatchNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

#[cfg(unix)]
fn identity(directory: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(directory).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(directory: &Path) -> Option<Identity> {
    fs::metadata(directory).ok().map(|_| (0, 0))
}

/// What an event means to the file in `directory`: nothing, if it is about a neighbour of the directory.
fn signal(event: notify::Result<notify::Event>, directory: &Path) -> Option<Signal> {
    use notify::event::{AccessKind, AccessMode};
    let Ok(event) = event else { return Some(Signal::Directory) };
    let reading = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    if reading {
        // Our own, for one: answering it would never end.
        return None;
    }
    if event.need_rescan() || event.paths.iter().any(|path| path == directory || directory.starts_with(path)) {
        return Some(Signal::Directory);
    }
    let inside = event.paths.iter().any(|path| path.parent() == Some(directory));
    inside.then_some(Signal::Content)
}
