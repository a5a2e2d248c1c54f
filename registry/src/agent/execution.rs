//! Executions: claimed together, read together, committed together, each with exactly one terminal.

use indexmap::IndexMap;

use super::session::SessionStep;
use super::{Agent, MAX_EVENTS_PER_COMMIT, unexpected};
use crate::{
    Answer, CellId, Effect, Event, ExecutionAssigned, ExecutionCompleted, ExecutionStarted, ExecutionStatus, Failure,
    HandlerTrace, Ingest, Now, Outcome, Phase, Query, QueueEntry, QueueId, QueueStatus, Reply,
};

/// Events that an execution commits at least, if it shows anything: assigned, started, cleared, one output, completed.
const EVENTS_PER_EXECUTION: usize = 5;

/// What an agent is in the middle of.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// A session event.
    Session(SessionStep),
    /// Waiting for the ledger's word on these.
    Claiming(Vec<QueueEntry>),
    /// Reading the sources of the cells of these.
    Reading(Vec<QueueEntry>),
    /// The first runs are being committed; the rest follows, one commit each.
    Committing { runs: Vec<Run>, rest: Vec<Run> },
    /// A commit failed: reading which of these runs the store still shows as open.
    Verifying { runs: Vec<Run>, rest: Vec<Run>, failure: Failure },
    /// A run whose events the store refuses is being completed with that failure.
    Failing { rest: Vec<Run> },
}

/// One execution and the events that tell it.
#[derive(Clone, Debug)]
pub(super) struct Run {
    entry: QueueEntry,
    events: Vec<Event>,
}

impl Agent {
    pub(super) fn claim_next(&mut self) {
        let count = self.waiting.len().min(MAX_EVENTS_PER_COMMIT / EVENTS_PER_EXECUTION);
        let entries: Vec<QueueEntry> = self.waiting.drain(..count).collect();
        for entry in &entries {
            self.waiting_ids.remove(&entry.id);
        }
        let ids = entries.iter().map(|entry| entry.id.clone()).collect();
        self.ask(Work::Claiming(entries), |ticket| Effect::Claim { ticket, entries: ids });
    }

    pub(super) fn resume_execution(&mut self, now: Now, work: Work, answer: Answer) {
        match (work, answer) {
            (Work::Claiming(entries), Ok(Reply::Claimed(granted))) => self.read(entries, &granted),
            (Work::Reading(entries), Ok(Reply::Work(Some(sources)))) => self.execute(now, entries, &sources),
            (Work::Reading(_), Ok(Reply::Work(None))) => self.ended_elsewhere(),
            (Work::Committing { rest, .. } | Work::Failing { rest, .. }, Ok(_)) => self.commit_rest(rest),
            (Work::Committing { runs, rest }, Err(failure)) => self.verify(runs, rest, failure),
            (Work::Verifying { runs, rest, failure }, Ok(Reply::Entries(rows))) => {
                let was_alone = runs.len() == 1;
                let open = runs.into_iter().filter(|run| self.is_open(&run.entry.id, &rows)).collect();
                self.retry(now, open, rest, was_alone.then_some(failure));
            }
            (_, Ok(other)) => self.break_down(unexpected(&other)),
            (_, Err(failure)) => self.break_down(failure),
        }
    }

    fn read(&mut self, entries: Vec<QueueEntry>, granted: &[QueueId]) {
        let entries: Vec<QueueEntry> = entries.into_iter().filter(|entry| granted.contains(&entry.id)).collect();
        if entries.is_empty() {
            return self.next();
        }
        let mut cells: Vec<CellId> = entries.iter().map(|entry| entry.cell_id.clone()).collect();
        cells.sort_unstable();
        cells.dedup();
        let Some(session) = self.session_id().cloned() else { return };
        self.effects.push(Effect::Phase(Phase::Busy));
        self.query(Work::Reading(entries), Query::Work(session, cells));
    }

    /// Handlers that end within their step: the runs are built here and committed together, as far as they fit.
    fn execute(&mut self, now: Now, entries: Vec<QueueEntry>, sources: &IndexMap<CellId, String>) {
        let mut runs = Vec::with_capacity(entries.len());
        for entry in entries {
            let done = match sources.get(&entry.cell_id) {
                Some(source) => {
                    let handler = self.runtime_type.handler.as_ref();
                    let done = handler.and_then(|handler| handler.handle(&entry, source));
                    done.ok_or_else(|| "no handler executes this cell".to_owned())
                }
                None => Err("cell not found".to_owned()),
            };
            runs.push(self.run_of(now, entry, done));
        }
        let rest = runs.split_off(fitting(&runs));
        self.commit(runs, rest);
    }

