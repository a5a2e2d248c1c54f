//! Flips: a running session changes paths when its flag does.
//!
//! The old path's claims are closed first. Once nothing of it is under way, one commit terminates the old session and
//! announces the new one, so that there are never two active sessions; the host gets one `ready` with the new ids. When that
//! commit fails, the session stays where it was.

use bridge_core::{Change, Decision, Diagnostic, Lease, Level, Path};
use legacy_compat::{CallId, HtmlInput};
use registry::{
    Answer, Failure, Now, Query, Reply, RuntimeId, RuntimeType, SessionId, SessionIdentity, session_events,
};

use super::seat::Flip;
use super::{Asked, Asker, Effect, Method, Notebook, RuntimeKey, SessionIds};

impl Notebook {
    /// Compares the generation of the flags with the one last seen, and looks for a new latch: the first step after a change
    /// acts on it, whether or not anybody announced it.
    pub(super) fn notice_flags(&mut self, now: Now) {
        let generation = self.flags.generation();
        if generation == self.generation_seen && !self.has_new_latch {
            return;
        }
        self.has_new_latch = false;
        self.generation_seen = generation;
        let runtimes: Vec<RuntimeKey> = self.seats.keys().copied().collect();
        for runtime in runtimes {
            self.decide_again(now, runtime);
        }
    }

    fn decide_again(&mut self, now: Now, runtime: RuntimeKey) {
        if self.is_held_by_host(runtime) {
            return;
        }
        let Some(admission) = self.seats.get(&runtime).and_then(|seat| seat.admitted.clone()) else { return };
        let decision = self.decide(now, &admission.context, admission.ability);
        self.report(&decision);
        let seat = self.seat(runtime);
        let Some(lease) = &mut seat.lease else { return };
        match lease.change(&decision) {
            // A change on its way is called off when the flag comes back before it took place.
            Change::Keep => {
                if lease.path == decision.route.serving() {
                    lease.decision = decision;
                }
                seat.flip = seat.flip.take().filter(Flip::is_under_way);
            }
            // An html execution ends within the step that starts it, so there is nothing under way to fence: to act now and to
            // drain are one thing here.
            Change::Drain | Change::Now => {
                if !seat.is_flipping() {
                    seat.flip = Some(Flip::Due(decision));
                }
            }
        }
    }

    /// Begins every flip whose session has nothing under way.
    pub(super) fn flip_what_is_due(&mut self, now: Now) {
        let runtimes: Vec<RuntimeKey> = self.seats.keys().copied().collect();
        for runtime in runtimes {
            let Some(seat) = self.seats.get_mut(&runtime) else { continue };
            let (Some(Flip::Due(decision)), Some(lease)) = (&seat.flip, &seat.lease) else { continue };
            let is_between_calls = seat.starting.is_some() || seat.stopping.is_some();
            if is_between_calls || seat.agent.is_working() || seat.legacy.is_working() {
                continue;
            }
            let (decision, lease) = (decision.clone(), lease.clone());
            self.begin_flip(now, runtime, decision, &lease);
        }
    }

    fn begin_flip(&mut self, now: Now, runtime: RuntimeKey, decision: Decision, old: &Lease) {
        self.release(now, runtime, old.path);
        self.gate.enforce();
        self.token = self.token.raised();
        let path = decision.route.serving();
        let ids = match path {
            Path::Registry => self.registry_ids(now),
            Path::Legacy => self.legacy_ids(now),
        };
        let lease = Lease { path, token: self.token, runtime_id: ids.runtime_id, session_id: ids.session_id, decision };
        let identity = self.identity(runtime, &lease);
        let events = session_events(vec![old.session_id.clone()], &identity, RuntimeType::html().name);
        self.seat(runtime).flip = Some(Flip::Announcing(Box::new(lease)));
        self.commit(Asker::Flip(runtime), path, self.token, events);
    }

