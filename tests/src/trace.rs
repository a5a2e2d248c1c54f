//! A recorded trace as a file has it: what was set up, what was done, what was seen.

mod args;

use std::fs;
use std::path::Path;

use registry::json;
use serde::Deserialize;
use serde_json::{Map, Value};

use args::main_factory;
pub(crate) use args::{ArtifactArgs, ArtifactMethod, FactoryArgs, OfFactory, ServiceResponse};

/// One recording.
#[derive(Clone, Debug, Deserialize)]
pub struct Trace {
    /// `<suite>/<name>`.
    pub scenario: String,
    /// Which old code was recorded.
    pub source: String,
    /// What the scenario shows, for people.
    pub describe: String,
    /// What must be known to read it, for people.
    #[serde(default)]
    pub notes: Option<String>,
    /// What the store holds before the first step.
    pub setup: Setup,
    /// What was done, unread: only the suites that a player plays need to be understood.
    pub steps: Vec<Value>,
    /// What was seen, in order.
    pub observations: Vec<Value>,
    /// The rows of the store at the end; empty without a store.
    pub tables: Value,
}

/// What the store holds before the first step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Setup {
    /// Cells, in the order of their creation.
    pub cells: Vec<SetupCell>,
    /// Sessions that are active already.
    pub sessions: Vec<SetupSession>,
    /// Entries requested already.
    pub queue: Vec<SetupEntry>,
    /// Further events.
    pub events: Vec<SetupEvent>,
    /// `false` where the scenario needs no store.
    pub store: Option<bool>,
}

/// A prepared cell.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupCell {
    /// Its id.
    pub id: String,
    /// `code` unless given.
    #[serde(default)]
    pub cell_type: Option<String>,
    /// A text, or `{"$repeat":{text,times}}`.
    pub source: Value,
}

/// A prepared session.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupSession {
    /// Its id.
    pub session_id: String,
    /// `rt-<sessionId>` unless given.
    #[serde(default)]
    pub runtime_id: Option<String>,
    /// `python3` unless given.
    #[serde(default)]
    pub runtime_type: Option<String>,
    /// `ready` unless given.
    #[serde(default)]
    pub status: Option<String>,
}

/// A prepared queue entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupEntry {
    /// Its id.
    pub queue_id: String,
    /// The cell to execute.
    pub cell_id: String,
    /// 1 unless given.
    #[serde(default)]
    pub execution_count: Option<i64>,
    /// `user-1` unless given.
    #[serde(default)]
    pub requested_by: Option<String>,
    /// The session it is assigned to, if any.
    #[serde(default)]
    pub assign_to: Option<String>,
}

/// A prepared event.
#[derive(Clone, Debug, Deserialize)]
pub struct SetupEvent {
    /// Its name, with the version.
    pub name: String,
    /// Its arguments.
    pub args: Value,
}

/// Why a file is not a trace that can be played.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file or directory cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a trace.
    #[error("`{path}` is not a trace: {source}")]
    Malformed {
        /// Which.
        path: String,
        /// Where, and what was expected.
        source: serde_json::Error,
    },
    /// The player does not know an operation, or not these arguments of it.
    #[error("`{scenario}`, step {step}: cannot play `{text}`: {source}")]
    Step {
        /// Which trace.
        scenario: String,
        /// Which step, from 0.
        step: usize,
        /// The step as it stands.
        text: String,
        /// What was expected.
        source: serde_json::Error,
    },
    /// A step names an object that no earlier step has made.
    #[error("`{scenario}`, step {step}: there is no {what} named `{name}`")]
    Unnamed {
        /// Which trace.
        scenario: String,
        /// Which step, from 0.
        step: usize,
        /// Runtime, registry, subscription or store.
        what: &'static str,
        /// The name.
        name: String,
    },
}

impl TraceError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "give the directory that holds the recorded `*.json` traces",
            Self::Malformed { .. } => "the format is described in the README beside the recordings",
            Self::Step { .. } => "add the operation to the player, or leave its suite out",
            Self::Unnamed { .. } => "an object is made by a step with `as` before others name it",
        }
    }
}

