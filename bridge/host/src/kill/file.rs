//! The kill file: while it is there, the switch is on. What can be said of it neither way kills too, loudly.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{error, fmt};

use bridge_core::{Kill, KillWay};

use super::KillSwitch;
use crate::watch::{Follow, Following, IsOver, POLL, SETTLE};

/// As much of the file as is read for a reason, in bytes.
const MAX_REASON_BYTES: u64 = 8192;

/// A file that throws a [`KillSwitch`] while it is there, followed until this is dropped. What it holds then, it goes on holding.
#[derive(Debug)]
pub struct KillFile {
    path: PathBuf,
    _following: Following,
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillEvent {
    /// It is there, or it cannot be said whether it is: the switch is on.
    Killed {
        /// Where it is.
        path: PathBuf,
        /// Its text is the reason.
        kill: Kill,
    },
    /// It is gone: it does not hold the switch any longer.
    Released {
        /// Where it was.
        path: PathBuf,
    },
    /// The operating system does not tell of changes, so they are only seen by the poll; where `stopped`, not at all, and the
    /// switch is on.
    Unwatched {
        /// The file.
        path: PathBuf,
        /// The operating system's own words.
        reason: String,
        /// Whether the poll is missing too.
        stopped: bool,
    },
}

impl KillEvent {
    /// A stable name in capitals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Killed { kill, .. } if kill.is_doubtful => "KILLED_IN_DOUBT",
            Self::Killed { .. } => "KILLED",
            Self::Released { .. } => "KILL_RELEASED",
            Self::Unwatched { .. } => "KILL_FILE_UNWATCHED",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Killed { kill, .. } if kill.is_doubtful => "let this process see whether the file is there",
            Self::Killed { .. } => "remove the file to let the flags decide again",
            Self::Released { .. } => "bridge.status().kills shows what else holds the switch",
            Self::Unwatched { stopped: true, .. } => "free threads and name the file again",
            Self::Unwatched { stopped: false, .. } => {
                "raise the limit of watches (on Linux fs.inotify.max_user_instances); changes are seen by polling"
            }
        }
    }
}

impl fmt::Display for KillEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { path, kill } => write!(f, "{}: {kill}", path.display()),
            Self::Released { path } => write!(f, "{}: the kill file is gone", path.display()),
            Self::Unwatched { path, reason, .. } => write!(f, "{}: cannot be watched: `{reason}`", path.display()),
        }
    }
}

impl KillFile {
    /// Looks for the file, throws the switch if it is there, and follows it from then on. An event says so before this returns.
    pub fn open(
        path: impl AsRef<Path>,
        switch: Arc<KillSwitch>,
        on_event: impl Fn(KillEvent) + Send + 'static,
    ) -> Self {
        let path = std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned());
        let is_over = IsOver::default();
        let follower = KillFollower::new(path.clone(), switch, Arc::clone(&is_over), on_event);
        Self { path, _following: Following::begin(follower, is_over) }
    }

    /// The absolute path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

struct KillFollower<F> {
    path: PathBuf,
    switch: Arc<KillSwitch>,
    is_over: IsOver,
    on_event: F,
    /// Since when the file is missing that was there: it has to stay away, because a file that is written anew may be for a
    /// moment.
    missing_since: Option<Instant>,
    is_there: bool,
}

impl<F: Fn(KillEvent) + Send + 'static> KillFollower<F> {
    fn new(path: PathBuf, switch: Arc<KillSwitch>, is_over: IsOver, on_event: F) -> Self {
        let mut follower = Self { path, switch, is_over, on_event, missing_since: None, is_there: false };
        follower.look(Instant::now());
        follower
    }

    fn kill(&mut self, kill: Kill) {
        // A file that is being written anew is empty for a moment: what it said stays.
        let is_silent = self.is_there && kill.reason == silent(&self.path);
        (self.is_there, self.missing_since) = (true, None);
        if !is_silent && self.unless_over(|switch| switch.throw(kill.clone())) == Some(true) {
            (self.on_event)(KillEvent::Killed { path: self.path.clone(), kill });
        }
    }

    fn release(&mut self, now: Instant) {
        let since = *self.missing_since.get_or_insert(now);
        if now.duration_since(since) < SETTLE {
            return;
        }
        (self.is_there, self.missing_since) = (false, None);
        if self.unless_over(|switch| switch.release(KillWay::File).is_some()) == Some(true) {
            (self.on_event)(KillEvent::Released { path: self.path.clone() });
        }
    }

    fn unless_over<T>(&self, act: impl FnOnce(&KillSwitch) -> T) -> Option<T> {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        (!*is_over).then(|| act(&self.switch))
    }
}

