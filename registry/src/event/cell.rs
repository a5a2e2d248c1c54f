//! Arguments of the events about the notebook, its cells and the people in it.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::kind::{ActorType, ApprovalStatus, CellType};
use crate::id::{CellId, NotebookId, Timestamp, ToolCallId, UserId};

/// `v1.NotebookInitialized` (deprecated): sets the metadata `title` and `ownerId`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotebookInitialized {
    /// The notebook.
    pub id: NotebookId,
    /// Its title.
    pub title: String,
    /// Who owns it.
    pub owner_id: UserId,
}

/// `v1.NotebookTitleChanged`: sets the metadata `title`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotebookTitleChanged {
    /// The new title.
    pub title: String,
}

/// `v1.NotebookMetadataSet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotebookMetadataSet {
    /// Its key.
    pub key: String,
    /// Its new value.
    pub value: String,
}

/// `v1.CellCreated`: the form before fractional indices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellCreatedV1 {
    /// The new cell; one that exists is left alone.
    pub id: CellId,
    /// The type of cell.
    pub cell_type: CellType,
    /// Place in the notebook, from 0.
    #[serde(deserialize_with = "crate::json::number")]
    pub position: Number,
    /// Who created it.
    pub created_by: UserId,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v2.CellCreated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellCreated {
    /// The new cell; one that exists is left alone.
    pub id: CellId,
    /// Place in the notebook: cells sort by this text.
    pub fractional_index: String,
    /// The type of cell.
    pub cell_type: CellType,
    /// Who created it.
    pub created_by: UserId,
}

/// `v1.CellSourceChanged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellSourceChanged {
    /// The cell.
    pub id: CellId,
    /// Its whole new source.
    pub source: String,
    /// Who edited it.
    pub modified_by: UserId,
}

/// `v1.CellTypeChanged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellTypeChanged {
    /// The cell.
    pub id: CellId,
    /// The type of cell.
    pub cell_type: CellType,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v1.CellDeleted`. Outputs and queue entries of the cell stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellDeleted {
    /// The cell.
    pub id: CellId,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v1.CellMoved`: the form before fractional indices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellMovedV1 {
    /// The cell.
    pub id: CellId,
    /// Place in the notebook, from 0.
    #[serde(deserialize_with = "crate::json::number")]
    pub new_position: Number,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v2.CellMoved`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellMoved {
    /// The cell.
    pub id: CellId,
    /// Place in the notebook: cells sort by this text.
    pub fractional_index: String,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v1.CellSourceVisibilityToggled`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellSourceVisibilityToggled {
    /// The cell.
    pub id: CellId,
    /// Whether the source shows from now on.
    pub source_visible: bool,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v1.CellOutputVisibilityToggled`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellOutputVisibilityToggled {
    /// The cell.
    pub id: CellId,
    /// Whether the outputs show from now on.
    pub output_visible: bool,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v1.CellAiContextVisibilityToggled`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellAiContextVisibilityToggled {
    /// The cell.
    pub id: CellId,
    /// Whether AI cells see it from now on.
    pub ai_context_visible: bool,
    /// Who really acted, where an agent acts for a user; wins over the other user of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// `v1.PresenceSet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenceSet {
    /// The user.
    pub user_id: UserId,
    /// Where the user is; absent for nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_id: Option<CellId>,
}

/// `v1.AiSettingsChanged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AiSettingsChanged {
    /// The cell.
    pub cell_id: CellId,
    /// `openai`, `local` and so on.
    pub provider: String,
    /// The name of the model at that provider.
    pub model: String,
    /// All settings; they replace the earlier ones.
    pub settings: AiSettings,
}

/// How an AI cell asks its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AiSettings {
    /// Randomness, usually from 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::json::optional_number")]
    pub temperature: Option<Number>,
    /// The most tokens of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::json::optional_number")]
    pub max_tokens: Option<Number>,
    /// What the model is told before the cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
}

/// `v1.SqlConnectionChanged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlConnectionChanged {
    /// The cell.
    pub cell_id: CellId,
    /// The connection; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// Who changed it; makes no presence row.
    pub changed_by: UserId,
}

/// `v1.SqlResultVariableChanged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlResultVariableChanged {
    /// The cell.
    pub cell_id: CellId,
    /// The variable that takes the result; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_variable: Option<String>,
    /// Who changed it; makes no presence row.
    pub changed_by: UserId,
}

/// `v1.ActorProfileSet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorProfileSet {
    /// Whose profile; one that exists is replaced.
    pub id: UserId,
    /// Person or agent.
    #[serde(rename = "type")]
    pub actor_type: ActorType,
    /// The name to show.
    pub display_name: String,
    /// URL of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
}

/// `v1.ToolApprovalRequested`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolApprovalRequested {
    /// The call that waits; one that exists is replaced.
    pub tool_call_id: ToolCallId,
    /// The cell whose execution made the call.
    pub cell_id: CellId,
    /// The tool.
    pub tool_name: String,
    /// What the tool would be called with; no table keeps it.
    pub arguments: Value,
    /// When the wait began.
    pub requested_at: Timestamp,
}

/// `v1.ToolApprovalResponded`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolApprovalResponded {
    /// The call that waited.
    pub tool_call_id: ToolCallId,
    /// The answer.
    pub status: ApprovalStatus,
    /// Who answered.
    pub approved_by: UserId,
    /// When.
    pub responded_at: Timestamp,
}
