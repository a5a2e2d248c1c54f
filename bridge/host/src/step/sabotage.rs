//! Mechanisms that a simulation takes out of a notebook, to see that its oracles notice. Only the feature `sabotage` can do so;
//! without it every mechanism is there, and the compiler knows.

use bridge_core::{Standing, Token};
use registry::{Event, QueueEntry};

use super::Notebook;

/// What keeps executions from being lost or run twice.
#[cfg_attr(not(feature = "sabotage"), expect(unreachable_pub, reason = "public with the feature"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The gate's look at the token.
    TokenCheck,
    /// The compare-and-set of a claim.
    ClaimCheck,
    /// The raise of the token at a flip.
    Raise,
    /// The hand-over of what is claimed and not started.
    HandOver,
    /// The sweep of what sessions that are gone have left.
    Sweep,
    /// The order in which the new path hears of requests.
    RequestOrder,
}

#[cfg(feature = "sabotage")]
impl Notebook {
    /// The notebook without this mechanism.
    #[must_use]
    pub fn without(mut self, mechanism: Mechanism) -> Self {
        self.lacking = Some(mechanism);
        self
    }

    /// How an execution stands in the ledger.
    pub fn standing(&self, id: &registry::QueueId) -> &Standing {
        self.ledger.standing(id)
    }

    pub(super) fn lacks(&self, mechanism: Mechanism) -> bool {
        self.lacking == Some(mechanism)
    }
}

#[cfg(not(feature = "sabotage"))]
impl Notebook {
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) const fn lacks(&self, _: Mechanism) -> bool {
        false
    }
}

impl Notebook {
    /// The token of the lease that a flip gives out.
    pub(super) fn token_of_flip(&self) -> Token {
        if self.lacks(Mechanism::Raise) { self.token } else { self.token.raised() }
    }

    /// What the new path is told of the queue.
    pub(super) fn in_order(&self, mut entries: Vec<QueueEntry>) -> Vec<QueueEntry> {
        if self.lacks(Mechanism::RequestOrder) {
            entries.reverse();
        }
        entries
    }

    /// Without the check a claim takes its entry from whoever has it.
    pub(super) fn take_unchecked(&mut self, path: bridge_core::Path, token: Token, event: &Event) {
        if let Event::ExecutionAssigned(assigned) = event
            && self.lacks(Mechanism::ClaimCheck)
        {
            self.ledger.record(&assigned.queue_id, Standing::Claimed(path, token));
        }
    }
}
