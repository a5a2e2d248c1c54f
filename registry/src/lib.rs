//! The runtime registry: the events of a notebook, the tables that they make, the agent that executes its cells, and the
//! registry of agents and runtime types. This crate does no IO and knows no clock, task, file or randomness: time and seeds come
//! in as arguments, effects go out.

mod agent;
mod artifact;
mod config;
mod event;
mod id;
pub mod json;
mod media;
mod notebook;
mod operation;
mod protocol;
mod registry;
mod runtime_type;

pub use agent::{Agent, MAX_EVENTS_PER_COMMIT, session_events};
pub use artifact::{ArtifactError, ArtifactRequest, DEFAULT_ARTIFACT_BASE_URL, Submission, check_png};
pub use config::{
    DEFAULT_IMAGE_ARTIFACT_THRESHOLD_BYTES, IncompleteConfig, RequiredField, RuntimeConfig, SyncUrl, artifact_base_url,
};
pub use event::*;
pub use id::{
    CellId, DisplayId, IdSource, NotebookId, Now, OutputId, QueueId, RuntimeId, SessionId, Timestamp, ToolCallId,
    UserId,
};
pub use media::normalised_bundle;
pub use notebook::{
    ActorRow, CellRow, MetadataRow, NotebookState, OutputDeltaRow, OutputRow, PendingClearRow, PresenceRow, QueueRow,
    SessionRow, Tables, ToolApprovalRow,
};
pub use operation::{Appended, Delta, HandlerTrace, Ingest, Operation, Outcome};
pub use protocol::{
    Answer, Effect, ExecutionRows, Failure, Input, Phase, Query, QueueEntry, Reply, SessionIdentity, Ticket, TimerId,
};
pub use registry::{DEFAULT_MAX_CONCURRENT_AGENTS, Placement, Registry, RegistryError};
pub use runtime_type::{Handler, HandlerTraces, RuntimeType};
