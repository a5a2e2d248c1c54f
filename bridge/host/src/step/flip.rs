//! Flips: a running session changes paths when its flag does.
//!
//! The old path's claims are closed first. Once nothing of it is under way, one commit terminates the old session and
//! announces the new one, so that there are never two active sessions; the host gets one `ready` with the new ids. When that
//! commit fails, the session stays where it was.

use bridge_core::{Change, Decision, Diagnostic, Lease, Level, Path};
use legacy_compat::{CallId, ManagerInput, Server};
use registry::{Answer, Failure, Now, Query, Reply, RuntimeId, SessionId, SessionIdentity, session_events};

use super::host::Facade;
use super::seat::{Drain, Flip, Seat};
use super::{Asked, Asker, Effect, Method, Notebook, RuntimeKey, SessionIds, Timer};

/// How long a drain may take where the flag does not say so: what the old code calls `maxExecutionTime`, and never enforced.
pub(super) const DEFAULT_DRAIN_MS: u64 = 30_000;

/// What comes on top before an execution is fenced: time to end by itself for whoever is told that it is over.
pub(super) const GRACE_MS: u64 = 2_000;

impl Notebook {
    /// Compares the generation of the flags with the one last seen, and looks for a new latch and at the kill switch: the first
    /// step after a change acts on it, whether or not anybody announced it.
    pub(super) fn notice_flags(&mut self, now: Now) {
        let (generation, kills) = (self.flags.generation(), self.kill.changes());
        if generation == self.generation_seen && kills == self.kills_seen && !self.has_new_latch {
            return;
        }
        self.has_new_latch = false;
        (self.generation_seen, self.kills_seen) = (generation, kills);
        let runtimes: Vec<RuntimeKey> = self.seats.keys().copied().collect();
        for runtime in runtimes {
            self.decide_again(now, runtime);
        }
        self.decide_elsewhere_again(now);
    }

    /// A flag that has changed between the admission of a session and its start found no lease to act on.
    pub(super) fn notice_flags_since_admission(&mut self, now: Now, runtime: RuntimeKey) {
        let Some(admission) = self.seats.get(&runtime).and_then(|seat| seat.admitted.clone()) else { return };
        if self.decide(now, &admission.context, admission.ability).route != admission.decision.route {
            self.decide_again(now, runtime);
        }
    }

