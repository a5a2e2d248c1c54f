//! The two paths of a seat: their calls, and their effects in the notebook's words.

use bridge_core::{Decision, Diagnostic, Lease, Level, Path, Reason};
use legacy_compat::{CallId, Effect as LegacyEffect, Hook, HtmlInput, ManagerInput};
use registry::{
    CellId, Effect as AgentEffect, Failure, Ingest, Now, Operation, Phase, QueueId, Reply, SessionIdentity,
    TerminationReason, TimerId,
};

use super::fence::Timer;
use super::host::Facade;
use super::legacy_core::LegacyCore;
use super::seat::Waiting;
use super::{Asked, Asker, Effect, Mechanism, Method, Notebook, RuntimeKey, SessionIds};

impl Notebook {
    pub(super) fn on_call(&mut self, now: Now, runtime: RuntimeKey, call: CallId, method: Method) {
        let seat = self.seat(runtime);
        if seat.is_flipping() {
            return seat.parked.push((call, method));
        }
        let path = seat.lease.as_ref().map(|lease| lease.path);
        match (method, path) {
            (Method::Start { ids, capabilities }, _) => {
                self.seat(runtime).capabilities = capabilities.clone();
                let SessionIds { runtime_id, session_id } = ids;
                self.start(now, runtime, call, SessionIdentity { runtime_id, session_id, capabilities });
            }
            (Method::Stop, _) if self.seat(runtime).legacy.is_manager() => {
                self.step_legacy(now, runtime, |core| core.manager(now, ManagerInput::Stop(call)));
            }
            (Method::Stop, Some(Path::Registry)) => {
                self.seat(runtime).stopping = Some(Waiting::Call(call));
                self.step_agent(now, runtime, registry::Input::Stop(TerminationReason::Shutdown));
            }
            (Method::Stop, _) => self.step_legacy(now, runtime, |core| core.html(now, HtmlInput::Stop(call))),
            (Method::ExecuteCode { cell_id, .. }, _) if self.drops_late_code(runtime, &cell_id) => {
                // An error would end up in the state of a runtime that is served well by another path.
                self.effects.push(Effect::Settle { call, outcome: Ok(()) });
            }
            (Method::ExecuteCode { cell_id, code }, Some(Path::Registry)) => {
                self.execute_code(runtime, call, &cell_id, &code)
            }
            (Method::ExecuteCode { cell_id, code }, _) => {
                self.step_legacy(now, runtime, |core| core.html(now, HtmlInput::ExecuteCode(call, cell_id, code)));
            }
            (Method::Mount { ids, is_authenticated }, _) => self.mount(now, runtime, call, ids, is_authenticated),
            (Method::SetAuth { is_authenticated }, _) => {
                let input = ManagerInput::SetAuth(call, is_authenticated);
                self.step_legacy(now, runtime, |core| core.manager(now, input));
            }
            (Method::Unmount, _) => {
                self.step_legacy(now, runtime, |core| core.manager(now, ManagerInput::Unmount(call)));
            }
            (Method::StartRuntime, _) => {
                self.step_legacy(now, runtime, |core| core.manager(now, ManagerInput::Start(call)));
            }
            (Method::RestartRuntime, _) => {
                self.step_legacy(now, runtime, |core| core.manager(now, ManagerInput::Restart(call)));
            }
        }
    }

    /// Starts a session on the path it was admitted to; a session that nobody admitted is the old path's.
    fn start(&mut self, now: Now, runtime: RuntimeKey, call: CallId, identity: SessionIdentity) {
        let notebook = self.id.to_string();
        let generation = self.flags.generation();
        let decision = match &self.seat(runtime).admitted {
            Some(admission) => admission.decision.clone(),
            None => Decision::legacy(&notebook, generation, Reason::HostSubclass),
        };
        let path = decision.route.serving();
        self.lease(runtime, decision, &identity);
        match path {
            Path::Legacy => {
                let token = self.token;
                self.seat(runtime).starting = Some(Waiting::Call(call));
                self.set_facade(runtime, Facade::Open(token));
                self.step_legacy(now, runtime, |core| core.html(now, HtmlInput::Start(call, identity)));
            }
            Path::Registry => self.start_agent(now, runtime, Waiting::Call(call), identity),
        }
        self.notice_flags_since_admission(now, runtime);
    }

