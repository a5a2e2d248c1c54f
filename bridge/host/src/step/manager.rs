//! The seat of an `HtmlRuntimeManager`: its core keeps the old component's state on every route, and asks which path serves
//! whenever a session is about to start.

use bridge_core::{Decision, Path, Reason};
use legacy_compat::{CallId, Hook, HtmlRuntimeManager, ManagerInput, Server};
use registry::{Capabilities, Failure, Now, Reply, SessionIdentity, TerminationReason, Ticket};

use super::legacy_core::LegacyCore;
use super::seat::Waiting;
use super::{Notebook, RuntimeKey, SessionIds};

impl Notebook {
    pub(super) fn mount(
        &mut self,
        now: Now,
        runtime: RuntimeKey,
        call: CallId,
        ids: SessionIds,
        is_authenticated: bool,
    ) {
        let core_ids = self.ids.split();
        let seat = self.seat(runtime);
        if !seat.legacy.is_manager() {
            seat.legacy = LegacyCore::Manager(Box::new(HtmlRuntimeManager::new(core_ids)));
        }
        let capabilities = Capabilities { can_execute_code: true, ..Capabilities::default() };
        seat.capabilities = capabilities.clone();
        let SessionIds { runtime_id, session_id } = ids;
        let identity = SessionIdentity { runtime_id, session_id, capabilities };
        let input = ManagerInput::Mount(call, identity, is_authenticated);
        self.step_legacy(now, runtime, |core| core.manager(now, input));
    }

    /// The live queries of mounted managers have news.
    pub(super) fn tell_managers(&mut self, now: Now) {
        let mounted: Vec<RuntimeKey> =
            self.seats.iter().filter(|(_, seat)| seat.legacy.watches()).map(|(runtime, _)| *runtime).collect();
        for runtime in mounted {
            self.step_legacy(now, runtime, |core| core.manager(now, ManagerInput::StoreChanged));
        }
    }

    /// Decides anew for each session: a restart's start comes long after the call that was admitted.
    pub(super) fn route_manager(&mut self, now: Now, runtime: RuntimeKey, ticket: Ticket) {
        let seat = self.seat(runtime);
        let is_served_elsewhere =
            seat.starting.is_some() || seat.lease.as_ref().is_some_and(|lease| lease.path == Path::Registry);
        if is_served_elsewhere {
            return self.step_legacy(now, runtime, |core| core.answer(now, ticket, Ok(Reply::Flag(false))));
        }
        let decision = self.decide_for(now, runtime);
        match decision.route.serving() {
            Path::Legacy => self.start_manager(now, runtime, ticket, decision),
            Path::Registry => self.start_behind_manager(now, runtime, ticket, decision),
        }
    }

    fn decide_for(&mut self, now: Now, runtime: RuntimeKey) -> Decision {
        let admitted = self.seat(runtime).admitted.clone();
        match admitted {
            Some(admission) => self.decide(now, &admission.context, admission.ability),
            None => Decision::legacy(self.id.as_str(), self.flags.generation(), Reason::HostSubclass),
        }
    }

    fn start_manager(&mut self, now: Now, runtime: RuntimeKey, ticket: Ticket, decision: Decision) {
        let Some(identity) = self.manager(runtime).map(|core| core.identity().clone()) else { return };
        self.lease(runtime, decision, &identity);
        self.release_others(now, runtime);
        self.step_legacy(now, runtime, |core| core.answer(now, ticket, Ok(Reply::Flag(true))));
    }

    /// A delayed start of a component that is gone would start a session that nobody ends.
    fn start_behind_manager(&mut self, now: Now, runtime: RuntimeKey, ticket: Ticket, decision: Decision) {
        if !self.seat(runtime).legacy.watches() {
            let failure = Failure::new("the manager is not mounted");
            return self.step_legacy(now, runtime, |core| core.answer(now, ticket, Err(failure)));
        }
        self.gate.enforce();
        let SessionIds { runtime_id, session_id } = self.registry_ids(now);
        let identity = SessionIdentity { runtime_id, session_id, capabilities: Capabilities::default() };
        self.lease(runtime, decision, &identity);
        self.start_agent(now, runtime, Waiting::Core(ticket), identity);
    }

    /// Shows the session of the new path, where the seat is a manager's.
    pub(super) fn serve_elsewhere(&mut self, now: Now, runtime: RuntimeKey) {
        let Some(lease) = self.seat(runtime).lease.clone() else { return };
        let identity = self.identity(runtime, &lease);
        self.step_legacy(now, runtime, |core| core.manager(now, ManagerInput::Serve(Server::Elsewhere, identity)));
    }

    pub(super) fn end_elsewhere(&mut self, now: Now, runtime: RuntimeKey, ticket: Ticket) {
        self.seat(runtime).stopping = Some(Waiting::Core(ticket));
        self.step_agent(now, runtime, registry::Input::Stop(TerminationReason::Shutdown));
    }

    /// A manager's sessions end and fail without a call of the host's, too: their leases go once nothing is under way.
    pub(super) fn drop_leases_of_managers(&mut self) {
        for seat in self.seats.values_mut().filter(|seat| seat.legacy.is_manager()) {
            let is_served_here = seat.lease.as_ref().is_some_and(|lease| lease.path == Path::Legacy);
            if is_served_here && !seat.is_flipping() && !seat.legacy.has_session() && !seat.legacy.is_working() {
                seat.lease = None;
            }
        }
    }

    /// What a runtime object would have been told through its methods.
    pub(super) fn tell_manager(&mut self, now: Now, runtime: RuntimeKey, hook: Hook) {
        let failure = match hook {
            Hook::Stop => None,
            Hook::SetError { message } => Some(Failure::new(message)),
            _ => return,
        };
        self.step_legacy(now, runtime, |core| core.manager(now, ManagerInput::Ended(failure)));
    }

    fn manager(&mut self, runtime: RuntimeKey) -> Option<&HtmlRuntimeManager> {
        match &self.seat(runtime).legacy {
            LegacyCore::Manager(core) => Some(core),
            LegacyCore::Html(_) | LegacyCore::Host(_) => None,
        }
    }
}
