//! The runtime registry: one agent per notebook as a state machine without IO.

mod event;
mod id;
pub mod json;
mod notebook;

pub use event::*;
pub use id::{
    CellId, DisplayId, IdSource, NotebookId, Now, OutputId, QueueId, RuntimeId, SessionId, Timestamp, ToolCallId,
    UserId,
};
pub use notebook::{
    ActorRow, CellRow, MetadataRow, NotebookState, OutputDeltaRow, OutputRow, PendingClearRow, PresenceRow, QueueRow,
    SessionRow, Tables, ToolApprovalRow,
};

mod agent;
mod output;
mod protocol;
mod runtime_type;

pub use agent::{Agent, MAX_EVENTS_PER_COMMIT, session_events};
pub use output::Output;
pub use protocol::{Answer, Effect, Failure, Input, Phase, Query, QueueEntry, Reply, SessionIdentity, Ticket, TimerId};
pub use runtime_type::{Handler, RuntimeType};