    /// Gives the session that is about to start its lease.
    pub(super) fn lease(&mut self, runtime: RuntimeKey, decision: Decision, identity: &SessionIdentity) {
        self.token = self.token.raised();
        let (token, path) = (self.token, decision.route.serving());
        let SessionIdentity { runtime_id, session_id, .. } = identity.clone();
        self.call_off_flip(runtime);
        let seat = self.seat(runtime);
        seat.take(Lease { path, token, runtime_id, session_id, decision });
        match path {
            Path::Legacy => seat.legacy_token = token,
            Path::Registry => seat.agent_token = token,
        }
    }

    pub(super) fn start_agent(&mut self, now: Now, runtime: RuntimeKey, waiting: Waiting, identity: SessionIdentity) {
        self.seat(runtime).starting = Some(waiting);
        let identity = SessionIdentity { capabilities: self.runtime_type.capabilities.clone(), ..identity };
        self.set_facade(runtime, Facade::Closed);
        self.step_agent(now, runtime, registry::Input::Start(identity));
    }

    /// The registry's session is announced. Its commit has displaced the others, who are told now: had it failed, they would
    /// still be the ones who serve.
    fn started(&mut self, now: Now, runtime: RuntimeKey, waiting: Waiting) {
        self.release_others(now, runtime);
        self.serve_elsewhere(now, runtime);
        self.tell(now, runtime, waiting, Ok(()));
    }

    /// Tells who waits for the agent how it went.
    fn tell(&mut self, now: Now, runtime: RuntimeKey, waiting: Waiting, outcome: Result<(), Failure>) {
        match waiting {
            Waiting::Call(call) => self.effects.push(Effect::Settle { call, outcome }),
            Waiting::Core(ticket) => {
                let answer = outcome.map(|()| Reply::Flag(false));
                self.step_legacy(now, runtime, |core| core.answer(now, ticket, answer));
            }
        }
    }

    fn start_failed(&mut self, now: Now, runtime: RuntimeKey, failure: Failure) {
        let seat = self.seat(runtime);
        seat.lease = None;
        if let Some(waiting) = seat.starting.take() {
            self.tell(now, runtime, waiting, Err(failure));
        }
        self.give_back_token();
    }

    /// A session that could not start had taken the notebook's token: those who serve go on under a new one.
    fn give_back_token(&mut self) {
        self.token = self.token.raised();
        let runtimes: Vec<RuntimeKey> = self.seats.keys().copied().collect();
        runtimes.into_iter().for_each(|runtime| self.renew(runtime));
        for runtime in self.seats_on(Path::Legacy) {
            let is_draining = self.seat(runtime).flip.is_some();
            self.show_facade(runtime, is_draining);
        }
    }

    /// The session goes on under the notebook's present token, and so does what it has under way.
    pub(super) fn renew(&mut self, runtime: RuntimeKey) {
        let token = self.token;
        if let Some(old) = self.seat(runtime).renew(token) {
            self.ledger.renew(old, token);
        }
    }

    /// A new session displaces those of the notebook's other seats. The old system let them go on; once the notebook has left
    /// it, they are told.
    pub(super) fn release_others(&mut self, now: Now, newcomer: RuntimeKey) {
        if self.gate.mode() == bridge_core::Mode::Observe {
            return;
        }
        let others: Vec<RuntimeKey> = self
            .seats
            .iter()
            .filter(|(key, seat)| **key != newcomer && seat.lease.is_some())
            .map(|(key, _)| *key)
            .collect();
        for runtime in others {
            self.displaced(now, runtime);
        }
    }

    /// The session is over without a termination of ours; the runtime object is stopped, so that its host sees it.
    pub(super) fn displaced(&mut self, now: Now, runtime: RuntimeKey) {
        // What it had under way is nobody's to compare: it does not end.
        self.end_shadow(runtime);
        self.call_off_flip(runtime);
        let lease = self.seat(runtime).lease.take();
        if lease.is_some_and(|lease| lease.token == self.token) {
            self.token = self.token.raised();
        }
        self.give_back_claims(runtime);
        self.set_facade(runtime, Facade::Closed);
        self.step_legacy(now, runtime, |core| core.release(now));
        self.step_agent(now, runtime, registry::Input::Release);
        self.call_hook(now, runtime, Hook::Stop);
    }

    /// `executeCode` outside the queue: the output alone, in place of what the cell showed.
    fn execute_code(&mut self, runtime: RuntimeKey, call: CallId, cell_id: &CellId, code: &str) {
        let seat = self.seat(runtime);
        let token = seat.agent_token;
        let Some(lease) = seat.lease.as_ref() else { return };
        let mut ingest = Ingest::new(cell_id.clone(), 1, &lease.runtime_id);
        let cleared = ingest.begin();
        let shown = ingest.take(Operation::html(code), &mut self.ids);
        let events = std::iter::once(cleared).chain(shown).collect();
        self.commit(Asker::Code(call), Path::Registry, token, events);
    }

