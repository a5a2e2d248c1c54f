//! `HtmlRuntimeManager`: the html session of the old React component, without React.
//!
//! The component was a state, three live queries and three effects. Renders are modelled as they were: what changes asks for
//! one, an [`Effect::Yield`] stands before it, and then the clean-ups run, the consumers see the state, and those effects run
//! whose dependencies differ from the last time. A call of the host uses the values of the last render, however old it is by
//! then; most oddities come from that. Behaviour: recorded traces `manager__*`; oddities: [`crate::Quirk`].

use std::collections::VecDeque;

use registry::{
    Answer, Event, ExecutionStatus, Failure, IdSource, Now, Query, QueueEntry, Reply, SessionId, SessionIdentity,
    TerminationReason, Ticket,
};

use crate::html_events as events;
use crate::state::HtmlRuntimeState;
use crate::tasks::Tasks;
use crate::{CallId, Effect};

/// How long `restartRuntime` waits between its stop and its start.
const RESTART_PAUSE_MS: u64 = 100;

/// The duration of every successful execution ([`crate::Quirk::ManagerDurationIsConstant`]).
const SUCCESS_MS: u64 = 100;

/// The duration of every failed one.
const FAILURE_MS: u64 = 0;

/// What happens to the manager of a notebook.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The component mounts: the ids of its sessions, and whether somebody is logged in.
    Mount(CallId, SessionIdentity, bool),
    /// Somebody logged in or out.
    SetAuth(CallId, bool),
    /// The component unmounts.
    Unmount(CallId),
    /// `startRuntime()`.
    Start(CallId),
    /// `stopRuntime()`.
    Stop(CallId),
    /// `restartRuntime()`.
    Restart(CallId),
    /// The live queries have news.
    StoreChanged,
    /// A session is announced in the log under these ids, by the router: at the start on another path, or by a flip.
    Serve(Server, SessionIdentity),
    /// Leave the queue alone, silently: another path takes over.
    Release,
    /// The session that another path served is over, or its path reports this failure and keeps it.
    Ended(Option<Failure>),
    /// The performer's answer to an effect.
    Answer(Ticket, Answer),
}

/// Who serves the session that this manager shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The old code: this core.
    Here,
    /// Another path; this core shows its state and asks it to end.
    Elsewhere,
}

/// The manager of one notebook, as one component has it mounted.
#[derive(Clone, Debug)]
pub struct HtmlRuntimeManager {
    identity: SessionIdentity,
    server: Server,
    has_session: bool,
    is_mounted: bool,
    is_authenticated: bool,
    /// What the next render will show.
    state: HtmlRuntimeState,
    /// The last render: what its functions and effects see.
    closure: Closure,
    /// The dependencies with which the effects last ran.
    ran: Ran,
    is_render_due: bool,
    /// Entries claimed in the last pass are run in the next.
    has_claimed: bool,
    holds_claims: bool,
    /// What an effect of the present pass threw.
    thrown: Option<Failure>,
    ids: IdSource,
    tasks: Tasks<Task>,
    effects: Vec<Effect>,
}

/// The values that one render closed over.
#[derive(Clone, Debug, Default)]
struct Closure {
    state: HtmlRuntimeState,
    is_authenticated: bool,
    active_sessions: Vec<SessionId>,
    pending: Vec<QueueEntry>,
    assigned: Vec<QueueEntry>,
}

/// Dependencies, an effect each; none before its first run.
#[derive(Clone, Debug, Default)]
struct Ran {
    /// Of the effect that only cleans up: true where its clean-up stops.
    stops: bool,
    shown: Option<HtmlRuntimeState>,
    claim: Option<(bool, Vec<QueueEntry>)>,
    execute: Option<(bool, Vec<QueueEntry>)>,
    log_out: Option<(bool, bool)>,
}

/// What is left of the effects of one render.
type Pass = VecDeque<Phase>;

#[derive(Clone, Debug)]
enum Phase {
    CleanUp,
    Show,
    Claim,
    Execute,
    LogOut,
}

