//! What must always hold, said once; and what does not hold yet, by name.

use std::collections::BTreeMap;
use std::fmt;

use bridge_core::Path;
use registry::{CellId, Event, NotebookState, QueueId, QueueRow, QueueStatus, SessionId};

/// What must always hold. Every invariant is looked at after every commit and every call, the first at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// An admitted execution ends, as long as somebody serves its notebook.
    NoLoss,
    /// Of all that we commit, at most one event ends an execution, and none where it had ended before.
    OneTerminal,
    /// User code is entered at most once.
    EnteredOnce,
    /// What is over is neither claimed nor started.
    NoResurrection,
    /// An execution is claimed, started and shown by one session, and that one is active.
    OneServer,
    /// After a commit of ours about sessions at most one is active.
    OneActiveSession,
    /// The registry takes executions in the order in which they were requested.
    RequestOrder,
    /// Nothing that was made under a stale token reaches the store, and nothing of a fenced execution after its fence.
    Fenced,
    /// A running session that is to move has moved, or has ended, once its drain and the grace are over.
    FlipsEnd,
    /// When a flip announces its session, the one before has nothing started, and what it had claimed waits.
    HandedOver,
    /// A running session that changes paths tells its host once, and shows the ids that are in the log.
    ReadyOncePerFlip,
    /// A runtime object stays active until it is stopped, or its session is over.
    StaysActive,
    /// Every call of the host's settles.
    CallsSettle,
    /// The shadow changes nothing in the log.
    ShadowSilent,
    /// The paths differ in nothing but what is known.
    NoMismatch,
    /// The guard is told of nothing that must never happen.
    NoIncident,
    /// An object that the host let go of is neither called nor spoken for.
    SilentWhenForgotten,
    /// A step ends.
    StepsEnd,
    /// Nothing panics.
    NoPanic,
}

/// What does not hold yet, and under which circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// What a session on the old path has left behind stays as it is until one on the registry sweeps it.
    OldPathSweepsNothing,
    /// An execution that the host's code begins and never ends stays open as long as its session goes on.
    HostNeverEnds,
    /// Once the cell of a fenced execution runs anew, nobody can tell the outputs of the two apart.
    FencedCellRunsAnew,
    /// A flip that the store has refused is tried again with the next change of the flags.
    RefusedFlipStays,
    /// The old path does not read how an entry stands before it speaks of it: what somebody else did is not heard there.
    OldPathIsDeaf,
    /// A cancel between a claim and the commit of its execution, from within a state callback, is not heard.
    CancelInCallback,
    /// The output of code outside the queue is taken for a late one of an execution that waits to be compared.
    DirectCodeIsCompared,
    /// An output names its cell alone: of several executions of a cell at once, as of a host that hangs, the shadow guesses.
    OutputsNameCells,
    /// On the old route alone the old system's faults are its own: the gate only observes.
    OldSystem,
    /// The old component displaces the sessions that its last render knew of.
    ManagerIsBlind,
    /// The gate does not know whose an output is: one of an execution whose start it has dropped passes.
    OutputsPass,
    /// The ledger of a new process knows nothing of what ended before it.
    LedgerStartsEmpty,
    /// An execution that a user has cancelled while it ran is compared as if it had been left open.
    CancelledIsCompared,
    /// Where claims are older than the shadow, it does not know the order in which they came to be.
    OrderIsGuessed,
    /// A manager that is stopped from within what it shows goes on with what it was about to do, on either path.
    ManagerStoppedInCallback,
    /// A manager that the registry has served starts its next session on the old path under the registry's ids.
    ManagerKeepsIds,
    /// A refused commit leaves the old code in an odd state, as it always did.
    OldCodeFails,
}

/// The limits of today. What is taken out of this list is no longer excused.
pub const LIMITS: &[Limit] = &[
    Limit::OldPathSweepsNothing,
    Limit::HostNeverEnds,
    Limit::FencedCellRunsAnew,
    Limit::RefusedFlipStays,
    Limit::OldPathIsDeaf,
    Limit::CancelInCallback,
    Limit::DirectCodeIsCompared,
    Limit::OutputsNameCells,
    Limit::OldSystem,
    Limit::ManagerIsBlind,
    Limit::OutputsPass,
    Limit::LedgerStartsEmpty,
    Limit::CancelledIsCompared,
    Limit::OrderIsGuessed,
    Limit::ManagerStoppedInCallback,
    Limit::ManagerKeepsIds,
    Limit::OldCodeFails,
];

/// Who commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    User,
    Foreign,
    Ours {
        /// Which start of the process.
        life: u32,
        path: Path,
        /// Whether the gate acts on what it sees.
        is_enforced: bool,
    },
}