    pub(super) fn step_legacy(
        &mut self,
        now: Now,
        runtime: RuntimeKey,
        step: impl FnOnce(&mut LegacyCore) -> Vec<LegacyEffect>,
    ) {
        let Some(seat) = self.seats.get_mut(&runtime) else { return };
        for effect in step(&mut seat.legacy) {
            self.take_legacy(now, runtime, effect);
        }
    }

    fn take_legacy(&mut self, now: Now, runtime: RuntimeKey, effect: LegacyEffect) {
        let asker = |ticket| Asked::question(Asker::Legacy(runtime, ticket));
        let effect = match effect {
            LegacyEffect::Commit(ticket, event) => {
                let token = self.seat(runtime).legacy_token;
                return self.commit(Asker::Legacy(runtime, ticket), Path::Legacy, token, vec![event]);
            }
            LegacyEffect::Query(ticket, query) => Effect::Query { ticket: self.ask(asker(ticket)), query },
            LegacyEffect::Hook(ticket, hook) => {
                let ticket = self.ask(asker(ticket));
                self.seat(runtime).calls_code(ticket, &hook);
                Effect::Hook { ticket, runtime, hook }
            }
            LegacyEffect::Continue(ticket) => Effect::Continue { ticket: self.ask(asker(ticket)) },
            LegacyEffect::Fail(ticket, failure) => Effect::Fail { ticket: self.ask(asker(ticket)), failure },
            LegacyEffect::SetInterval(timer, every_ms) => {
                self.set_timer(Timer::Legacy(runtime, timer), every_ms);
                return;
            }
            LegacyEffect::ClearInterval(timer) => {
                if let Some(outer) = self.outer_timer(runtime, timer) {
                    self.clear_timer(outer);
                }
                return;
            }
            LegacyEffect::Settle(call, outcome) => {
                self.legacy_settled(now, runtime, call);
                Effect::Settle { call, outcome }
            }
            LegacyEffect::Sleep(ticket, ms) => Effect::Sleep { ticket: self.ask(asker(ticket)), ms },
            LegacyEffect::Yield(ticket) => Effect::Yield { ticket: self.ask(asker(ticket)) },
            LegacyEffect::StateCallback(ticket) => {
                let state = self.seat(runtime).legacy.shown();
                Effect::Show { ticket: self.ask(asker(ticket)), runtime, state }
            }
            LegacyEffect::Raise(failure) => Effect::Raise { runtime, failure },
            LegacyEffect::AskRoute(ticket) => return self.route_manager(now, runtime, ticket),
            LegacyEffect::EndSession(ticket) => return self.end_elsewhere(now, runtime, ticket),
        };
        self.effects.push(effect);
    }

    /// A session that the old path has ended, or could not start, has no lease any more. One that it has started has displaced
    /// the others, as on the registry path.
    fn legacy_settled(&mut self, now: Now, runtime: RuntimeKey, call: CallId) {
        let seat = self.seat(runtime);
        let was_starting =
            seat.starting.take_if(|waiting| matches!(waiting, Waiting::Call(of) if *of == call)).is_some();
        let is_served_here = seat.lease.as_ref().is_some_and(|lease| lease.path == Path::Legacy);
        let has_session = seat.legacy.has_session();
        if is_served_here && !has_session {
            seat.lease = None;
        }
        match (was_starting, has_session) {
            (true, true) => self.release_others(now, runtime),
            (true, false) => self.give_back_token(),
            (false, _) => {}
        }
    }

    fn outer_timer(&self, runtime: RuntimeKey, timer: TimerId) -> Option<TimerId> {
        self.timers.iter().find(|(_, known)| **known == Timer::Legacy(runtime, timer)).map(|(outer, _)| *outer)
    }

    pub(super) fn step_agent(&mut self, now: Now, runtime: RuntimeKey, input: registry::Input) {
        let Some(seat) = self.seats.get_mut(&runtime) else { return };
        for effect in seat.agent.handle(now, input) {
            self.take_agent(now, runtime, effect);
        }
    }

