//! `HtmlRuntime`: the old session and execution of html cells, polled from the queue every 50 ms.
//!
//! The object's lifecycle is a [`crate::BaseRuntime`]; this core calls it back through [`Hook`]s, as the old code called
//! `this`. Behaviour: recorded traces `html__*`; oddities: [`crate::Quirk`].

use std::collections::VecDeque;

use registry::{
    Answer, CellId, Event, ExecutionStatus, Failure, IdSource, Now, Query, QueueEntry, QueueStatus, Reply, SessionId,
    SessionIdentity, TerminationReason, Ticket, TimerId,
};

use crate::html_events as events;
use crate::tasks::Tasks;
use crate::{CallId, Effect, Hook};

/// How often the queue is polled.
const POLL_EVERY_MS: u64 = 50;

/// What every output shows as its execution count ([`crate::Quirk::ConstantExecutionCount`]).
const SHOWN_COUNT: i64 = 1;

/// What happens to the html session of a runtime object.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `doStart`: displace the active sessions, announce this one, begin to poll.
    Start(CallId, SessionIdentity),
    /// `doStop`: stop polling, terminate the session.
    Stop(CallId),
    /// `executeCode(cellId, code)`.
    ExecuteCode(CallId, CellId, String),
    /// Poll a session that is already announced in the log (the bridge announced it while flipping a route).
    Resume(SessionIdentity),
    /// Stop polling and forget the session, silently: another path takes over. The store stays attached, for `executeCode`.
    Release,
    /// Let go although something is under way: it has not ended in time, and whatever it still does goes nowhere. Its calls
    /// fail with this.
    Abandon(Failure),
    /// A timer fired.
    Timer(TimerId),
    /// The performer's answer to an effect.
    Answer(Ticket, Answer),
}

/// The session and executions of one html runtime object.
#[derive(Clone, Debug)]
pub struct HtmlRuntime {
    /// The old field `store`: set by `doStart`, cleared by `doStop`.
    store_attached: bool,
    session: Option<SessionIdentity>,
    poll: Option<TimerId>,
    next_timer: u32,
    ids: IdSource,
    tasks: Tasks<Task>,
    effects: Vec<Effect>,
}

/// A suspended call and where in the old method it stands.
#[derive(Clone, Debug)]
enum Task {
    Start { call: CallId, identity: SessionIdentity, at: StartAt },
    StopTerminated { call: CallId },
    Poll { session: SessionId, at: PollAt },
    Execution { entry: QueueEntry, session: SessionId, started_ms: u64, at: ExecutionAt },
    Code { call: CallId, cell: CellId, code: String, at: CodeAt },
}

#[derive(Clone, Debug)]
enum StartAt {
    Queried,
    Displacing { rest: VecDeque<SessionId> },
    Announced,
    MarkedReady,
}

#[derive(Clone, Debug)]
enum PollAt {
    Asked,
    Pending,
    Claimed,
    Assigned,
    Failed,
}

#[derive(Clone, Debug)]
enum ExecutionAt {
    Turn,
    Busy,
    Started,
    Source,
    Executed,
    Completed,
    Failing { failure: Failure },
    Reported,
}

#[derive(Clone, Debug)]
enum CodeAt {
    Validated,
    Busy,
    Output,
    Ready,
    Failing { failure: Failure },
    Reported { failure: Failure },
}

impl HtmlRuntime {
    /// A runtime object without a session; `ids` names its outputs.
    pub fn new(ids: IdSource) -> Self {
        Self {
            store_attached: false,
            session: None,
            poll: None,
            next_timer: 0,
            ids,
            tasks: Tasks::default(),
            effects: Vec::new(),
        }
    }