/// A suspended call or render and where it stands.
#[derive(Clone, Debug)]
enum Task {
    RenderDue,
    Read(ReadAt),
    Shown { pass: Pass },
    Claimed { pass: Pass },
    Execution { entry: QueueEntry, at: ExecutionAt, rest: VecDeque<QueueEntry>, pass: Pass },
    Start { call: Option<CallId>, at: StartAt },
    Stop { then: Then },
    Paused { closure: Box<Closure> },
}

#[derive(Clone, Debug)]
enum ReadAt {
    Sessions,
    Pending { active_sessions: Vec<SessionId> },
    Assigned { active_sessions: Vec<SessionId>, pending: Vec<QueueEntry> },
}

#[derive(Clone, Copy, Debug)]
enum ExecutionAt {
    Started,
    Source,
    Output,
    Completed,
    Failed,
    Reported,
}

#[derive(Clone, Debug)]
enum StartAt {
    Asked { active_sessions: Vec<SessionId> },
    Displacing { rest: VecDeque<SessionId> },
    Announced,
    MarkedReady,
}

/// What follows a stop.
#[derive(Clone, Debug)]
enum Then {
    Settle(CallId),
    Restart { call: CallId, closure: Box<Closure> },
    Pass(Pass),
    Nothing,
}

impl HtmlRuntimeManager {
    /// A manager that is not mounted; `ids` names its outputs.
    pub fn new(ids: IdSource) -> Self {
        Self {
            identity: SessionIdentity {
                runtime_id: String::new().into(),
                session_id: String::new().into(),
                capabilities: registry::Capabilities::default(),
            },
            server: Server::Here,
            has_session: false,
            is_mounted: false,
            is_authenticated: false,
            state: HtmlRuntimeState::default(),
            closure: Closure::default(),
            ran: Ran::default(),
            is_render_due: false,
            has_claimed: false,
            holds_claims: false,
            thrown: None,
            ids,
            tasks: Tasks::default(),
            effects: Vec::new(),
        }
    }

    /// The state of the last render, which is what hosts see.
    pub fn state(&self) -> &HtmlRuntimeState {
        &self.closure.state
    }

    /// The ids under which it starts sessions, or runs the present one.
    pub fn identity(&self) -> &SessionIdentity {
        &self.identity
    }

    /// True between mounting and unmounting: live queries are wanted.
    pub fn is_mounted(&self) -> bool {
        self.is_mounted
    }

    /// True while this core serves a session.
    pub fn has_session(&self) -> bool {
        self.has_session && self.server == Server::Here
    }

    /// True while a call or an execution is under way. A render that is due, or a restart's pause, holds nobody up.
    pub fn is_working(&self) -> bool {
        let is_idle = |task: &Task| matches!(task, Task::RenderDue | Task::Paused { .. });
        self.has_claimed || self.tasks.any(|task| !is_idle(task))
    }

    /// Claims nothing more until told otherwise, so that what is under way comes to an end.
    pub fn hold_claims(&mut self, holds: bool) {
        self.holds_claims = holds;
    }