    /// The new session is in the log, or is not: its path takes over, or the old one goes on. Only the log knows what became of
    /// a commit that failed: a subscriber may have thrown behind it.
    pub(super) fn flip_announced(&mut self, now: Now, runtime: RuntimeKey, answer: Answer) {
        match (self.seat(runtime).flip.take(), answer) {
            (Some(Flip::Announcing(lease)), Ok(_)) => self.take_over(now, runtime, &lease),
            (Some(Flip::Announcing(lease)), Err(failure)) => {
                self.seat(runtime).flip = Some(Flip::Verifying(lease, failure));
                let ticket = self.ask(Asked::question(Asker::Flip(runtime)));
                self.effects.push(Effect::Query { ticket, query: Query::ActiveSessions });
            }
            (Some(Flip::Verifying(lease, _)), Ok(Reply::Sessions(active))) if active.contains(&lease.session_id) => {
                self.take_over(now, runtime, &lease);
            }
            (Some(Flip::Verifying(_, failure)), _) => self.stay(now, runtime, &failure),
            (flip, _) => self.seat(runtime).flip = flip,
        }
    }

    fn take_over(&mut self, now: Now, runtime: RuntimeKey, lease: &Lease) {
        let seat = self.seat(runtime);
        seat.lease = Some(lease.clone());
        let parked = std::mem::take(&mut seat.parked);
        // A host that is stopping the runtime is told of its end, not of a new session.
        if !parked.iter().any(|(_, method)| matches!(method, Method::Stop)) {
            let ids = SessionIds { runtime_id: lease.runtime_id.clone(), session_id: lease.session_id.clone() };
            self.effects.push(Effect::Adopt { runtime, ids });
        }
        self.resume(now, runtime, lease);
        self.call_parked(now, runtime, parked);
        self.decide_again(now, runtime);
    }

    fn stay(&mut self, now: Now, runtime: RuntimeKey, failure: &Failure) {
        let diagnostic = Diagnostic {
            level: Level::Error,
            code: "FLIP_FAILED",
            message: format!("notebook `{}` stays on its path: {}", self.id, failure.message),
            help: "the store refused the new session's events; the next flag change tries again".to_owned(),
        };
        self.effects.push(Effect::Diagnostic { diagnostic });
        self.token = self.token.raised();
        let token = self.token;
        let seat = self.seat(runtime);
        seat.renew(token);
        if let Some(old) = seat.lease.clone() {
            self.resume(now, runtime, &old);
        }
        let parked = std::mem::take(&mut self.seat(runtime).parked);
        self.call_parked(now, runtime, parked);
    }

    fn call_parked(&mut self, now: Now, runtime: RuntimeKey, parked: Vec<(CallId, Method)>) {
        for (call, method) in parked {
            self.on_call(now, runtime, call, method);
        }
    }

    fn resume(&mut self, now: Now, runtime: RuntimeKey, lease: &Lease) {
        let identity = self.identity(runtime, lease);
        let seat = self.seat(runtime);
        match lease.path {
            Path::Legacy => {
                seat.legacy_token = lease.token;
                self.step_legacy(now, runtime, HtmlInput::Resume(identity));
            }
            Path::Registry => {
                seat.agent_token = lease.token;
                self.step_agent(now, runtime, registry::Input::Resume(identity));
            }
        }
    }

    fn release(&mut self, now: Now, runtime: RuntimeKey, path: Path) {
        match path {
            Path::Legacy => self.step_legacy(now, runtime, HtmlInput::Release),
            Path::Registry => self.step_agent(now, runtime, registry::Input::Release),
        }
    }

    fn identity(&mut self, runtime: RuntimeKey, lease: &Lease) -> SessionIdentity {
        let capabilities = match lease.path {
            Path::Legacy => self.seat(runtime).capabilities.clone(),
            Path::Registry => RuntimeType::html().capabilities,
        };
        SessionIdentity { runtime_id: lease.runtime_id.clone(), session_id: lease.session_id.clone(), capabilities }
    }

    fn legacy_ids(&mut self, now: Now) -> SessionIds {
        let runtime_id = legacy_compat::runtime_id("html", &self.ids.nanoid());
        let session_id = legacy_compat::session_id(&runtime_id, now);
        SessionIds { runtime_id: RuntimeId::from(runtime_id), session_id: SessionId::from(session_id) }
    }
}
