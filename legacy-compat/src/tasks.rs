//! Suspended calls of the old code, by the ticket whose answer they wait for.

use std::collections::BTreeMap;

use registry::Ticket;

/// The suspended calls of one core.
#[derive(Clone, Debug)]
pub(crate) struct Tasks<T> {
    next: u32,
    parked: BTreeMap<Ticket, T>,
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self { next: 0, parked: BTreeMap::new() }
    }
}

impl<T> Tasks<T> {
    /// Suspends a task and gives the ticket that will wake it.
    pub(crate) fn park(&mut self, task: T) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.parked.insert(ticket, task);
        ticket
    }

    /// True while nothing is suspended.
    pub(crate) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// True while something of this kind is suspended.
    pub(crate) fn any(&self, is_wanted: impl FnMut(&T) -> bool) -> bool {
        self.parked.values().any(is_wanted)
    }

    /// Gives up every suspended task.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(&mut self.parked).into_values()
    }

    /// The task that waits for this ticket, if it has not been woken yet.
    pub(crate) fn wake(&mut self, ticket: Ticket) -> Option<T> {
        self.parked.remove(&ticket)
    }
}