    fn commit(&mut self, runs: Vec<Run>, rest: Vec<Run>) {
        let events = runs.iter().flat_map(|run| run.events.iter().cloned()).collect();
        self.ask(Work::Committing { runs, rest }, |ticket| Effect::Commit { ticket, events });
    }

    fn commit_rest(&mut self, mut rest: Vec<Run>) {
        if rest.is_empty() {
            if self.waiting.is_empty() {
                self.effects.push(Effect::Phase(Phase::Ready));
            }
            return self.next();
        }
        let run = rest.remove(0);
        self.commit(vec![run], rest);
    }

    /// A commit is one transaction, but only the store knows what became of a failed one.
    fn verify(&mut self, runs: Vec<Run>, rest: Vec<Run>, failure: Failure) {
        let ids = runs.iter().map(|run| run.entry.id.clone()).collect();
        self.query(Work::Verifying { runs, rest, failure }, Query::Entries(ids));
    }

    /// What a failed commit left open is committed again, one by one, so that one bad execution fails alone: a run that was
    /// alone already is completed with that failure instead. When this fails too, the store is past using.
    fn retry(&mut self, now: Now, mut open: Vec<Run>, mut rest: Vec<Run>, failed_alone: Option<Failure>) {
        match (open.pop(), failed_alone) {
            (Some(run), Some(failure)) => {
                let events = self.run_of(now, run.entry, Err(failure.message)).events;
                self.ask(Work::Failing { rest }, |ticket| Effect::Commit { ticket, events });
            }
            (last, _) => {
                open.extend(last);
                open.append(&mut rest);
                self.commit_rest(open);
            }
        }
    }

    /// Still to be run: pending, or ours and not over. A row keeps its session when it is over.
    fn is_open(&self, id: &QueueId, rows: &[QueueEntry]) -> bool {
        rows.iter().any(|row| {
            let is_ours = row.assigned_runtime_session.as_ref() == self.session_id();
            row.id == *id
                && match row.status {
                    QueueStatus::Pending => true,
                    QueueStatus::Assigned | QueueStatus::Executing => is_ours,
                    QueueStatus::Completed | QueueStatus::Failed | QueueStatus::Cancelled => false,
                }
        })
    }

    /// The events of one execution: Assigned (unless somebody assigned it to us), Started, what the handler did, Completed. A
    /// handler that was not entered has an error instead.
    fn run_of(&mut self, now: Now, entry: QueueEntry, done: Result<HandlerTrace, String>) -> Run {
        let Some(identity) = self.identity().cloned() else { return Run { entry, events: Vec::new() } };
        let (queue_id, cell_id) = (entry.id.clone(), entry.cell_id.clone());
        let runtime_session_id = identity.session_id.clone();
        let mut events = Vec::with_capacity(EVENTS_PER_EXECUTION);
        if entry.status == QueueStatus::Pending {
            let runtime_session_id = runtime_session_id.clone();
            events.push(Event::ExecutionAssigned(ExecutionAssigned { queue_id: queue_id.clone(), runtime_session_id }));
        }
        events.push(Event::ExecutionStarted(ExecutionStarted {
            queue_id: queue_id.clone(),
            cell_id: cell_id.clone(),
            runtime_session_id,
            started_at: now.timestamp(),
        }));
        let outcome = match done {
            Ok(HandlerTrace { operations, outcome }) => {
                let mut ingest = Ingest::new(cell_id.clone(), entry.execution_count, &identity.runtime_id);
                events.push(ingest.begin());
                events.extend(operations.into_iter().filter_map(|operation| ingest.take(operation, &mut self.ids)));
                outcome
            }
            Err(error) => Outcome::Error(Some(error)),
        };
        let end = match outcome {
            Outcome::Success => Some((ExecutionStatus::Success, None)),
            Outcome::Error(error) => Some((ExecutionStatus::Error, error)),
            Outcome::Cancelled => None,
        };
        events.extend(end.map(|(status, error)| {
            let (completed_at, execution_duration_ms) = (now.timestamp(), 0.into());
            let completed =
                ExecutionCompleted { queue_id, cell_id, status, error, completed_at, execution_duration_ms };
            Event::ExecutionCompleted(completed)
        }));
        Run { entry, events }
    }
}

/// How many of these runs one commit holds: at least one, however much it shows.
fn fitting(runs: &[Run]) -> usize {
    let mut events = 0;
    let fits = runs.iter().take_while(|run| {
        events += run.events.len();
        events <= MAX_EVENTS_PER_COMMIT
    });
    fits.count().max(1).min(runs.len())
}
