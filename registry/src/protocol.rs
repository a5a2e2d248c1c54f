//! The whole vocabulary between an agent and its owner, on one screen.
//!
//! The owner hands in an [`Input`] with the time and performs the [`Effect`]s that come back, in order. An effect with a
//! [`Ticket`] is answered with [`Input::Answer`] before the effects behind it are performed: that keeps the order in which
//! a host observes things, also when it calls back into the core while an effect is being performed.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::{
    Capabilities, CellId, Event, OutputDeltaRow, OutputRow, QueueId, QueueStatus, RuntimeId, SessionId,
    TerminationReason,
};

/// Names one suspended operation of a core; the answer carries it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u32);

/// Names a timer of a core, unique within that core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerId(pub u32);

/// A row of the execution queue as an owner reads it from its store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueEntry {
    /// The queue entry's id.
    pub id: QueueId,
    /// The cell to execute.
    pub cell_id: CellId,
    /// The count shown beside the cell (1, 2, …).
    pub execution_count: i64,
    /// Where the entry stands.
    pub status: QueueStatus,
    /// The session it is assigned to, if any.
    #[serde(default)]
    pub assigned_runtime_session: Option<SessionId>,
}

/// What happens to an agent.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Begin a session under these ids: displace the active ones, announce it, then claim.
    Start(SessionIdentity),
    /// Take over a session that is already announced in the log (the bridge announced it while flipping a route).
    Resume(SessionIdentity),
    /// The queue as the store has it now: new, changed and cancelled entries, in request order.
    Queued(Vec<QueueEntry>),
    /// The sessions that the log shows as active. An agent whose own is missing has been displaced.
    ActiveSessions(Vec<SessionId>),
    /// The owner performed (or failed to perform) the effect with this ticket.
    Answer(Ticket, Answer),
    /// End the session: finish what is under way, then terminate it for this reason.
    Stop(TerminationReason),
    /// Let go at once and silently: another path takes the notebook over.
    Release,
}

/// Under which ids and with which capabilities a session runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionIdentity {
    /// `registry-<nanoid>` for an agent of ours.
    pub runtime_id: RuntimeId,
    /// `<type>-<runtimeId>-<epoch ms>-<base36>`.
    pub session_id: SessionId,
    /// What the session announces that it can do.
    pub capabilities: Capabilities,
}

/// What an agent asks of its owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Claim these pending entries in the ledger, before anything is committed for them. Answered with [`Reply::Claimed`].
    Claim {
        /// Echoed in the answer.
        ticket: Ticket,
        /// In the order in which they were requested.
        entries: Vec<QueueId>,
    },
    /// Commit these events in one transaction.
    Commit {
        /// Echoed in the answer.
        ticket: Ticket,
        /// At most [`crate::MAX_EVENTS_PER_COMMIT`], or more where one execution alone needs more.
        events: Vec<Event>,
    },
    /// Read from the store, synchronously, in this very step.
    Query {
        /// Echoed in the answer.
        ticket: Ticket,
        /// What to read.
        query: Query,
    },
    /// The agent moved to this phase.
    Phase(Phase),
}

/// Where an agent stands; its owner shows it to the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// The session is announced and the agent claims.
    Ready,
    /// It is executing at least one cell.
    Busy,
    /// The session could not be announced; nothing runs.
    StartFailed(Failure),
    /// A commit that must not fail failed; the agent claims nothing more until it is started again.
    Broken(Failure),
    /// The session was terminated by somebody else; the agent claims nothing more.
    Displaced,
    /// The session is over; the failure is that of its termination event, if it had one.
    Stopped(Option<Failure>),
}

/// A read that a core needs from the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// The ids of the sessions whose row is active, in table order.
    ActiveSessions,
    /// Every pending entry, ordered by queue id as a byte string (the legacy order).
    PendingById,
    /// Entries assigned to this session, ordered by queue id as a byte string.
    AssignedTo(SessionId),
    /// Entries that are pending, assigned or executing, in request order.
    OpenEntries,
    /// These entries, whatever their status.
    Entries(Vec<QueueId>),
    /// The sources of these cells; a cell that does not exist is absent from the answer.
    CellSources(Vec<CellId>),
    /// The same for a session that is about to execute them: nothing once its row is active no more.
    Work(SessionId, Vec<CellId>),
    /// All that the tables hold of an execution.
    Execution(QueueId),
}

/// The outcome of an effect.
pub type Answer = Result<Reply, Failure>;

/// What a successful effect gives back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "camelCase")]
pub enum Reply {
    /// Nothing but success.
    Done,
    /// A truth value (hooks).
    Flag(bool),
    /// A text (hooks).
    Text(String),
    /// The claims that were granted, in the order asked for.
    Claimed(Vec<QueueId>),
    /// Session ids.
    Sessions(Vec<SessionId>),
    /// Queue rows.
    Entries(Vec<QueueEntry>),
    /// Cell sources by id.
    Sources(IndexMap<CellId, String>),
    /// Cell sources by id, for a session that is active.
    Work(Option<IndexMap<CellId, String>>),
    /// An execution; none where there is no such entry.
    Execution(Option<Box<ExecutionRows>>),
}

/// What the tables hold of an execution. Outputs belong to cells: only while no later execution of its cell has begun are these its
/// own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionRows {
    /// Its entry.
    pub entry: QueueEntry,
    /// How long it took, once it is over.
    pub execution_duration_ms: Option<Number>,
    /// The source of its cell, unless that is gone.
    pub source: Option<String>,
    /// What its cell shows, in the order in which it came.
    pub outputs: Vec<OutputRow>,
    /// What was appended to that.
    pub deltas: Vec<OutputDeltaRow>,
    /// Whether an execution of its cell that was requested later has begun.
    pub is_followed: bool,
}

/// Why an effect failed: what a host would see as the thrown value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error's message, or the thrown value as text.
    pub message: String,
    /// The performer's key of the thrown value itself, so that a rejection can carry the very same object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thrown: Option<u32>,
}

impl Failure {
    /// A failure that a core states itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), thrown: None }
    }
}
