//! Registries of runtimes: the callbacks and the singleton that the facade holds, and the effects of their cores.

use legacy_compat::{
    Facts, Limits, ObjectKey, RegistryEffect, RegistryEvent, RegistryInput, RuntimeFacts, RuntimeRegistry, RuntimeState,
};
use registry::{Reply, Ticket};
use serde_json::{Map, Value, json};

use super::clock::Due;
use super::runtime::{RuntimeObject, to_json};
use super::{Ask, Asker, Player, UNDEFINED, Waiter, Work, thrown};
use crate::trace::{Action, TraceError};

/// A registry object of the host.
pub(super) struct RegistryObject {
    config: Map<String, Value>,
    core: RuntimeRegistry,
    callbacks: Vec<Callback>,
}

/// A callback of a registry.
struct Callback {
    channel: Channel,
    name: String,
    throws: Option<String>,
}

/// What a callback hears.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    Event,
    StateChanged,
    Registered,
    Unregistered,
}

/// A round of callbacks, with what they are told.
#[derive(Clone)]
pub(super) enum Round {
    Event(RegistryEvent),
    StateChanged(usize, RuntimeState),
    Registered(usize),
    Unregistered(String),
}

impl Round {
    fn channel(&self) -> Channel {
        match self {
            Self::Event(_) => Channel::Event,
            Self::StateChanged(..) => Channel::StateChanged,
            Self::Registered(_) => Channel::Registered,
            Self::Unregistered(_) => Channel::Unregistered,
        }
    }

    /// Whether what a callback throws goes no further.
    fn is_caught(&self) -> bool {
        matches!(self, Self::Event(_) | Self::StateChanged(..))
    }
}

fn default_config(config: Map<String, Value>) -> Map<String, Value> {
    let mut merged = Map::new();
    merged.insert("maxConcurrentRuntimes".to_owned(), json!(1));
    merged.insert("allowMultipleRuntimesOfSameType".to_owned(), json!(false));
    merged.extend(config);
    merged
}

fn limits(config: &Map<String, Value>) -> Limits {
    let allows = config.get("allowMultipleRuntimesOfSameType").unwrap_or(&Value::Null);
    Limits {
        max_concurrent: config.get("maxConcurrentRuntimes").and_then(Value::as_f64),
        allows_same_type: !registry::json::is_falsy(allows),
    }
}

fn facts_of(runtime: &RuntimeObject) -> RuntimeFacts {
    RuntimeFacts {
        id: runtime.id(),
        runtime_type: runtime.runtime_type(),
        priority: runtime.metadata["priority"].as_f64().unwrap_or(f64::NAN),
        is_available: !registry::json::is_falsy(&runtime.metadata["isAvailable"]),
        state: runtime.raw_state().clone(),
    }
}

pub(super) fn object_key(runtime: usize) -> ObjectKey {
    ObjectKey(super::runtime::key(runtime).0)
}

fn index(key: ObjectKey) -> usize {
    key.0 as usize
}

