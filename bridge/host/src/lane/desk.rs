//! The desk between those who hand work in, the one thread that does it, and the keeper who abandons a thread that does not
//! come back. Every job that was taken in comes out as one result, whoever writes it.
//!
//! Threads work in shifts: an abandoned one finds at its return that another has its place, and its result is nobody's.
//! Time is a number that the caller brings.

use std::collections::VecDeque;
use std::time::Duration;

use super::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The time at which nothing is due.
pub(super) const NEVER: u64 = u64::MAX;

/// Names a thread among those that have worked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift(u32);

/// What may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) jobs: usize,
    pub(super) bytes: usize,
    /// Threads that may be away before nothing is done any more.
    pub(super) wedged: usize,
}

/// The mutex is held for a few instructions at a time, never while a job is done: handing in does not wait.
pub(super) struct Desk<J, R> {
    state: Mutex<State<J, R>>,
    /// There is a job, or nothing more to come.
    work: Condvar,
    /// A job has begun that is due before the keeper looks again.
    begun: Condvar,
    limits: Limits,
}

struct State<J, R> {
    waiting: VecDeque<Waiting<J>>,
    bytes: usize,
    shift: Shift,
    current: Option<Current<J>>,
    /// Threads that were abandoned and have not come back.
    wedged: usize,
    done: Vec<R>,
    is_off: bool,
    is_closed: bool,
    /// When the keeper looks again; nothing while it waits for a job to begin.
    keeper_looks_at: Option<u64>,
}

struct Waiting<J> {
    job: Arc<J>,
    bytes: usize,
}

struct Current<J> {
    job: Arc<J>,
    due_ms: u64,
}

/// What became of an abandoned thread's place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is this shift's.
    Free(Shift),
    /// Too many are away: nobody takes it.
    Off,
    /// The thread has come back in the meantime.
    Taken,
}

/// What stands on the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) waiting: usize,
    pub(super) bytes: usize,
    pub(super) wedged: usize,
    pub(super) is_off: bool,
}

impl<J, R> Desk<J, R> {
    /// A desk, and its first shift.
    pub(super) fn new(limits: Limits) -> (Self, Shift) {
        let shift = Shift(0);
        let state = State {
            waiting: VecDeque::new(),
            bytes: 0,
            shift,
            current: None,
            wedged: 0,
            done: Vec::new(),
            is_off: false,
            is_closed: false,
            keeper_looks_at: None,
        };
        (Self { state: Mutex::new(state), work: Condvar::new(), begun: Condvar::new(), limits }, shift)
    }

    fn lock(&self) -> MutexGuard<'_, State<J, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a job in. False where there is no room for it, or nobody to do it.
    pub(super) fn submit(&self, job: J, bytes: usize) -> bool {
        let mut state = self.lock();
        let has_room = state.waiting.len() < self.limits.jobs && bytes <= self.limits.bytes.saturating_sub(state.bytes);
        if state.is_off || state.is_closed || !has_room {
            return false;
        }
        state.bytes += bytes;
        state.waiting.push_back(Waiting { job: Arc::new(job), bytes });
        self.work.notify_one();
        true
    }

    /// The next job of a shift, due at what `due_ms` says of it when it begins. Waits for one; nothing where the shift is over.
    pub(super) fn next(&self, shift: Shift, due_ms: impl FnOnce(&J) -> u64) -> Option<Arc<J>> {
        let mut state = self.lock();
        loop {
            if state.is_closed || state.is_off || state.shift != shift {
                return None;
            }
            if let Some(Waiting { job, bytes }) = state.waiting.pop_front() {
                state.bytes -= bytes;
                let due_ms = due_ms(&job);
                state.current = Some(Current { job: Arc::clone(&job), due_ms });
                if due_ms != NEVER && state.keeper_looks_at.is_none_or(|looks_at| due_ms < looks_at) {
                    self.begun.notify_one();
                }
                return Some(job);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes the result of a shift's job down. False where the shift was abandoned over it: then it was written by another.
    pub(super) fn finish(&self, shift: Shift, result: R) -> bool {
        let mut state = self.lock();
        if state.shift != shift {
            state.wedged -= 1;
            return false;
        }
        state.current = None;
        state.done.push(result);
        true
    }

    /// The job that is due by now, if one is.
    pub(super) fn overdue(&self, now_ms: u64) -> Option<(Shift, Arc<J>)> {
        let state = self.lock();
        let current = state.current.as_ref().filter(|current| current.due_ms <= now_ms)?;
        Some((state.shift, Arc::clone(&current.job)))
    }

    /// Waits for a job that is overdue; nothing where there will be none.
    pub(super) fn watch(&self, now_ms: impl Fn() -> u64) -> Option<(Shift, Arc<J>)> {
        loop {
            let now_ms = now_ms();
            if let Some(overdue) = self.overdue(now_ms) {
                return Some(overdue);
            }
            let mut state = self.lock();
            if state.is_closed || state.is_off {
                return None;
            }
            let due_ms = state.current.as_ref().map(|current| current.due_ms);
            state.keeper_looks_at = due_ms.filter(|due_ms| *due_ms != NEVER);
            match state.keeper_looks_at {
                None => drop(self.begun.wait(state)),
                Some(due_ms) => {
                    drop(self.begun.wait_timeout(state, Duration::from_millis(due_ms.saturating_sub(now_ms))));
                }
            }
        }
    }

    /// Gives a job more time, if it is still under way.
    pub(super) fn postpone(&self, job: &Arc<J>, due_ms: u64) {
        let mut state = self.lock();
        if let Some(current) = state.current.as_mut().filter(|current| Arc::ptr_eq(&current.job, job)) {
            current.due_ms = due_ms;
        }
    }

    /// Takes the shift's place away from its thread over this job, and writes the job's result in its stead.
    pub(super) fn abandon(&self, shift: Shift, job: &Arc<J>, result: R) -> Place {
        let mut state = self.lock();
        let is_still_at_it = |current: &Current<J>| Arc::ptr_eq(&current.job, job);
        if state.shift != shift || !state.current.as_ref().is_some_and(is_still_at_it) {
            return Place::Taken;
        }
        state.current = None;
        state.shift = Shift(shift.0 + 1);
        state.wedged += 1;
        state.done.push(result);
        if state.wedged >= self.limits.wedged {
            state.is_off = true;
            return Place::Off;
        }
        Place::Free(state.shift)
    }

    /// Does nothing more; what was waiting gets the results that `give_up` makes of it. Off is off for good.
    pub(super) fn switch_off(&self, give_up: impl Fn(&J) -> R) {
        let mut state = self.lock();
        state.is_off = true;
        state.bytes = 0;
        let waiting: Vec<Waiting<J>> = state.waiting.drain(..).collect();
        state.done.extend(waiting.iter().map(|waiting| give_up(&waiting.job)));
        self.work.notify_all();
        self.begun.notify_all();
    }

    /// Fetches the results that are wanted.
    pub(super) fn take_done(&self, is_wanted: impl Fn(&R) -> bool) -> Vec<R> {
        let mut state = self.lock();
        let (wanted, others) = std::mem::take(&mut state.done).into_iter().partition(is_wanted);
        state.done = others;
        wanted
    }

    /// Nobody hands in or fetches any more: threads end when they come back.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.work.notify_all();
        self.begun.notify_all();
    }

    /// What stands on the desk now.
    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load { waiting: state.waiting.len(), bytes: state.bytes, wedged: state.wedged, is_off: state.is_off }
    }
}