impl Trace {
    /// Reads one file.
    ///
    /// # Errors
    /// [`TraceError::Unreadable`] and [`TraceError::Malformed`].
    pub fn read(file: &Path) -> Result<Self, TraceError> {
        let path = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|source| TraceError::Unreadable { path: path.clone(), source })?;
        json::from_str(&text).map_err(|source| TraceError::Malformed { path, source })
    }

    /// Reads every `*.json` of a directory, by name.
    ///
    /// # Errors
    /// As [`Trace::read`], for the first file that fails.
    pub fn read_all(directory: &Path) -> Result<Vec<Self>, TraceError> {
        let path = directory.display().to_string();
        let unreadable = |source| TraceError::Unreadable { path: path.clone(), source };
        let entries: Vec<_> =
            fs::read_dir(directory).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
        let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// The part of the scenario's name before the slash.
    pub fn suite(&self) -> &str {
        self.scenario.split_once('/').map_or(self.scenario.as_str(), |(suite, _)| suite)
    }

    /// The steps, understood.
    ///
    /// # Errors
    /// [`TraceError::Step`] for the first operation that the player does not know.
    pub(crate) fn typed_steps(&self) -> Result<Vec<Op>, TraceError> {
        self.steps.iter().enumerate().map(|(at, step)| self.typed_step(at, step)).collect()
    }

    fn typed_step(&self, at: usize, step: &Value) -> Result<Op, TraceError> {
        serde_json::from_value(step.clone()).map_err(|source| TraceError::Step {
            scenario: self.scenario.clone(),
            step: at,
            text: step.to_string(),
            source,
        })
    }
}

/// A source text: as it stands, or repeated.
pub(crate) fn expand_source(source: &Value) -> String {
    let repeat = &source["$repeat"];
    match (source.as_str(), repeat["text"].as_str(), repeat["times"].as_u64()) {
        (Some(text), _, _) => text.to_owned(),
        (None, Some(text), Some(times)) => text.repeat(usize::try_from(times).unwrap_or(usize::MAX)),
        _ => json::js_string(source),
    }
}

/// A step as a file has it: `advance` keeps its milliseconds beside the arguments.
#[derive(Deserialize)]
struct RawStep {
    op: String,
    #[serde(default)]
    args: Map<String, Value>,
    #[serde(default)]
    ms: Option<Value>,
}

/// An operation with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Op {
    /// What is done.
    pub(crate) action: Action,
    /// False for a call that is left running, named by `call`.
    pub(crate) waits: bool,
    /// The name of a call that is left running.
    pub(crate) call: Option<String>,
}

impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let RawStep { op, mut args, ms } = RawStep::deserialize(deserializer)?;
        let waits = args.remove("wait").is_none_or(|wait| wait != Value::Bool(false));
        let call = args.remove("call").and_then(|call| call.as_str().map(str::to_owned));
        args.extend(ms.map(|ms| ("ms".to_owned(), ms)));
        let tagged = serde_json::json!({ "op": op, "args": args });
        let action = Action::deserialize(tagged).map_err(serde::de::Error::custom)?;
        Ok(Self { action, waits, call })
    }
}

fn main_registry() -> String {
    "reg".to_owned()
}

fn main_notebook() -> String {
    "nb-main".to_owned()
}

fn yes() -> bool {
    true
}

fn once() -> u32 {
    1
}

fn first_count() -> i64 {
    1
}