impl Player {
    /// The operations on registries.
    pub(super) fn act_on_registry(&mut self, action: Action) -> Result<(), TraceError> {
        match action {
            Action::NewRegistry { r#as, config } => {
                let registry = self.add_registry(config);
                self.registry_names.insert(r#as, registry);
                self.record_return("<registry>");
                Ok(())
            }
            Action::GetInstance { r#as, config, .. } => self.get_instance(r#as, config),
            Action::ResetInstance {} => self.reset_instance(),
            Action::OnEvent { registry, r#as, throws } => self.listen(&registry, Channel::Event, r#as, throws),
            Action::OnStateChanged { registry, r#as, throws } => {
                self.listen(&registry, Channel::StateChanged, r#as, throws)
            }
            Action::OnRegistered { registry, r#as, throws } => {
                self.listen(&registry, Channel::Registered, r#as, throws)
            }
            Action::OnUnregistered { registry, r#as, throws } => {
                self.listen(&registry, Channel::Unregistered, r#as, throws)
            }
            Action::Register { registry, runtime } => self.register(&registry, &runtime),
            Action::Unregister { registry, runtime_id } => self.unregister(&registry, runtime_id),
            other => self.ask_registry(other),
        }
    }

    fn ask_registry(&mut self, action: Action) -> Result<(), TraceError> {
        match action {
            Action::GetAvailable { registry } => self.list(&registry, RuntimeRegistry::available),
            Action::GetByType { registry, r#type } => self.list(&registry, |core, facts| core.of_type(facts, &r#type)),
            Action::GetActiveRuntimes { registry } => self.list(&registry, RuntimeRegistry::active),
            Action::GetRuntime { registry, runtime_id, r#as } => {
                self.get_runtime(&registry, &runtime_id, r#as.as_ref())
            }
            Action::GetActiveRuntime { registry } => self.one(&registry, RuntimeRegistry::active_runtime),
            Action::GetActiveOfType { registry, r#type } => {
                self.one(&registry, |core, facts| core.active_of_type(facts, &r#type))
            }
            Action::DebugLog { registry } => self.tell(&registry, |_, _| UNDEFINED.into()),
            Action::CanStart { registry } => self.tell(&registry, |object, facts| object.core.can_start(facts).into()),
            Action::GetStats { registry } => self.tell(&registry, |object, facts| {
                let stats = object.core.stats(facts);
                json!({
                    "total": stats.total, "active": stats.active, "available": stats.available,
                    "byType": stats.by_type, "config": object.config,
                })
            }),
            other => self.act_on_factory(other),
        }
    }

    /// The object, which later steps may name.
    fn get_runtime(&mut self, registry: &str, id: &str, name: Option<&String>) -> Result<(), TraceError> {
        let found = self.registries[self.registry(registry)?].core.runtime(id);
        if let (Some(key), Some(name)) = (found, name) {
            self.runtime_names.insert(name.clone(), index(key));
        }
        self.one(registry, |core, _| core.runtime(id))
    }

    pub(super) fn registry(&self, name: &str) -> Result<usize, TraceError> {
        self.registry_names.get(name).copied().ok_or_else(|| self.unnamed("registry", name))
    }

    fn add_registry(&mut self, config: Map<String, Value>) -> usize {
        let config = default_config(config);
        let core = RuntimeRegistry::new(limits(&config));
        let registry = self.registries.len();
        self.registries.push(RegistryObject { config, core, callbacks: Vec::new() });
        registry
    }

    fn get_instance(&mut self, name: String, config: Map<String, Value>) -> Result<(), TraceError> {
        let registry = self.singleton(config);
        let same = self.name_registry(name, registry);
        self.record_return(json!({ "sameAs": same }));
        Ok(())
    }

    /// The singleton; a configuration only counts for the call that makes it.
    pub(super) fn singleton(&mut self, config: Map<String, Value>) -> usize {
        if let Some(singleton) = self.singleton {
            return singleton;
        }
        let registry = self.add_registry(config);
        self.singleton = Some(registry);
        registry
    }

    /// Names a registry; gives the names under which it was known.
    pub(super) fn name_registry(&mut self, name: String, registry: usize) -> Vec<String> {
        let is_it = |(_, known): &(&String, &usize)| **known == registry;
        let names = self.registry_names.iter().filter(is_it).map(|(name, _)| name.clone()).collect();
        self.registry_names.insert(name, registry);
        names
    }

    pub(super) fn available_count(&self, registry: usize) -> usize {
        self.registries[registry].core.available(&self.facts()).len()
    }

    fn reset_instance(&mut self) -> Result<(), TraceError> {
        self.singleton = None;
        self.record_return(UNDEFINED);
        Ok(())
    }

    fn listen(
        &mut self,
        registry: &str,
        channel: Channel,
        name: String,
        throws: Option<String>,
    ) -> Result<(), TraceError> {
        let registry = self.registry(registry)?;
        self.registries[registry].callbacks.push(Callback { channel, name, throws });
        Ok(())
    }

    fn register(&mut self, registry: &str, runtime: &str) -> Result<(), TraceError> {
        let (registry, runtime) = (self.registry(registry)?, self.runtime(runtime)?);
        let call = self.open_call(Waiter::Returning, "", None);
        self.step_registry(registry, RegistryInput::Register(call, object_key(runtime)));
        self.run();
        Ok(())
    }

    fn unregister(&mut self, registry: &str, id: String) -> Result<(), TraceError> {
        let registry = self.registry(registry)?;
        let call = self.open_call(Waiter::Returning, "", None);
        self.step_registry(registry, RegistryInput::Unregister(call, id));
        self.run();
        Ok(())
    }

    fn facts(&self) -> Facts {
        self.runtimes.iter().enumerate().map(|(at, runtime)| (object_key(at), facts_of(runtime))).collect()
    }

    fn tell(&mut self, registry: &str, answer: impl Fn(&RegistryObject, &Facts) -> Value) -> Result<(), TraceError> {
        let registry = self.registry(registry)?;
        let value = answer(&self.registries[registry], &self.facts());
        self.record_return(value);
        Ok(())
    }

    /// Runtimes are shown by their ids.
    fn list(
        &mut self,
        registry: &str,
        answer: impl Fn(&RuntimeRegistry, &Facts) -> Vec<ObjectKey>,
    ) -> Result<(), TraceError> {
        self.tell(registry, |object, facts| {
            answer(&object.core, facts).iter().map(|key| facts[key].id.clone()).collect()
        })
    }

    /// A runtime that is not there is undefined.
    fn one(
        &mut self,
        registry: &str,
        answer: impl Fn(&RuntimeRegistry, &Facts) -> Option<ObjectKey>,
    ) -> Result<(), TraceError> {
        self.tell(registry, |object, facts| {
            answer(&object.core, facts).map_or_else(|| UNDEFINED.into(), |key| facts[&key].id.clone().into())
        })
    }

    pub(super) fn step_registry(&mut self, registry: usize, input: RegistryInput) {
        let facts = self.facts();
        let effects = self.registries[registry].core.handle(&facts, input);
        self.push(effects.into_iter().map(|effect| Work::Registry(registry, effect)));
    }

    pub(super) fn perform_registry(&mut self, registry: usize, effect: RegistryEffect) {
        let ask = |ticket| Ask { by: Asker::Registry(registry), ticket };
        match effect {
            RegistryEffect::Event(ticket, event) => self.begin_round(registry, Round::Event(event), ticket),
            RegistryEffect::StateChanged(ticket, key, state) => {
                self.begin_round(registry, Round::StateChanged(index(key), state), ticket);
            }
            RegistryEffect::Registered(ticket, key) => {
                self.begin_round(registry, Round::Registered(index(key)), ticket);
            }
            RegistryEffect::Unregistered(ticket, id) => self.begin_round(registry, Round::Unregistered(id), ticket),
            RegistryEffect::Start(ticket, key, call) => {
                let Some(call) = self.calls.get(&call) else { return };
                let (notebook, config) = (call.notebook_id.clone(), call.config.clone());
                self.start(index(key), notebook, config, Waiter::Core(ask(ticket)));
            }
            RegistryEffect::Stop(ticket, key) => self.stop(index(key), Waiter::Core(ask(ticket))),
            RegistryEffect::Continue(ticket) => self.answer(ask(ticket), Ok(Reply::Done)),
            RegistryEffect::SetInterval(timer, ms) => self.clock.every(ms, Due::Registry(registry, timer)),
            RegistryEffect::ClearInterval(timer) => self.clock.clear_registry(registry, timer),
            RegistryEffect::Settle(call, outcome) => self.settle_call(call, outcome),
        }
    }

    fn begin_round(&mut self, registry: usize, round: Round, ticket: Ticket) {
        self.stack.push(Work::RegistryCallbacks { registry, round, behind: None, ticket });
    }

    /// One callback of a registry; those behind it wait for what it does.
    pub(super) fn call_next_of_registry(
        &mut self,
        registry: usize,
        round: Round,
        behind: Option<usize>,
        ticket: Ticket,
    ) {
        let ask = Ask { by: Asker::Registry(registry), ticket };
        let from = behind.map_or(0, |at| at + 1);
        let callbacks = self.registries[registry].callbacks.iter().enumerate().skip(from);
        let Some((at, callback)) = callbacks.into_iter().find(|(_, callback)| callback.channel == round.channel())
        else {
            return self.answer(ask, Ok(Reply::Done));
        };
        let (cb, throws) = (callback.name.clone(), callback.throws.clone());
        let told = self.told(&cb, &round);
        self.record(told);
        match throws {
            Some(message) if !round.is_caught() => self.answer(ask, Err(thrown(message, true))),
            _ => self.stack.push(Work::RegistryCallbacks { registry, round, behind: Some(at), ticket }),
        }
    }

    /// A runtime object is shown by its id.
    fn told(&self, cb: &str, round: &Round) -> Value {
        match round {
            Round::Event(event) => json!({ "kind": "registry-event", "cb": cb, "event": self.shown_event(event) }),
            Round::StateChanged(runtime, state) => json!({
                "kind": "registry-state", "cb": cb, "runtime": self.runtimes[*runtime].id(), "state": to_json(state),
            }),
            Round::Registered(runtime) => {
                json!({ "kind": "registry-registered", "cb": cb, "runtime": self.runtimes[*runtime].id() })
            }
            Round::Unregistered(id) => json!({ "kind": "registry-unregistered", "cb": cb, "runtimeId": id }),
        }
    }

    fn shown_event(&self, event: &RegistryEvent) -> Value {
        match event {
            RegistryEvent::Registered(key) => {
                json!({ "type": "registered", "runtime": self.runtimes[index(*key)].id() })
            }
            RegistryEvent::Unregistered(id) => json!({ "type": "unregistered", "runtimeId": id }),
            RegistryEvent::StateChanged(id, state) => {
                json!({ "type": "state-changed", "runtimeId": id, "state": to_json(state) })
            }
            RegistryEvent::Error(id, error) => json!({ "type": "error", "runtimeId": id, "error": error }),
        }
    }
}
