//! The audit of a log: did every execution that was requested end exactly once, in its turn, under one session?
//!
//! The auditor is shown a log event by event and judges nothing but the log. It keeps one small record per execution and per
//! session, ids and places, never a source or an output, and lists at most [`MAX_LISTED`] findings of each kind: its memory
//! grows with the number of requests, not with what they show.

mod finding;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use registry::{
    CellId, Event, ExecutionCancelled, ExecutionCompleted, ExecutionRequested, ExecutionStarted, ExecutionStatus,
    QueueId, RuntimeSessionStarted, SessionId,
};
use serde::Serialize;

pub use finding::{Finding, FindingKind, Group, Place};
use record::{End, Record, Session, Standing};
pub use record::{Served, Tally as ServedTally};

/// Findings of one kind that are listed: enough to see a pattern, few enough to read. Further ones are counted.
pub const MAX_LISTED: u64 = 100;

/// What an audit has found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Events of the log.
    pub events: u64,
    /// Events among them that we do not know.
    pub unknown_events: u64,
    /// Executions that were requested.
    pub executions: u64,
    /// Executions of which the log holds something, but not the request: it begins after them.
    pub without_request: u64,
    /// The requested executions by who served them.
    pub served: BTreeMap<Served, ServedTally>,
    /// How often each group of faults was found.
    pub faults: BTreeMap<Group, u64>,
    /// How often each kind of finding was found.
    pub found: BTreeMap<FindingKind, u64>,
    /// The faults, in the order of their places.
    pub findings: Vec<Finding>,
    /// What hosts and other clients did, which is nobody's fault.
    pub theirs: Vec<Finding>,
    /// Findings that are counted and not listed.
    pub unlisted: u64,
}

impl Audit {
    /// Whether every requested execution has its one terminal, and nothing else is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.values().all(|count| *count == 0)
    }
}

/// Audits one log.
#[derive(Clone, Debug, Default)]
pub struct Auditor {
    audit: Audit,
    records: BTreeMap<QueueId, Record>,
    /// The entries without an end, in request order.
    open: BTreeMap<u64, QueueId>,
    /// The entries among them that have been started.
    executing: BTreeSet<QueueId>,
    /// The execution that was started last of each cell: outputs name their cell only.
    runs: BTreeMap<CellId, QueueId>,
    sessions: BTreeMap<SessionId, Session>,
    next_rank: u64,
}

impl Auditor {
    /// An auditor that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next event of the log.
    pub fn take(&mut self, place: Place, event: &Event) {
        self.audit.events += 1;
        match event {
            Event::RuntimeSessionStarted(e) => self.session_started(place, e),
            Event::RuntimeSessionTerminated(e) => {
                if let Some(session) = self.sessions.get_mut(&e.session_id) {
                    session.is_active = false;
                }
            }
            Event::ExecutionRequested(e) => self.requested(place, e),
            Event::ExecutionAssigned(e) => self.assigned(place, &e.queue_id, &e.runtime_session_id),
            Event::ExecutionStarted(e) => self.started(place, e),
            Event::ExecutionCompleted(e) => self.completed(place, e),
            Event::ExecutionCancelled(e) => self.cancelled(place, e),
            Event::MultimediaDisplayOutputAdded(_)
            | Event::MultimediaResultOutputAdded(_)
            | Event::TerminalOutputAdded(_)
            | Event::MarkdownOutputAdded(_)
            | Event::ErrorOutputAdded(_) => self.shown(place, event),
            Event::Unknown { .. } => self.audit.unknown_events += 1,
            _ => {}
        }
    }

    /// The log is at its end.
    pub fn finish(mut self) -> Audit {
        for record in std::mem::take(&mut self.records).into_values() {
            let Some(requested) = record.requested else {
                self.audit.without_request += 1;
                continue;
            };
            self.audit.executions += 1;
            if let Some(kind) = self.loss(&record) {
                let finding = Finding::of(kind, requested).about(&record.id).under(record.holder.as_ref());
                self.report(finding.since(record.last));
            }
            let served = self.server(record.holder.as_ref());
            self.audit.served.entry(served).or_default().add(record.end);
        }
        for listed in [&mut self.audit.findings, &mut self.audit.theirs] {
            listed.sort_by_key(|finding| finding.place);
        }
        self.audit
    }

