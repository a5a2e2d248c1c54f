//! Fences: what has been started and does not end in time is ended in its place, and whatever it still commits goes nowhere.

use bridge_core::{Diagnostic, Level, Pass, Path};
use legacy_compat::HtmlInput;
use registry::{
    Answer, CellId, Event, ExecutionCompleted, ExecutionStatus, Failure, Now, Query, QueueEntry, QueueId, QueueStatus,
    Reply, TimerId,
};

use super::seat::{Fenced, Flip, Seat};
use super::{Asked, Asker, Effect, Notebook, RuntimeKey};

/// The error of an execution that a flip did not wait for any longer.
const FENCED: &str = "runtime-bridge: fenced";

/// What fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// An interval of the old path's.
    Legacy(RuntimeKey, TimerId),
    /// The end of a drain.
    Deadline(RuntimeKey),
    /// The time by which what this runtime has started must be over.
    Watchdog(RuntimeKey),
}

impl Notebook {
    /// Sets a timer that fires every so many milliseconds, until it is cleared.
    pub(super) fn set_timer(&mut self, timer: Timer, every_ms: u64) -> TimerId {
        self.next_timer += 1;
        let id = TimerId(self.next_timer);
        self.timers.insert(id, timer);
        self.effects.push(Effect::SetInterval { timer: id, every_ms });
        id
    }

    pub(super) fn clear_timer(&mut self, id: TimerId) {
        if self.timers.remove(&id).is_some() {
            self.effects.push(Effect::ClearInterval { timer: id });
        }
    }

    /// The drain has lasted long enough. Only the store knows which of the executions that were started are still open.
    pub(super) fn fence(&mut self, runtime: RuntimeKey, deadline: TimerId) {
        let seat = self.seat(runtime);
        let (Some(lease), Some(flip)) = (&seat.lease, &seat.flip) else { return };
        let token = lease.token;
        let decision = match flip {
            Flip::Due(decision, of) | Flip::Checking(decision, Some(of)) if of.deadline == deadline => decision.clone(),
            _ => return,
        };
        seat.flip = Some(Flip::Fencing(decision));
        let ticket = self.ask(Asked::question(Asker::Fence(runtime)));
        let query = Query::Entries(self.ledger.started(token));
        self.effects.push(Effect::Query { ticket, query });
    }

    /// First the open executions, then the commit that ended them. A store that refuses it is no reason to stay: what it leaves
    /// open is an orphan of the next session.
    pub(super) fn fenced(&mut self, now: Now, runtime: RuntimeKey, answer: Answer) {
        match answer {
            Ok(Reply::Entries(rows)) if rows.iter().any(is_open) => self.end_in_place(now, runtime, &rows),
            _ => self.abandon(now, runtime),
        }
    }

    fn end_in_place(&mut self, now: Now, runtime: RuntimeKey, rows: &[QueueEntry]) {
        let Some(lease) = self.seat(runtime).lease.clone() else { return };
        // From here on nothing may follow the end that is given here, whether or not the flip comes to pass.
        self.gate.enforce();
        let open: Vec<QueueEntry> = rows.iter().filter(|row| is_open(row)).cloned().collect();
        if lease.path == Path::Legacy {
            let seat = self.seat(runtime);
            // The rules of `legacy-compat` end with its session: only code that it has called goes on.
            let goes_on =
                |row: &&QueueEntry| seat.legacy.is_host() || seat.code_calls.values().any(|cell| *cell == row.cell_id);
            let fenced = |row: &QueueEntry| (row.id.clone(), Fenced { cell: row.cell_id.clone(), is_told: false });
            let fenced: Vec<(QueueId, Fenced)> = open.iter().filter(goes_on).map(fenced).collect();
            seat.fenced.extend(fenced);
        }
        let events: Vec<Event> = open.iter().map(|row| ended_with(FENCED, row, now)).collect();
        let diagnostic = Diagnostic {
            level: Level::Error,
            code: "FENCED",
            message: format!(
                "notebook `{}`: {} executions did not end in time for a change of route",
                self.id,
                events.len()
            ),
            help:
                "they end with the error `runtime-bridge: fenced`; `drainMs` in the flag's metadata gives them longer"
                    .to_owned(),
        };
        self.effects.push(Effect::Diagnostic { diagnostic });
        self.commit(Asker::Fence(runtime), lease.path, lease.token, events);
    }

    /// Whether it is an execution that was fenced which asks for output in this cell; it is dropped then, and told once.
    pub(super) fn drops_late_code(&mut self, runtime: RuntimeKey, cell: &CellId) -> bool {
        let Some(late) = self.seat(runtime).late_code(cell) else { return false };
        let was_told = std::mem::replace(&mut late.is_told, true);
        self.gate.drop_late();
        if !was_told {
            self.tell_late_code(cell);
        }
        true
    }

    /// On the old path nobody can tell the outputs of a cell that runs anew from those of its fenced execution.
    pub(super) fn runs_anew(&mut self, pass: Pass, event: &Event) {
        if pass.path == Path::Legacy {
            let of_pass = |seat: &&mut Seat| seat.legacy_token == pass.token;
            self.seats.values_mut().filter(of_pass).for_each(|seat| seat.runs_anew(event));
        }
    }

    fn tell_late_code(&mut self, cell: &CellId) {
        let diagnostic = Diagnostic {
            level: Level::Warning,
            code: "LATE_CODE_DROPPED",
            message: format!(
                "notebook `{}`: an execution of cell `{cell}` that had been fenced went on; all its output is dropped",
                self.id
            ),
            help: "run the cell again".to_owned(),
        };
        self.effects.push(Effect::Diagnostic { diagnostic });
    }

    /// Lets go of what did not end, and flips.
    fn abandon(&mut self, now: Now, runtime: RuntimeKey) {
        let Some(Flip::Fencing(decision)) = self.seat(runtime).flip.take() else { return };
        let Some(lease) = self.seat(runtime).lease.clone() else { return };
        if lease.path == Path::Legacy {
            let failure = Failure::new(FENCED);
            self.step_legacy(now, runtime, |core| core.html(now, HtmlInput::Abandon(failure)));
        }
        self.check_flip(runtime, decision, None);
    }
}

fn is_open(row: &QueueEntry) -> bool {
    row.status == QueueStatus::Executing
}

/// The end of an execution that somebody else has begun.
pub(super) fn ended_with(error: &str, row: &QueueEntry, now: Now) -> Event {
    Event::ExecutionCompleted(ExecutionCompleted {
        queue_id: row.id.clone(),
        cell_id: row.cell_id.clone(),
        status: ExecutionStatus::Error,
        error: Some(error.to_owned()),
        completed_at: now.timestamp(),
        execution_duration_ms: 0.into(),
    })
}
