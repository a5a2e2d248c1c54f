//! Displacement of the host's own code by another process: a lease is valid while its session is active in the log. The old
//! code does not look, so once a notebook has left the old system, the bridge looks for it.

use bridge_core::{Mode, Path};
use registry::{Now, SessionId};

use super::host::Facade;
use super::legacy_core::LegacyCore;
use super::{Notebook, RuntimeKey};

impl Notebook {
    /// Whether a session of the host's code has to be watched for its displacement.
    pub(super) fn has_leases_to_watch(&self) -> bool {
        self.gate.mode() == Mode::Enforce && !self.host_sessions().is_empty()
    }

    /// Closes the queue to host code whose session was active and is not any longer. What it has started may end: nobody else
    /// would end it.
    pub(super) fn displace_host_code(&mut self, sessions: &[SessionId]) {
        if self.gate.mode() == Mode::Observe {
            return;
        }
        for runtime in self.host_sessions() {
            let seat = self.seat(runtime);
            let Some(lease) = &seat.lease else { continue };
            if sessions.contains(&lease.session_id) {
                seat.was_active = true;
            } else if seat.was_active && !seat.is_displaced {
                seat.is_displaced = true;
                let token = seat.legacy_token;
                self.set_facade(runtime, Facade::Draining(token));
            }
        }
    }

    /// Ends the displaced sessions that have nothing under way.
    pub(super) fn end_what_is_displaced(&mut self, now: Now) {
        for runtime in self.host_sessions() {
            let seat = self.seat(runtime);
            if seat.is_displaced && !seat.is_working() && !seat.is_flipping() {
                self.displaced(now, runtime);
            }
        }
    }

    fn host_sessions(&self) -> Vec<RuntimeKey> {
        let mut runtimes = self.seats_on(Path::Legacy);
        runtimes
            .retain(|runtime| self.seats.get(runtime).is_some_and(|seat| matches!(seat.legacy, LegacyCore::Host(_))));
        runtimes
    }
}
