//! Observations: all that a candidate is run on and compared with. Whoever has one can repeat the comparison, anywhere.

use registry::{Event, Now, QueueEntry, SessionIdentity};
use serde::{Deserialize, Serialize};

use super::notes::weight;
use crate::{Path, Why};

/// The runtime type that both paths execute.
pub(crate) const TYPE_OF_PATHS: &str = "html";

/// Executions that one observation holds before it is compared although more is waiting. As many as one commit of the
/// registry holds: the candidate then sees the queue in portions of the same size.
pub const MAX_EXECUTIONS: usize = 20;

/// What the serving path did in one stretch of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The path that served: the control. The candidate is the other one.
    pub serving: Path,
    /// Whether that path served, or an agent elsewhere did in its place.
    #[serde(default, skip_serializing_if = "Control::is_path")]
    pub control: Control,
    /// The session; the candidate runs under the same ids.
    pub identity: SessionIdentity,
    /// When the first execution was taken.
    pub began: Now,
    /// Whether the store had refused a commit of this session: the old path claims nothing more after that.
    pub saw_refusal: bool,
    /// The executions, in the order in which the serving path took them.
    pub executions: Vec<ObservedExecution>,
}

/// Who the control is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "is")]
pub enum Control {
    /// The path that serves: its core can be run again on the facts.
    #[default]
    Path,
    /// An agent elsewhere, which cannot be run again: what its handlers did is read from its events and fed to the registry.
    External {
        /// What its session executes.
        runtime_type: String,
    },
}

impl Control {
    fn is_path(&self) -> bool {
        *self == Self::Path
    }
}

/// One execution: the facts that the host made, and what the serving path made of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedExecution {
    /// The entry as it was requested: pending, or assigned to the session by somebody else.
    pub entry: QueueEntry,
    /// Its place among the requests of the session.
    pub rank: u64,
    /// The cell's source when the serving path took the entry.
    pub source: Source,
    /// Commits that the store refused.
    pub refused: Vec<RefusedEvent>,
    /// What the serving path committed, in order.
    pub events: Vec<Event>,
    /// Why these are not all, or not all of them its own, where whoever followed it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear: Option<Why>,
}

/// The source of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is", content = "text")]
pub enum Source {
    /// It was never read: the execution was not begun.
    Unread,
    /// The cell did not exist.
    Missing,
    /// The text.
    Text(String),
    /// It, or what came of it, was more than is kept: the execution is compared with nothing.
    Truncated,
}

impl Source {
    /// The bytes of the text.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Unread | Self::Missing | Self::Truncated => 0,
        }
    }
}

/// An event that the store refused to take. It is taken to be refused for good: the candidate's are refused likewise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedEvent {
    /// The event's name.
    pub event: String,
    /// The store's message.
    pub message: String,
}

/// What an execution holds besides its source and its events, roughly.
const EXECUTION_BYTES: usize = 1024;

impl Observation {
    /// Whether an agent elsewhere served.
    pub fn is_external(&self) -> bool {
        !self.control.is_path()
    }

    /// What the session executes.
    pub fn runtime_type(&self) -> &str {
        match &self.control {
            Control::Path => TYPE_OF_PATHS,
            Control::External { runtime_type } => runtime_type,
        }
    }

    /// The bytes that it holds, roughly.
    pub fn weight(&self) -> usize {
        let of_execution = |execution: &ObservedExecution| {
            EXECUTION_BYTES + execution.source.bytes() + execution.events.iter().map(weight).sum::<usize>()
        };
        self.executions.iter().map(of_execution).sum()
    }

    /// How long the serving path took for it, by what it has written into the log, in milliseconds; 0 where it says nothing.
    pub fn control_ms(&self) -> u64 {
        let events = self.executions.iter().flat_map(|execution| &execution.events);
        let durations = events.filter_map(|event| match event {
            Event::ExecutionCompleted(completed) => completed.execution_duration_ms.as_f64(),
            _ => None,
        });
        // Casting saturates, and turns NaN into 0.
        durations.sum::<f64>() as u64
    }
}

impl ObservedExecution {
    pub(super) fn new(entry: QueueEntry, rank: u64) -> Self {
        Self { entry, rank, source: Source::Unread, refused: Vec::new(), events: Vec::new(), unclear: None }
    }

    /// The message with which the store refused this event, if it did.
    pub(crate) fn refusal(&self, event: &str) -> Option<&str> {
        self.refused.iter().find(|refusal| refusal.event == event).map(|refusal| refusal.message.as_str())
    }
}
