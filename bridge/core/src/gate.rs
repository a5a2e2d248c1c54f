//! The gate: the one place through which every commit of either path passes.

use registry::{Event, ExecutionStatus, QueueId};
use serde::Serialize;

use crate::{Ledger, Path, Standing, Terminal, Token};

/// Whether the gate acts on what it sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The notebook has only ever been routed `legacy`: it is the old system exactly, and the gate only counts.
    #[default]
    Observe,
    /// The notebook has had another lease: what breaks a rule is dropped.
    Enforce,
}

/// Why an event may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The lease it was made under is not the current one.
    StaleToken,
    /// A claim of an entry that is not pending: finished, or claimed by another lease.
    NotPending,
    /// A start or an end of an entry that this lease does not hold.
    NotHeld,
    /// An end of an entry that was ended through this gate before.
    SecondTerminal,
    /// It was made by a candidate. Nothing lets one come this far; should it, it goes no further, whatever the mode.
    Shadow,
}

/// What the gate says of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Commit it.
    Pass,
    /// Drop it and tell the committer that it succeeded: a throw would wedge the old code for good.
    Drop(Refusal),
}

/// What passed, what was dropped, and what would have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateCounts {
    /// Events let through.
    pub passed: u64,
    /// Events dropped for a stale token.
    pub dropped_stale: u64,
    /// Events dropped for the state of their entry.
    pub dropped_entry: u64,
    /// Of all that was dropped, what came from behind a fence: of an execution that had been ended in its place, up to its own
    /// end.
    pub late: u64,
    /// Events that broke a rule while the gate only observed.
    pub observed: u64,
    /// Events of a candidate. It must stay 0.
    pub breaches: u64,
}

/// The gate of one notebook.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    mode: Mode,
    counts: GateCounts,
}

/// Under which lease an event was made.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// The path of the lease.
    pub path: Path,
    /// The token of the lease.
    pub token: Token,
    /// False once a later lease exists.
    pub is_current: bool,
}

impl Gate {
    /// Enforce from now on. There is no way back: the notebook has left the old system.
    pub fn enforce(&mut self) {
        self.mode = Mode::Enforce;
    }

    /// Whether the gate acts on what it sees.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What the gate has seen.
    pub fn counts(&self) -> GateCounts {
        self.counts
    }

    /// Counts an event that comes from behind a fence, and is dropped for it.
    pub fn drop_late(&mut self) {
        self.counts.dropped_stale += 1;
        self.counts.late += 1;
    }

    /// An event that was dropped came from behind a fence.
    pub fn was_late(&mut self) {
        self.counts.late += 1;
    }

    /// Judges one event and books what it does to its entry.
    pub fn judge(&mut self, ledger: &mut Ledger, pass: Pass, event: &Event) -> Ruling {
        if pass.token == Token::SHADOW {
            self.counts.breaches += 1;
            return Ruling::Drop(Refusal::Shadow);
        }
        let refusal = Self::refusal(ledger, pass, event);
        match (self.mode, refusal) {
            (_, None) => {
                self.counts.passed += 1;
                Ruling::Pass
            }
            (Mode::Observe, Some(_)) => {
                self.counts.passed += 1;
                self.counts.observed += 1;
                Self::book_unchecked(ledger, pass, event);
                Ruling::Pass
            }
            (Mode::Enforce, Some(refusal)) => {
                match refusal {
                    Refusal::StaleToken => self.counts.dropped_stale += 1,
                    Refusal::NotPending | Refusal::NotHeld | Refusal::SecondTerminal | Refusal::Shadow => {
                        self.counts.dropped_entry += 1;
                    }
                }
                Ruling::Drop(refusal)
            }
        }
    }

    /// The rule that an event breaks, if any; a lawful event is booked.
    fn refusal(ledger: &mut Ledger, pass: Pass, event: &Event) -> Option<Refusal> {
        if !pass.is_current {
            return Some(Refusal::StaleToken);
        }
        let (lawful, refusal) = match event {
            Event::ExecutionAssigned(e) => (ledger.claim(&e.queue_id, pass.path, pass.token), Refusal::NotPending),
            Event::ExecutionStarted(e) => (ledger.start(&e.queue_id, pass.path, pass.token), Refusal::NotHeld),
            Event::ExecutionCompleted(e) => Self::end(ledger, pass, &e.queue_id, terminal(e.status)),
            Event::ExecutionCancelled(e) => Self::end(ledger, pass, &e.queue_id, Terminal::Cancelled),
            _ => return None,
        };
        (!lawful).then_some(refusal)
    }

