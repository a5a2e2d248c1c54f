//! Virtual time: timers in order of due time, then creation; microtasks first in, first out.

use std::collections::{BTreeMap, VecDeque};

use registry::{Answer, Now, TimerId};

use super::Waiter;

/// When every run begins.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// What a timer does when it fires.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// Resolves a promise.
    Resolve(Waiter, Answer),
    /// An interval of a store's notebook.
    Notebook(usize, TimerId),
    /// An interval of a registry.
    Registry(usize, TimerId),
}

#[derive(Debug)]
struct Timer {
    due_ms: u64,
    every_ms: Option<u64>,
    due: Due,
}

/// The clock of a run and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    elapsed_ms: u64,
    /// By creation.
    timers: BTreeMap<u32, Timer>,
    next: u32,
    microtasks: VecDeque<(Waiter, Answer)>,
}

impl Clock {
    pub(super) fn now(&self) -> Now {
        let elapsed = i64::try_from(self.elapsed_ms).unwrap_or(i64::MAX);
        Now { wall_ms: EPOCH_MS.saturating_add(elapsed), mono_ms: self.elapsed_ms }
    }

    pub(super) fn move_to(&mut self, elapsed_ms: u64) {
        self.elapsed_ms = self.elapsed_ms.max(elapsed_ms);
    }

    /// A zero timeout counts as one millisecond.
    pub(super) fn after(&mut self, ms: u64, waiter: Waiter, answer: Answer) {
        self.add(ms, None, Due::Resolve(waiter, answer));
    }

    pub(super) fn every(&mut self, ms: u64, due: Due) {
        self.add(ms, Some(ms.max(1)), due);
    }

    fn add(&mut self, ms: u64, every_ms: Option<u64>, due: Due) {
        self.next += 1;
        self.timers.insert(self.next, Timer { due_ms: self.elapsed_ms + ms.max(1), every_ms, due });
    }

    pub(super) fn clear_notebook(&mut self, store: usize, timer: TimerId) {
        self.timers.retain(|_, entry| !matches!(entry.due, Due::Notebook(s, t) if (s, t) == (store, timer)));
    }

    pub(super) fn clear_registry(&mut self, registry: usize, timer: TimerId) {
        self.timers.retain(|_, entry| !matches!(entry.due, Due::Registry(r, t) if (r, t) == (registry, timer)));
    }

    pub(super) fn has_one_shot(&self) -> bool {
        self.timers.values().any(|timer| timer.every_ms.is_none())
    }

    /// Moves to the next timer that is due by then, if there is one.
    pub(super) fn next_due(&mut self, until_ms: u64) -> Option<Due> {
        let (id, timer) = self.timers.iter_mut().min_by_key(|(id, timer)| (timer.due_ms, **id))?;
        if timer.due_ms > until_ms {
            return None;
        }
        self.elapsed_ms = self.elapsed_ms.max(timer.due_ms);
        let due = timer.due.clone();
        match timer.every_ms {
            Some(every_ms) => timer.due_ms += every_ms,
            None => {
                let id = *id;
                self.timers.remove(&id);
            }
        }
        Some(due)
    }

    pub(super) fn microtask(&mut self, waiter: Waiter, answer: Answer) {
        self.microtasks.push_back((waiter, answer));
    }

    pub(super) fn next_microtask(&mut self) -> Option<(Waiter, Answer)> {
        self.microtasks.pop_front()
    }
}