    fn session_started(&mut self, place: Place, started: &RuntimeSessionStarted) {
        let others = self.sessions.iter().find(|(id, other)| other.is_active && **id != started.session_id);
        if let Some((other, _)) = others {
            let finding = Finding::of(FindingKind::TwoActiveSessions, place).under(Some(other));
            self.report(finding);
        }
        let session = Session { served: Served::of(&started.runtime_id), is_active: true };
        self.sessions.insert(started.session_id.clone(), session);
    }

    fn requested(&mut self, place: Place, requested: &ExecutionRequested) {
        if self.records.get(&requested.queue_id).is_some_and(|record| record.requested.is_some()) {
            return self.report(Finding::of(FindingKind::RequestedAgain, place).about(&requested.queue_id));
        }
        self.record(place, &requested.queue_id).requested = Some(place);
    }

    fn assigned(&mut self, place: Place, id: &QueueId, session: &SessionId) {
        let record = self.record(place, id);
        let is_over = record.end.is_some();
        record.holder = Some(session.clone());
        record.last = place;
        if is_over {
            return self.report_resurrection(place, id, session);
        }
        if record.standing == Standing::Pending {
            record.standing = Standing::Assigned;
        }
    }

    /// An entry that had ended is taken up again. Told once, where it begins.
    fn report_resurrection(&mut self, place: Place, id: &QueueId, session: &SessionId) {
        let record = self.record(place, id);
        let ended = record.ended;
        if !std::mem::replace(&mut record.is_resurrected, true) {
            let finding = Finding::of(FindingKind::Resurrected, place).about(id).under(Some(session));
            self.report(finding.since_some(ended));
        }
    }

    fn started(&mut self, place: Place, started: &ExecutionStarted) {
        let (id, session) = (&started.queue_id, &started.runtime_session_id);
        self.check_turn(place, id, session);
        self.check_alone(place, id, session);
        let record = self.record(place, id);
        let (is_over, before) = (record.end.is_some(), record.started.replace(place));
        record.holder = Some(session.clone());
        record.last = place;
        if !is_over {
            record.standing = Standing::Executing;
            self.executing.insert(id.clone());
        }
        if let Some(before) = before {
            let finding = Finding::of(FindingKind::StartedTwice, place).about(id).under(Some(session));
            self.report(finding.since(before));
        }
        if is_over {
            self.report_resurrection(place, id, session);
        }
        self.runs.insert(started.cell_id.clone(), id.clone());
    }

    /// A session of the registry takes entries in the order of their requests; what it passed over must not come later.
    /// Where several processes have written, the log may have put a request before one that was executed already when it arrived:
    /// the log alone does not tell.
    fn check_turn(&mut self, place: Place, id: &QueueId, session: &SessionId) {
        if self.server(Some(session)) != Served::Registry {
            return;
        }
        let record = self.record(place, id);
        let (rank, passed) = (record.rank, record.passed.take().filter(|(by, _)| by == session));
        if let Some((_, at)) = passed {
            self.report(Finding::of(FindingKind::Reordered, place).about(id).under(Some(session)).since(at));
        }
        for earlier in self.open.range(..rank).map(|(_, id)| id) {
            if let Some(other) = self.records.get_mut(earlier).filter(|other| other.waits_for(session)) {
                other.passed.get_or_insert_with(|| (session.clone(), place));
            }
        }
    }

    /// Where the registry serves, an execution begins when no other is under way.
    fn check_alone(&mut self, place: Place, id: &QueueId, session: &SessionId) {
        let other = self.executing.iter().filter(|other| *other != id).find_map(|other| {
            let record = self.records.get(other)?;
            let holder = record.holder.as_ref().filter(|holder| self.is_active(holder))?;
            let is_ours = [session, holder].iter().any(|one| self.server(Some(one)) == Served::Registry);
            record.started.filter(|_| is_ours)
        });
        if let Some(started) = other {
            self.report(Finding::of(FindingKind::RanAtOnce, place).about(id).under(Some(session)).since(started));
        }
    }