    fn end(ledger: &mut Ledger, pass: Pass, id: &QueueId, terminal: Terminal) -> (bool, Refusal) {
        let refusal = if ledger.has_ended(id) { Refusal::SecondTerminal } else { Refusal::NotHeld };
        (ledger.end(id, pass.token, terminal), refusal)
    }

    fn book_unchecked(ledger: &mut Ledger, pass: Pass, event: &Event) {
        let (id, standing) = match event {
            Event::ExecutionAssigned(e) => (&e.queue_id, Standing::Claimed(pass.path, pass.token)),
            Event::ExecutionStarted(e) => (&e.queue_id, Standing::Started(pass.path, pass.token)),
            Event::ExecutionCompleted(e) => (&e.queue_id, Standing::Terminal(terminal(e.status))),
            Event::ExecutionCancelled(e) => (&e.queue_id, Standing::Terminal(Terminal::Cancelled)),
            _ => return,
        };
        ledger.record(id, standing);
    }
}

fn terminal(status: ExecutionStatus) -> Terminal {
    match status {
        ExecutionStatus::Success => Terminal::Success,
        ExecutionStatus::Error => Terminal::Error,
        ExecutionStatus::Cancelled => Terminal::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use registry::{ExecutionAssigned, ExecutionCompleted, ExecutionStarted, SessionId, Timestamp};

    use super::*;

    fn id() -> QueueId {
        QueueId::from("q")
    }

    fn assigned() -> Event {
        ExecutionAssigned { queue_id: id(), runtime_session_id: SessionId::from("s") }.into()
    }

    fn started() -> Event {
        let (cell_id, runtime_session_id, started_at) = ("c".into(), SessionId::from("s"), Timestamp::from_ms(0));
        ExecutionStarted { queue_id: id(), cell_id, runtime_session_id, started_at }.into()
    }

    fn completed() -> Event {
        let (cell_id, completed_at, execution_duration_ms) = ("c".into(), Timestamp::from_ms(0), 0.into());
        let status = ExecutionStatus::Success;
        let queue_id = id();
        ExecutionCompleted { queue_id, cell_id, status, error: None, completed_at, execution_duration_ms }.into()
    }

    /// The rulings of an enforcing gate on these events of one lease.
    fn judged(ledger: &mut Ledger, events: &[Event]) -> Vec<Ruling> {
        let mut gate = Gate::default();
        gate.enforce();
        let pass = Pass { path: Path::Registry, token: Token::default().raised(), is_current: true };
        events.iter().map(|event| gate.judge(ledger, pass, event)).collect()
    }

    #[test]
    fn a_second_terminal_is_told_from_an_end_of_what_is_not_held() {
        let (passed, second) = (Ruling::Pass, Ruling::Drop(Refusal::SecondTerminal));
        let mut ledger = Ledger::default();
        let events = [assigned(), started(), completed(), completed()];
        assert_eq!(judged(&mut ledger, &events), [passed, passed, passed, second]);

        ledger = Ledger::default();
        assert_eq!(judged(&mut ledger, &[completed()]), [Ruling::Drop(Refusal::NotHeld)]);
    }

    #[test]
    fn what_somebody_else_ended_or_was_ended_in_its_place_is_no_second_terminal() {
        let refused = [Ruling::Drop(Refusal::NotHeld)];
        let mut cancelled = Ledger::default();
        judged(&mut cancelled, &[assigned(), started()]);
        cancelled.record(&id(), Standing::Terminal(Terminal::Cancelled));
        assert_eq!(judged(&mut cancelled, &[completed()]), refused);

        let mut fenced = Ledger::default();
        judged(&mut fenced, &[assigned(), started(), completed()]);
        fenced.excuse(&id());
        assert_eq!(judged(&mut fenced, &[completed()]), refused);
    }

    #[test]
    fn an_end_that_the_store_refused_may_be_tried_again() {
        let mut ledger = Ledger::default();
        judged(&mut ledger, &[assigned(), started()]);
        let before = ledger.remember(&id());
        judged(&mut ledger, &[completed()]);
        ledger.restore(&id(), before);
        assert_eq!(judged(&mut ledger, &[completed()]), [Ruling::Pass]);
    }

    #[test]
    fn what_a_candidate_made_goes_no_further_in_either_mode() {
        for mode in [Mode::Observe, Mode::Enforce] {
            let mut gate = Gate { mode, ..Gate::default() };
            let mut ledger = Ledger::default();
            let pass = Pass { path: Path::Registry, token: Token::SHADOW, is_current: true };
            assert_eq!(gate.judge(&mut ledger, pass, &assigned()), Ruling::Drop(Refusal::Shadow));
            assert_eq!(gate.counts(), GateCounts { breaches: 1, ..GateCounts::default() });
            assert_eq!(ledger.tally(), crate::Tally::default());
        }
    }
}
