//! The sweep: entries of sessions that are gone, which the old path strands for ever, are taken up again or ended.

use bridge_core::{Diagnostic, Lease, Level, Path, Standing};
use registry::{Event, Now, QueueEntry, QueueStatus};

use super::fence::ended_with;
use super::seat::Seat;
use super::{Asker, Effect, Mechanism, Notebook};

/// The error of an execution whose session is gone: it was entered, and is never entered again.
const ORPHANED: &str = "runtime-bridge: orphaned";

impl Notebook {
    /// Shows the new path what it may take: an entry that is assigned to a session that is gone waits like any pending one. One
    /// that was executing there is ended. The old path, as long as it has never been left, sweeps nothing.
    pub(super) fn swept(&mut self, now: Now, mut entries: Vec<QueueEntry>) -> Vec<QueueEntry> {
        let Some(lease) = self.announced_agent().filter(|_| !self.lacks(Mechanism::Sweep)) else { return entries };
        let mut ended: Vec<Event> = Vec::new();
        let mut requeued = 0;
        for entry in &mut entries {
            let was_entered = self.was_entered_before(entry);
            if !was_entered && !self.is_orphan(entry, &lease) {
                continue;
            }
            let is_started = was_entered || entry.status == QueueStatus::Executing;
            self.ledger.inherit(&entry.id, is_started, lease.path, lease.token);
            if is_started {
                // What the log has forgotten of it waits there like any other.
                entry.status = QueueStatus::Executing;
                ended.push(ended_with(ORPHANED, entry, now));
            } else {
                requeued += 1;
                entry.status = QueueStatus::Pending;
                entry.assigned_runtime_session = None;
            }
        }
        if requeued > 0 || !ended.is_empty() {
            self.tell_sweep(requeued, ended.len());
        }
        if !ended.is_empty() {
            self.commit(Asker::Sweep, lease.path, lease.token, ended);
        }
        entries
    }

    /// The registry's session, once its announcement has displaced all others.
    fn announced_agent(&self) -> Option<Lease> {
        let is_settled = |seat: &&Seat| seat.starting.is_none() && seat.stopping.is_none() && !seat.is_flipping();
        let mut leases = self.seats.values().filter(is_settled).filter_map(|seat| seat.lease.as_ref());
        leases.find(|lease| lease.path == Path::Registry).cloned()
    }

    fn is_orphan(&self, entry: &QueueEntry, lease: &Lease) -> bool {
        let is_taken = matches!(entry.status, QueueStatus::Assigned | QueueStatus::Executing);
        let is_elsewhere = entry.assigned_runtime_session.as_ref() != Some(&lease.session_id);
        let is_over = matches!(self.ledger.standing(&entry.id), Standing::Terminal(_));
        is_taken && is_elsewhere && !is_over
    }

    fn tell_sweep(&mut self, requeued: usize, ended: usize) {
        let diagnostic = Diagnostic {
            level: Level::Warning,
            code: "ORPHANS_SWEPT",
            message: format!(
                "notebook `{}`: of executions whose session is gone {requeued} are run and {ended} that had been started are ended",
                self.id
            ),
            help: "what had been started ends with the error `runtime-bridge: orphaned` and is never run again"
                .to_owned(),
        };
        self.effects.push(Effect::Diagnostic { diagnostic });
    }
}
