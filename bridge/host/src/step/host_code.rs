//! What a notebook keeps of a host's own code that serves its old path.

use std::collections::{BTreeMap, BTreeSet};

use legacy_compat::{CallId, Effect, Hook, HtmlInput};
use registry::{Answer, Event, Failure, QueueId, Ticket};

/// What the bridge must know of a host's own code: which of its calls are under way, and which executions it has begun.
#[derive(Debug, Default)]
pub(super) struct HostCode {
    has_session: bool,
    /// From its `doStart` to its `doStop`: it may poll, whether or not it serves.
    is_running: bool,
    calls: BTreeMap<Ticket, HostCall>,
    last_ticket: u32,
    /// Commits that the store has not answered.
    committing: usize,
    /// Entries that it has started and not ended.
    started: BTreeSet<QueueId>,
}

/// A method of the host's that has been called and has not returned.
#[derive(Clone, Copy, Debug)]
enum HostCall {
    Start(CallId),
    /// `doStart` of a session that the bridge has announced itself.
    TakeOver,
    Stop(CallId),
    ExecuteCode(CallId),
}

/// What an event of the host's does to an execution.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    Started(QueueId),
    Ended(QueueId),
}

impl Mark {
    pub(super) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::ExecutionStarted(e) => Some(Self::Started(e.queue_id.clone())),
            Event::ExecutionCompleted(e) => Some(Self::Ended(e.queue_id.clone())),
            Event::ExecutionCancelled(e) => Some(Self::Ended(e.queue_id.clone())),
            _ => None,
        }
    }
}

impl HostCode {
    pub(super) fn has_session(&self) -> bool {
        self.has_session
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    pub(super) fn is_working(&self) -> bool {
        self.committing > 0 || !self.calls.is_empty() || !self.started.is_empty()
    }

    /// True for what the bridge has told the log already: a session taken over is announced by the flip, in one commit.
    pub(super) fn is_announced(&self, event: &Event) -> bool {
        let is_of_session = matches!(
            event,
            Event::RuntimeSessionStarted(_)
                | Event::RuntimeSessionStatusChanged(_)
                | Event::RuntimeSessionTerminated(_)
        );
        is_of_session && self.calls.values().any(|call| matches!(call, HostCall::TakeOver))
    }

    pub(super) fn commits(&mut self) {
        self.committing += 1;
    }

    /// The store has answered a commit of the host's; marks are those of the events that it took.
    pub(super) fn committed(&mut self, marks: Vec<Mark>) {
        self.committing = self.committing.saturating_sub(1);
        for mark in marks {
            match mark {
                Mark::Started(id) => self.started.insert(id),
                Mark::Ended(id) => self.started.remove(&id),
            };
        }
    }

    pub(super) fn handle(&mut self, input: HtmlInput) -> Vec<Effect> {
        match input {
            HtmlInput::Start(call, _) => {
                self.started.clear();
                vec![self.start(HostCall::Start(call))]
            }
            HtmlInput::Resume(_) if self.is_running => {
                self.has_session = true;
                Vec::new()
            }
            HtmlInput::Resume(_) => vec![self.start(HostCall::TakeOver)],
            HtmlInput::Stop(call) if self.is_running => vec![self.call(HostCall::Stop(call), Hook::DoStop)],
            HtmlInput::Stop(call) => vec![Effect::Settle(call, Ok(()))],
            HtmlInput::ExecuteCode(call, cell_id, code) => {
                vec![self.call(HostCall::ExecuteCode(call), Hook::ExecuteCode { cell_id, code })]
            }
            HtmlInput::Release => {
                self.has_session = false;
                self.started.clear();
                Vec::new()
            }
            // Its calls are the host's own promises: they may still end.
            HtmlInput::Abandon(_) => {
                self.started.clear();
                self.committing = 0;
                Vec::new()
            }
            HtmlInput::Answer(ticket, answer) => {
                self.calls.remove(&ticket).map_or_else(Vec::new, |call| self.returned(call, answer))
            }
            // The host's timers are its own.
            HtmlInput::Timer(_) => Vec::new(),
        }
    }

    /// The performer knows what the host gave to `start`.
    fn start(&mut self, call: HostCall) -> Effect {
        (self.has_session, self.is_running) = (true, true);
        self.call(call, Hook::DoStart { notebook_id: String::new() })
    }

    fn returned(&mut self, call: HostCall, answer: Answer) -> Vec<Effect> {
        let outcome = answer.map(drop);
        match (call, outcome) {
            (HostCall::Start(call), Err(failure)) => {
                (self.has_session, self.is_running) = (false, false);
                vec![Effect::Settle(call, Err(failure))]
            }
            (HostCall::TakeOver, Err(Failure { message, .. })) => {
                self.is_running = false;
                self.last_ticket += 1;
                vec![Effect::Hook(Ticket(self.last_ticket), Hook::SetError { message })]
            }
            (HostCall::TakeOver, Ok(())) => Vec::new(),
            (HostCall::Stop(call), Ok(())) => {
                (self.has_session, self.is_running) = (false, false);
                self.started.clear();
                vec![Effect::Settle(call, Ok(()))]
            }
            (HostCall::Start(call) | HostCall::Stop(call) | HostCall::ExecuteCode(call), outcome) => {
                vec![Effect::Settle(call, outcome)]
            }
        }
    }

    fn call(&mut self, call: HostCall, hook: Hook) -> Effect {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.calls.insert(ticket, call);
        Effect::Hook(ticket, hook)
    }
}
