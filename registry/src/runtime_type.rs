//! Runtime types: configuration and a handler, never a subclass.

use serde::{Deserialize, Serialize};

use crate::Capabilities;

/// A kind of runtime that a notebook can be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeType {
    /// The type's name in the event log, `html` for instance.
    #[serde(rename = "type")]
    pub name: String,
    /// The name shown to people.
    pub display_name: String,
    /// One sentence for people.
    pub description: String,
    /// An emoji or the name of an icon.
    pub icon: String,
    /// What its sessions announce.
    pub capabilities: Capabilities,
    /// Higher comes first in lists.
    pub priority: i32,
    /// Whether it can be started here.
    pub is_available: bool,
    /// What executes its cells; a type without a handler is known and cannot be started.
    #[serde(skip)]
    pub handler: Option<Handler>,
    /// Whether its handler does more than show the same again when a cell is run twice. Such an execution is noted on the disk
    /// before it is entered, where the store does not see to that by itself.
    #[serde(skip)]
    pub has_side_effects: bool,
}

/// What executes the cells of a runtime type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Shows the cell's source as html, within the step that claims it.
    Html,
}

impl RuntimeType {
    /// The html type.
    pub fn html() -> Self {
        Self {
            name: "html".to_owned(),
            display_name: "HTML".to_owned(),
            description: "Shows html cells as they are".to_owned(),
            icon: "🌐".to_owned(),
            capabilities: Capabilities { can_execute_code: true, ..Capabilities::default() },
            priority: 100,
            is_available: true,
            handler: Some(Handler::Html),
            has_side_effects: false,
        }
    }
}