impl<F: Fn(KillEvent) + Send + 'static> Follow for KillFollower<F> {
    const THREAD: &'static str = "kill-file";

    fn path(&self) -> &Path {
        &self.path
    }

    fn look(&mut self, now: Instant) {
        match found(&self.path) {
            Some(kill) => self.kill(kill),
            None if self.is_there => self.release(now),
            None => {}
        }
    }

    fn patience(&self) -> Duration {
        self.missing_since.map_or(POLL, |since| SETTLE.saturating_sub(since.elapsed()))
    }

    fn tell_unwatched(&self, error: &dyn error::Error, stopped: bool) {
        let (path, reason) = (self.path.clone(), error.to_string());
        if stopped {
            let doubt = format!("{} cannot be watched: {reason}", path.display());
            self.switch.throw(Kill::for_doubt(KillWay::File, &doubt, 0));
        }
        (self.on_event)(KillEvent::Unwatched { path, reason, stopped });
    }
}

/// What the file says; nothing only where it is certain that there is none. A link to nowhere is there.
fn found(path: &Path) -> Option<Kill> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => {
            let text = text(path).unwrap_or_default();
            let reason = if text.trim().is_empty() { silent(path) } else { text };
            Some(Kill::meant(KillWay::File, &reason, None, changed_wall_ms(&metadata)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let doubt = format!("nobody can say whether {} is there: {error}", path.display());
            Some(Kill::for_doubt(KillWay::File, &doubt, 0))
        }
    }
}

/// The reason of a file that gives none.
fn silent(path: &Path) -> String {
    format!("{} is there", path.display())
}

fn text(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_REASON_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn changed_wall_ms(metadata: &Metadata) -> i64 {
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    changed.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver};

    use tempfile::TempDir;

    use super::*;

    /// Longer than any machine needs: reached only when the event never comes.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Bench {
        root: TempDir,
        switch: Arc<KillSwitch>,
        events: Receiver<KillEvent>,
        file: Option<KillFile>,
    }

    impl Bench {
        fn new(prepare: impl Fn(&Path)) -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("etc")).unwrap();
            prepare(root.path());
            let switch = Arc::new(KillSwitch::default());
            let (tell, events) = mpsc::channel();
            let on_event = move |event| drop(tell.send(event));
            let file = KillFile::open(root.path().join("etc/kill"), Arc::clone(&switch), on_event);
            Self { root, switch, events, file: Some(file) }
        }

        fn path(&self) -> PathBuf {
            self.root.path().join("etc/kill")
        }

        #[track_caller]
        fn check(&self, code: &str, is_on: bool) {
            let event = self.events.recv_timeout(PATIENCE).expect("an event comes");
            assert_eq!((event.code(), self.switch.is_on()), (code, is_on), "{event}");
        }
    }

    #[test]
    fn a_file_that_is_there_kills_before_anything_is_decided() {
        let bench = Bench::new(|root| fs::write(root.join("etc/kill"), " outage 17 \n").unwrap());
        assert_eq!(bench.switch.kills()[0].reason, "outage 17");
        bench.check("KILLED", true);
    }

    #[test]
    fn it_kills_as_it_comes_and_lets_go_once_it_is_gone_for_good() {
        let bench = Bench::new(|_| ());
        assert!(!bench.switch.is_on());
        for _ in 0..3 {
            fs::write(bench.path(), "").unwrap();
            bench.check("KILLED", true);
            fs::remove_file(bench.path()).unwrap();
            bench.check("KILL_RELEASED", false);
        }
    }

    #[test]
    fn a_file_that_is_written_anew_never_lets_go() {
        let bench = Bench::new(|root| fs::write(root.join("etc/kill"), "x").unwrap());
        bench.check("KILLED", true);
        let until = Instant::now() + SETTLE * 4;
        while Instant::now() < until {
            fs::remove_file(bench.path()).unwrap();
            assert!(bench.switch.is_on());
            fs::write(bench.path(), "x").unwrap();
        }
        assert!(bench.switch.is_on() && bench.events.try_recv().is_err());
    }

    #[test]
    fn what_cannot_be_looked_at_kills_loudly() {
        let bench = Bench::new(|root| {
            fs::remove_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc"), "no directory").unwrap();
        });
        assert!(bench.switch.kills()[0].is_doubtful);
        bench.check("KILLED_IN_DOUBT", true);
        fs::remove_file(bench.root.path().join("etc")).unwrap();
        bench.check("KILL_RELEASED", false);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_there() {
        let bench = Bench::new(|root| std::os::unix::fs::symlink("nowhere", root.join("etc/kill")).unwrap());
        bench.check("KILLED", true);
    }

    #[test]
    fn a_file_that_is_not_followed_any_more_goes_on_holding_what_it_held() {
        let mut bench = Bench::new(|root| fs::create_dir(root.join("etc/kill")).unwrap());
        bench.check("KILLED", true);
        bench.file = None;
        fs::remove_dir(bench.path()).unwrap();
        assert!(bench.events.recv_timeout(SETTLE * 3).is_err() && bench.switch.is_on());
    }
}
