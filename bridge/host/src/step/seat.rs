//! A seat: what a notebook keeps for one runtime object, whichever path serves its session.

use std::collections::BTreeMap;

use bridge_core::{Ability, Decision, Lease, Path, Shadow, Token};
use flags::Context;
use legacy_compat::{CallId, Hook, HtmlRuntime};
use registry::{Agent, Capabilities, CellId, Event, Failure, IdSource, QueueId, RuntimeType, Ticket, TimerId};

use super::Method;
use super::host_code::HostCode;
use super::legacy_core::{LegacyCore, LegacyKind};
use super::line::Line;

/// One runtime object's place at the notebook.
pub(super) struct Seat {
    /// The old path.
    pub(super) legacy: LegacyCore,
    /// The token of the old path's last lease.
    pub(super) legacy_token: Token,
    /// The new path.
    pub(super) agent: Agent,
    /// The token of the new path's last lease.
    pub(super) agent_token: Token,
    /// The decision for the session that is about to start, and what it was made from.
    pub(super) admitted: Option<Admission>,
    /// The right to serve the running session.
    pub(super) lease: Option<Lease>,
    /// Whether the session of the lease has been seen as active, and then as active no more.
    pub(super) was_active: bool,
    pub(super) is_displaced: bool,
    /// `this.capabilities` of the runtime object, for sessions of the old path.
    pub(super) capabilities: Capabilities,
    /// Who waits for the agent.
    pub(super) starting: Option<Waiting>,
    pub(super) stopping: Option<Waiting>,
    /// What follows the session for comparison, on a route that compares.
    pub(super) shadow: Option<Following>,
    /// Entries of the old path that were ended in its place while it still ran them: what it puts out for their cells comes late.
    pub(super) fenced: BTreeMap<QueueId, Fenced>,
    /// The cells whose code `legacy-compat` has called and waits for, by the tickets of the calls.
    pub(super) code_calls: BTreeMap<Ticket, CellId>,
    /// What the new path has started and not ended, and since when by the monotonic clock, with the timer that looks after it.
    pub(super) started: BTreeMap<QueueId, u64>,
    pub(super) watchdog: Option<TimerId>,
    /// What waits for the new path, and what it has begun last.
    pub(super) line: Line,
    pub(super) begun_last: Option<QueueId>,
    /// A change of route that waits for its boundary.
    pub(super) flip: Option<Flip>,
    /// Calls made while a flip is under way, when neither path has the session; they are made again after it.
    pub(super) parked: Vec<(CallId, Method)>,
}

/// An execution that was ended in its place, and goes on.
#[derive(Clone, Debug)]
pub(super) struct Fenced {
    pub(super) cell: CellId,
    /// Whether its host knows that what it asks for is dropped.
    pub(super) is_told: bool,
}

/// Who waits for the beginning or the end of a session on the new path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    /// A call of the host.
    Call(CallId),
    /// The old core, which shows the session's state.
    Core(Ticket),
}

/// An admitted session's decision and its grounds.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    pub(super) decision: Decision,
    pub(super) context: Context,
    pub(super) ability: Ability,
}

/// The shadow of the session with this token.
#[derive(Clone, Debug)]
pub(super) struct Following {
    pub(super) token: Token,
    /// Why the session is compared.
    pub(super) decision: Decision,
    pub(super) shadow: Shadow,
}

/// The wait for what is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// When it began, on the monotonic clock: a document that is put in force again gives it no longer.
    pub(super) since_ms: u64,
    /// Fires at its end.
    pub(super) deadline: TimerId,
}

/// A change of route on its way.
#[derive(Clone, Debug)]
pub(super) enum Flip {
    /// Waiting until nothing is under way, or until the drain has lasted long enough.
    Due(Decision, Drain),
    /// What did not end in time is being ended in its place.
    Fencing(Decision),
    /// Reading whether the session is still active: one that somebody else has displaced does not move. The drain is gone once
    /// it has lasted too long.
    Checking(Decision, Option<Drain>),
    /// The new session's announcement is being committed under this lease.
    Announcing(Box<Lease>),
    /// That commit failed: reading whether the session is in the log all the same.
    Verifying(Box<Lease>, Failure),
}

impl Flip {
    /// True while it can be called off: the old session goes on.
    pub(super) fn is_to_come(&self) -> bool {
        matches!(self, Self::Due(..) | Self::Checking(_, Some(_)))
    }

