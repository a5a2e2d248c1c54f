//! The old path where the host's own code serves it: it commits through a facade that carries the token of its lease.

use bridge_core::{Path, Standing, Token};
use registry::{QueueEntry, QueueStatus};
use serde::Serialize;

use super::host_code::{HostCode, Mark};
use super::{Asked, Asker, Effect, HostEvent, Mechanism, Notebook, RuntimeKey};

/// What a host's own code may do through its facade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "token", rename_all = "lowercase")]
pub enum Facade {
    /// Serve under this token.
    Open(Token),
    /// End what it has begun under this token; what waits is hidden from it.
    Draining(Token),
    /// Nothing: another path serves.
    #[default]
    Closed,
}

impl Notebook {
    /// Judges what the host's code is about to commit. It commits what passes itself, before its call returns; to what does not
    /// pass it hears that it succeeded.
    pub(super) fn on_host_commit(&mut self, runtime: RuntimeKey, offer: u32, token: Token, events: Vec<HostEvent>) {
        let pass = self.pass(Path::Legacy, token);
        let (mut passed, mut committed, mut marks, mut undo) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, event) in events.into_iter().map(HostEvent::into_event).enumerate() {
            let is_announced = self.host_code(runtime).is_some_and(|code| code.is_announced(&event));
            let was_fenced = self.seat(runtime).ends_what_was_fenced(&event);
            if self.seat(runtime).is_late(&event) {
                self.gate.drop_late();
            } else if !is_announced && self.passes(pass, &event, &mut undo) {
                marks.extend(Mark::of(&event));
                passed.push(index);
                committed.push(event);
            } else if was_fenced {
                self.gate.was_late();
            }
        }
        undo.reverse();
        if let Some(code) = self.host_code(runtime) {
            code.commits();
        }
        let observed = self.pin_sources(runtime, &committed);
        let ticket = self.ask(Asked { by: Asker::Host(runtime, marks), undo, observed });
        self.effects.push(Effect::HostCommit { ticket, offer, passed });
    }

    pub(super) fn host_committed(&mut self, runtime: RuntimeKey, marks: Vec<Mark>) {
        if let Some(code) = self.host_code(runtime) {
            code.committed(marks);
        }
    }

    /// Opens or closes the facade of a host's own code.
    pub(super) fn set_facade(&mut self, runtime: RuntimeKey, facade: Facade) {
        if self.host_code(runtime).is_some() {
            self.effects.push(Effect::Facade { runtime, facade });
        }
    }

    fn host_code(&mut self, runtime: RuntimeKey) -> Option<&mut HostCode> {
        self.seats.get_mut(&runtime)?.legacy.host_code()
    }

    /// Takes what a session has claimed and not started from it, for the path that comes next.
    pub(super) fn hand_on_claims(&mut self, token: Token) {
        if self.lacks(Mechanism::HandOver) {
            return;
        }
        let claims = self.ledger.release_claims(token);
        self.handed_on.retain(|id| *self.ledger.standing(id) == Standing::Pending);
        self.handed_on.extend(claims);
    }

    /// The session stays: its claims are its own again, under its new token.
    pub(super) fn take_back_claims(&mut self, path: Path, token: Token) {
        for id in std::mem::take(&mut self.handed_on) {
            self.ledger.claim(&id, path, token);
        }
    }

    /// A claim that was handed on still shows the session that made it: it waits, like any pending entry.
    pub(super) fn with_claims_handed_on(&self, mut entries: Vec<QueueEntry>) -> Vec<QueueEntry> {
        let is_free = |entry: &QueueEntry| {
            entry.status == QueueStatus::Assigned
                && self.handed_on.contains(&entry.id)
                && *self.ledger.standing(&entry.id) == Standing::Pending
        };
        for entry in entries.iter_mut().filter(|entry| is_free(entry)) {
            entry.status = QueueStatus::Pending;
            entry.assigned_runtime_session = None;
        }
        entries
    }
}