/// What a step does: the operations of the suites base, html, manager, registry, factory and config. The README beside the recordings describes each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", content = "args", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Action {
    Advance {
        ms: u64,
    },
    Settle {},
    Idle {},
    SameTick {
        ops: Vec<Op>,
    },

    RequestExecution {
        queue_id: String,
        cell_id: String,
        #[serde(default = "first_count")]
        execution_count: i64,
    },
    RequestMany {
        count: i64,
        cell_ids: Vec<String>,
        #[serde(default)]
        one_commit: bool,
    },
    CancelExecution {
        queue_id: String,
        cell_id: String,
        #[serde(default)]
        reason: Option<String>,
    },
    Commit {
        name: String,
        args: Value,
    },
    EditSource {
        cell_id: String,
        source: Value,
    },
    DumpTables {},
    StoreShutdown {
        #[serde(default)]
        store: Option<String>,
    },
    MutateStateCopy {
        runtime: String,
    },
    MutateConfigCopy {
        runtime: String,
    },
    NewStore {
        r#as: String,
    },
    Fault {
        #[serde(default)]
        event: Option<String>,
        message: String,
        #[serde(default = "once")]
        times: u32,
        #[serde(default)]
        skip: u32,
        #[serde(default)]
        non_error: bool,
    },

    NewRuntime {
        r#as: String,
        #[serde(default)]
        class: Option<String>,
        #[serde(default)]
        metadata: Map<String, Value>,
        #[serde(default)]
        config: Map<String, Value>,
        #[serde(default)]
        behaviour: Behaviour,
    },
    Start {
        runtime: String,
        #[serde(default = "main_notebook")]
        notebook_id: String,
        #[serde(default)]
        config: Option<Map<String, Value>>,
    },
    Stop {
        runtime: String,
    },
    Restart {
        runtime: String,
        #[serde(default)]
        config: Option<Map<String, Value>>,
    },
    Destroy {
        runtime: String,
    },
    GetState {
        runtime: String,
    },
    GetConfig {
        runtime: String,
    },
    GetDebugInfo {
        runtime: String,
    },
    GetMetadata {
        runtime: String,
    },
    GetCapabilities {
        runtime: String,
    },
    ToString {
        runtime: String,
    },
    Protected {
        runtime: String,
        method: String,
        #[serde(default)]
        args: Vec<Value>,
    },
    ExecuteCode {
        runtime: String,
        cell_id: String,
        code: String,
    },
    SetupInstructions {
        runtime: String,
    },
    Ping {
        runtime: String,
    },
    ConnectionInfo {
        runtime: String,
    },
    ConfigStoreIs {
        runtime: String,
    },
    HasMethod {
        runtime: String,
        methods: Vec<String>,
    },
    Subscribe {
        runtime: String,
        r#as: String,
        #[serde(default)]
        throws: Option<String>,
        #[serde(default)]
        mutates: bool,
        #[serde(default)]
        unsubscribe_self: bool,
        #[serde(default)]
        stop_when: Option<String>,
    },
    SubscribeAgain {
        runtime: String,
        r#as: String,
    },
    Unsubscribe {
        r#as: String,
    },

    NewRegistry {
        #[serde(default = "main_registry")]
        r#as: String,
        #[serde(default)]
        config: Map<String, Value>,
    },
    GetInstance {
        r#as: String,
        #[serde(default)]
        config: Map<String, Value>,
        #[serde(default)]
        helper: bool,
    },
    ResetInstance {},
    Register {
        #[serde(default = "main_registry")]
        registry: String,
        runtime: String,
    },
    Unregister {
        #[serde(default = "main_registry")]
        registry: String,
        runtime_id: String,
    },
    GetAvailable {
        #[serde(default = "main_registry")]
        registry: String,
    },
    GetRuntime {
        #[serde(default = "main_registry")]
        registry: String,
        runtime_id: String,
        #[serde(default)]
        r#as: Option<String>,
    },
    GetByType {
        #[serde(default = "main_registry")]
        registry: String,
        r#type: String,
    },
    GetActiveRuntimes {
        #[serde(default = "main_registry")]
        registry: String,
    },
    GetActiveRuntime {
        #[serde(default = "main_registry")]
        registry: String,
    },
    GetActiveOfType {
        #[serde(default = "main_registry")]
        registry: String,
        r#type: String,
    },
    DebugLog {
        #[serde(default = "main_registry")]
        registry: String,
    },
    CanStart {
        #[serde(default = "main_registry")]
        registry: String,
    },
    StartRuntime {
        #[serde(default = "main_registry")]
        registry: String,
        runtime_id: String,
        #[serde(default = "main_notebook")]
        notebook_id: String,
        #[serde(default)]
        config: Option<Map<String, Value>>,
    },
    StopAll {
        #[serde(default = "main_registry")]
        registry: String,
    },
    OnEvent {
        #[serde(default = "main_registry")]
        registry: String,
        r#as: String,
        #[serde(default)]
        throws: Option<String>,
    },
    OnStateChanged {
        #[serde(default = "main_registry")]
        registry: String,
        r#as: String,
        #[serde(default)]
        throws: Option<String>,
    },
    OnRegistered {
        #[serde(default = "main_registry")]
        registry: String,
        r#as: String,
        #[serde(default)]
        throws: Option<String>,
    },
    OnUnregistered {
        #[serde(default = "main_registry")]
        registry: String,
        r#as: String,
        #[serde(default)]
        throws: Option<String>,
    },
    GetStats {
        #[serde(default = "main_registry")]
        registry: String,
    },

    NewFactory(FactoryArgs),
    CreateWithDefaults(FactoryArgs),
    FactoryRegistry {
        #[serde(default = "main_factory")]
        factory: String,
        #[serde(default = "main_registry")]
        r#as: String,
    },
    CreateRuntime {
        #[serde(default = "main_factory")]
        factory: String,
        r#type: String,
        #[serde(default)]
        r#as: Option<String>,
        #[serde(default)]
        config: Map<String, Value>,
    },
    SupportedTypes(OfFactory),
    SetupDefaults(OfFactory),

    Mount {
        hook: Hook,
        #[serde(default)]
        notebook_id: Option<String>,
        #[serde(default = "yes")]
        provider: bool,
        #[serde(default = "yes")]
        is_authenticated: bool,
        #[serde(default)]
        user_id: Option<String>,
    },
    SetAuth {
        #[serde(default = "yes")]
        is_authenticated: bool,
        #[serde(default)]
        user_id: Option<String>,
    },
    Unmount {},
    UiStart {
        #[serde(default = "once")]
        times: u32,
    },
    UiStop {
        #[serde(default = "once")]
        times: u32,
    },
    UiRestart {
        #[serde(default = "once")]
        times: u32,
    },
    UiState {},
    Dom {},

    ValidateConfig {
        #[serde(default)]
        options: Map<String, Value>,
    },
    ConfigFields {
        #[serde(default)]
        options: Map<String, Value>,
    },
    ValidateMedia {
        bundle: Map<String, Value>,
    },
    ArtifactClient(ArtifactArgs),
}

