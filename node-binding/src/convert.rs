//! The JSON shapes of a runtime object's lifecycle. Those of a notebook's step are bridge-host's own.

use bridge_core::{Diagnostic, Level};
use bridge_host::source::SourceEvent;
use bridge_host::step::RuntimeKey;
use legacy_compat::{BaseInput, BaseRuntime, CallId, Effect, Hook, RuntimeState, StatePatch};
use napi::{Error, Result};
use registry::{Answer, Failure, Ticket};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What happens to a runtime object.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum RuntimeInput {
    Start { call: CallId, notebook_id: String },
    Stop { call: CallId },
    Restart { call: CallId },
    Update { patch: StatePatch },
    Assign { patch: StatePatch },
    SetBusy,
    SetReady,
    SetError { message: String },
    SetNotebookId { notebook_id: Option<String> },
    Adopt { runtime_id: String, session_id: String },
    Answer { ticket: Ticket, answer: Answer },
}

impl From<RuntimeInput> for BaseInput {
    fn from(input: RuntimeInput) -> Self {
        match input {
            RuntimeInput::Start { call, notebook_id } => Self::Start(call, notebook_id),
            RuntimeInput::Stop { call } => Self::Stop(call),
            RuntimeInput::Restart { call } => Self::Restart(call),
            RuntimeInput::Update { patch } => Self::Update(patch),
            RuntimeInput::Assign { patch } => Self::Assign(patch),
            RuntimeInput::SetBusy => Self::SetBusy,
            RuntimeInput::SetReady => Self::SetReady,
            RuntimeInput::SetError { message } => Self::SetError(message),
            RuntimeInput::SetNotebookId { notebook_id } => Self::SetNotebookId(notebook_id),
            RuntimeInput::Adopt { runtime_id, session_id } => Self::Adopt { runtime_id, session_id },
            RuntimeInput::Answer { ticket, answer } => Self::Answer(ticket, answer),
        }
    }
}

/// What a step of a runtime object gives back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuntimeStep<'a> {
    state: &'a RuntimeState,
    notebook_id: Option<&'a str>,
    effects: Vec<RuntimeEffect>,
}

impl<'a> RuntimeStep<'a> {
    pub(crate) fn new(key: RuntimeKey, runtime: &'a BaseRuntime, effects: Vec<Effect>) -> Self {
        Self {
            state: runtime.state(),
            notebook_id: runtime.notebook_id(),
            effects: effects.into_iter().filter_map(|effect| RuntimeEffect::new(key, effect)).collect(),
        }
    }
}

/// What a runtime object's lifecycle asks of its performer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum RuntimeEffect {
    StateCallback { ticket: Ticket },
    Hook { ticket: Ticket, runtime: RuntimeKey, hook: Hook },
    Sleep { ticket: Ticket, ms: u64 },
    Settle { call: CallId, outcome: std::result::Result<(), Failure> },
}

impl RuntimeEffect {
    /// A lifecycle touches no store and sets no interval: such effects are an html session's, and its notebook's to perform.
    fn new(runtime: RuntimeKey, effect: Effect) -> Option<Self> {
        match effect {
            Effect::StateCallback(ticket) => Some(Self::StateCallback { ticket }),
            Effect::Hook(ticket, hook) => Some(Self::Hook { ticket, runtime, hook }),
            Effect::Sleep(ticket, ms) => Some(Self::Sleep { ticket, ms }),
            Effect::Settle(call, outcome) => Some(Self::Settle { call, outcome }),
            _ => None,
        }
    }
}

/// News of the flag file in the form in which operators get all news.
pub(crate) fn diagnostic(event: &SourceEvent) -> Diagnostic {
    let (level, code) = match event {
        SourceEvent::Loaded { .. } => (Level::Info, "FLAGS_LOADED"),
        SourceEvent::Restored { .. } => (Level::Info, "FLAGS_RESTORED"),
        SourceEvent::Rejected { .. } => (Level::Error, "FLAGS_REJECTED"),
        SourceEvent::Missing { .. } => (Level::Error, "FLAGS_MISSING"),
        SourceEvent::Unwatched { .. } => (Level::Warning, "FLAGS_UNWATCHED"),
    };
    Diagnostic { level, code, message: event.to_string(), help: event.hint().unwrap_or_default().to_owned() }
}

/// An error with a code and a hint. Only the message of an error reaches JavaScript, so it carries all three as JSON.
pub(crate) fn refusal(code: &str, message: &str, help: &str) -> Error {
    Error::from_reason(serde_json::json!({ "code": code, "message": message, "help": help }).to_string())
}

/// Reads JSON that the facade wrote; lone surrogates become U+FFFD, as they do in the store.
pub(crate) fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    registry::json::from_str(text).map_err(|error| Error::from_reason(format!("{what}: {error}")))
}

/// Writes JSON for the facade.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::from_reason(error.to_string()))
}
