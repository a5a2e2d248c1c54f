//! Runtime objects: what the facade's classes hold, and the effects of their lifecycle cores.

use bridge_core::Ability;
use bridge_host::step::{Effect as NotebookEffect, Input as NotebookInput, LegacyKind, Method, RuntimeKey, SessionIds};
use legacy_compat::{
    BaseInput, BaseRuntime, DefaultRuntime, Effect, Hook, HtmlRuntime, RuntimeState, StatePatch, runtime_id, session_id,
};
use registry::json::js_string;
use registry::{Answer, Capabilities, CellId, Failure, Reply, RuntimeId, SessionId, Ticket};
use serde_json::{Map, Value, json};

use super::{Ask, Asker, Player, UNDEFINED, Waiter, Work, thrown};
use crate::trace::{Behaviour, Deed, TraceError};

/// A runtime object of the host.
pub(super) struct RuntimeObject {
    class: Class,
    pub(super) metadata: Map<String, Value>,
    pub(super) capabilities: Value,
    configuration: Map<String, Value>,
    core: BaseRuntime,
    /// By the order in which they subscribed.
    pub(super) subscribers: Vec<Subscriber>,
    next_subscriber: u32,
    /// The ids that the router chose for the session that is about to start.
    admitted: Option<SessionIds>,
    /// The store of the running session.
    store: Option<usize>,
}

/// What stands behind the hooks.
enum Class {
    Html,
    /// A default runtime that executes nothing.
    Placeholder(DefaultRuntime),
    Test(Behaviour),
}

/// A state callback.
pub(super) struct Subscriber {
    order: u32,
    name: String,
    /// The runtime as the step named it that subscribed.
    runtime: String,
    unsubscribes_itself: bool,
    stops_when: Option<String>,
}

/// What an unsubscribe function undoes.
pub(super) struct Subscription {
    runtime: usize,
    callback: String,
}

impl RuntimeObject {
    pub(super) fn id(&self) -> String {
        js_string(&self.metadata["id"])
    }

    pub(super) fn runtime_type(&self) -> String {
        js_string(&self.metadata["type"])
    }

    pub(super) fn raw_state(&self) -> &RuntimeState {
        self.core.state()
    }

    pub(super) fn state(&self) -> Value {
        to_json(self.core.state())
    }

    /// The configuration as a recording shows it: the store object by its kind, undefined by its name.
    pub(super) fn shown_configuration(&self) -> Value {
        let shown = |value: &Value| match value {
            Value::Object(fields) if fields.contains_key("$store") => json!("<store>"),
            Value::Object(fields) if fields.contains_key("$undefined") => json!(UNDEFINED),
            other => other.clone(),
        };
        self.configuration.iter().map(|(name, value)| (name.clone(), shown(value))).collect::<Map<_, _>>().into()
    }

    pub(super) fn debug_info(&self) -> Value {
        json!({
            "metadata": self.metadata,
            "state": self.state(),
            "configuration": self.shown_configuration(),
            "notebookId": self.core.notebook_id(),
            "capabilities": self.capabilities,
        })
    }

    pub(super) fn text(&self) -> Value {
        let name = js_string(&self.metadata["name"]);
        json!(format!("{name} ({}) - {}", self.id(), js_string(&self.state()["status"])))
    }

    pub(super) fn has_methods(&self, methods: &[String]) -> Value {
        let has = |method: &str| match (method, &self.class) {
            ("executeCode" | "getSetupInstructions", Class::Html) => true,
            ("getSetupInstructions", Class::Placeholder(_)) => true,
            ("ping" | "getConnectionInfo", Class::Placeholder(default)) => *default == DefaultRuntime::External,
            (method, _) => BASE_METHODS.contains(&method),
        };
        methods.iter().map(|method| (method.clone(), has(method).into())).collect::<Map<_, _>>().into()
    }

    /// The name of the configured store.
    fn store_name(&self) -> Option<&str> {
        self.configuration.get("store")?.get("$store")?.as_str()
    }