impl By {
    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::Ours { .. })
    }

    /// Made in this process, ours or not.
    pub(super) fn is_local(self) -> bool {
        self != Self::Foreign
    }
}

/// An invariant that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.detail)
    }
}

/// From where an entry was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancelled {
    AtRest,
    InCallback,
}

/// The error of an execution that a flip did not wait for any longer.
const FENCED: &str = "runtime-bridge: fenced";

#[derive(Clone, Debug)]
struct Record {
    rank: usize,
    cell: CellId,
    starts: Vec<By>,
    terminals: Vec<By>,
    /// Something was done to it while the gate only observed.
    saw_old_system: bool,
    /// Another process had to do with it.
    saw_foreign: bool,
    /// Somebody cancelled it: at any time, or from within a callback.
    cancelled: Option<Cancelled>,
    /// Code has begun it that will not end it.
    never_ends: bool,
    fence: Fence,
}

/// Where an execution stands to its fence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fence {
    #[default]
    None,
    Ended,
    /// Its cell has been started anew since.
    RunsAnew,
}

impl Record {
    /// It was begun or ended by an earlier process.
    fn is_older_than(&self, life: u32) -> bool {
        let is_earlier = |by: &By| matches!(by, By::Ours { life: earlier, .. } if *earlier < life);
        self.starts.iter().chain(&self.terminals).any(is_earlier)
    }
}

/// A circumstance, whether it is there, and the limit that it is known as.
type Excuse = (bool, Limit);

/// Watches one notebook's store.
#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    entries: BTreeMap<QueueId, Record>,
    /// Those that were fenced and whose cells have not been started anew.
    fenced: Vec<QueueId>,
    /// The executions that were entered last, by their cells.
    entered: BTreeMap<CellId, By>,
    /// Sessions that went on elsewhere in a flip, each with the process in which it did.
    flipped: BTreeMap<SessionId, u32>,

    /// True while the host has a start under way, so that a new session is none of a flip's.
    pub(super) is_starting: bool,
    /// Code that runs outside the queue.
    pub(super) direct_code: bool,
    /// True once code hung.
    pub(super) saw_hang: bool,
    /// Code that has hung goes on: the execution that it belongs to, and its cell.
    pub(super) late_code: Option<(Option<QueueId>, CellId)>,
    /// True once a user cancelled something.
    saw_cancel: bool,
    /// True once a manager's subscriber stopped it.
    pub(super) saw_manager_stopped: bool,
    /// True once such code ran.
    saw_direct_code: bool,
    /// True once a commit of ours was made to fail.
    pub(super) saw_fault: bool,
    /// True once the host's code did what it has no right to.
    pub(super) saw_misdeed: bool,
    saw_foreign: bool,
    /// The log is told again, after a crash has cut it short: it has been judged.
    pub(super) is_told_again: bool,
    /// True while a state callback of the host's runs.
    pub(super) is_in_callback: bool,
    /// Which start of the process spoke last.
    life: u32,
    pub(super) violations: Vec<Violation>,
    pub(super) excused: BTreeMap<Limit, u64>,
}

impl Oracle {
    pub(super) fn violate(&mut self, invariant: Invariant, detail: String) {
        self.violations.push(Violation { invariant, detail });
    }

    /// A violation, unless one of these limits excuses it.
    fn judge(&mut self, invariant: Invariant, excuses: &[Excuse], detail: String) {
        if self.is_told_again {
            return;
        }
        let excuse = excuses.iter().find(|(applies, limit)| *applies && LIMITS.contains(limit));
        match excuse {
            Some((_, limit)) => *self.excused.entry(*limit).or_default() += 1,
            None => self.violate(invariant, detail),
        }
    }

    /// Executions that were admitted, and those of them that have ended.
    pub(super) fn counts(&self) -> (u64, u64) {
        let ended = self.entries.values().filter(|record| !record.terminals.is_empty()).count();
        (self.entries.len() as u64, ended as u64)
    }

    /// The paths differ in an execution.
    pub(super) fn differs(&mut self, signature: &str, detail: String) {
        // A fault strikes one side; what the host has no right to, no candidate does.
        if !self.saw_fault && !self.saw_misdeed {
            let excuses = [
                (self.saw_direct_code, Limit::DirectCodeIsCompared),
                (self.saw_hang, Limit::OutputsNameCells),
                (self.saw_cancel, Limit::CancelledIsCompared),
                (signature.ends_with(":order"), Limit::OrderIsGuessed),
                (self.saw_manager_stopped, Limit::ManagerStoppedInCallback),
            ];
            self.judge(Invariant::NoMismatch, &excuses, detail);
        }
    }