/// Which hook the mounted component uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Hook {
    /// `useHtmlRuntime` of `HtmlRuntimeManager`.
    Manager,
}

/// What the hooks of the test subclass do.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Behaviour {
    /// In `doStart`.
    #[serde(default)]
    pub(crate) do_start: Deeds,
    /// In `doStop`.
    #[serde(default)]
    pub(crate) do_stop: Deeds,
}

/// One deed a call; the last one repeats.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Deeds {
    /// The same each time.
    Always(Deed),
    /// One after the other.
    List(Vec<Deed>),
}

impl Default for Deeds {
    fn default() -> Self {
        Self::Always(Deed::Ok)
    }
}

impl Deeds {
    /// What the next call does.
    pub(crate) fn next_deed(&mut self) -> Deed {
        match self {
            Self::Always(deed) => deed.clone(),
            Self::List(deeds) if deeds.len() > 1 => deeds.remove(0),
            Self::List(deeds) => deeds.first().cloned().unwrap_or(Deed::Ok),
        }
    }
}

/// What one call of a hook does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Deed {
    /// Returns.
    Ok,
    /// Returns after this many milliseconds.
    Sleep(u64),
    /// Throws an `Error`.
    Throw(String),
    /// Throws a string.
    ThrowString(String),
    /// Throws null.
    ThrowNull(bool),
    /// Calls `setError`, then returns.
    SetError(String),
    /// Never returns.
    Hang(bool),
}