    fn take_agent(&mut self, now: Now, runtime: RuntimeKey, effect: AgentEffect) {
        match effect {
            AgentEffect::Claim { ticket, entries } => {
                let granted = self.claim(runtime, entries);
                self.step_agent(now, runtime, registry::Input::Answer(ticket, Ok(Reply::Claimed(granted))));
            }
            AgentEffect::Commit { ticket, events } => {
                let token = self.seat(runtime).agent_token;
                match self.note_starts(now, runtime, &events) {
                    Ok(()) => self.commit(Asker::Agent(runtime, ticket), Path::Registry, token, events),
                    Err(failure) => {
                        let ticket = self.ask(Asked::question(Asker::Agent(runtime, ticket)));
                        self.effects.push(Effect::Fail { ticket, failure });
                    }
                }
            }
            AgentEffect::Query { ticket, query } => {
                let ticket = self.ask(Asked::question(Asker::Agent(runtime, ticket)));
                self.effects.push(Effect::Query { ticket, query });
            }
            AgentEffect::Phase(phase) => self.on_phase(now, runtime, phase),
        }
    }

    fn claim(&mut self, runtime: RuntimeKey, entries: Vec<QueueId>) -> Vec<QueueId> {
        let token = self.seat(runtime).agent_token;
        let is_current = token == self.token || self.lacks(Mechanism::TokenCheck);
        let is_unchecked = self.lacks(Mechanism::ClaimCheck);
        let mut is_granted = |id: &QueueId| is_unchecked || self.ledger.claim(id, Path::Registry, token);
        let (granted, refused): (Vec<QueueId>, _) = entries.into_iter().partition(|id| is_current && is_granted(id));
        if is_current {
            // They are somebody else's.
            refused.iter().for_each(|id| self.seat(runtime).line.leave(id));
        }
        granted
    }

    fn on_phase(&mut self, now: Now, runtime: RuntimeKey, phase: Phase) {
        match phase {
            Phase::Busy => self.call_hook(now, runtime, Hook::SetBusy),
            Phase::Ready => match self.seat(runtime).starting.take() {
                Some(waiting) => self.started(now, runtime, waiting),
                None => self.call_hook(now, runtime, Hook::SetReady),
            },
            Phase::StartFailed(failure) => self.start_failed(now, runtime, failure),
            Phase::Broken(failure) => self.broken(now, runtime, failure),
            Phase::Displaced => self.displaced(now, runtime),
            Phase::Stopped(failure) => self.stopped(now, runtime, failure.map_or(Ok(()), Err)),
        }
    }

    /// The agent's session is over. Code of the host's that served before a flip still runs, and is stopped with it.
    fn stopped(&mut self, now: Now, runtime: RuntimeKey, outcome: Result<(), Failure>) {
        self.give_back_claims(runtime);
        let seat = self.seat(runtime);
        seat.lease = None;
        let is_host_running = seat.legacy.host_code().is_some_and(|code| code.is_running());
        let (starting, stopping) = (seat.starting.take(), seat.stopping.take());
        if let Some(waiting) = starting {
            self.tell(now, runtime, waiting, outcome.clone());
        }
        match stopping {
            Some(Waiting::Call(call)) if is_host_running && outcome.is_ok() => {
                self.step_legacy(now, runtime, |core| core.html(now, HtmlInput::Stop(call)));
            }
            Some(waiting) => self.tell(now, runtime, waiting, outcome),
            None => {}
        }
    }

    /// What the agent has claimed and not begun waits for a later session, on either path.
    fn give_back_claims(&mut self, runtime: RuntimeKey) {
        let token = self.seat(runtime).agent_token;
        self.ledger.release_claims(token);
    }

    /// The store refused even to hear of a failure.
    fn broken(&mut self, now: Now, runtime: RuntimeKey, failure: Failure) {
        self.give_back_claims(runtime);
        let diagnostic = Diagnostic {
            level: Level::Error,
            code: "STORE_REFUSED",
            message: format!("notebook `{}`: the store refuses commits: {}", self.id, failure.message),
            help: "stop and start the runtime; if it fails again the store itself is lost".to_owned(),
        };
        self.effects.push(Effect::Diagnostic { diagnostic });
        self.call_hook(now, runtime, Hook::SetError { message: failure.message });
    }

    /// The reason why a session is on its path, for people.
    pub(super) fn is_held_by_host(&self, runtime: RuntimeKey) -> bool {
        let reason = self.seats.get(&runtime).and_then(|seat| seat.lease.as_ref()).map(|lease| lease.decision.reason);
        reason == Some(Reason::HostSubclass)
    }
}