    fn completed(&mut self, place: Place, completed: &ExecutionCompleted) {
        let id = &completed.queue_id;
        let how = match completed.status {
            ExecutionStatus::Success => End::Success,
            ExecutionStatus::Error => End::Error,
            ExecutionStatus::Cancelled => End::Cancelled,
        };
        let record = self.record(place, id);
        let before = record.completed.replace(place);
        let (was_cancelled, ended) = (record.end.is_some() && before.is_none(), record.ended);
        self.end(place, id, how);
        if let Some(before) = before {
            self.report(Finding::of(FindingKind::EndedTwice, place).about(id).since(before));
        } else if was_cancelled {
            self.report(Finding::of(FindingKind::CompletedAfterCancel, place).about(id).since_some(ended));
        }
    }

    fn cancelled(&mut self, place: Place, cancelled: &ExecutionCancelled) {
        let id = &cancelled.queue_id;
        let ended = self.record(place, id).ended;
        let kind = if ended.is_some() { FindingKind::CancelledAfterEnd } else { FindingKind::Cancelled };
        self.report(Finding::of(kind, place).about(id).since_some(ended));
        self.end(place, id, End::Cancelled);
    }

    /// The first end counts.
    fn end(&mut self, place: Place, id: &QueueId, how: End) {
        let record = self.record(place, id);
        record.last = place;
        record.end.get_or_insert(how);
        record.ended.get_or_insert(place);
        let rank = record.rank;
        self.open.remove(&rank);
        self.executing.remove(id);
    }

    /// Outputs belong to the session that started their execution last.
    fn shown(&mut self, place: Place, event: &Event) {
        let run = event.cell_id().and_then(|cell| self.runs.get(cell));
        let Some(record) = run.and_then(|id| self.records.get_mut(id)) else { return };
        let before = record.shown_under.replace((record.holder.clone(), place));
        let Some((before, at)) = before.filter(|(before, _)| *before != record.holder) else { return };
        let finding = Finding::of(FindingKind::MixedOutputs, place).about(&record.id).under(before.as_ref()).since(at);
        self.report(finding);
    }

    fn record(&mut self, place: Place, id: &QueueId) -> &mut Record {
        let next_rank = &mut self.next_rank;
        let open = &mut self.open;
        self.records.entry(id.clone()).or_insert_with(|| {
            *next_rank += 1;
            open.insert(*next_rank, id.clone());
            Record::new(id.clone(), *next_rank, place)
        })
    }

    /// Why an entry has no end; none where it has one.
    fn loss(&self, record: &Record) -> Option<FindingKind> {
        if record.end.is_some() {
            return None;
        }
        let has_session = record.holder.as_ref().is_some_and(|holder| self.is_active(holder));
        Some(match record.standing {
            Standing::Pending => FindingKind::NeverClaimed,
            _ if has_session => FindingKind::UnderWay,
            Standing::Assigned => FindingKind::Stranded,
            Standing::Executing => FindingKind::LeftExecuting,
        })
    }

    fn is_active(&self, session: &SessionId) -> bool {
        self.sessions.get(session).is_some_and(|session| session.is_active)
    }

    fn server(&self, session: Option<&SessionId>) -> Served {
        let Some(id) = session else { return Served::Nobody };
        self.sessions.get(id).map_or_else(|| Served::unannounced(id), |session| session.served)
    }

    fn report(&mut self, finding: Finding) {
        let group = finding.kind.group();
        if group != Group::Theirs {
            *self.audit.faults.entry(group).or_default() += 1;
        }
        let found = self.audit.found.entry(finding.kind).or_default();
        *found += 1;
        match group {
            _ if *found > MAX_LISTED => self.audit.unlisted += 1,
            Group::Theirs => self.audit.theirs.push(finding),
            _ => self.audit.findings.push(finding),
        }
    }
}
