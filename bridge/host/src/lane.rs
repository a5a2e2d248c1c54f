//! The shadow's lane: threads of its own on which observations are compared, so that serving never waits for, shares a thread
//! with, or fails with, a candidate.
//!
//! The queue is bounded in number and bytes. What does not fit is shed, and counted: the serving side goes on at once. One
//! thread compares, at low priority. A comparison that is not done by its deadline says nothing; its thread is abandoned and
//! another takes its place, until too many are away and the lane is off for good. What a thread cannot contain (an abort, a
//! stack that overflows) is contained where candidates run in a process of their own.

mod breakdown;
mod child;
mod desk;
#[cfg(test)]
mod interleavings;
mod process;
mod scheduling;
#[cfg(test)]
mod tests;
mod worker;

/// What the desk is made of; tests of interleavings put others in their place.
mod sync {
    pub(super) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
}

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bridge_core::{Case, Comparison, ComparisonMode, Decision, Diagnostic, Observation, Why};
use registry::NotebookId;
use serde::Serialize;

use crate::environment::NotebookKey;
use crate::guarding::BUILD;
use crate::mark::Marks;
use crate::noise::Noise;
use crate::records::Records;
pub use breakdown::{Breakdown, Seeded};
pub use child::serve;
use desk::{Desk, Limits, Place, Shift};
pub use process::Program;
use worker::Worker;

/// Observations that may wait. With 20 executions each this is ten seconds of a notebook under full load.
const MAX_WAITING: usize = 256;

/// Bytes that waiting observations may hold, by the lengths of their texts. A host with a thousand notebooks feels this much
/// at most.
const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;

/// Threads that may be away in a candidate before the lane is off. One may be bad luck; each that spins costs a share of a core
/// until the process ends.
pub const MAX_WEDGED: usize = 3;

/// The least time that a comparison is given, in milliseconds. It takes one or two; the rest is for a machine under load.
const MIN_DEADLINE_MS: u64 = 250;

/// The most time that a comparison is given, in milliseconds, however long serving took.
const MAX_DEADLINE_MS: u64 = 30_000;

/// How many times its deadline a comparison is given that is ready to run and gets no core. Without an end to it, a candidate that
/// spins would hold the lane for as long as the machine is busy.
const STARVING_FACTOR: u64 = 10;

/// How many times as long as the control a candidate may take.
const DEADLINE_FACTOR: u64 = 2;

/// The way into the lane and out of it. Dropping it ends its threads once they come back.
pub struct Lane {
    desk: Arc<Table>,
}

type Table = Desk<Job, Done>;

/// An observation to be compared, and how.
#[derive(Clone, Debug)]
pub struct Job {
    /// Whose it is.
    pub key: NotebookKey,
    /// The notebook's id, for its mark.
    pub notebook: NotebookId,
    /// What to compare.
    pub observation: Observation,
    /// Why it is compared.
    pub decision: Decision,
    /// What to compare it with.
    pub mode: ComparisonMode,
    /// How often the guard had begun anew by then.
    pub age: u64,
    /// What spoils the candidate, in tests.
    pub seeded: Option<Seeded>,
    /// Where the run is marked; nowhere without a folder for it.
    pub marks: Option<Arc<Marks>>,
    /// The process to run the candidate in; without one it runs on the lane's thread.
    pub program: Option<Arc<Program>>,
}

/// What is done, until its owner fetches it.
pub(crate) struct Done {
    /// Whose it is.
    pub(crate) key: NotebookKey,
    /// The notebook's id.
    pub(crate) notebook: NotebookId,
    /// The flags under which it was decided that it be compared.
    pub(crate) generation: u64,
    /// How often the guard had begun anew by then.
    pub(crate) age: u64,
    /// What came of it.
    pub(crate) comparison: Comparison,
}

impl Done {
    /// However the comparison came about, it is of the mode that was asked for.
    fn of(job: &Job, comparison: Comparison) -> Self {
        Self {
            key: job.key,
            notebook: job.notebook.clone(),
            generation: job.decision.generation,
            age: job.age,
            comparison: Comparison { mode: job.mode, ..comparison },
        }
    }
}

/// What the lane's threads keep, and its owner configures.
#[derive(Clone, Default)]
pub struct Books {
    /// What is known of noise.
    pub noise: Noise,
    /// The mismatches that are written down.
    pub records: Records,
}

impl Books {
    /// What there is to tell of them since the last time.
    pub(crate) fn news(&self) -> Vec<Diagnostic> {
        self.records.news().into_iter().chain(self.noise.news()).collect()
    }

    /// Tells noise from mismatches, and has the mismatches written down. Of the control against itself nothing is.
    fn take(&self, job: &Job, comparison: &mut Comparison, took: Duration) {
        self.noise.take(&job.observation, comparison);
        if job.mode == ComparisonMode::Paths {
            self.records.take(&case(job, comparison, took));
        }
    }
}

