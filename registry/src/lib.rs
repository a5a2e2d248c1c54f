//! The runtime registry: the events of a notebook, the tables that they make, the agent that executes its cells, and the
//! registry of agents and runtime types. This crate does no IO and knows no clock, task, file or randomness: time and seeds come
//! in as arguments, effects go out.

mod agent;
mod event;
mod id;
pub mod json;
mod notebook;
mod output;
mod protocol;
mod registry;
mod runtime_type;

pub use agent::{Agent, MAX_EVENTS_PER_COMMIT, session_events};
pub use event::*;
pub use id::{
    CellId, DisplayId, IdSource, NotebookId, Now, OutputId, QueueId, RuntimeId, SessionId, Timestamp, ToolCallId,
    UserId,
};
pub use notebook::{
    ActorRow, CellRow, MetadataRow, NotebookState, OutputDeltaRow, OutputRow, PendingClearRow, PresenceRow, QueueRow,
    SessionRow, Tables, ToolApprovalRow,
};
pub use output::Output;
pub use protocol::{Answer, Effect, Failure, Input, Phase, Query, QueueEntry, Reply, SessionIdentity, Ticket, TimerId};
pub use registry::{DEFAULT_MAX_CONCURRENT_AGENTS, Placement, Registry, RegistryError};
pub use runtime_type::{Handler, RuntimeType};