    /// Takes one input and gives the effects to perform, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        match input {
            Input::Mount(call, identity, is_authenticated) => self.on_mount(call, identity, is_authenticated),
            Input::SetAuth(call, is_authenticated) => self.on_set_auth(call, is_authenticated),
            Input::Unmount(call) => self.leave(now, Then::Settle(call)),
            Input::Start(call) => self.start(Some(call), &self.closure.clone()),
            Input::Stop(call) => self.stop_if_active(now, Then::Settle(call)),
            Input::Restart(call) => self.on_restart(now, call),
            Input::StoreChanged => self.ask_for_render(),
            Input::Serve(server, identity) => self.on_serve(server, identity),
            Input::Release => self.let_go(),
            Input::Ended(failure) => self.on_ended(failure),
            Input::Answer(ticket, answer) => self.on_answer(now, ticket, answer),
        }
        std::mem::take(&mut self.effects)
    }

    /// The first render comes at once.
    fn on_mount(&mut self, call: CallId, identity: SessionIdentity, is_authenticated: bool) {
        self.identity = identity;
        (self.server, self.has_session) = (Server::Here, false);
        (self.is_mounted, self.is_authenticated) = (true, is_authenticated);
        self.state = HtmlRuntimeState::default();
        self.closure = Closure { is_authenticated, ..Closure::default() };
        self.ran = Ran::default();
        self.settle(call);
        self.render();
    }

    fn on_set_auth(&mut self, call: CallId, is_authenticated: bool) {
        self.is_authenticated = is_authenticated;
        self.ask_for_render();
        self.settle(call);
    }

    /// The delayed start is that of the present render ([`crate::Quirk::ManagerRestartOnlyStops`]).
    fn on_restart(&mut self, now: Now, call: CallId) {
        let closure = Box::new(self.closure.clone());
        self.stop_if_active(now, Then::Restart { call, closure });
    }

    fn on_serve(&mut self, server: Server, identity: SessionIdentity) {
        self.identity = identity;
        (self.server, self.has_session) = (server, true);
        self.show_active();
        if server == Server::Here {
            (self.ran.claim, self.ran.execute) = (None, None);
        }
    }

    fn on_ended(&mut self, failure: Option<Failure>) {
        match failure {
            Some(failure) => self.update(|state| state.error = Some(failure.message)),
            None => {
                self.let_go();
                self.update(|state| *state = HtmlRuntimeState::default());
            }
        }
    }

    fn let_go(&mut self) {
        (self.has_session, self.server) = (false, Server::Elsewhere);
    }

    fn on_answer(&mut self, now: Now, ticket: Ticket, answer: Answer) {
        match self.tasks.wake(ticket) {
            Some(Task::RenderDue) => self.on_render_due(),
            Some(Task::Read(at)) => self.resume_read(now, at, answer),
            Some(Task::Shown { pass }) => self.go_through(now, pass),
            Some(Task::Claimed { pass }) => self.claimed(now, pass, answer),
            Some(Task::Execution { entry, at, rest, pass }) => {
                self.resume_execution(now, Execution { entry, rest, pass }, at, answer);
            }
            Some(Task::Start { call, at }) => self.resume_start(call, at, answer),
            Some(Task::Stop { then }) => self.stopped(now, then, answer),
            Some(Task::Paused { closure }) => self.resume_restart(&closure),
            None => {}
        }
    }

    /// As `setState` did: the change shows with the next render. An unmounted component has none.
    fn update(&mut self, change: impl FnOnce(&mut HtmlRuntimeState)) {
        if self.is_mounted {
            change(&mut self.state);
            self.ask_for_render();
        }
    }

    fn ask_for_render(&mut self) {
        if self.is_mounted && !self.is_render_due {
            self.is_render_due = true;
            let ticket = self.tasks.park(Task::RenderDue);
            self.effects.push(Effect::Yield(ticket));
        }
    }

    fn on_render_due(&mut self) {
        self.is_render_due = false;
        if self.is_mounted {
            self.render();
        }
    }

    /// Renders: the live queries are read, then the effects of the render run.
    fn render(&mut self) {
        self.query(Task::Read(ReadAt::Sessions), Query::ActiveSessions);
    }

    fn resume_read(&mut self, now: Now, at: ReadAt, answer: Answer) {
        match (at, answer) {
            (ReadAt::Sessions, Ok(Reply::Sessions(active_sessions))) => {
                self.query(Task::Read(ReadAt::Pending { active_sessions }), Query::PendingById);
            }
            (ReadAt::Pending { active_sessions }, Ok(Reply::Entries(pending))) => {
                let query = Query::AssignedTo(self.identity.session_id.clone());
                self.query(Task::Read(ReadAt::Assigned { active_sessions, pending }), query);
            }
            (ReadAt::Assigned { active_sessions, pending }, Ok(Reply::Entries(assigned))) => {
                let (state, is_authenticated) = (self.state.clone(), self.is_authenticated);
                self.rendered(now, Closure { state, is_authenticated, active_sessions, pending, assigned });
            }
            (_, Err(failure)) => self.tear_down(now, failure),
            (_, Ok(_)) => {}
        }
    }

    fn rendered(&mut self, now: Now, closure: Closure) {
        self.closure = closure;
        self.has_claimed = false;
        let pass = self.phases();
        self.go_through(now, pass);
    }

    /// Clean-ups come first, as a parent's do; a consumer's effects run before those of its parent.
    fn phases(&mut self) -> Pass {
        let Closure { state, is_authenticated, pending, assigned, .. } = &self.closure;
        let is_active = state.is_active;
        let cleans_up = std::mem::replace(&mut self.ran.stops, is_active) && !is_active;
        let may_claim = !self.holds_claims;
        let phases = [
            (cleans_up, Phase::CleanUp),
            (changes(&mut self.ran.shown, state), Phase::Show),
            (may_claim && changes(&mut self.ran.claim, &(is_active, pending.clone())), Phase::Claim),
            (changes(&mut self.ran.execute, &(is_active, assigned.clone())), Phase::Execute),
            (changes(&mut self.ran.log_out, &(is_active, *is_authenticated)), Phase::LogOut),
        ];
        phases.into_iter().filter(|(runs, _)| *runs).map(|(_, phase)| phase).collect()
    }

    /// Runs the effects of a render that are left. One that throws keeps none of the others from running.
    fn go_through(&mut self, now: Now, mut pass: Pass) {
        let serves = self.server == Server::Here && self.closure.state.is_active;
        match pass.pop_front() {
            None => {
                if let Some(failure) = self.thrown.take() {
                    self.tear_down(now, failure);
                }
            }
            Some(Phase::CleanUp) => self.stop(now, Then::Pass(pass)),
            Some(Phase::Show) => {
                let ticket = self.tasks.park(Task::Shown { pass });
                self.effects.push(Effect::StateCallback(ticket));
            }
            Some(Phase::Claim) if serves => self.claim_first(now, pass),
            Some(Phase::Execute) if serves => {
                let assigned = self.closure.assigned.clone();
                self.execute_next(now, assigned.into(), pass);
            }
            Some(Phase::LogOut) if self.closure.state.is_active && !self.closure.is_authenticated => {
                self.stop(now, Then::Pass(pass));
            }
            Some(Phase::Claim | Phase::Execute | Phase::LogOut) => self.go_through(now, pass),
        }
    }

    /// Claims the first pending entry; the next one is claimed after the render that this brings, while the first is run
    /// ([`crate::Quirk::ManagerClaimsAhead`]).
    fn claim_first(&mut self, now: Now, pass: Pass) {
        match self.closure.pending.first() {
            Some(entry) => {
                let event = events::assigned(entry.id.clone(), self.identity.session_id.clone());
                self.commit(Task::Claimed { pass }, event);
            }
            None => self.go_through(now, pass),
        }
    }

    fn claimed(&mut self, now: Now, pass: Pass, answer: Answer) {
        match answer {
            Ok(_) => self.has_claimed = true,
            Err(failure) => self.thrown = Some(failure),
        }
        self.go_through(now, pass);
    }

    fn execute_next(&mut self, now: Now, mut rest: VecDeque<QueueEntry>, pass: Pass) {
        match rest.pop_front() {
            Some(entry) => {
                let event = events::started(&entry, self.identity.session_id.clone(), now);
                self.commit(Execution { entry, rest, pass }.at(ExecutionAt::Started), event);
            }
            None => self.go_through(now, pass),
        }
    }

    fn resume_execution(&mut self, now: Now, run: Execution, at: ExecutionAt, answer: Answer) {
        let cell_id = run.entry.cell_id.clone();
        match (at, answer) {
            (ExecutionAt::Started, Ok(_)) => {
                self.query(run.at(ExecutionAt::Source), Query::CellSources(vec![cell_id]));
            }
            (ExecutionAt::Source, Ok(reply)) => {
                let code = events::source_or_empty(reply, &cell_id);
                let event = events::output(self.ids.nanoid(), cell_id, &code, run.entry.execution_count);
                self.commit(run.at(ExecutionAt::Output), event);
            }
            (ExecutionAt::Output, Ok(_)) => {
                let event = events::completed(&run.entry, ExecutionStatus::Success, now, SUCCESS_MS);
                self.commit(run.at(ExecutionAt::Completed), event);
            }
            (ExecutionAt::Failed, Ok(_)) => {
                let event = events::completed(&run.entry, ExecutionStatus::Error, now, FAILURE_MS);
                self.commit(run.at(ExecutionAt::Reported), event);
            }
            // What fails while a failure is reported leaves the entry as it stands.
            (ExecutionAt::Completed, Ok(_)) | (ExecutionAt::Failed, Err(_)) | (ExecutionAt::Reported, _) => {
                self.execute_next(now, run.rest, run.pass);
            }
            (_, Err(failure)) => {
                let event = events::error_output(self.ids.nanoid(), cell_id, &failure.message);
                self.commit(run.at(ExecutionAt::Failed), event);
            }
        }
    }

    /// `startRuntime` as a render made it.
    fn start(&mut self, call: Option<CallId>, closure: &Closure) {
        if !closure.is_authenticated {
            self.update(|state| state.error = Some("Not authenticated".to_owned()));
            return self.settle_if(call);
        }
        if closure.state.is_active || closure.state.is_starting {
            return self.settle_if(call);
        }
        self.update(|state| (state.is_starting, state.error) = (true, None));
        let at = StartAt::Asked { active_sessions: closure.active_sessions.clone() };
        let ticket = self.tasks.park(Task::Start { call, at });
        self.effects.push(Effect::AskRoute(ticket));
    }

    fn resume_start(&mut self, call: Option<CallId>, at: StartAt, answer: Answer) {
        match (at, answer) {
            (_, Err(failure)) => {
                self.update(|state| (state.is_starting, state.error) = (false, Some(failure.message)));
                self.settle_if(call);
            }
            (StartAt::Asked { active_sessions }, Ok(Reply::Flag(true))) => {
                (self.server, self.holds_claims) = (Server::Here, false);
                self.displace(call, active_sessions.into());
            }
            (StartAt::Asked { .. }, Ok(_)) => {
                self.update(|state| state.is_starting = false);
                self.settle_if(call);
            }
            (StartAt::Displacing { rest }, Ok(_)) => self.displace(call, rest),
            (StartAt::Announced, Ok(_)) => {
                let event = events::ready(self.identity.session_id.clone());
                self.commit(Task::Start { call, at: StartAt::MarkedReady }, event);
            }
            (StartAt::MarkedReady, Ok(_)) => {
                self.has_session = true;
                self.show_active();
                self.settle_if(call);
            }
        }
    }

    /// Terminates the sessions that the render knew of, then announces our own. Whoever became active since is not seen
    /// ([`crate::Quirk::ManagerDisplacesWhatItRendered`]).
    fn displace(&mut self, call: Option<CallId>, mut rest: VecDeque<SessionId>) {
        let (at, event) = match rest.pop_front() {
            Some(session) => (StartAt::Displacing { rest }, events::terminated(session, TerminationReason::Displaced)),
            None => (StartAt::Announced, events::started_session(&self.identity)),
        };
        self.commit(Task::Start { call, at }, event);
    }

    fn show_active(&mut self) {
        let SessionIdentity { runtime_id, session_id, .. } = &self.identity;
        let state = HtmlRuntimeState {
            is_active: true,
            runtime_id: Some(runtime_id.to_string()),
            session_id: Some(session_id.to_string()),
            ..HtmlRuntimeState::default()
        };
        self.update(|shown| *shown = state);
    }

    fn stop_if_active(&mut self, now: Now, then: Then) {
        if self.closure.state.is_active && !self.closure.state.is_stopping {
            self.stop(now, then);
        } else {
            self.go_on(now, then);
        }
    }

    /// `stopRuntime` as an active render made it: it does not know whether the session has been terminated since
    /// ([`crate::Quirk::ManagerTerminatesTwice`]).
    fn stop(&mut self, now: Now, then: Then) {
        self.update(|state| state.is_stopping = true);
        match self.server {
            Server::Here => {
                let event = events::terminated(self.identity.session_id.clone(), TerminationReason::Shutdown);
                self.commit(Task::Stop { then }, event);
            }
            Server::Elsewhere if self.has_session => {
                let ticket = self.tasks.park(Task::Stop { then });
                self.effects.push(Effect::EndSession(ticket));
            }
            Server::Elsewhere => self.stopped(now, then, Ok(Reply::Done)),
        }
    }

    fn stopped(&mut self, now: Now, then: Then, answer: Answer) {
        match answer {
            Ok(_) => {
                self.has_session = false;
                self.update(|state| *state = HtmlRuntimeState::default());
            }
            Err(failure) if self.server == Server::Here => {
                self.update(|state| (state.is_stopping, state.error) = (false, Some(failure.message)));
            }
            // Another path ends its session even where it cannot commit that.
            Err(failure) => {
                self.has_session = false;
                let error = Some(failure.message);
                self.update(|state| *state = HtmlRuntimeState { error, ..HtmlRuntimeState::default() });
            }
        }
        self.go_on(now, then);
    }

    fn go_on(&mut self, now: Now, then: Then) {
        match then {
            Then::Settle(call) => self.settle(call),
            Then::Restart { call, closure } => {
                self.settle(call);
                let ticket = self.tasks.park(Task::Paused { closure });
                self.effects.push(Effect::Sleep(ticket, RESTART_PAUSE_MS));
            }
            Then::Pass(pass) => self.go_through(now, pass),
            Then::Nothing => {}
        }
    }

    /// Behind a session that another path served the start is that of the last render, so that a restart restarts.
    fn resume_restart(&mut self, closure: &Closure) {
        match self.server {
            Server::Here => self.start(None, closure),
            Server::Elsewhere => self.start(None, &self.closure.clone()),
        }
    }

    /// An error in an effect unmounts the component ([`crate::Quirk::ManagerFailingClaimUnmounts`]).
    fn tear_down(&mut self, now: Now, failure: Failure) {
        self.effects.push(Effect::Raise(failure));
        self.leave(now, Then::Nothing);
    }

    fn leave(&mut self, now: Now, then: Then) {
        (self.is_mounted, self.has_claimed) = (false, false);
        if std::mem::take(&mut self.ran.stops) {
            self.stop(now, then);
        } else {
            self.go_on(now, then);
        }
    }

    fn query(&mut self, then: Task, query: Query) {
        let ticket = self.tasks.park(then);
        self.effects.push(Effect::Query(ticket, query));
    }

    /// A commit may change what the live queries show.
    fn commit(&mut self, then: Task, event: Event) {
        self.ask_for_render();
        let ticket = self.tasks.park(then);
        self.effects.push(Effect::Commit(ticket, event));
    }

    fn settle_if(&mut self, call: Option<CallId>) {
        if let Some(call) = call {
            self.settle(call);
        }
    }

    fn settle(&mut self, call: CallId) {
        self.effects.push(Effect::Settle(call, Ok(())));
    }
}