    /// `getSetupInstructions()`.
    pub(super) fn setup_instructions(&self) -> Value {
        match self.class {
            Class::Placeholder(default) => to_json(&default.description().setup_instructions),
            Class::Html | Class::Test(_) => Value::Null,
        }
    }

    fn is_remote(&self) -> bool {
        matches!(self.class, Class::Placeholder(DefaultRuntime::External))
    }

    pub(super) fn shown_store(&self) -> Value {
        json!({ "store": self.store_name(), "userId": self.user_id() })
    }

    fn user_id(&self) -> Option<&str> {
        self.configuration.get("userId").and_then(Value::as_str)
    }

    fn ids(&self) -> SessionIds {
        let state = self.core.state();
        SessionIds {
            runtime_id: RuntimeId::from(state.runtime_id.clone().unwrap_or_default()),
            session_id: SessionId::from(state.session_id.clone().unwrap_or_default()),
        }
    }
}

const BASE_METHODS: &[&str] = &[
    "getState",
    "getConfiguration",
    "start",
    "stop",
    "restart",
    "onStateChange",
    "destroy",
    "toString",
    "getDebugInfo",
];

/// A JSON value of what always has one.
pub(super) fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn default_configuration(config: Map<String, Value>) -> Map<String, Value> {
    let mut merged = Map::new();
    merged.insert("maxExecutionTime".to_owned(), json!(30000));
    merged.insert("environment".to_owned(), json!({}));
    merged.insert("options".to_owned(), json!({}));
    merged.extend(config);
    merged
}

fn test_metadata() -> Value {
    json!({
        "id": "test-runtime", "name": "Test Agent", "description": "trivial subclass", "icon": "T",
        "type": "html", "version": "1.0.0", "isLocal": true, "isAvailable": true, "priority": 50,
    })
}