    /// True once the old session has been released.
    pub(super) fn is_under_way(&self) -> bool {
        !self.is_to_come()
    }
}

impl Seat {
    pub(super) fn new(runtime_type: RuntimeType, legacy_ids: IdSource, agent_ids: IdSource) -> Self {
        Self {
            legacy: LegacyCore::Html(Box::new(HtmlRuntime::new(legacy_ids))),
            legacy_token: Token::default(),
            agent: Agent::new(runtime_type, agent_ids),
            agent_token: Token::default(),
            admitted: None,
            lease: None,
            was_active: false,
            is_displaced: false,
            capabilities: Capabilities::default(),
            starting: None,
            stopping: None,
            shadow: None,
            fenced: BTreeMap::new(),
            code_calls: BTreeMap::new(),
            started: BTreeMap::new(),
            watchdog: None,
            line: Line::default(),
            begun_last: None,
            flip: None,
            parked: Vec::new(),
        }
    }

    /// A runtime object of the host's own class has its own old path.
    pub(super) fn use_legacy(&mut self, kind: LegacyKind) {
        if kind == LegacyKind::Host && self.legacy.host_code().is_none() {
            self.legacy = LegacyCore::Host(HostCode::default());
        }
    }

    /// True while the path that serves has something under way.
    pub(super) fn is_working(&self) -> bool {
        match self.lease.as_ref().map(|lease| lease.path) {
            Some(Path::Legacy) => self.legacy.is_working(),
            Some(Path::Registry) => self.agent.is_working(),
            None => false,
        }
    }

    /// True for the own end of an execution that was fenced. Where the store has refused the end in its place, it passes.
    pub(super) fn ends_what_was_fenced(&mut self, event: &Event) -> bool {
        matches!(event, Event::ExecutionCompleted(e) if self.fenced.remove(&e.queue_id).is_some())
    }

    /// True for what an execution that was fenced still puts out. It is over with its own end, or once its cell is run anew:
    /// from then on nobody can tell the two apart.
    pub(super) fn is_late(&self, event: &Event) -> bool {
        let is_fenced = |cell: &CellId| self.fenced.values().any(|fenced| fenced.cell == *cell);
        event.is_output() && event.cell_id().is_some_and(is_fenced)
    }

    /// Takes in a start that has passed the gate.
    pub(super) fn runs_anew(&mut self, event: &Event) {
        if let Event::ExecutionStarted(e) = event {
            self.fenced.retain(|_, fenced| fenced.cell != e.cell_id);
        }
    }

    /// The execution that was fenced and goes on in this cell. What it asks for, however often, is late until its code returns.
    pub(super) fn late_code(&mut self, cell: &CellId) -> Option<&mut Fenced> {
        self.fenced.values_mut().find(|fenced| fenced.cell == *cell)
    }

    /// A method of the host's is about to be called.
    pub(super) fn calls_code(&mut self, call: Ticket, hook: &Hook) {
        if let (Hook::ExecuteCode { cell_id, .. }, false) = (hook, self.legacy.is_host()) {
            self.code_calls.insert(call, cell_id.clone());
        }
    }

    /// The code of a cell has returned, where `legacy-compat` waited for it. A host's own code says so with a commit.
    pub(super) fn code_returned(&mut self, call: Ticket) {
        if let Some(cell) = self.code_calls.remove(&call) {
            self.fenced.retain(|_, fenced| fenced.cell != cell);
        }
    }

    pub(super) fn is_flipping(&self) -> bool {
        self.flip.as_ref().is_some_and(Flip::is_under_way)
    }

    /// Gives the seat another session's lease.
    pub(super) fn take(&mut self, lease: Lease) {
        (self.was_active, self.is_displaced) = (false, false);
        (self.line, self.begun_last) = (Line::default(), None);
        self.lease = Some(lease);
    }

    /// Gives the running session this token: an attempt to take the notebook from it has failed. Gives the one it had.
    pub(super) fn renew(&mut self, token: Token) -> Option<Token> {
        let lease = self.lease.as_mut()?;
        match lease.path {
            Path::Legacy => self.legacy_token = token,
            Path::Registry => self.agent_token = token,
        }
        Some(std::mem::replace(&mut lease.token, token))
    }
}
