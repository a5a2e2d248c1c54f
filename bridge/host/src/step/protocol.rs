//! What goes into a notebook's step and what comes out.

use bridge_core::{Ability, Comparison, Decision, Diagnostic, Incident, Observation, Path, Rollback, Token};
use legacy_compat::{CallId, Hook, HtmlRuntimeState};
use registry::{
    Answer, Capabilities, CellId, Event, Failure, Query, QueueEntry, RuntimeId, SessionId, Ticket, TimerId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::LegacyKind;
use super::host::Facade;

/// Names a runtime object of the host within its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuntimeKey(pub u32);

/// What happens to a notebook.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Input {
    /// A session is about to start: which path serves it? Answered with [`Effect::Admitted`].
    Admit {
        /// The runtime object.
        runtime: RuntimeKey,
        /// What flags can target besides the notebook: runtimeType, userId, and what the host adds.
        attributes: Map<String, Value>,
        /// What the store and the runtime offer.
        ability: Ability,
        /// Who serves the old path.
        #[serde(default)]
        legacy: LegacyKind,
    },
    /// The host called a built-in method of a runtime object; the call settles with [`Effect::Settle`].
    Call {
        /// The runtime object.
        runtime: RuntimeKey,
        /// Names the promise.
        call: CallId,
        /// Which method, with its arguments.
        method: Method,
    },
    /// Rows of the queue that the live query saw appear or change, in request order.
    Queued {
        /// The rows.
        entries: Vec<QueueEntry>,
    },
    /// The sessions that the live query sees as active, whenever that changes.
    ActiveSessions {
        /// Their ids, in table order.
        sessions: Vec<SessionId>,
    },
    /// An effect was performed, or failed.
    Answer {
        /// The effect's ticket.
        ticket: Ticket,
        /// How it went.
        answer: Answer,
    },
    /// The host's own code commits through its facade. Answered with [`Effect::HostCommit`] in the same step.
    HostCommit {
        /// The runtime object.
        runtime: RuntimeKey,
        /// Names the commit.
        offer: u32,
        /// The token of the facade.
        token: Token,
        /// The events; the performer keeps the host's own objects.
        events: Vec<HostEvent>,
    },
    /// An interval fired.
    Timer {
        /// Which.
        timer: TimerId,
    },
    /// The store is attached: agents elsewhere may be followed in it. Without attributes it is not any more.
    Attached {
        /// What flags can target besides the notebook and the runtime type.
        attributes: Option<Map<String, Value>>,
        /// Its live query cannot be run: what the new path serves would see no more work.
        #[serde(default)]
        is_blind: bool,
    },
    /// What the live query that follows agents elsewhere sees now, whenever that changes.
    Elsewhere {
        /// The active sessions, in table order.
        sessions: Vec<SessionElsewhere>,
        /// The entries that are not over, in request order; nothing where they are not watched.
        entries: Option<Vec<QueueEntry>>,
    },
    /// Something outside may have changed: the flag set, or a comparison is done. Every other input notices that too; this one
    /// serves a notebook with nothing to do.
    Wake,
    /// An observation was compared, or shed because the shadow could not keep up. It comes from Rust only.
    #[serde(skip)]
    Compared(Result<Comparison, Shed>),
    /// The host let go of a runtime object.
    Forget {
        /// The runtime object.
        runtime: RuntimeKey,
    },
}

/// An active session, of whoever.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionElsewhere {
    /// The session.
    pub session_id: SessionId,
    /// Its runtime.
    pub runtime_id: RuntimeId,
    /// What it executes.
    pub runtime_type: String,
}

/// An observation that was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed {
    /// How many executions it held.
    pub executions: u64,
}

/// A built-in method that the router serves.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "name", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Method {
    /// `doStart`, under the ids that `start` has generated.
    Start {
        /// The ids.
        ids: SessionIds,
        /// The runtime object's `capabilities`.
        capabilities: Capabilities,
    },
    /// `doStop`, or the manager's `stopRuntime`.
    Stop,
    /// A manager mounts; its sessions run under these ids on the old path.
    Mount {
        /// The ids.
        ids: SessionIds,
        /// Whether somebody is logged in.
        is_authenticated: bool,
    },
    /// Somebody logged in or out below a manager.
    SetAuth {
        /// Whether somebody is logged in.
        is_authenticated: bool,
    },
    /// A manager unmounts.
    Unmount,
    /// The manager's `startRuntime`.
    StartRuntime,
    /// The manager's `restartRuntime`.
    RestartRuntime,
    /// `executeCode(cellId, code)`.
    ExecuteCode {
        /// The cell.
        cell_id: CellId,
        /// Its source.
        code: String,
    },
}

/// An event as the host's code made it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct HostEvent {
    name: String,
    #[serde(default)]
    args: Value,
}

impl HostEvent {
    /// What the gate judges. Arguments that do not fit are the store's to refuse.
    pub(super) fn into_event(self) -> Event {
        let Self { name, args } = self;
        Event::from_parts(&name, args).unwrap_or(Event::Unknown { name, args: Value::Null })
    }
}

/// The ids of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionIds {
    /// The runtime's.
    pub runtime_id: RuntimeId,
    /// The session's.
    pub session_id: SessionId,
}

