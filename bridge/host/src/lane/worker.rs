//! A thread that compares, one job after the other, until its shift is over.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use super::breakdown::compare;
use super::desk::{NEVER, Shift};
use super::process::{Lost, Process};
use super::scheduling::{Account, Thread, let_other_threads_pass};
use super::{Books, Done, Job, MAX_DEADLINE_MS, Table, Wake, deadline_ms, elapsed_ms, longest_ms, off};

/// The keeper's view of a thread.
pub(super) struct Worker {
    pulse: Arc<Pulse>,
    opened: Instant,
}

/// How a thread is doing, written by itself.
#[derive(Default)]
struct Pulse {
    began_ms: AtomicU64,
    /// How long the thread had waited for a core, in all its life, when its job began.
    starved_ms: AtomicU64,
    /// The thread's own account at the operating system's, where there is one.
    account: OnceLock<Account>,
    thread: OnceLock<Thread>,
}

impl Worker {
    /// Begins a shift.
    pub(super) fn hire(shift: Shift, desk: Arc<Table>, wake: Wake, books: Books, opened: Instant) -> io::Result<Self> {
        let pulse = Arc::<Pulse>::default();
        let worker = Self { pulse: Arc::clone(&pulse), opened };
        thread::Builder::new().name("runtime-bridge-shadow".to_owned()).spawn(move || {
            let_other_threads_pass();
            // Nobody else sets either.
            let _ = Account::of_this_thread().map(|account| pulse.account.set(account));
            let _ = Thread::current().map(|thread| pulse.thread.set(thread));
            work(shift, &desk, &wake, &books, &pulse, opened);
        })?;
        Ok(worker)
    }

    /// When the job of this thread is due, if the time that it was ready to run and got no core is not held against it. Nothing
    /// where it is due all the same.
    pub(super) fn due_after_starving(&self, deadline_ms: u64) -> Option<u64> {
        let starved_ms = self.pulse.starved_ms().saturating_sub(self.pulse.starved_ms.load(Ordering::Relaxed));
        let may_take_ms = deadline_ms.saturating_add(starved_ms).min(longest_ms(deadline_ms));
        let due_ms = self.pulse.began_ms.load(Ordering::Relaxed) + may_take_ms;
        (due_ms > elapsed_ms(self.opened)).then_some(due_ms)
    }

    /// It was abandoned: from now on it costs nobody anything.
    pub(super) fn step_back(&self) {
        if let Some(thread) = self.pulse.thread.get() {
            thread.let_everybody_pass();
        }
    }
}

impl Pulse {
    fn starved_ms(&self) -> u64 {
        self.account.get().and_then(Account::starved_ms).unwrap_or_default()
    }

    /// A job begins; gives when it is due. A process has the deadline of its own, which begins once it listens.
    fn begin(&self, job: &Job, opened: Instant) -> u64 {
        if job.program.is_some() {
            return NEVER;
        }
        let now_ms = elapsed_ms(opened);
        self.began_ms.store(now_ms, Ordering::Relaxed);
        now_ms + deadline_ms(&job.observation)
    }
}

fn work(shift: Shift, desk: &Table, wake: &Wake, books: &Books, pulse: &Pulse, opened: Instant) {
    let mut process = Process::default();
    while let Some(job) = desk.next(shift, |job| pulse.begin(job, opened)) {
        let since = Instant::now();
        let (comparison, is_off) = match &job.program {
            None => {
                pulse.starved_ms.store(pulse.starved_ms(), Ordering::Relaxed);
                let mark = job.marks.as_ref().and_then(|marks| marks.begin(&job.notebook));
                let comparison = compare(&job.observation, job.mode, job.seeded);
                drop(mark);
                (comparison, false)
            }
            Some(program) => match process.compare(program, &job) {
                Ok(comparison) => (comparison, false),
                Err(Lost { comparison, is_for_good }) => (comparison, is_for_good),
            },
        };
        // What the books cost, a slow disk above all, is not the candidate's.
        desk.postpone(&job, elapsed_ms(opened).saturating_add(MAX_DEADLINE_MS));
        let mut done = Done::of(&job, comparison);
        books.take(&job, &mut done.comparison, since.elapsed());
        desk.finish(shift, done);
        if is_off {
            desk.switch_off(off);
        }
        wake();
    }
}