/// Calls the owner from whichever thread has done something.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// How busy the lane is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneStatus {
    /// Observations that wait.
    pub waiting: usize,
    /// Bytes that they hold.
    pub waiting_bytes: usize,
    /// Threads that were abandoned in a candidate and have not come back.
    pub wedged: usize,
    /// Nothing is compared any more until the process is restarted.
    pub is_off: bool,
}

impl Lane {
    /// Opens the lane, which keeps these books; `wake` is called from its threads whenever something is done.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn open(books: Books, wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let limits = Limits { jobs: MAX_WAITING, bytes: MAX_WAITING_BYTES, wedged: MAX_WEDGED };
        let (desk, first) = Desk::new(limits);
        let keeper = Keeper { desk: Arc::new(desk), wake: Arc::new(wake), books, opened: Instant::now() };
        let lane = Self { desk: Arc::clone(&keeper.desk) };
        let worker = keeper.hire(first)?;
        thread::Builder::new().name("runtime-bridge-keeper".to_owned()).spawn(move || keeper.keep(worker))?;
        Ok(lane)
    }

    /// Hands an observation in. False where it was shed; never waits for a candidate.
    pub fn submit(&self, job: Job) -> bool {
        let bytes = job.observation.weight();
        self.desk.submit(job, bytes)
    }

    /// Fetches what is done for a notebook.
    pub fn take_done(&self, notebook: NotebookKey) -> Vec<Comparison> {
        self.take(|key| key == notebook).into_iter().map(|done| done.comparison).collect()
    }

    /// Fetches what is done for these notebooks, with the circumstances.
    pub(crate) fn take(&self, is_wanted: impl Fn(NotebookKey) -> bool) -> Vec<Done> {
        self.desk.take_done(|done| is_wanted(done.key))
    }

    /// How busy it is.
    pub fn status(&self) -> LaneStatus {
        let load = self.desk.load();
        LaneStatus { waiting: load.waiting, waiting_bytes: load.bytes, wedged: load.wedged, is_off: load.is_off }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.desk.close();
    }
}

/// Abandons threads that are overdue, and hires others.
struct Keeper {
    desk: Arc<Table>,
    wake: Wake,
    books: Books,
    /// The lane's time begins here.
    opened: Instant,
}

impl Keeper {
    fn hire(&self, shift: Shift) -> std::io::Result<Worker> {
        Worker::hire(shift, Arc::clone(&self.desk), Arc::clone(&self.wake), self.books.clone(), self.opened)
    }

    fn keep(self, mut worker: Worker) {
        while let Some((shift, job)) = self.desk.watch(|| elapsed_ms(self.opened)) {
            if let Some(due_ms) = worker.due_after_starving(deadline_ms(&job.observation)) {
                self.desk.postpone(&job, due_ms);
                continue;
            }
            let place = self.desk.abandon(shift, &job, timed_out(&job));
            if place != Place::Taken {
                worker.step_back();
            }
            match place {
                Place::Free(shift) => match self.hire(shift) {
                    Ok(hired) => worker = hired,
                    // Without a thread there is nobody to wait for.
                    Err(_) => self.desk.switch_off(off),
                },
                Place::Off => self.desk.switch_off(off),
                Place::Taken => {}
            }
            (self.wake)();
        }
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    // 584 million years.
    since.elapsed().as_millis() as u64
}

/// How long a comparison may take: serving may have taken longer than usual, and then so may the candidate.
fn deadline_ms(observation: &Observation) -> u64 {
    let of_control = observation.control_ms().saturating_mul(DEADLINE_FACTOR);
    of_control.clamp(MIN_DEADLINE_MS, MAX_DEADLINE_MS)
}

/// The longest that a comparison of this deadline takes, however little it gets of a core.
fn longest_ms(deadline_ms: u64) -> u64 {
    deadline_ms.saturating_mul(STARVING_FACTOR).min(MAX_DEADLINE_MS)
}

fn case<'a>(job: &'a Job, comparison: &'a Comparison, took: Duration) -> Case<'a> {
    Case {
        notebook: &job.notebook,
        observation: &job.observation,
        comparison,
        decision: &job.decision,
        fault: job.seeded.and_then(Seeded::fault),
        build: BUILD,
        comparison_ms: took.as_secs_f64() * 1000.0,
    }
}

fn timed_out(job: &Job) -> Done {
    Done::of(job, Comparison::inconclusive(&job.observation, Why::Timeout))
}

fn off(job: &Job) -> Done {
    Done::of(job, Comparison::inconclusive(&job.observation, Why::LaneOff))
}