/// What a notebook asks of its owner. Each effect with a ticket is answered before the next is performed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// The answer to [`Input::Admit`]; with ids, the session runs under these instead of generated ones.
    Admitted {
        /// The runtime object.
        runtime: RuntimeKey,
        /// The registry's ids, on its path.
        ids: Option<SessionIds>,
        /// The decision.
        decision: Decision,
    },
    /// Commit these events in one transaction.
    Commit {
        /// Echoed in the answer.
        ticket: Ticket,
        /// The path that commits: on the legacy path one event, as the old code did; on the registry path a batch.
        path: Path,
        /// The events.
        events: Vec<Event>,
    },
    /// Let the host's code commit those of its events that passed the gate, as it made them; none is an answer too.
    HostCommit {
        /// Echoed in the answer.
        ticket: Ticket,
        /// Names the commit.
        offer: u32,
        /// The places of the events that passed.
        passed: Vec<usize>,
    },
    /// What the host's code may do through its facade from now on.
    Facade {
        /// The runtime object.
        runtime: RuntimeKey,
        /// What.
        facade: Facade,
    },
    /// Read from the store, now.
    Query {
        /// Echoed in the answer.
        ticket: Ticket,
        /// What to read; as JSON, the [`crate::sql::Statement`] that reads it.
        #[serde(serialize_with = "crate::sql::serialize")]
        query: Query,
    },
    /// Call a method of a runtime object; an awaited one is answered when its promise settles.
    Hook {
        /// Echoed in the answer.
        ticket: Ticket,
        /// The runtime object.
        runtime: RuntimeKey,
        /// The method.
        hook: Hook,
    },
    /// Answer at once with success.
    Continue {
        /// Echoed in the answer.
        ticket: Ticket,
    },
    /// Answer at once with this failure.
    Fail {
        /// Echoed in the answer.
        ticket: Ticket,
        /// The failure.
        failure: Failure,
    },
    /// Answer with success after this many milliseconds.
    Sleep {
        /// Echoed in the answer.
        ticket: Ticket,
        /// How long.
        ms: u64,
    },
    /// Answer with success once what runs now has ended, its microtasks and the promises settled in it included.
    Yield {
        /// Echoed in the answer.
        ticket: Ticket,
    },
    /// Show this state of a manager to its subscribers, then answer with success.
    Show {
        /// Echoed in the answer.
        ticket: Ticket,
        /// The manager.
        runtime: RuntimeKey,
        /// The state.
        state: HtmlRuntimeState,
    },
    /// A manager has unmounted itself over this failure, which its host's render is to throw.
    Raise {
        /// The manager.
        runtime: RuntimeKey,
        /// What an effect threw.
        failure: Failure,
    },
    /// Fire this timer every so many milliseconds until it is cleared.
    SetInterval {
        /// Names the timer.
        timer: TimerId,
        /// The period in milliseconds.
        every_ms: u64,
    },
    /// Clear a timer.
    ClearInterval {
        /// Names the timer.
        timer: TimerId,
    },
    /// Settle the promise of a call.
    Settle {
        /// Names the promise.
        call: CallId,
        /// How it ends.
        outcome: Result<(), Failure>,
    },
    /// Begin to watch the queue and the sessions with the live query.
    Watch,
    /// Stop watching.
    Unwatch,
    /// Begin to watch the active sessions with another live query, or go on with what is named now.
    Follow {
        /// The entries that are not over, too.
        entries: bool,
    },
    /// Stop following.
    Unfollow,
    /// The session runs under these ids now: one `ready` for the host.
    Adopt {
        /// The runtime object.
        runtime: RuntimeKey,
        /// The new ids.
        ids: SessionIds,
    },
    /// Compare this away from the notebook's thread; answered with [`Input::Compared`]. It stays in Rust, where it becomes
    /// [`Effect::Comparing`] if the shadow can take it.
    #[serde(skip)]
    Compare {
        /// What the serving path did.
        observation: Box<Observation>,
        /// Why it is compared.
        decision: Box<Decision>,
    },
    /// A comparison has begun: keep the notebook until it has ended with [`Effect::Compared`].
    Comparing,
    /// A comparison has ended.
    Compared {
        /// Its outcome.
        comparison: Box<Comparison>,
    },
    /// The path that serves has done what must never be done: the guard is told. It stays in Rust.
    #[serde(skip)]
    Incident {
        /// What.
        incident: Incident,
    },
    /// The guard has rolled back, or would have: every notebook is to be woken, and listeners told.
    RolledBack {
        /// How far, why, and the evidence.
        rollback: Box<Rollback>,
    },
    /// Tell an operator.
    Diagnostic {
        /// What.
        diagnostic: Diagnostic,
    },
}

impl Effect {
    /// True for what only the owner notices. It comes first: a host that calls back while it is told of the others must find the
    /// owner where the core believes it to be.
    pub(crate) fn is_for_owner(&self) -> bool {
        matches!(
            self,
            Self::Facade { .. }
                | Self::Watch
                | Self::Unwatch
                | Self::Follow { .. }
                | Self::Unfollow
                | Self::SetInterval { .. }
                | Self::ClearInterval { .. }
        )
    }
}