    pub(super) fn runs_direct_code(&mut self) {
        (self.direct_code, self.saw_direct_code) = (true, true);
    }

    pub(super) fn flip_never_ends(&mut self, detail: String) {
        let excuses = [(self.saw_fault, Limit::RefusedFlipStays)];
        self.judge(Invariant::FlipsEnd, &excuses, detail);
    }

    pub(super) fn are_left_behind(&mut self, held: &[QueueId]) {
        let detail = format!("{held:?} are left to a session that a flip ends");
        let excuses = [
            (self.saw_fault, Limit::OldCodeFails),
            (self.saw_misdeed, Limit::OldSystem),
            (self.saw_manager_stopped, Limit::ManagerStoppedInCallback),
        ];
        self.judge(Invariant::HandedOver, &excuses, detail);
    }

    pub(super) fn never_ends(&mut self, id: &QueueId) {
        if let Some(record) = self.entries.get_mut(id) {
            record.never_ends = true;
        }
    }

    /// What was lost in a crash never happened; what was found stays found.
    pub(super) fn forget_log(&mut self) {
        self.entries.clear();
        self.fenced.clear();
        self.entered.clear();
    }

    /// An event is about to reach the tables.
    pub(super) fn sees(&mut self, by: By, event: &Event, tables: &NotebookState) {
        self.saw_foreign |= by == By::Foreign;
        let excuses = event.queue_id().map_or([(false, Limit::OldSystem); 5], |id| self.excuses(by, id));
        self.judge_fence(by, event);
        self.remember(by, event);
        match event {
            Event::ExecutionRequested(e) => {
                let rank = self.entries.len();
                let record = Record {
                    rank,
                    cell: e.cell_id.clone(),
                    starts: Vec::new(),
                    terminals: Vec::new(),
                    saw_old_system: false,
                    saw_foreign: false,
                    cancelled: None,
                    never_ends: false,
                    fence: Fence::None,
                };
                self.entries.entry(e.queue_id.clone()).or_insert(record);
            }
            Event::ExecutionAssigned(e) if by.is_ours() => {
                self.judge_claim(by, &excuses, &e.queue_id, &e.runtime_session_id, tables);
            }
            Event::ExecutionStarted(e) => {
                if by.is_ours() {
                    self.judge_start(by, &excuses, &e.queue_id, &e.runtime_session_id, tables);
                }
                self.entered.insert(e.cell_id.clone(), by);
                if let Some(record) = self.entries.get_mut(&e.queue_id) {
                    record.starts.push(by);
                }
            }
            Event::ExecutionCompleted(e) => {
                self.ends(by, &excuses, &e.queue_id);
                if by.is_ours() && e.error.as_deref() == Some(FENCED) {
                    self.fences(&e.queue_id);
                }
            }
            Event::ExecutionCancelled(e) => self.ends(by, &excuses, &e.queue_id),
            Event::MultimediaResultOutputAdded(e) if by.is_ours() => self.judge_output(by, &e.cell_id),
            _ => {}
        }
    }

    /// Nothing of a fenced execution follows its fence.
    fn judge_fence(&mut self, by: By, event: &Event) {
        let By::Ours { life, .. } = by else { return };
        if let Event::ExecutionStarted(e) = event {
            let is_of_cell = |id: &mut QueueId| self.entries.get(id).is_some_and(|record| record.cell == e.cell_id);
            let run_anew: Vec<QueueId> = self.fenced.extract_if(.., is_of_cell).collect();
            for id in run_anew {
                self.entries.entry(id).and_modify(|record| record.fence = Fence::RunsAnew);
            }
        }
        let Some(id) = self.speaks_of(event) else { return };
        let Some(record) = self.entries.get(&id).filter(|record| record.fence != Fence::None) else { return };
        let excuses = [
            (event.is_output() && record.fence == Fence::RunsAnew, Limit::FencedCellRunsAnew),
            (record.is_older_than(life), Limit::LedgerStartsEmpty),
        ];
        let detail = format!("{} of {id} by {by:?}, behind its fence", event.name());
        self.judge(Invariant::Fenced, &excuses, detail);
    }

    /// The execution that an event belongs to. The outputs of the host's code name it.
    fn speaks_of(&self, event: &Event) -> Option<QueueId> {
        let Event::MultimediaResultOutputAdded(e) = event else { return event.queue_id().cloned() };
        let named = e.id.as_str().strip_prefix("out-").map(QueueId::from);
        let late = self.late_code.as_ref().filter(|(_, cell)| *cell == e.cell_id);
        named.filter(|id| self.entries.contains_key(id)).or_else(|| late.and_then(|(id, _)| id.clone()))
    }

