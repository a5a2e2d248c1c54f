//! Managers: what the package's class holds, and the calls that a component makes.

use bridge_core::Ability;
use bridge_host::step::{Input, LegacyKind, Method, RuntimeKey, SessionIds};
use legacy_compat::{HtmlRuntimeState, runtime_id, session_id};
use registry::{Failure, Reply, RuntimeId, SessionId};
use serde_json::{Map, Value, json};

use super::runtime::to_json;
use super::{Ask, Player, Waiter};
use crate::trace::TraceError;

/// The keys of managers, apart from those of runtime objects.
const FIRST_KEY: u32 = 1 << 16;

/// A component that was mounted.
pub(super) struct Manager {
    store: usize,
    shown: HtmlRuntimeState,
}

/// What a component calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Start,
    Stop,
    Restart,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "ui-start",
            Self::Stop => "ui-stop",
            Self::Restart => "ui-restart",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Start => Method::StartRuntime,
            Self::Stop => Method::Stop,
            Self::Restart => Method::RestartRuntime,
        }
    }
}

impl Player {
    /// A component outside its provider has no manager; what it throws is React's.
    pub(super) fn mount(&mut self, has_provider: bool, is_authenticated: bool) -> Result<(), TraceError> {
        if !has_provider {
            return Ok(());
        }
        let store = self.main_store()?;
        let id = runtime_id("html", &self.ids.nanoid());
        let session_id = SessionId::from(session_id(&id, self.clock.now()));
        let ids = SessionIds { runtime_id: RuntimeId::from(id), session_id };
        self.managers.push(Manager { store, shown: HtmlRuntimeState::default() });
        self.tell_manager(Method::Mount { ids, is_authenticated });
        Ok(())
    }

    pub(super) fn set_auth(&mut self, is_authenticated: bool) {
        self.tell_manager(Method::SetAuth { is_authenticated });
    }

    pub(super) fn unmount(&mut self) {
        self.tell_manager(Method::Unmount);
    }

    /// A call that nobody waits for.
    fn tell_manager(&mut self, method: Method) {
        self.call_last_manager(method, Waiter::Nobody);
    }

    /// A single start or stop is waited for; several in one tick have a number each, and a restart is left running.
    pub(super) fn call_manager(&mut self, call: Call, times: u32, waiter: &Waiter) {
        for time in 1..=times {
            let waiter = match (call, times) {
                (Call::Restart, 1) => Waiter::Player(Some(call.name().to_owned())),
                (_, 1) => waiter.clone(),
                _ => Waiter::Player(Some(format!("{}-{time}", call.name()))),
            };
            if !matches!(call, Call::Stop) {
                self.admit_manager();
            }
            self.call_last_manager(call.method(), waiter);
            self.run();
        }
    }

    fn call_last_manager(&mut self, method: Method, waiter: Waiter) {
        let Some((key, store)) = self.last_manager() else { return };
        let call = self.open_call(waiter, "", None);
        self.step_notebook(store, Input::Call { runtime: key, call, method });
    }

    fn admit_manager(&mut self) {
        let Some((key, store)) = self.last_manager() else { return };
        let mut attributes = Map::new();
        attributes.insert("runtimeType".to_owned(), "html".into());
        let ability = Ability { is_built_in: true, has_live_query: true };
        self.step_notebook(store, Input::Admit { runtime: key, attributes, ability, legacy: LegacyKind::Compat });
        self.run();
    }

    fn last_manager(&self) -> Option<(RuntimeKey, usize)> {
        let last = self.managers.last()?;
        let at = u32::try_from(self.managers.len()).unwrap_or(u32::MAX) - 1;
        Some((RuntimeKey(FIRST_KEY.saturating_add(at)), last.store))
    }

    /// The state that the component saw last.
    pub(super) fn manager_state(&mut self) -> Result<(), TraceError> {
        let Some(shown) = self.managers.last().map(|manager| to_json(&manager.shown)) else {
            return Err(self.unnamed("manager", "mounted"));
        };
        self.record_return(shown);
        Ok(())
    }

    /// The session of the mounted component, which has no name.
    pub(super) fn shown_session(&self, name: &str) -> Result<Value, TraceError> {
        let session = self.managers.last().and_then(|manager| manager.shown.session_id.clone());
        session.map(Value::from).ok_or_else(|| self.unnamed("runtime", name))
    }

    pub(super) fn show_manager(&mut self, ask: Ask, runtime: RuntimeKey, state: &HtmlRuntimeState) {
        let at = usize::try_from(runtime.0.saturating_sub(FIRST_KEY)).unwrap_or(usize::MAX);
        if let Some(manager) = self.managers.get_mut(at) {
            manager.shown = state.clone();
        }
        self.record(json!({ "kind": "state", "state": to_json(state), "from": "hook" }));
        self.answer(ask, Ok(Reply::Done));
    }

    /// The host's render throws what took the component down.
    pub(super) fn raise(&mut self, failure: &Failure) {
        let mut seen = json!({ "kind": "throw", "message": failure.message, "where": "render" });
        if failure.thrown.is_some() {
            seen["nonError"] = true.into();
        }
        self.record(seen);
    }
}
