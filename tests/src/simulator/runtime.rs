//! The runtime objects of a host, and what it sees of them.

use bridge_host::step::{Method, RuntimeKey, SessionIds};
use legacy_compat::{BaseInput, BaseRuntime, HtmlRuntimeState, LegacyStatus};
use registry::{RuntimeId, SessionId};

use super::action::{Kind, Nested};
use super::host_code::HostCode;
use super::oracle::Invariant;
use super::site::Site;

/// A runtime object, or a mounted manager.
pub(super) struct Runtime {
    pub(super) key: RuntimeKey,
    pub(super) kind: Kind,
    /// The lifecycle of a class.
    pub(super) base: BaseRuntime,
    /// The host's own code.
    pub(super) code: HostCode,
    /// What a manager showed last.
    shown: HtmlRuntimeState,
    is_mounted: bool,
    /// A manager may show itself inactive: its host has asked for it.
    may_end: bool,
}

impl Runtime {
    pub(super) fn new(key: RuntimeKey, kind: Kind) -> Self {
        Self {
            key,
            kind,
            base: BaseRuntime::new("html"),
            code: HostCode::default(),
            shown: HtmlRuntimeState::default(),
            is_mounted: false,
            may_end: false,
        }
    }

    pub(super) fn is_manager(&self) -> bool {
        self.kind == Kind::Manager
    }

    pub(super) fn unmount(&mut self) {
        self.is_mounted = false;
        self.shown = HtmlRuntimeState::default();
    }

    pub(super) fn is_starting(&self) -> bool {
        if self.is_manager() { !self.shown.is_active } else { self.base.state().is_starting }
    }

    /// True where nobody would say that something is wrong.
    pub(super) fn is_well(&self) -> bool {
        if self.is_manager() {
            return self.is_mounted && self.shown.is_active && self.shown.error.is_none();
        }
        let state = self.base.state();
        state.is_active && matches!(state.status, LegacyStatus::Ready | LegacyStatus::Busy)
    }

    pub(super) fn is_active(&self) -> bool {
        if self.is_manager() { self.shown.is_active } else { self.base.state().is_active }
    }

    /// The session that it shows.
    pub(super) fn session(&self) -> Option<SessionId> {
        let shown = if self.is_manager() { &self.shown.session_id } else { &self.base.state().session_id };
        shown.as_deref().map(SessionId::from)
    }

    pub(super) fn ids(&self) -> Option<SessionIds> {
        let state = self.base.state();
        let runtime_id = RuntimeId::from(state.runtime_id.as_deref()?);
        Some(SessionIds { runtime_id, session_id: SessionId::from(state.session_id.as_deref()?) })
    }
}

impl Site {
    pub(super) fn execute_code(&mut self, at: usize) {
        let Some(runtime) = self.runtimes.get(at).filter(|runtime| runtime.is_well() && !runtime.is_manager()) else {
            return;
        };
        let key = runtime.key;
        // The host's own method runs on the old path, and it writes its output itself.
        if runtime.kind == Kind::Compat {
            let (cell_id, code) = ("c0".into(), "<i>now</i>".to_owned());
            self.call_as_host(key, Method::ExecuteCode { cell_id, code });
        }
    }

    pub(super) fn start(&mut self, at: usize) {
        let Some(runtime) = self.runtimes.get(at) else { return };
        let key = runtime.key;
        if runtime.is_manager() {
            self.mount(at);
            self.admit(key);
            self.call_as_host(key, Method::StartRuntime);
        } else {
            self.call_base(key, |call| BaseInput::Start(call, "nb".to_owned()));
        }
        self.settle();
    }

    fn mount(&mut self, at: usize) {
        let runtime_id = legacy_compat::runtime_id("html", &self.ids.nanoid());
        let session_id = SessionId::from(legacy_compat::session_id(&runtime_id, self.now));
        let Some(runtime) = self.runtimes.get_mut(at) else { return };
        if std::mem::replace(&mut runtime.is_mounted, true) {
            return;
        }
        let key = runtime.key;
        let ids = SessionIds { runtime_id: RuntimeId::from(runtime_id), session_id };
        self.call_as_host(key, Method::Mount { ids, is_authenticated: true });
        self.settle();
    }

    pub(super) fn stop(&mut self, at: usize) {
        self.end(at, Method::Stop, BaseInput::Stop);
        self.settle();
    }

    pub(super) fn restart(&mut self, at: usize) {
        if let Some(key) = self.runtimes.get(at).filter(|runtime| runtime.is_manager()).map(|runtime| runtime.key) {
            self.mount(at);
            self.admit(key);
        }
        self.end(at, Method::RestartRuntime, BaseInput::Restart);
        self.settle();
    }

    fn end(&mut self, at: usize, method: Method, input: impl FnOnce(legacy_compat::CallId) -> BaseInput) {
        let Some(runtime) = self.runtimes.get_mut(at) else { return };
        let key = runtime.key;
        if !runtime.is_manager() {
            self.call_base(key, input);
        } else if runtime.is_mounted {
            runtime.may_end = true;
            self.call_as_host(key, method);
        }
    }

    /// A class calls its state callbacks.
    pub(super) fn state_shown(&mut self, key: RuntimeKey) {
        let Some(nested) = self.nested.take().filter(|_| self.is_up()) else { return };
        self.store.oracle.is_in_callback = true;
        match nested {
            Nested::Stop => {
                let at = self.runtimes.iter().position(|runtime| runtime.key == key);
                let is_manager = at.is_some_and(|at| self.runtimes[at].is_manager());
                self.store.oracle.saw_manager_stopped |= is_manager;
                self.end(at.unwrap_or_default(), Method::Stop, BaseInput::Stop);
            }
            Nested::CancelPending => self.cancel(super::action::Standing::Pending),
            Nested::Request => self.request(1, super::action::Ids::Ascending, true),
            Nested::Flip(route) => {
                super::put_in_force(&self.flags, route, super::action::Boundary::Drain);
                self.step(bridge_host::step::Input::Wake);
            }
        }
        self.store.oracle.is_in_callback = false;
    }

    /// A manager shows a state: it stays active through flips.
    pub(super) fn show(&mut self, key: RuntimeKey, state: HtmlRuntimeState) {
        let Some(at) = self.runtimes.iter().position(|runtime| runtime.key == key) else {
            let detail = format!("{key:?} is shown");
            return self.store.oracle.violate(Invariant::SilentWhenForgotten, detail);
        };
        let before = self.runtimes[at].session();
        let is_over = before.is_none_or(|id| self.store.tables.session(&id).is_none_or(|row| !row.is_active));
        let runtime = &mut self.runtimes[at];
        let drops = runtime.shown.is_active && !state.is_active;
        let may_end = runtime.may_end;
        runtime.shown = state;
        if drops && !may_end && !is_over {
            self.store.oracle.violate(Invariant::StaysActive, format!("the manager {key:?} shows itself inactive"));
        }
        if drops {
            self.runtimes[at].may_end = false;
        }
        self.state_shown(key);
    }
}