    /// Sessions of this store may not move to the new path any more, which could not see their work; where it is blind already,
    /// they go back. The next admission says anew what the store offers.
    pub(super) fn lose_live_query(&mut self, now: Now, is_blind: bool) {
        let kept = if is_blind { Vec::new() } else { self.seats_on(Path::Registry) };
        let runtimes: Vec<RuntimeKey> = self.seats.keys().copied().filter(|runtime| !kept.contains(runtime)).collect();
        for runtime in runtimes {
            if let Some(admission) = &mut self.seat(runtime).admitted {
                admission.ability.has_live_query = false;
                self.decide_again(now, runtime);
            }
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
                if seat.flip.as_ref().is_some_and(Flip::is_to_come) {
                    self.call_off_flip(runtime);
                    self.hold_claims(now, runtime, false);
                }
            }
            Change::Drain => self.flip_within(now, runtime, decision.drain_ms.unwrap_or(DEFAULT_DRAIN_MS), decision),
            Change::Now => self.flip_within(now, runtime, 0, decision),
        }
    }

    /// Begins to drain: nothing more is claimed, and what has been started may end until the deadline.
    fn flip_within(&mut self, now: Now, runtime: RuntimeKey, drain_ms: u64, decision: Decision) {
        let since_ms = match self.seat(runtime).flip {
            Some(Flip::Due(_, drain) | Flip::Checking(_, Some(drain))) => {
                self.clear_timer(drain.deadline);
                drain.since_ms
            }
            Some(_) => return,
            None => {
                self.hold_claims(now, runtime, true);
                now.mono_ms
            }
        };
        let end_ms = since_ms.saturating_add(drain_ms).saturating_add(GRACE_MS);
        let deadline = self.set_timer(Timer::Deadline(runtime), end_ms.saturating_sub(now.mono_ms).max(1));
        self.seat(runtime).flip = Some(Flip::Due(decision, Drain { since_ms, deadline }));
    }

    /// Forgets a change on its way, whatever it waits for.
    pub(super) fn call_off_flip(&mut self, runtime: RuntimeKey) {
        let flip = self.seat(runtime).flip.take();
        if let Some(Flip::Due(_, drain) | Flip::Checking(_, Some(drain))) = flip {
            self.clear_timer(drain.deadline);
        }
    }

    fn hold_claims(&mut self, now: Now, runtime: RuntimeKey, holds: bool) {
        self.step_legacy(now, runtime, |core| core.hold_claims(now, holds));
        if self.serves_here(runtime) {
            self.show_facade(runtime, holds);
        }
    }

    fn serves_here(&self, runtime: RuntimeKey) -> bool {
        let lease = self.seats.get(&runtime).and_then(|seat| seat.lease.as_ref());
        lease.is_some_and(|lease| lease.path == Path::Legacy)
    }

    /// A session that another process has displaced gets no more work, whatever becomes of a flip.
    pub(super) fn show_facade(&mut self, runtime: RuntimeKey, is_draining: bool) {
        let seat = self.seat(runtime);
        let (token, is_draining) = (seat.legacy_token, is_draining || seat.is_displaced);
        self.set_facade(runtime, if is_draining { Facade::Draining(token) } else { Facade::Open(token) });
    }

    /// Goes on with every flip whose session has nothing under way.
    pub(super) fn flip_what_is_due(&mut self) {
        let runtimes: Vec<RuntimeKey> = self.seats.keys().copied().collect();
        for runtime in runtimes {
            let Some(Flip::Due(decision, drain)) = self.seat(runtime).flip.clone() else { continue };
            if self.is_idle(runtime) {
                self.check_flip(runtime, decision, Some(drain));
            }
        }
    }

    /// Reads which sessions are active: one that somebody else has displaced does not move.
    pub(super) fn check_flip(&mut self, runtime: RuntimeKey, decision: Decision, drain: Option<Drain>) {
        self.seat(runtime).flip = Some(Flip::Checking(decision, drain));
        let ticket = self.ask(Asked::question(Asker::Check(runtime)));
        self.effects.push(Effect::Query { ticket, query: Query::ActiveSessions });
    }

    /// The session is still active in the log, or somebody else's has taken its place. What a nested call has begun meanwhile
    /// comes first, as long as there is time.
    pub(super) fn flip_checked(&mut self, now: Now, runtime: RuntimeKey, answer: Answer) {
        let seat = self.seat(runtime);
        let Some(Flip::Checking(decision, drain)) = seat.flip.clone() else { return };
        let Some(lease) = seat.lease.clone() else { return self.call_off_flip(runtime) };
        match (answer, drain) {
            (Ok(Reply::Sessions(active)), _) if !active.contains(&lease.session_id) => self.displaced(now, runtime),
            (Err(failure), Some(_)) => {
                self.call_off_flip(runtime);
                self.report_failed_flip(&failure);
                self.hold_claims(now, runtime, false);
            }
            (_, Some(drain)) if !self.is_idle(runtime) => {
                self.seat(runtime).flip = Some(Flip::Due(decision, drain));
            }
            (answer, _) => {
                let active = match answer {
                    Ok(Reply::Sessions(active)) => active,
                    _ => vec![lease.session_id.clone()],
                };
                self.call_off_flip(runtime);
                self.begin_flip(now, runtime, decision, lease.path, active);
            }
        }
    }

    /// True where nothing that a flip could tear is under way, here or in a session that the old system let go on beside this
    /// one.
    fn is_idle(&self, runtime: RuntimeKey) -> bool {
        let Some(seat) = self.seats.get(&runtime) else { return false };
        let Some(lease) = &seat.lease else { return false };
        let is_between_calls = seat.starting.is_some() || seat.stopping.is_some();
        let is_any_working = self.seats.values().any(Seat::is_working);
        !is_between_calls && self.is_newest(lease) && !is_any_working
    }

    /// False for a session that another seat's has displaced in the log. The old system let it go on, but it is not the one to
    /// move.
    fn is_newest(&self, lease: &Lease) -> bool {
        self.seats.values().filter_map(|seat| seat.lease.as_ref()).all(|other| other.token <= lease.token)
    }

    /// Moves the session. The new one displaces all that are active, as any session does that starts.
    fn begin_flip(&mut self, now: Now, runtime: RuntimeKey, decision: Decision, from: Path, active: Vec<SessionId>) {
        self.release(now, runtime, from);
        let tokens: Vec<_> = self.seats.values().filter_map(|seat| seat.lease.as_ref()).map(|l| l.token).collect();
        tokens.into_iter().for_each(|token| self.hand_on_claims(token));
        self.gate.enforce();
        self.release_others(now, runtime);
        self.token = self.token_of_flip();
        let path = decision.route.serving();
        let ids = match path {
            Path::Registry => self.registry_ids(now),
            Path::Legacy => self.legacy_ids(now),
        };
        let lease = Lease { path, token: self.token, runtime_id: ids.runtime_id, session_id: ids.session_id, decision };
        let identity = self.identity(runtime, &lease);
        let events = session_events(active, &identity, self.runtime_type.name.clone());
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
        seat.take(lease.clone());
        let parked = std::mem::take(&mut seat.parked);
        // A host that is stopping the runtime is told of its end, not of a new session.
        let is_stopping = parked.iter().any(|(_, method)| matches!(method, Method::Stop));
        if !is_stopping && !self.seat(runtime).legacy.is_manager() {
            let ids = SessionIds { runtime_id: lease.runtime_id.clone(), session_id: lease.session_id.clone() };
            self.effects.push(Effect::Adopt { runtime, ids });
        }
        self.resume(now, runtime, lease);
        self.call_parked(now, runtime, parked);
        self.decide_again(now, runtime);
    }

    fn stay(&mut self, now: Now, runtime: RuntimeKey, failure: &Failure) {
        self.report_failed_flip(failure);
        self.token = self.token.raised();
        self.renew(runtime);
        if let Some(old) = self.seat(runtime).lease.clone() {
            self.take_back_claims(old.path, old.token);
            self.resume(now, runtime, &old);
        }
        let parked = std::mem::take(&mut self.seat(runtime).parked);
        self.call_parked(now, runtime, parked);
    }

    fn report_failed_flip(&mut self, failure: &Failure) {
        let diagnostic = Diagnostic {
            level: Level::Error,
            code: "FLIP_FAILED",
            message: format!("notebook `{}` stays on its path: {}", self.id, failure.message),
            help: "the store refused the new session's events or a read; the next flag change tries again".to_owned(),
        };
        self.effects.push(Effect::Diagnostic { diagnostic });
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
                self.set_facade(runtime, Facade::Open(lease.token));
                self.step_legacy(now, runtime, |core| core.resume(now, identity));
            }
            Path::Registry => {
                seat.agent_token = lease.token;
                let shown = ManagerInput::Serve(Server::Elsewhere, identity.clone());
                self.step_legacy(now, runtime, |core| core.manager(now, shown));
                self.step_agent(now, runtime, registry::Input::Resume(identity));
            }
        }
    }

    fn release(&mut self, now: Now, runtime: RuntimeKey, path: Path) {
        match path {
            Path::Legacy => {
                self.set_facade(runtime, Facade::Closed);
                self.step_legacy(now, runtime, |core| core.release(now));
            }
            Path::Registry => self.step_agent(now, runtime, registry::Input::Release),
        }
    }

    pub(super) fn identity(&mut self, runtime: RuntimeKey, lease: &Lease) -> SessionIdentity {
        let capabilities = match lease.path {
            Path::Legacy => self.seat(runtime).capabilities.clone(),
            Path::Registry => self.runtime_type.capabilities.clone(),
        };
        SessionIdentity { runtime_id: lease.runtime_id.clone(), session_id: lease.session_id.clone(), capabilities }
    }

    fn legacy_ids(&mut self, now: Now) -> SessionIds {
        let runtime_id = legacy_compat::runtime_id("html", &self.ids.nanoid());
        let session_id = legacy_compat::session_id(&runtime_id, now);
        SessionIds { runtime_id: RuntimeId::from(runtime_id), session_id: SessionId::from(session_id) }
    }
}
