//! What the operating system's scheduler is told of the shadow, and says of it.

/// How nice the shadow is: it gets a tenth of a core that somebody else wants.
#[cfg(unix)]
const NICENESS: i32 = 10;

/// How nice a thread can be: it gets a hundredth of a core that somebody else wants, and gives way at once.
#[cfg(target_os = "linux")]
const NICEST: i32 = 19;

/// Puts this thread behind those that serve. Only Linux knows a niceness of threads; elsewhere this does nothing.
pub(super) fn let_other_threads_pass() {
    #[cfg(target_os = "linux")]
    be_nice();
}

/// Puts this process behind all others, where there is such a thing.
pub(super) fn let_other_processes_pass() {
    #[cfg(unix)]
    be_nice();
}

#[cfg(unix)]
fn be_nice() {
    // Being nicer is always allowed; a kernel that refuses leaves things as they are.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// A thread as the scheduler knows it.
#[cfg(target_os = "linux")]
pub(super) struct Thread(rustix::thread::Pid);

#[cfg(target_os = "linux")]
impl Thread {
    /// The calling one.
    pub(super) fn current() -> Option<Self> {
        Some(Self(rustix::thread::gettid()))
    }

    /// Leaves it what nobody else wants of a core. Nothing waits for it any more, and it may spin for as long as the process lives.
    pub(super) fn let_everybody_pass(&self) {
        // As for being nice at all.
        let _ = rustix::process::setpriority_process(Some(self.0), NICEST);
    }
}

/// Elsewhere a thread has no niceness.
#[cfg(not(target_os = "linux"))]
pub(super) struct Thread;

#[cfg(not(target_os = "linux"))]
impl Thread {
    pub(super) fn current() -> Option<Self> {
        None
    }

    pub(super) fn let_everybody_pass(&self) {}
}

/// The kernel's account of a thread: how long it ran, how long it waited for a core.
#[cfg(target_os = "linux")]
pub(super) struct Account(std::fs::File);

#[cfg(target_os = "linux")]
impl Account {
    /// The calling thread's.
    pub(super) fn of_this_thread() -> Option<Self> {
        std::fs::File::open("/proc/thread-self/schedstat").ok().map(Self)
    }

    /// The main thread's of a process.
    pub(super) fn of_process(id: u32) -> Option<Self> {
        std::fs::File::open(format!("/proc/{id}/schedstat")).ok().map(Self)
    }

    /// How long it has been ready to run and got no core, in all its life.
    pub(super) fn starved_ms(&self) -> Option<u64> {
        let mut text = [0; 64];
        let length = std::os::unix::fs::FileExt::read_at(&self.0, &mut text, 0).ok()?;
        let mut numbers = std::str::from_utf8(&text[..length]).ok()?.split_ascii_whitespace();
        let nanoseconds: u64 = numbers.nth(1)?.parse().ok()?;
        Some(nanoseconds / 1_000_000)
    }
}

/// Elsewhere nobody says: a deadline is one of the clock on the wall.
#[cfg(not(target_os = "linux"))]
pub(super) struct Account;

#[cfg(not(target_os = "linux"))]
impl Account {
    pub(super) fn of_this_thread() -> Option<Self> {
        None
    }

    pub(super) fn of_process(_id: u32) -> Option<Self> {
        None
    }

    pub(super) fn starved_ms(&self) -> Option<u64> {
        None
    }
}