/// What an execution carries from step to step.
struct Execution {
    entry: QueueEntry,
    rest: VecDeque<QueueEntry>,
    pass: Pass,
}

impl Execution {
    fn at(self, at: ExecutionAt) -> Task {
        Task::Execution { entry: self.entry, at, rest: self.rest, pass: self.pass }
    }
}

/// Takes new dependencies and tells whether they differ from those of the last run.
fn changes<T: Clone + PartialEq>(ran: &mut Option<T>, now: &T) -> bool {
    let differs = ran.as_ref() != Some(now);
    if differs {
        *ran = Some(now.clone());
    }
    differs
}

#[cfg(test)]
mod tests {
    use registry::{Capabilities, QueueStatus};

    use super::*;

    /// A mounted manager with a session, whose renders come when the test says so.
    struct Bench {
        core: HtmlRuntimeManager,
        pending: Vec<QueueEntry>,
        assigned: Vec<QueueEntry>,
        log: Vec<String>,
        due: VecDeque<Ticket>,
    }

    const NOW: Now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };

    impl Bench {
        fn started(pending: &[&str]) -> Self {
            let core = HtmlRuntimeManager::new(IdSource::new([7; 32]));
            let pending = pending.iter().map(|id| entry(id)).collect();
            let mut bench = Self { core, pending, assigned: vec![], log: vec![], due: VecDeque::new() };
            let capabilities = Capabilities { can_execute_code: true, ..Capabilities::default() };
            let identity = SessionIdentity { runtime_id: "r".into(), session_id: "r-1".into(), capabilities };
            bench.step(Input::Mount(CallId(1), identity, true));
            bench.step(Input::Start(CallId(2)));
            bench.log.clear();
            bench
        }

        fn step(&mut self, input: Input) {
            for effect in self.core.handle(NOW, input) {
                if let Some((ticket, reply)) = self.perform(effect) {
                    self.step(Input::Answer(ticket, Ok(reply)));
                }
            }
        }

        /// One render with its effects.
        fn render(&mut self) -> Vec<String> {
            if let Some(ticket) = self.due.pop_front() {
                self.step(Input::Answer(ticket, Ok(Reply::Done)));
            }
            std::mem::take(&mut self.log)
        }

        fn perform(&mut self, effect: Effect) -> Option<(Ticket, Reply)> {
            match effect {
                Effect::Commit(ticket, event) => {
                    self.store(&event);
                    Some((ticket, Reply::Done))
                }
                Effect::Query(ticket, Query::ActiveSessions) => Some((ticket, Reply::Sessions(vec![]))),
                Effect::Query(ticket, Query::PendingById) => Some((ticket, Reply::Entries(self.pending.clone()))),
                Effect::Query(ticket, Query::AssignedTo(_)) => Some((ticket, Reply::Entries(self.assigned.clone()))),
                Effect::Query(ticket, _) | Effect::StateCallback(ticket) => Some((ticket, Reply::Done)),
                Effect::AskRoute(ticket) => Some((ticket, Reply::Flag(true))),
                Effect::Yield(ticket) => {
                    self.due.push_back(ticket);
                    None
                }
                _ => None,
            }
        }

        fn store(&mut self, event: &Event) {
            self.log.push(event.name().to_owned());
            match event {
                Event::ExecutionAssigned(_) => self.assigned.push(self.pending.remove(0)),
                Event::ExecutionStarted(_) => drop(self.assigned.remove(0)),
                _ => {}
            }
        }
    }

    fn entry(id: &str) -> QueueEntry {
        QueueEntry {
            id: id.into(),
            cell_id: "c".into(),
            execution_count: 1,
            status: QueueStatus::Pending,
            assigned_runtime_session: None,
        }
    }

    const CLAIM: &str = "v1.ExecutionAssigned";
    const RUN: [&str; 3] = ["v1.ExecutionStarted", "v1.MultimediaResultOutputAdded", "v1.ExecutionCompleted"];

    #[test]
    fn a_render_claims_one_entry_and_runs_what_the_render_before_it_claimed() {
        let mut bench = Bench::started(&["q1", "q2"]);
        assert_eq!(bench.render(), [CLAIM]);
        assert_eq!(bench.render(), [&[CLAIM][..], &RUN].concat());
        assert_eq!(bench.render(), RUN);
        assert_eq!(bench.render(), [""; 0]);
    }

    #[test]
    fn a_render_without_news_runs_no_effect() {
        let mut bench = Bench::started(&[]);
        bench.render();
        bench.step(Input::StoreChanged);
        assert_eq!(bench.render(), [""; 0]);
        assert!(bench.due.is_empty());
    }

    #[test]
    fn a_claimed_entry_is_run_while_claims_are_held_and_the_next_is_claimed_after_that() {
        let mut bench = Bench::started(&["q1", "q2"]);
        bench.render();
        assert!(bench.core.is_working(), "q1 is claimed and not run");
        bench.core.hold_claims(true);
        assert_eq!(bench.render(), RUN);
        bench.render();
        assert!(!bench.core.is_working());
        bench.core.hold_claims(false);
        bench.step(Input::StoreChanged);
        assert_eq!(bench.render(), [CLAIM]);
    }

    #[test]
    fn a_released_manager_claims_nothing_and_terminates_nothing() {
        let mut bench = Bench::started(&[]);
        bench.render();
        bench.step(Input::Release);
        bench.pending.push(entry("q1"));
        bench.step(Input::StoreChanged);
        bench.step(Input::Unmount(CallId(3)));
        assert_eq!(bench.render(), [""; 0]);
    }
}