fn test_capabilities() -> Value {
    json!({ "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false })
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

impl Player {
    pub(super) fn runtime(&self, name: &str) -> Result<usize, TraceError> {
        self.runtime_names.get(name).copied().ok_or_else(|| self.unnamed("runtime", name))
    }

    pub(super) fn new_runtime(
        &mut self,
        name: String,
        class: Option<&str>,
        metadata: Map<String, Value>,
        config: Map<String, Value>,
        behaviour: Behaviour,
    ) {
        let runtime = match class {
            Some("HtmlRuntime") => self.new_default(DefaultRuntime::Html, config),
            _ => {
                let mut own_metadata = fields(test_metadata());
                own_metadata.extend(metadata);
                self.add_runtime(Class::Test(behaviour), own_metadata, test_capabilities(), config)
            }
        };
        self.runtime_names.insert(name, runtime);
        self.record_return(self.runtimes[runtime].id());
    }

    /// A default runtime, which has no name yet.
    pub(super) fn new_default(&mut self, default: DefaultRuntime, config: Map<String, Value>) -> usize {
        let class = match default {
            DefaultRuntime::Html => Class::Html,
            placeholder => Class::Placeholder(placeholder),
        };
        let description = default.description();
        self.add_runtime(class, fields(to_json(&description.metadata)), to_json(&description.capabilities), config)
    }

    fn add_runtime(
        &mut self,
        class: Class,
        metadata: Map<String, Value>,
        capabilities: Value,
        config: Map<String, Value>,
    ) -> usize {
        self.runtimes.push(RuntimeObject {
            core: BaseRuntime::new(js_string(&metadata["id"])),
            class,
            metadata,
            capabilities,
            configuration: default_configuration(config),
            subscribers: Vec::new(),
            next_subscriber: 0,
            admitted: None,
            store: None,
        });
        self.runtimes.len() - 1
    }

    pub(super) fn start(
        &mut self,
        runtime: usize,
        notebook: String,
        config: Option<Map<String, Value>>,
        waiter: Waiter,
    ) {
        let call = self.open_call(waiter, &notebook, config);
        self.step_runtime(runtime, BaseInput::Start(call, notebook));
    }

    pub(super) fn stop(&mut self, runtime: usize, waiter: Waiter) {
        let call = self.open_call(waiter, "", None);
        self.step_runtime(runtime, BaseInput::Stop(call));
    }

    /// An html runtime passes its whole present configuration on.
    pub(super) fn restart(&mut self, runtime: usize, config: Option<Map<String, Value>>, waiter: Waiter) {
        let object = &self.runtimes[runtime];
        let config = match object.class {
            Class::Html => {
                let mut whole = object.configuration.clone();
                whole.extend(config.unwrap_or_default());
                Some(whole)
            }
            Class::Placeholder(_) | Class::Test(_) => config,
        };
        let call = self.open_call(waiter, "", config);
        self.step_runtime(runtime, BaseInput::Restart(call));
    }

    /// An active runtime's stop is begun and not awaited; then the callbacks go.
    pub(super) fn destroy(&mut self, name: &str) -> Result<(), TraceError> {
        let runtime = self.runtime(name)?;
        self.stack.push(Work::DropCallbacks(runtime));
        if self.runtimes[runtime].raw_state().is_active {
            self.stop(runtime, Waiter::Nobody);
        }
        self.run();
        self.record_return(UNDEFINED);
        Ok(())
    }

    pub(super) fn execute_code(&mut self, runtime: usize, cell: &str, code: String, waiter: Waiter) {
        let call = self.open_call(waiter, "", None);
        match self.runtimes[runtime].store.or_else(|| self.configured_store(runtime)) {
            Some(store) => {
                let method = Method::ExecuteCode { cell_id: CellId::from(cell), code };
                self.call_notebook(store, runtime, call, method);
            }
            None => {
                let failure = self.runtimes[runtime].core.validate_started().err();
                let failure = failure.unwrap_or_else(|| Failure::new("Store not available"));
                self.settle_call(call, Err(failure));
            }
        }
    }

    fn configured_store(&self, runtime: usize) -> Option<usize> {
        let name = self.runtimes[runtime].store_name()?;
        self.stores.iter().position(|store| store.name() == name)
    }

    fn call_notebook(&mut self, store: usize, runtime: usize, call: legacy_compat::CallId, method: Method) {
        self.step_notebook(store, NotebookInput::Call { runtime: key(runtime), call, method });
    }

    /// The external runtime knows nobody to ask; others have no such method.
    pub(super) fn ping(&mut self, name: &str, waiter: Waiter) -> Result<(), TraceError> {
        self.remote(name, "method ping of")?;
        self.waited += usize::from(matches!(waiter, Waiter::Player(None)));
        self.clock.microtask(waiter, Ok(Reply::Flag(false)));
        Ok(())
    }

    pub(super) fn connection_info(&mut self, name: &str) -> Result<(), TraceError> {
        self.remote(name, "method getConnectionInfo of")?;
        self.record_return(Value::Null);
        Ok(())
    }

    fn remote(&self, name: &str, wanted: &'static str) -> Result<(), TraceError> {
        if self.runtimes[self.runtime(name)?].is_remote() { Ok(()) } else { Err(self.unnamed(wanted, name)) }
    }

    pub(super) fn show(&mut self, name: &str, of: impl Fn(&RuntimeObject) -> Value) -> Result<(), TraceError> {
        let runtime = self.runtime(name)?;
        let value = of(&self.runtimes[runtime]);
        self.record_return(value);
        Ok(())
    }

    pub(super) fn protected(&mut self, name: &str, method: &str, args: &[Value]) -> Result<(), TraceError> {
        let runtime = self.runtime(name)?;
        let core = &self.runtimes[runtime].core;
        let first = args.first().cloned().unwrap_or(Value::Null);
        let undefined = Value::from(UNDEFINED);
        let outcome = match method {
            "setBusy" => self.update(runtime, BaseInput::SetBusy),
            "setReady" => self.update(runtime, BaseInput::SetReady),
            "setError" => self.update(runtime, BaseInput::SetError(error_message(&first))),
            "updateState" => match serde_json::from_value::<StatePatch>(first) {
                Ok(patch) => self.update(runtime, BaseInput::Update(patch)),
                Err(error) => Err(Failure::new(error.to_string())),
            },
            "isActiveAndReady" => Ok(core.is_active_and_ready().into()),
            "validateStarted" => core.validate_started().map(|()| undefined),
            "getCurrentNotebookId" => core.current_notebook_id().map(Value::from),
            "generateRuntimeId" => Ok(self.fresh_runtime_id(runtime).into()),
            "generateSessionId" => Ok(session_id(&js_string(&first), self.clock.now()).into()),
            other => return Err(self.unnamed("protected method", other)),
        };
        match outcome {
            Ok(value) => self.record_return(value),
            Err(failure) => self.record_outcome(None, Err(failure)),
        }
        Ok(())
    }

    fn update(&mut self, runtime: usize, input: BaseInput) -> Result<Value, Failure> {
        self.step_runtime(runtime, input);
        self.run();
        Ok(UNDEFINED.into())
    }

    fn fresh_runtime_id(&mut self, runtime: usize) -> String {
        runtime_id(&self.runtimes[runtime].runtime_type(), &self.ids.nanoid())
    }

    pub(super) fn subscribe(
        &mut self,
        runtime_name: &str,
        name: String,
        unsubscribes_itself: bool,
        stops_when: Option<String>,
    ) -> Result<(), TraceError> {
        let runtime = self.runtime(runtime_name)?;
        let object = &mut self.runtimes[runtime];
        object.next_subscriber += 1;
        object.subscribers.push(Subscriber {
            order: object.next_subscriber,
            name: name.clone(),
            runtime: runtime_name.to_owned(),
            unsubscribes_itself,
            stops_when,
        });
        self.subscriptions.insert(name.clone(), Subscription { runtime, callback: name });
        Ok(())
    }

    /// The same function again: the set has it already, and gives a second function that removes it.
    pub(super) fn subscribe_again(&mut self, runtime: &str, name: String) -> Result<(), TraceError> {
        let runtime = self.runtime(runtime)?;
        self.subscriptions.insert(format!("{name}#2"), Subscription { runtime, callback: name });
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, name: &str) -> Result<(), TraceError> {
        let Some(subscription) = self.subscriptions.get(name) else {
            return Err(self.unnamed("subscription", name));
        };
        let subscribers = &mut self.runtimes[subscription.runtime].subscribers;
        let before = subscribers.len();
        subscribers.retain(|subscriber| subscriber.name != subscription.callback);
        let removed = subscribers.len() < before;
        self.record_return(removed);
        Ok(())
    }

    pub(super) fn step_runtime(&mut self, runtime: usize, input: BaseInput) {
        let effects = self.runtimes[runtime].core.handle(self.clock.now(), input);
        self.push(effects.into_iter().map(|effect| Work::Base(runtime, effect)));
    }

    pub(super) fn perform_base(&mut self, runtime: usize, effect: Effect) {
        let ask = |ticket| Ask { by: Asker::Runtime(runtime), ticket };
        match effect {
            Effect::StateCallback(ticket) => {
                self.stack.push(Work::StateCallbacks { runtime, behind: None, ticket });
            }
            Effect::Hook(ticket, hook) => self.perform_hook(runtime, ask(ticket), hook),
            Effect::Continue(ticket) => self.answer(ask(ticket), Ok(Reply::Done)),
            Effect::Fail(ticket, failure) => self.answer(ask(ticket), Err(failure)),
            Effect::Sleep(ticket, ms) => self.clock.after(ms, Waiter::Core(ask(ticket)), Ok(Reply::Done)),
            Effect::Settle(call, outcome) => self.settle_call(call, outcome),
            // A lifecycle has no store, no intervals and no renders.
            Effect::Commit(..)
            | Effect::Query(..)
            | Effect::SetInterval(..)
            | Effect::ClearInterval(_)
            | Effect::Yield(_)
            | Effect::AskRoute(_)
            | Effect::EndSession(_)
            | Effect::Raise(_) => {}
        }
    }

    /// A hook of any runtime object, whichever core calls it.
    pub(super) fn perform_hook(&mut self, runtime: usize, ask: Ask, hook: Hook) {
        match hook {
            Hook::Configure { call } => {
                let config = self.calls.get(&call).and_then(|call| call.config.clone()).unwrap_or_default();
                self.runtimes[runtime].configuration.extend(config);
                self.answer(ask, Ok(Reply::Done));
            }
            Hook::GenerateRuntimeId => self.generate_runtime_id(runtime, ask),
            Hook::GenerateSessionId { runtime_id } => {
                let admitted = self.runtimes[runtime].admitted.take().map(|ids| ids.session_id.to_string());
                let id = admitted.unwrap_or_else(|| session_id(&runtime_id, self.clock.now()));
                self.answer(ask, Ok(Reply::Text(id)));
            }
            Hook::DoStart { notebook_id } => self.do_start(runtime, ask, &notebook_id),
            Hook::DoStop => self.do_stop(runtime, ask),
            Hook::Start { call, notebook_id } => {
                let config = self.calls.get(&call).and_then(|call| call.config.clone());
                self.start(runtime, notebook_id, config, Waiter::Core(ask));
            }
            Hook::Stop => self.stop(runtime, Waiter::Core(ask)),
            Hook::IsActiveAndReady => {
                let answer = Ok(Reply::Flag(self.runtimes[runtime].core.is_active_and_ready()));
                self.answer(ask, answer);
            }
            Hook::ValidateStarted => {
                let answer = self.runtimes[runtime].core.validate_started().map(|()| Reply::Done);
                self.answer(ask, answer);
            }
            Hook::SetBusy => self.update_for(runtime, ask, BaseInput::SetBusy),
            Hook::SetReady => self.update_for(runtime, ask, BaseInput::SetReady),
            Hook::SetError { message } => self.update_for(runtime, ask, BaseInput::SetError(message)),
            Hook::ExecuteCode { cell_id, code } => {
                self.execute_code(runtime, cell_id.as_str(), code, Waiter::Core(ask));
            }
        }
    }

    /// The answer comes behind the callbacks of the update.
    fn update_for(&mut self, runtime: usize, ask: Ask, input: BaseInput) {
        self.stack.push(Work::Answer(ask, Ok(Reply::Done)));
        self.step_runtime(runtime, input);
    }

    /// A built-in session is admitted first; without ids from the router it runs under generated ones.
    fn generate_runtime_id(&mut self, runtime: usize, ask: Ask) {
        let id = self.fresh_runtime_id(runtime);
        let object = &self.runtimes[runtime];
        let store = self.configured_store(runtime).filter(|_| matches!(object.class, Class::Html));
        if let Some(store) = store {
            let mut attributes = Map::new();
            attributes.insert("runtimeType".to_owned(), object.runtime_type().into());
            attributes.extend(object.user_id().map(|user| ("userId".to_owned(), user.into())));
            let ability = Ability { is_built_in: true, has_live_query: true };
            let admit = NotebookInput::Admit { runtime: key(runtime), attributes, ability, legacy: LegacyKind::Compat };
            for effect in self.stores[store].step(self.clock.now(), admit) {
                if let NotebookEffect::Admitted { ids, .. } = effect {
                    self.runtimes[runtime].admitted = ids;
                }
            }
        }
        let admitted = self.runtimes[runtime].admitted.as_ref().map(|ids| ids.runtime_id.to_string());
        self.answer(ask, Ok(Reply::Text(admitted.unwrap_or(id))));
    }

    fn do_start(&mut self, runtime: usize, ask: Ask, notebook_id: &str) {
        let object = &mut self.runtimes[runtime];
        let deed = match &mut object.class {
            Class::Html => return self.start_html(runtime, ask),
            Class::Placeholder(default) => {
                let answer = default.start().map(|()| Reply::Done);
                return self.clock.microtask(Waiter::Core(ask), answer);
            }
            Class::Test(behaviour) => behaviour.do_start.next_deed(),
        };
        self.record(json!({
            "kind": "hook", "runtime": self.runtimes[runtime].id(), "hook": "doStart", "notebookId": notebook_id,
            "config": self.runtimes[runtime].shown_configuration(), "stateDuring": self.runtimes[runtime].state(),
        }));
        self.do_deed(runtime, ask, deed);
    }

    fn start_html(&mut self, runtime: usize, ask: Ask) {
        let store = self.configured_store(runtime);
        let object = &mut self.runtimes[runtime];
        let checked = HtmlRuntime::check_configuration(store.is_some(), object.user_id());
        let store = match (checked, store) {
            (Err(failure), _) => return self.clock.microtask(Waiter::Core(ask), Err(failure)),
            (Ok(()), store) => store.unwrap_or_default(),
        };
        object.store = Some(store);
        let capabilities: Capabilities = serde_json::from_value(object.capabilities.clone()).unwrap_or_default();
        let method = Method::Start { ids: object.ids(), capabilities };
        let call = self.open_call(Waiter::Core(ask), "", None);
        self.call_notebook(store, runtime, call, method);
    }

    fn do_stop(&mut self, runtime: usize, ask: Ask) {
        let object = &mut self.runtimes[runtime];
        let deed = match &mut object.class {
            Class::Html => return self.stop_html(runtime, ask),
            Class::Placeholder(_) => return self.clock.microtask(Waiter::Core(ask), Ok(Reply::Done)),
            Class::Test(behaviour) => behaviour.do_stop.next_deed(),
        };
        self.record(json!({
            "kind": "hook", "runtime": self.runtimes[runtime].id(), "hook": "doStop",
            "stateDuring": self.runtimes[runtime].state(),
        }));
        self.do_deed(runtime, ask, deed);
    }

    fn stop_html(&mut self, runtime: usize, ask: Ask) {
        match self.runtimes[runtime].store {
            Some(store) => {
                let call = self.open_call(Waiter::Core(ask), "", None);
                self.call_notebook(store, runtime, call, Method::Stop);
            }
            None => self.clock.microtask(Waiter::Core(ask), Ok(Reply::Done)),
        }
    }

    fn do_deed(&mut self, runtime: usize, ask: Ask, deed: Deed) {
        let waiter = Waiter::Core(ask);
        let answer: Answer = match deed {
            Deed::Ok => Ok(Reply::Done),
            Deed::Sleep(ms) => return self.clock.after(ms, waiter, Ok(Reply::Done)),
            Deed::Throw(message) => Err(thrown(message, true)),
            Deed::ThrowString(text) => Err(thrown(text, false)),
            Deed::ThrowNull(_) => Err(thrown("null", false)),
            Deed::SetError(message) => {
                self.step_runtime(runtime, BaseInput::SetError(message));
                Ok(Reply::Done)
            }
            Deed::Hang(_) => return,
        };
        self.clock.microtask(waiter, answer);
    }

    /// One state callback; those behind it wait for what it does.
    pub(super) fn call_next(&mut self, runtime: usize, behind: Option<u32>, ticket: Ticket) {
        let object = &mut self.runtimes[runtime];
        let next = object.subscribers.iter().position(|subscriber| Some(subscriber.order) > behind);
        let Some(position) = next else {
            return self.answer(Ask { by: Asker::Runtime(runtime), ticket }, Ok(Reply::Done));
        };
        let subscriber = &object.subscribers[position];
        let (order, cb, stops_when) = (subscriber.order, subscriber.name.clone(), subscriber.stops_when.clone());
        let name = subscriber.runtime.clone();
        if subscriber.unsubscribes_itself {
            object.subscribers.remove(position);
        }
        let state = object.state();
        let stops = stops_when.is_some_and(|status| state["status"] == status);
        self.record(json!({ "kind": "state", "runtime": name, "cb": cb, "state": state }));
        self.stack.push(Work::StateCallbacks { runtime, behind: Some(order), ticket });
        if stops {
            self.stop(runtime, Waiter::Player(Some("stop-from-callback".to_owned())));
        }
    }
}

pub(super) fn key(runtime: usize) -> RuntimeKey {
    RuntimeKey(u32::try_from(runtime).unwrap_or(u32::MAX))
}

/// What `setError` makes of its argument: an error's message, or the value as text.
fn error_message(value: &Value) -> String {
    js_string(value.get("$error").unwrap_or(value))
}
