//! The shadow's lane: a thread of its own on which observations are compared, so that serving never waits for, or fails with,
//! a candidate.
//!
//! The queue is bounded in number and bytes. What does not fit is shed, and counted: the serving side goes on at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bridge_core::{Case, Comparison, Decision, Fault, Observation, Source, judge};
use registry::NotebookId;

use crate::environment::NotebookKey;
use crate::guarding::BUILD;
use crate::records::Records;

/// Observations that may wait. With 20 executions each this is ten seconds of a notebook under full load.
const MAX_WAITING: usize = 256;

/// Bytes that waiting observations may hold, by the lengths of their sources. A host with a thousand notebooks feels this much
/// at most.
const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;

/// What is done, by notebook, until its owner fetches it.
type Done = Arc<Mutex<Vec<(NotebookKey, Comparison)>>>;

/// The way into the lane and out of it. Dropping it ends the thread once the queue is empty.
pub struct Lane {
    jobs: SyncSender<(Job, usize)>,
    done: Done,
    waiting_bytes: Arc<AtomicUsize>,
}

/// What is to be compared, and for whom.
pub struct Job {
    /// The notebook that is told.
    pub notebook: NotebookKey,
    /// Its id.
    pub id: NotebookId,
    /// What the serving path did.
    pub observation: Observation,
    /// Why it is compared.
    pub decision: Decision,
    /// Spoils the candidate.
    pub fault: Option<Fault>,
}

impl Lane {
    /// Opens the lane, whose mismatches go to these records; `wake` is called from its thread whenever something is done.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn open(records: Records, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(MAX_WAITING);
        let done = Done::default();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let (results, bytes) = (Arc::clone(&done), Arc::clone(&waiting_bytes));
        thread::Builder::new()
            .name("runtime-bridge-shadow".to_owned())
            .spawn(move || compare_all(&queue, &results, &bytes, &records, wake))?;
        Ok(Self { jobs, done, waiting_bytes })
    }

    /// Hands an observation in. False where it was shed; never waits.
    pub fn submit(&self, job: Job) -> bool {
        let bytes = weight(&job.observation);
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_WAITING_BYTES {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        let is_taken = self.jobs.try_send((job, bytes)).is_ok();
        if !is_taken {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        is_taken
    }

    /// Fetches what is done for a notebook.
    pub fn take_done(&self, notebook: NotebookKey) -> Vec<Comparison> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, others) = std::mem::take(&mut *done).into_iter().partition(|(key, _)| *key == notebook);
        *done = others;
        let own: Vec<(NotebookKey, Comparison)> = own;
        own.into_iter().map(|(_, comparison)| comparison).collect()
    }
}

fn compare_all(
    queue: &Receiver<(Job, usize)>,
    done: &Done,
    waiting_bytes: &AtomicUsize,
    records: &Records,
    wake: impl Fn(),
) {
    for (job, bytes) in queue {
        waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let since = Instant::now();
        let comparison = compare(&job.observation, job.fault);
        records.take(&case(&job, &comparison, since.elapsed()));
        done.lock().unwrap_or_else(PoisonError::into_inner).push((job.notebook, comparison));
        wake();
    }
}

fn case<'a>(job: &'a Job, comparison: &'a Comparison, took: Duration) -> Case<'a> {
    Case {
        notebook: &job.id,
        observation: &job.observation,
        comparison,
        decision: &job.decision,
        fault: job.fault,
        build: BUILD,
        comparison_ms: took.as_secs_f64() * 1000.0,
    }
}

/// A panic of the candidate ends its comparison, not the lane.
fn compare(observation: &Observation, fault: Option<Fault>) -> Comparison {
    catch_unwind(AssertUnwindSafe(|| judge(observation, fault))).unwrap_or_else(|_| Comparison::panicked(observation))
}

/// What an observation holds, roughly: each source stands in it twice, as a fact and in the output.
fn weight(observation: &Observation) -> usize {
    let of_source = |source: &Source| match source {
        Source::Text(text) => text.len(),
        Source::Missing | Source::Unread => 0,
    };
    observation.executions.iter().map(|execution| 1024 + 2 * of_source(&execution.source)).sum()
}