    fn judge_claim(&mut self, by: By, excuses: &[Excuse], id: &QueueId, session: &SessionId, tables: &NotebookState) {
        let Some(row) = tables.queue_entry(id) else { return };
        self.judge_session(by, "claims", row, session, tables);
        if is_over(row) || row.status == QueueStatus::Executing {
            let detail = format!("{by:?} claims {id}, which is {:?}", row.status);
            self.judge(Invariant::NoResurrection, excuses, detail);
        }
    }

    fn judge_start(&mut self, by: By, excuses: &[Excuse], id: &QueueId, session: &SessionId, tables: &NotebookState) {
        let Some(row) = tables.queue_entry(id) else { return };
        self.judge_session(by, "starts", row, session, tables);
        if is_over(row) {
            self.judge(Invariant::NoResurrection, excuses, format!("{by:?} starts {id}, which is {:?}", row.status));
        }
        let starts = self.entries.get(id).map(|record| record.starts.clone()).unwrap_or_default();
        if !starts.is_empty() {
            let detail = format!("{by:?} enters {id}, which {starts:?} had entered");
            self.judge(Invariant::EnteredOnce, excuses, detail);
        }
        if row.assigned_runtime_session.as_ref() != Some(session) {
            let detail = format!("{by:?} starts {id} for {session}, assigned to {:?}", row.assigned_runtime_session);
            self.judge(Invariant::OneServer, excuses, detail);
        }
    }

    fn judge_session(&mut self, by: By, what: &str, row: &QueueRow, session: &SessionId, tables: &NotebookState) {
        let is_active = tables.session(session).is_some_and(|row| row.is_active);
        if !is_active {
            let detail = format!("{by:?} {what} {} for {session}, which is not active", row.id);
            self.judge(Invariant::OneServer, &self.excuses_of_session(by, session), detail);
        }
    }

    fn ends(&mut self, by: By, excuses: &[Excuse], id: &QueueId) {
        let Some(record) = self.entries.get_mut(id) else { return };
        let before = record.terminals.clone();
        record.terminals.push(by);
        if by.is_ours() && !before.is_empty() {
            self.judge(Invariant::OneTerminal, excuses, format!("{by:?} ends {id}, which {before:?} had ended"));
        }
    }

    fn fences(&mut self, id: &QueueId) {
        if let Some(record) = self.entries.get_mut(id) {
            record.fence = Fence::Ended;
            self.fenced.push(id.clone());
        }
    }

    fn judge_output(&mut self, by: By, cell: &CellId) {
        // Code that said itself that an execution was over may show something after that.
        if !self.direct_code && !self.saw_misdeed && self.late_code.is_none() && self.entered.get(cell) != Some(&by) {
            let detail = format!("{by:?} shows an output in {cell}, last entered by {:?}", self.entered.get(cell));
            let By::Ours { path, is_enforced, .. } = by else { return };
            let excuses = [(!is_enforced, Limit::OldSystem), (path == Path::Legacy, Limit::OutputsPass)];
            self.judge(Invariant::OneServer, &excuses, detail);
        }
    }

    /// What excuses an event about an entry that somebody else has changed.
    fn excuses(&self, by: By, id: &QueueId) -> [Excuse; 5] {
        let (By::Ours { life, path, is_enforced }, Some(record)) = (by, self.entries.get(id)) else {
            return [(false, Limit::OldSystem); 5];
        };
        let is_changed = record.saw_foreign || record.cancelled.is_some();
        [
            (!is_enforced || record.saw_old_system, Limit::OldSystem),
            (path == Path::Legacy && is_changed, Limit::OldPathIsDeaf),
            (record.cancelled == Some(Cancelled::InCallback), Limit::CancelInCallback),
            (record.is_older_than(life), Limit::LedgerStartsEmpty),
            (self.saw_manager_stopped, Limit::ManagerStoppedInCallback),
        ]
    }

    /// What excuses an event of a session that another process has displaced.
    fn excuses_of_session(&self, by: By, session: &SessionId) -> [Excuse; 4] {
        let By::Ours { path, is_enforced, .. } = by else { return [(false, Limit::OldSystem); 4] };
        [
            (!is_enforced, Limit::OldSystem),
            (path == Path::Legacy && (self.saw_foreign || self.saw_fault), Limit::OldPathIsDeaf),
            (path == Path::Legacy && session.as_str().contains("registry-"), Limit::ManagerKeepsIds),
            (self.saw_manager_stopped, Limit::ManagerStoppedInCallback),
        ]
    }

