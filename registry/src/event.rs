//! The events of a notebook's log: `{ "name": "v1.ExecutionStarted", "args": { … } }`.
//!
//! Names, fields and their order are the wire contract with hosts (the LiveStore schema they share). An
//! optional field is absent when unset, never null; a null that a host writes reads as absent. Arguments that the schema
//! does not know are dropped, as LiveStore drops them. An event whose name is unknown is kept verbatim: hosts add events.

mod cell;
mod error;
mod kind;
mod output;
mod session;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use cell::{
    ActorProfileSet, AiSettings, AiSettingsChanged, CellAiContextVisibilityToggled, CellCreated, CellCreatedV1,
    CellDeleted, CellMoved, CellMovedV1, CellOutputVisibilityToggled, CellSourceChanged, CellSourceVisibilityToggled,
    CellTypeChanged, NotebookInitialized, NotebookMetadataSet, NotebookTitleChanged, PresenceSet, SqlConnectionChanged,
    SqlResultVariableChanged, ToolApprovalRequested, ToolApprovalResponded,
};
pub use error::EventError;
pub use kind::{
    ActorType, ApprovalStatus, CellType, ExecutionState, ExecutionStatus, OutputType, QueueStatus, SessionStatus,
    StreamName, TerminationReason,
};
pub use output::{
    CellOutputsCleared, Container, ErrorOutputAdded, MarkdownOutputAdded, MarkdownOutputAppended,
    MarkdownOutputAppendedV1, Metadata, MultimediaDisplayOutputAdded, MultimediaDisplayOutputUpdated,
    MultimediaResultOutputAdded, Representations, TerminalOutputAdded, TerminalOutputAppended,
    TerminalOutputAppendedV1,
};
pub use session::{
    Capabilities, ExecutionAssigned, ExecutionCancelled, ExecutionCompleted, ExecutionRequested, ExecutionStarted,
    RuntimeSessionRenewal, RuntimeSessionStarted, RuntimeSessionStatusChanged, RuntimeSessionTerminated,
};

use crate::id::{CellId, QueueId};

/// Ties each variant of [`Event`] to its name in the log; a variant is named as the struct of its arguments.
macro_rules! events {
    ($($name:literal => $event:ident,)*) => {
        /// One event of the log. A bare name is the current version of its event, `…V1` the deprecated one.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $(
                #[doc = concat!("`", $name, "`")]
                $event($event),
            )*
            /// An event that hosts know and we do not: passed through, never dropped.
            Unknown {
                /// Its name, with the version.
                name: String,
                /// Its arguments, as they came.
                args: Value,
            },
        }

        impl Event {
            /// Every name that has a variant of its own, in the order of the contract.
            pub const NAMES: &[&str] = &[$($name,)*];

            /// The name in the log, with the version: `v1.ExecutionStarted`.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$event(_) => $name,)*
                    Self::Unknown { name, .. } => name,
                }
            }

            /// An event from its name and arguments.
            ///
            /// # Errors
            /// [`EventError::Args`] when the name is known and an argument is missing or does not fit.
            pub fn from_parts(name: &str, args: Value) -> Result<Self, EventError> {
                match name {
                    $($name => decode($name, args).map(Self::$event),)*
                    _ => Ok(Self::Unknown { name: name.to_owned(), args }),
                }
            }

            fn write_args<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error> {
                match self {
                    $(Self::$event(args) => out.serialize_field("args", args),)*
                    Self::Unknown { args, .. } => out.serialize_field("args", args),
                }
            }
        }

        $(
            impl From<$event> for Event {
                fn from(args: $event) -> Self {
                    Self::$event(args)
                }
            }
        )*
    };
}

events! {
    "v1.NotebookInitialized" => NotebookInitialized,
    "v1.NotebookTitleChanged" => NotebookTitleChanged,
    "v1.NotebookMetadataSet" => NotebookMetadataSet,
    "v1.CellCreated" => CellCreatedV1,
    "v2.CellCreated" => CellCreated,
    "v1.CellSourceChanged" => CellSourceChanged,
    "v1.CellTypeChanged" => CellTypeChanged,
    "v1.CellDeleted" => CellDeleted,
    "v1.CellMoved" => CellMovedV1,
    "v2.CellMoved" => CellMoved,
    "v1.CellSourceVisibilityToggled" => CellSourceVisibilityToggled,
    "v1.CellOutputVisibilityToggled" => CellOutputVisibilityToggled,
    "v1.CellAiContextVisibilityToggled" => CellAiContextVisibilityToggled,
    "v1.PresenceSet" => PresenceSet,
    "v1.RuntimeSessionStarted" => RuntimeSessionStarted,
    "v1.RuntimeSessionStatusChanged" => RuntimeSessionStatusChanged,
    "v1.RuntimeSessionTerminated" => RuntimeSessionTerminated,
    "v1.ExecutionRequested" => ExecutionRequested,
    "v1.ExecutionAssigned" => ExecutionAssigned,
    "v1.ExecutionStarted" => ExecutionStarted,
    "v1.ExecutionCompleted" => ExecutionCompleted,
    "v1.ExecutionCancelled" => ExecutionCancelled,
    "v1.MultimediaDisplayOutputAdded" => MultimediaDisplayOutputAdded,
    "v1.MultimediaDisplayOutputUpdated" => MultimediaDisplayOutputUpdated,
    "v1.MultimediaResultOutputAdded" => MultimediaResultOutputAdded,
    "v1.TerminalOutputAdded" => TerminalOutputAdded,
    "v1.TerminalOutputAppended" => TerminalOutputAppendedV1,
    "v2.TerminalOutputAppended" => TerminalOutputAppended,
    "v1.MarkdownOutputAdded" => MarkdownOutputAdded,
    "v1.MarkdownOutputAppended" => MarkdownOutputAppendedV1,
    "v2.MarkdownOutputAppended" => MarkdownOutputAppended,
    "v1.ErrorOutputAdded" => ErrorOutputAdded,
    "v1.CellOutputsCleared" => CellOutputsCleared,
    "v1.AiSettingsChanged" => AiSettingsChanged,
    "v1.SqlConnectionChanged" => SqlConnectionChanged,
    "v1.SqlResultVariableChanged" => SqlResultVariableChanged,
    "v1.ActorProfileSet" => ActorProfileSet,
    "v1.ToolApprovalRequested" => ToolApprovalRequested,
    "v1.ToolApprovalResponded" => ToolApprovalResponded,
    "v1.RuntimeSessionRenewal" => RuntimeSessionRenewal,
}

