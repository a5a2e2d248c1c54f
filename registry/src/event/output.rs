//! Arguments of the events about outputs, and the containers that hold them.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::kind::StreamName;
use crate::id::{CellId, DisplayId, OutputId, UserId};

/// An output in each of its MIME types, in the order given.
pub type Representations = IndexMap<String, Container>;

/// Free-form facts about a container, such as the size of an image. An empty map is not the same as none.
pub type Metadata = Map<String, Value>;

/// Where the content of a representation is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Container {
    /// In the event itself.
    Inline {
        /// A text, or any JSON for a JSON MIME type.
        data: Value,
        /// Facts about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Metadata>,
    },
    /// In the artifact service.
    Artifact {
        /// What the service knows it by.
        artifact_id: String,
        /// Facts about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Metadata>,
    },
}

impl Container {
    /// Inline content without metadata.
    pub fn inline(data: impl Into<Value>) -> Self {
        Self::Inline { data: data.into(), metadata: None }
    }

    /// The inline data, unless it is in an artifact.
    #[must_use]
    pub fn data(&self) -> Option<&Value> {
        match self {
            Self::Inline { data, .. } => Some(data),
            Self::Artifact { .. } => None,
        }
    }

    /// The id of the artifact, unless the content is inline.
    #[must_use]
    pub fn artifact_id(&self) -> Option<&str> {
        match self {
            Self::Inline { .. } => None,
            Self::Artifact { artifact_id, .. } => Some(artifact_id),
        }
    }

    /// Facts about the content.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        match self {
            Self::Inline { metadata, .. } | Self::Artifact { metadata, .. } => metadata.as_ref(),
        }
    }
}

/// `v1.MultimediaDisplayOutputAdded`: what code shows while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultimediaDisplayOutputAdded {
    /// The new output; one that exists is replaced.
    pub id: OutputId,
    /// The cell.
    pub cell_id: CellId,
    /// Order among the outputs of the cell; outputs may share one.
    #[serde(deserialize_with = "crate::json::number")]
    pub position: Number,
    /// The output in each of its MIME types, in the order given.
    pub representations: Representations,
    /// Name for later updates; earlier displays of this name are updated at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_id: Option<DisplayId>,
}

/// `v1.MultimediaDisplayOutputUpdated`: replaces what every display of this name shows, in any cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultimediaDisplayOutputUpdated {
    /// The name.
    pub display_id: DisplayId,
    /// The output in each of its MIME types, in the order given.
    pub representations: Representations,
}

/// `v1.MultimediaResultOutputAdded`: the value of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultimediaResultOutputAdded {
    /// The new output; one that exists is replaced.
    pub id: OutputId,
    /// The cell.
    pub cell_id: CellId,
    /// Order among the outputs of the cell; outputs may share one.
    #[serde(deserialize_with = "crate::json::number")]
    pub position: Number,
    /// The output in each of its MIME types, in the order given.
    pub representations: Representations,
    /// The count shown beside the cell (1, 2, …).
    pub execution_count: i64,
}

/// `v1.TerminalOutputAdded`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalOutputAdded {
    /// The new output; one that exists is replaced.
    pub id: OutputId,
    /// The cell.
    pub cell_id: CellId,
    /// Order among the outputs of the cell; outputs may share one.
    #[serde(deserialize_with = "crate::json::number")]
    pub position: Number,
    /// The output itself.
    pub content: Container,
    /// The stream it was written to.
    pub stream_name: StreamName,
}

/// `v1.TerminalOutputAppended` (deprecated): joins text onto the data of the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalOutputAppendedV1 {
    /// The output that is appended to.
    pub output_id: OutputId,
    /// The output itself.
    pub content: Container,
}

/// `v2.TerminalOutputAppended`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalOutputAppended {
    /// The delta; must be new for ever.
    pub id: OutputId,
    /// The output that is appended to.
    pub output_id: OutputId,
    /// The text to append.
    pub delta: String,
    /// Order among the deltas of the output.
    pub sequence_number: i64,
}

/// `v1.MarkdownOutputAdded`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkdownOutputAdded {
    /// The new output; one that exists is replaced.
    pub id: OutputId,
    /// The cell.
    pub cell_id: CellId,
    /// Order among the outputs of the cell; outputs may share one.
    #[serde(deserialize_with = "crate::json::number")]
    pub position: Number,
    /// The output itself.
    pub content: Container,
}

/// `v1.MarkdownOutputAppended` (deprecated): joins text onto the data of the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkdownOutputAppendedV1 {
    /// The output that is appended to.
    pub output_id: OutputId,
    /// The output itself.
    pub content: Container,
}

/// `v2.MarkdownOutputAppended`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkdownOutputAppended {
    /// The delta; must be new for ever.
    pub id: OutputId,
    /// The output that is appended to.
    pub output_id: OutputId,
    /// The text to append.
    pub delta: String,
    /// Order among the deltas of the output.
    pub sequence_number: i64,
}

/// `v1.ErrorOutputAdded`: usually `{ ename, evalue, traceback }`; legacy writes a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorOutputAdded {
    /// The new output; one that exists is replaced.
    pub id: OutputId,
    /// The cell.
    pub cell_id: CellId,
    /// Order among the outputs of the cell; outputs may share one.
    #[serde(deserialize_with = "crate::json::number")]
    pub position: Number,
    /// The output itself.
    pub content: Container,
}

/// `v1.CellOutputsCleared`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellOutputsCleared {
    /// The cell.
    pub cell_id: CellId,
    /// Clear when the next output arrives instead of now.
    pub wait: bool,
    /// Who cleared it; agents say `runtime-<runtimeId>`.
    pub cleared_by: UserId,
}