    /// Keeps who had to do with an entry.
    fn remember(&mut self, by: By, event: &Event) {
        let Some(record) = event.queue_id().and_then(|id| self.entries.get_mut(id)) else { return };
        record.saw_foreign |= by == By::Foreign;
        record.saw_old_system |= matches!(by, By::Ours { is_enforced: false, .. });
        if let (By::User, Event::ExecutionCancelled(_)) = (by, event) {
            self.saw_cancel = true;
            record.cancelled = Some(if self.is_in_callback { Cancelled::InCallback } else { Cancelled::AtRest });
        }
    }

    /// The events of one commit have all reached the tables.
    pub(super) fn commit_ended(&mut self, by: By, events: &[Event], tables: &NotebookState) {
        let By::Ours { life, path, is_enforced } = by else { return };
        self.life = life;
        let starts_session = events.iter().any(|event| matches!(event, Event::RuntimeSessionStarted(_)));
        if starts_session && (self.is_starting || self.is_told_again) {
            self.flipped.clear();
        } else if starts_session {
            for event in events {
                if let Event::RuntimeSessionTerminated(e) = event {
                    self.flipped.insert(e.session_id.clone(), life);
                }
            }
        }
        if starts_session {
            let active: Vec<_> = tables.active_sessions().map(|row| row.session_id.clone()).collect();
            if active.len() > 1 {
                let excuses = [(!is_enforced, Limit::OldSystem), (path == Path::Legacy, Limit::ManagerIsBlind)];
                self.judge(Invariant::OneActiveSession, &excuses, format!("{active:?} are active together"));
            }
        }
        if path == Path::Registry {
            self.judge_order(events, tables);
        }
    }

    fn judge_order(&mut self, events: &[Event], tables: &NotebookState) {
        let rank = |id: &QueueId| self.entries.get(id).map(|record| record.rank);
        let claimed: Vec<usize> = events
            .iter()
            .filter_map(|event| match event {
                Event::ExecutionAssigned(e) => rank(&e.queue_id),
                _ => None,
            })
            .collect();
        let Some(last) = claimed.last() else { return };
        let is_sorted = claimed.is_sorted();
        let passed_over = tables.pending_in_order().find(|row| rank(&row.id) < Some(*last)).map(|row| row.id.clone());
        if !self.is_told_again && (!is_sorted || passed_over.is_some()) {
            self.violate(
                Invariant::RequestOrder,
                format!("ranks {claimed:?} are claimed, {passed_over:?} passed over"),
            );
        }
    }

    /// The run is over, and somebody had the time to run everything.
    pub(super) fn judge_end(&mut self, tables: &NotebookState, is_served: bool) {
        let open: Vec<QueueRow> = tables.queue().filter(|row| !is_over(row)).cloned().collect();
        for row in open {
            let session = row.assigned_runtime_session.as_ref();
            // What a flip leaves behind is handed on, as long as its session goes on.
            let is_handed_on = session.and_then(|session| self.flipped.get(session)) == Some(&self.life);
            let is_left = session.is_some_and(|session| tables.session(session).is_none_or(|row| !row.is_active));
            let is_claimed = row.status != QueueStatus::Pending;
            let Some(record) = self.entries.get(&row.id) else { continue };
            let excuses = [
                (record.saw_old_system, Limit::OldSystem),
                (record.never_ends, Limit::HostNeverEnds),
                (is_claimed && is_left && !is_handed_on, Limit::OldPathSweepsNothing),
                (self.saw_fault, Limit::OldCodeFails),
                (self.saw_manager_stopped, Limit::ManagerStoppedInCallback),
            ];
            if is_claimed || is_served {
                let detail = format!("{} stays {:?} for {session:?}", row.id, row.status);
                self.judge(Invariant::NoLoss, &excuses, detail);
            }
        }
    }

    /// The registry has served, and has swept: nothing is open, whatever has happened.
    pub(super) fn judge_end_on_registry(&mut self, tables: &NotebookState) {
        let open: Vec<String> = tables.queue().filter(|row| !is_over(row)).map(|row| format!("{row:?}")).collect();
        for detail in open {
            let excuses = [(self.saw_fault && self.saw_misdeed, Limit::OldSystem)];
            self.judge(Invariant::NoLoss, &excuses, detail);
        }
    }
}

pub(super) fn is_over(row: &QueueRow) -> bool {
    matches!(row.status, QueueStatus::Completed | QueueStatus::Failed | QueueStatus::Cancelled)
}