fn decode<T: DeserializeOwned>(event: &'static str, args: Value) -> Result<T, EventError> {
    serde_path_to_error::deserialize(args).map_err(|error| EventError::args(event, &error))
}

#[derive(Deserialize)]
struct Parts {
    name: String,
    args: Value,
}

impl Event {
    /// Reads one event; lone surrogates read as U+FFFD, see [`crate::json::from_str`].
    ///
    /// # Errors
    /// [`EventError::Shape`] when `text` is not `{ name, args }`, [`EventError::Args`] as [`Event::from_parts`].
    pub fn from_json(text: &str) -> Result<Self, EventError> {
        let parts: Parts =
            crate::json::from_str(text).map_err(|error| EventError::Shape { detail: error.to_string() })?;
        Self::from_parts(&parts.name, parts.args)
    }

    /// The queue entry that the event is about.
    #[must_use]
    pub fn queue_id(&self) -> Option<&QueueId> {
        match self {
            Self::ExecutionRequested(args) => Some(&args.queue_id),
            Self::ExecutionAssigned(args) => Some(&args.queue_id),
            Self::ExecutionStarted(args) => Some(&args.queue_id),
            Self::ExecutionCompleted(args) => Some(&args.queue_id),
            Self::ExecutionCancelled(args) => Some(&args.queue_id),
            _ => None,
        }
    }

    /// The cell that the event is about. None for events that name their cell only through an output or a queue entry.
    #[must_use]
    pub fn cell_id(&self) -> Option<&CellId> {
        self.own_cell_id().or_else(|| self.cell_id_of_work())
    }

    /// True for what adds to the outputs that a cell shows, and for what clears them.
    #[must_use]
    pub fn is_output(&self) -> bool {
        matches!(
            self,
            Self::MultimediaDisplayOutputAdded(_)
                | Self::MultimediaResultOutputAdded(_)
                | Self::TerminalOutputAdded(_)
                | Self::MarkdownOutputAdded(_)
                | Self::ErrorOutputAdded(_)
                | Self::CellOutputsCleared(_)
        )
    }

    fn own_cell_id(&self) -> Option<&CellId> {
        Some(match self {
            Self::CellCreatedV1(args) => &args.id,
            Self::CellCreated(args) => &args.id,
            Self::CellSourceChanged(args) => &args.id,
            Self::CellTypeChanged(args) => &args.id,
            Self::CellDeleted(args) => &args.id,
            Self::CellMovedV1(args) => &args.id,
            Self::CellMoved(args) => &args.id,
            Self::CellSourceVisibilityToggled(args) => &args.id,
            Self::CellOutputVisibilityToggled(args) => &args.id,
            Self::CellAiContextVisibilityToggled(args) => &args.id,
            Self::AiSettingsChanged(args) => &args.cell_id,
            Self::SqlConnectionChanged(args) => &args.cell_id,
            Self::SqlResultVariableChanged(args) => &args.cell_id,
            _ => return None,
        })
    }

    fn cell_id_of_work(&self) -> Option<&CellId> {
        Some(match self {
            Self::PresenceSet(args) => return args.cell_id.as_ref(),
            Self::ExecutionRequested(args) => &args.cell_id,
            Self::ExecutionStarted(args) => &args.cell_id,
            Self::ExecutionCompleted(args) => &args.cell_id,
            Self::ExecutionCancelled(args) => &args.cell_id,
            Self::MultimediaDisplayOutputAdded(args) => &args.cell_id,
            Self::MultimediaResultOutputAdded(args) => &args.cell_id,
            Self::TerminalOutputAdded(args) => &args.cell_id,
            Self::MarkdownOutputAdded(args) => &args.cell_id,
            Self::ErrorOutputAdded(args) => &args.cell_id,
            Self::CellOutputsCleared(args) => &args.cell_id,
            Self::ToolApprovalRequested(args) => &args.cell_id,
            _ => return None,
        })
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Event", 2)?;
        out.serialize_field("name", self.name())?;
        self.write_args(&mut out)?;
        out.end()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        Self::from_parts(&parts.name, parts.args).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
