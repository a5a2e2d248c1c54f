//! The agent: one per notebook, it holds the session and runs the notebook's cells one at a time, in the order in which they
//! were requested.

mod execution;
mod session;

use std::collections::{BTreeSet, VecDeque};

use crate::{
    Answer, Effect, Failure, IdSource, Input, Now, Phase, Query, QueueEntry, QueueId, QueueStatus, Reply, RuntimeType,
    SessionId, SessionIdentity, TerminationReason, Ticket,
};
use execution::Work;
pub use session::session_events;

/// Events that one commit carries at most, unless one execution alone needs more. The number of commits is what a store
/// charges for; beyond about a hundred events a commit blocks its thread for longer than a frame.
pub const MAX_EVENTS_PER_COMMIT: usize = 100;

/// The runtime agent of one notebook.
#[derive(Clone, Debug)]
pub struct Agent {
    runtime_type: RuntimeType,
    standing: Standing,
    /// Entries to run, in request order.
    waiting: VecDeque<QueueEntry>,
    /// The ids in `waiting`.
    waiting_ids: BTreeSet<QueueId>,
    /// What is under way; the agent works on one thing at a time.
    work: Option<(Ticket, Work)>,
    next_ticket: u32,
    ids: IdSource,
    effects: Vec<Effect>,
}

/// Where the agent's session stands.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    /// No session.
    Idle,
    /// The session is being announced.
    Announcing(SessionIdentity),
    /// It claims and runs.
    Running(SessionIdentity),
    /// It ends once the work under way is done.
    Ending(SessionIdentity, TerminationReason),
    /// A failing commit has broken it: it claims nothing more, and can only be stopped.
    Broken(SessionIdentity),
}

impl Agent {
    /// An agent without a session; `ids` names its outputs.
    pub fn new(runtime_type: RuntimeType, ids: IdSource) -> Self {
        Self {
            runtime_type,
            standing: Standing::Idle,
            waiting: VecDeque::new(),
            waiting_ids: BTreeSet::new(),
            work: None,
            next_ticket: 0,
            ids,
            effects: Vec::new(),
        }
    }

    /// What it runs.
    pub fn runtime_type(&self) -> &RuntimeType {
        &self.runtime_type
    }

    /// True while an execution or a session event is under way.
    pub fn is_working(&self) -> bool {
        self.work.is_some()
    }

    /// Takes one input and gives the effects to perform, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        match input {
            Input::Start(identity) => self.on_start(identity),
            Input::Resume(identity) => self.on_resume(identity),
            Input::Queued(entries) => self.on_queued(entries),
            Input::ActiveSessions(active) => self.on_active_sessions(&active),
            Input::Answer(ticket, answer) => self.on_answer(now, ticket, answer),
            Input::Stop(reason) => self.on_stop(reason),
            Input::Release => self.on_release(),
        }
        std::mem::take(&mut self.effects)
    }

    /// Takes in what the store says of the queue: what waits for us is lined up, what was cancelled leaves the line.
    fn on_queued(&mut self, entries: Vec<QueueEntry>) {
        for entry in entries {
            if self.is_for_us(&entry) {
                if self.waiting_ids.insert(entry.id.clone()) {
                    self.waiting.push_back(entry);
                }
            } else if self.waiting_ids.remove(&entry.id) {
                self.waiting.retain(|waiting| waiting.id != entry.id);
            }
        }
        self.next();
    }

    fn is_for_us(&self, entry: &QueueEntry) -> bool {
        match entry.status {
            QueueStatus::Pending => true,
            QueueStatus::Assigned => entry.assigned_runtime_session.as_ref() == self.session_id(),
            _ => false,
        }
    }

    fn on_answer(&mut self, now: Now, ticket: Ticket, answer: Answer) {
        match self.work.take_if(|(waiting_for, _)| *waiting_for == ticket) {
            Some((_, Work::Session(step))) => self.resume_session(step, answer),
            Some((_, work)) => self.resume_execution(now, work, answer),
            None => {}
        }
    }

    /// Goes on with whatever is due: the end of the session, or the next entries.
    fn next(&mut self) {
        if self.work.is_some() {
            return;
        }
        match &self.standing {
            Standing::Running(_) if !self.waiting.is_empty() => self.claim_next(),
            Standing::Ending(identity, reason) => {
                let (session, reason) = (identity.session_id.clone(), *reason);
                self.terminate(session, reason);
            }
            _ => {}
        }
    }

    /// Nothing more is claimed under this session; its row is still the agent's to end.
    fn break_down(&mut self, failure: Failure) {
        if let Some(identity) = self.identity().cloned() {
            self.standing = Standing::Broken(identity);
        }
        self.forget_waiting();
        self.effects.push(Effect::Phase(Phase::Broken(failure)));
    }

    fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_ids.clear();
    }

    fn identity(&self) -> Option<&SessionIdentity> {
        match &self.standing {
            Standing::Idle => None,
            Standing::Announcing(identity)
            | Standing::Running(identity)
            | Standing::Ending(identity, _)
            | Standing::Broken(identity) => Some(identity),
        }
    }

    fn session_id(&self) -> Option<&SessionId> {
        self.identity().map(|identity| &identity.session_id)
    }

    /// Emits an effect that needs an answer and remembers what it was for.
    fn ask(&mut self, work: Work, effect: impl FnOnce(Ticket) -> Effect) {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.work = Some((ticket, work));
        self.effects.push(effect(ticket));
    }

    fn query(&mut self, work: Work, query: Query) {
        self.ask(work, |ticket| Effect::Query { ticket, query });
    }
}

/// An answer that does not fit the question is a fault of the owner's.
fn unexpected(reply: &Reply) -> Failure {
    Failure::new(format!("the answer does not fit the question: `{reply:?}`"))
}
