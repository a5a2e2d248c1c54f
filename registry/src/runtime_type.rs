//! Runtime types: configuration and a handler, never a subclass.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Capabilities, HandlerTrace, Operation, Outcome, QueueEntry, QueueId};

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
#[derive(Clone, Debug, PartialEq)]
pub enum Handler {
    /// Shows the cell's source as html, within the step that claims it.
    Html,
    /// Does again what was done elsewhere, within the step that claims it: no code runs.
    Traced(HandlerTraces),
}

/// What was done in each execution.
pub type HandlerTraces = Arc<BTreeMap<QueueId, HandlerTrace>>;

impl Handler {
    /// What it does in an execution; nothing where it has no trace of it.
    pub(crate) fn handle(&self, entry: &QueueEntry, source: &str) -> Option<HandlerTrace> {
        match self {
            Self::Html => Some(HandlerTrace { operations: vec![Operation::html(source)], outcome: Outcome::Success }),
            Self::Traced(traces) => traces.get(&entry.id).cloned(),
        }
    }
}

impl RuntimeType {
    /// A type whose handler does again what was done elsewhere.
    pub fn traced(name: &str, traces: HandlerTraces) -> Self {
        Self {
            name: name.to_owned(),
            display_name: name.to_owned(),
            description: "Does again what was done elsewhere".to_owned(),
            icon: String::new(),
            capabilities: Capabilities::default(),
            priority: 0,
            is_available: false,
            handler: Some(Handler::Traced(traces)),
            has_side_effects: false,
        }
    }

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