    /// True from the announcement of a session to its termination.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// True while a call, a poll or an execution is under way.
    pub fn is_working(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// What `doStart` checks before it touches the store. An empty user id counts as none.
    ///
    /// # Errors
    /// The message that the old code threw.
    pub fn check_configuration(has_store: bool, user_id: Option<&str>) -> Result<(), Failure> {
        if !has_store {
            return Err(Failure::new("LiveStore instance is required for HTML runtime"));
        }
        match user_id {
            None | Some("") => Err(Failure::new("User ID is required for HTML runtime")),
            Some(_) => Ok(()),
        }
    }

    /// Takes one input and gives the effects to perform, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        match input {
            Input::Start(call, identity) => self.on_start(call, identity),
            Input::Stop(call) => self.on_stop(call),
            Input::ExecuteCode(call, cell, code) => self.on_execute_code(call, cell, code),
            Input::Resume(identity) => self.on_resume(identity),
            Input::Release => self.on_release(),
            Input::Abandon(failure) => self.on_abandon(&failure),
            Input::Timer(timer) => self.on_timer(timer),
            Input::Answer(ticket, answer) => self.on_answer(now, ticket, answer),
        }
        std::mem::take(&mut self.effects)
    }

    fn on_start(&mut self, call: CallId, identity: SessionIdentity) {
        self.store_attached = true;
        self.query(Task::Start { call, identity, at: StartAt::Queried }, Query::ActiveSessions);
    }

    fn on_stop(&mut self, call: CallId) {
        self.stop_polling();
        match self.session.as_ref().map(|identity| identity.session_id.clone()) {
            Some(session) if self.store_attached => {
                let event = events::terminated(session, TerminationReason::Shutdown);
                self.commit(Task::StopTerminated { call }, event);
            }
            _ => self.detach(call),
        }
    }

    fn on_execute_code(&mut self, call: CallId, cell: CellId, code: String) {
        self.hook(Task::Code { call, cell, code, at: CodeAt::Validated }, Hook::ValidateStarted);
    }

    fn on_resume(&mut self, identity: SessionIdentity) {
        self.store_attached = true;
        self.session = Some(identity);
        self.start_polling();
    }

    fn on_release(&mut self) {
        self.stop_polling();
        self.session = None;
    }

    fn on_abandon(&mut self, failure: &Failure) {
        self.on_release();
        for task in self.tasks.take_all() {
            match task {
                Task::Start { call, .. } | Task::StopTerminated { call } | Task::Code { call, .. } => {
                    self.effects.push(Effect::Settle(call, Err(failure.clone())));
                }
                Task::Poll { .. } | Task::Execution { .. } => {}
            }
        }
    }

    fn on_timer(&mut self, timer: TimerId) {
        if self.poll != Some(timer) {
            return;
        }
        if let Some(identity) = &self.session {
            let session = identity.session_id.clone();
            self.hook(Task::Poll { session, at: PollAt::Asked }, Hook::IsActiveAndReady);
        }
    }

    fn on_answer(&mut self, now: Now, ticket: Ticket, answer: Answer) {
        match self.tasks.wake(ticket) {
            Some(Task::Start { call, identity, at }) => self.resume_start(call, identity, at, answer),
            Some(Task::StopTerminated { call }) => match answer {
                Ok(_) => self.detach(call),
                Err(failure) => self.settle(call, Err(failure)),
            },
            Some(Task::Poll { session, at }) => self.resume_poll(session, at, answer),
            Some(Task::Execution { entry, session, started_ms, at }) => {
                self.resume_execution(now, Execution { entry, session, started_ms }, at, answer);
            }
            Some(Task::Code { call, cell, code, at }) => self.resume_code(call, cell, code, at, answer),
            None => {}
        }
    }

    fn resume_start(&mut self, call: CallId, identity: SessionIdentity, at: StartAt, answer: Answer) {
        let reply = match answer {
            Ok(reply) => reply,
            Err(failure) => {
                self.session = None;
                return self.settle(call, Err(failure));
            }
        };
        let session = identity.session_id.clone();
        match (at, reply) {
            (StartAt::Queried, Reply::Sessions(active)) => self.displace(call, identity, active.into()),
            (StartAt::Displacing { rest }, _) => self.displace(call, identity, rest),
            (StartAt::Announced, _) => {
                let event = events::ready(session);
                self.commit(Task::Start { call, identity, at: StartAt::MarkedReady }, event);
            }
            (StartAt::MarkedReady, _) => {
                self.session = Some(identity);
                self.start_polling();
                self.settle(call, Ok(()));
            }
            (StartAt::Queried, other) => self.settle(call, Err(unexpected(&other))),
        }
    }

    /// Terminates the next active session, or announces our own when none is left.
    fn displace(&mut self, call: CallId, identity: SessionIdentity, mut rest: VecDeque<SessionId>) {
        match rest.pop_front() {
            Some(session) => {
                let event = events::terminated(session, TerminationReason::Displaced);
                self.commit(Task::Start { call, identity, at: StartAt::Displacing { rest } }, event);
            }
            None => {
                self.session = Some(identity.clone());
                let event = events::started_session(&identity);
                self.commit(Task::Start { call, identity, at: StartAt::Announced }, event);
            }
        }
    }

    /// One tick of the poll: claim the first pending entry, then run what is assigned to this session.
    fn resume_poll(&mut self, session: SessionId, at: PollAt, answer: Answer) {
        let reply = match answer {
            Ok(reply) => reply,
            Err(failure) => return self.poll_failed(session, &at, failure),
        };
        match (at, reply) {
            (PollAt::Asked, Reply::Flag(true)) if self.store_attached => {
                self.query(Task::Poll { session, at: PollAt::Pending }, Query::PendingById);
            }
            (PollAt::Pending, Reply::Entries(pending)) => self.claim_first(session, &pending),
            (PollAt::Claimed, _) => self.look_for_assigned(session),
            (PollAt::Assigned, Reply::Entries(assigned)) => {
                for entry in assigned {
                    self.begin_execution(entry, &session);
                }
            }
            _ => {}
        }
    }

    fn claim_first(&mut self, session: SessionId, pending: &[QueueEntry]) {
        match pending.first().filter(|entry| entry.status == QueueStatus::Pending) {
            Some(entry) => {
                let event = events::assigned(entry.id.clone(), session.clone());
                self.commit(Task::Poll { session, at: PollAt::Claimed }, event);
            }
            None => self.look_for_assigned(session),
        }
    }

    fn look_for_assigned(&mut self, session: SessionId) {
        let query = Query::AssignedTo(session.clone());
        self.query(Task::Poll { session, at: PollAt::Assigned }, query);
    }

    /// Whatever a tick throws becomes the runtime's error, and the status `error` ends the polling for good
    /// ([`crate::Quirk::AnyFailingCommitWedges`]).
    fn poll_failed(&mut self, session: SessionId, at: &PollAt, failure: Failure) {
        if !matches!(at, PollAt::Failed) {
            self.hook(Task::Poll { session, at: PollAt::Failed }, Hook::SetError { message: failure.message });
        }
    }

    fn begin_execution(&mut self, entry: QueueEntry, session: &SessionId) {
        let task = Task::Execution { entry, session: session.clone(), started_ms: 0, at: ExecutionAt::Turn };
        let ticket = self.tasks.park(task);
        self.effects.push(Effect::Continue(ticket));
    }

    fn resume_execution(&mut self, now: Now, mut run: Execution, at: ExecutionAt, answer: Answer) {
        match (at, answer) {
            (ExecutionAt::Turn, _) => {
                if self.store_attached {
                    run.started_ms = now.mono_ms;
                    self.hook(run.at(ExecutionAt::Busy), Hook::SetBusy);
                }
            }
            (ExecutionAt::Busy, Ok(_)) => {
                let event = events::started(&run.entry, run.session.clone(), now);
                self.commit(run.at(ExecutionAt::Started), event);
            }
            (ExecutionAt::Started, Ok(_)) => {
                let query = Query::CellSources(vec![run.entry.cell_id.clone()]);
                self.query(run.at(ExecutionAt::Source), query);
            }
            (ExecutionAt::Source, Ok(reply)) => {
                let cell_id = run.entry.cell_id.clone();
                let code = events::source_or_empty(reply, &cell_id);
                self.hook(run.at(ExecutionAt::Executed), Hook::ExecuteCode { cell_id, code });
            }
            (ExecutionAt::Executed, Ok(_)) => {
                let event = events::completed(&run.entry, ExecutionStatus::Success, now, run.duration_ms(now));
                self.commit(run.at(ExecutionAt::Completed), event);
            }
            (ExecutionAt::Completed, Ok(_)) => self.hook(run.at(ExecutionAt::Reported), Hook::SetReady),
            (ExecutionAt::Failing { failure }, Ok(_)) => {
                self.hook(run.at(ExecutionAt::Reported), Hook::SetError { message: failure.message });
            }
            // The completion with an error failed too: the old code only logged it ([`crate::Quirk::LostCompletion`]).
            (ExecutionAt::Failing { .. } | ExecutionAt::Reported, _) => {}
            (_, Err(failure)) => {
                let event = events::completed(&run.entry, ExecutionStatus::Error, now, run.duration_ms(now));
                self.commit(run.at(ExecutionAt::Failing { failure }), event);
            }
        }
    }

    fn resume_code(&mut self, call: CallId, cell: CellId, code: String, at: CodeAt, answer: Answer) {
        match (at, answer) {
            (CodeAt::Validated, Err(failure)) => self.settle(call, Err(failure)),
            (CodeAt::Validated, Ok(_)) if !self.store_attached => {
                self.settle(call, Err(Failure::new("Store not available")));
            }
            (CodeAt::Validated, Ok(_)) => {
                self.hook(Task::Code { call, cell, code, at: CodeAt::Busy }, Hook::SetBusy);
            }
            (CodeAt::Busy, Ok(_)) => {
                let event = events::output(self.ids.nanoid(), cell.clone(), &code, SHOWN_COUNT);
                self.commit(Task::Code { call, cell, code, at: CodeAt::Output }, event);
            }
            (CodeAt::Output, Ok(_)) => {
                self.hook(Task::Code { call, cell, code, at: CodeAt::Ready }, Hook::SetReady);
            }
            (CodeAt::Ready, Ok(_)) => self.settle(call, Ok(())),
            (CodeAt::Busy | CodeAt::Output | CodeAt::Ready, Err(failure)) => {
                let message = failure.message.clone();
                self.hook(Task::Code { call, cell, code, at: CodeAt::Failing { failure } }, Hook::SetError { message });
            }
            (CodeAt::Failing { failure }, Ok(_)) => {
                let event = events::error_output(self.ids.nanoid(), cell.clone(), &failure.message);
                self.commit(Task::Code { call, cell, code, at: CodeAt::Reported { failure } }, event);
            }
            (CodeAt::Reported { failure }, Ok(_)) => self.settle(call, Err(failure)),
            // What fails while an error is being reported takes its place.
            (CodeAt::Failing { .. } | CodeAt::Reported { .. }, Err(failure)) => self.settle(call, Err(failure)),
        }
    }

    fn start_polling(&mut self) {
        self.stop_polling();
        self.next_timer += 1;
        let timer = TimerId(self.next_timer);
        self.poll = Some(timer);
        self.effects.push(Effect::SetInterval(timer, POLL_EVERY_MS));
    }

    fn stop_polling(&mut self) {
        if let Some(timer) = self.poll.take() {
            self.effects.push(Effect::ClearInterval(timer));
        }
    }

    fn detach(&mut self, call: CallId) {
        self.store_attached = false;
        self.session = None;
        self.settle(call, Ok(()));
    }

    fn query(&mut self, then: Task, query: Query) {
        let ticket = self.tasks.park(then);
        self.effects.push(Effect::Query(ticket, query));
    }

    fn hook(&mut self, then: Task, hook: Hook) {
        let ticket = self.tasks.park(then);
        self.effects.push(Effect::Hook(ticket, hook));
    }

    fn commit(&mut self, then: Task, event: Event) {
        let ticket = self.tasks.park(then);
        if self.store_attached {
            self.effects.push(Effect::Commit(ticket, event));
        } else {
            self.effects.push(Effect::Fail(ticket, Failure::new("Cannot read properties of null (reading 'commit')")));
        }
    }

    fn settle(&mut self, call: CallId, outcome: Result<(), Failure>) {
        self.effects.push(Effect::Settle(call, outcome));
    }
}

/// What an execution carries from step to step.
struct Execution {
    entry: QueueEntry,
    session: SessionId,
    started_ms: u64,
}

impl Execution {
    fn duration_ms(&self, now: Now) -> u64 {
        now.mono_ms.saturating_sub(self.started_ms)
    }

    fn at(self, at: ExecutionAt) -> Task {
        Task::Execution { entry: self.entry, session: self.session, started_ms: self.started_ms, at }
    }
}

fn unexpected(reply: &Reply) -> Failure {
    Failure::new(format!("unexpected answer `{reply:?}`"))
}
