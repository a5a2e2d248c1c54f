//! The old `RuntimeRegistry`: its facts, inputs and effects as JSON.

use std::collections::BTreeMap;

use legacy_compat::{
    CallId, Facts, Limits, ObjectKey, RegistryEffect, RegistryEvent, RegistryInput, RuntimeFacts, RuntimeRegistry,
    RuntimeState, StatePatch,
};
use napi::{Error, Result};
use napi_derive::napi;
use registry::{Answer, Failure, Ticket, TimerId};
use serde::{Deserialize, Serialize};

use crate::convert::{read, write};
use crate::environment::with;

/// What an object shows, as the facade reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    id: String,
    r#type: String,
    priority: Option<f64>,
    is_available: bool,
    state: StatePatch,
}

impl From<Seen> for RuntimeFacts {
    fn from(seen: Seen) -> Self {
        let mut state = RuntimeState::default();
        state.assign(seen.state);
        // JSON writes NaN as null.
        let priority = seen.priority.unwrap_or(f64::NAN);
        Self { id: seen.id, runtime_type: seen.r#type, priority, is_available: seen.is_available, state }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Input {
    Register { call: CallId, object: u32 },
    Unregister { call: CallId, id: String },
    StartRuntime { call: CallId, id: String },
    StopAll { call: CallId },
    Timer { timer: TimerId },
    Answer { ticket: Ticket, answer: Answer },
}

impl From<Input> for RegistryInput {
    fn from(input: Input) -> Self {
        match input {
            Input::Register { call, object } => Self::Register(call, ObjectKey(object)),
            Input::Unregister { call, id } => Self::Unregister(call, id),
            Input::StartRuntime { call, id } => Self::StartRuntime(call, id),
            Input::StopAll { call } => Self::StopAll(call),
            Input::Timer { timer } => Self::Timer(timer),
            Input::Answer { ticket, answer } => Self::Answer(ticket, answer),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Effect {
    Event { ticket: Ticket, event: Event },
    StateChanged { ticket: Ticket, object: u32 },
    Registered { ticket: Ticket, object: u32 },
    Unregistered { ticket: Ticket, id: String },
    Start { ticket: Ticket, object: u32, call: CallId },
    Stop { ticket: Ticket, object: u32 },
    Continue { ticket: Ticket },
    SetInterval { timer: TimerId, every_ms: u64 },
    ClearInterval { timer: TimerId },
    Settle { call: CallId, outcome: std::result::Result<(), Failure> },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Event {
    Registered { object: u32 },
    Unregistered { runtime_id: String },
    StateChanged { runtime_id: String },
    Error { runtime_id: String, error: String },
}

impl From<RegistryEvent> for Event {
    fn from(event: RegistryEvent) -> Self {
        match event {
            RegistryEvent::Registered(object) => Self::Registered { object: object.0 },
            RegistryEvent::Unregistered(runtime_id) => Self::Unregistered { runtime_id },
            RegistryEvent::StateChanged(runtime_id, _) => Self::StateChanged { runtime_id },
            RegistryEvent::Error(runtime_id, error) => Self::Error { runtime_id, error },
        }
    }
}

impl From<RegistryEffect> for Effect {
    fn from(effect: RegistryEffect) -> Self {
        match effect {
            RegistryEffect::Event(ticket, event) => Self::Event { ticket, event: event.into() },
            RegistryEffect::StateChanged(ticket, object, _) => Self::StateChanged { ticket, object: object.0 },
            RegistryEffect::Registered(ticket, object) => Self::Registered { ticket, object: object.0 },
            RegistryEffect::Unregistered(ticket, id) => Self::Unregistered { ticket, id },
            RegistryEffect::Start(ticket, object, call) => Self::Start { ticket, object: object.0, call },
            RegistryEffect::Stop(ticket, object) => Self::Stop { ticket, object: object.0 },
            RegistryEffect::Continue(ticket) => Self::Continue { ticket },
            RegistryEffect::SetInterval(timer, every_ms) => Self::SetInterval { timer, every_ms },
            RegistryEffect::ClearInterval(timer) => Self::ClearInterval { timer },
            RegistryEffect::Settle(call, outcome) => Self::Settle { call, outcome },
        }
    }
}

/// Creates a registry of runtimes. Without a limit it counts as 1 and displaces nobody.
#[napi(catch_unwind)]
pub fn create_registry(max_concurrent: Option<f64>, allows_same_type: bool) -> Result<u32> {
    with(|environment| Ok(environment.create_registry(Limits { max_concurrent, allows_same_type })))
}

/// Forgets a registry of runtimes.
#[napi(catch_unwind)]
pub fn drop_registry(registry: u32) -> Result<()> {
    with(|environment| {
        environment.drop_registry(registry);
        Ok(())
    })
}

/// Steps a registry of runtimes: what its objects show and `{ type, … }` in, a list of effects out.
#[napi(catch_unwind)]
pub fn step_registry(registry: u32, facts: String, input: String) -> Result<String> {
    let facts = facts_from(&facts)?;
    let input: Input = read("registry input", &input)?;
    with_registry(registry, |core| {
        let effects: Vec<Effect> = core.handle(&facts, input.into()).into_iter().map(Effect::from).collect();
        write(&effects)
    })
}

/// The object registered under an id.
#[napi(catch_unwind)]
pub fn registered_object(registry: u32, id: String) -> Result<Option<u32>> {
    with_registry(registry, |core| Ok(core.runtime(&id).map(|object| object.0)))
}

/// Answers a question about the runtimes with a list of objects: `available`, `active`, `highestActive`; `ofType` and
/// `activeOfType` with a type.
#[napi(catch_unwind)]
pub fn list_registered(registry: u32, facts: String, question: String, runtime_type: String) -> Result<Vec<u32>> {
    let facts = facts_from(&facts)?;
    with_registry(registry, |core| {
        let objects = match question.as_str() {
            "available" => core.available(&facts),
            "active" => core.active(&facts),
            "highestActive" => core.active_runtime(&facts).into_iter().collect(),
            "ofType" => core.of_type(&facts, &runtime_type),
            "activeOfType" => core.active_of_type(&facts, &runtime_type).into_iter().collect(),
            other => return Err(Error::from_reason(format!("unknown question `{other}`"))),
        };
        Ok(objects.into_iter().map(|object| object.0).collect())
    })
}

/// `canStartRuntime()`.
#[napi(catch_unwind)]
pub fn can_start_runtime(registry: u32, facts: String) -> Result<bool> {
    let facts = facts_from(&facts)?;
    with_registry(registry, |core| Ok(core.can_start(&facts)))
}

/// `getStats()` without the configuration, as JSON.
#[napi(catch_unwind)]
pub fn registry_stats(registry: u32, facts: String) -> Result<String> {
    let facts = facts_from(&facts)?;
    with_registry(registry, |core| {
        let stats = core.stats(&facts);
        write(&serde_json::json!({
            "total": stats.total, "active": stats.active, "available": stats.available, "byType": stats.by_type,
        }))
    })
}

fn facts_from(text: &str) -> Result<Facts> {
    let seen: BTreeMap<u32, Seen> = read("registry facts", text)?;
    Ok(seen.into_iter().map(|(object, seen)| (ObjectKey(object), seen.into())).collect())
}

fn with_registry<T>(registry: u32, work: impl FnOnce(&mut RuntimeRegistry) -> Result<T>) -> Result<T> {
    with(|environment| {
        let core = environment.registry(registry);
        work(core.ok_or_else(|| Error::from_reason(format!("no registry has the handle `{registry}`")))?)
    })
}
