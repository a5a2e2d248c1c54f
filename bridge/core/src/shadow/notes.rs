//! What the shadow keeps of a commit of the serving path: no more than there is room for. What there is no room for is not even
//! copied, and its execution is compared with nothing.

use registry::{CellId, Container, Event, ExecutionCompleted, OutputId};
use serde_json::Value;

use super::candidate::json_bytes;

/// What an event holds besides the texts in it, roughly.
const EVENT_BYTES: usize = 256;

/// A commit as the shadow keeps it.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    pub(super) events: Vec<Event>,
    /// The cells of which there was more than is kept.
    pub(super) too_much: Vec<CellId>,
}

impl Notes {
    /// True where nothing was committed that anybody follows.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.too_much.is_empty()
    }

    /// Takes down as much of these events as there is room for; `cell_of` knows the cells of outputs taken down before. How an
    /// execution stands is always kept.
    pub(super) fn of(events: &[Event], room: usize, cell_of: impl Fn(&OutputId) -> Option<CellId>) -> Self {
        let mut notes = Self::default();
        let mut left = room;
        for event in events {
            let bytes = weight(event);
            if bytes <= left {
                left -= bytes;
                notes.events.push(event.clone());
                continue;
            }
            notes.events.extend(without_texts(event));
            let cell = match appended_to(event) {
                Some(output) => cell_of(output).or_else(|| cell_of_new(output, events)),
                None => event.cell_id().cloned(),
            };
            notes.too_much.extend(cell);
        }
        notes
    }
}

/// The standing that an event gives its execution, where it does.
fn without_texts(event: &Event) -> Option<Event> {
    event.queue_id()?;
    Some(match event {
        Event::ExecutionCompleted(completed) => {
            let ExecutionCompleted { queue_id, cell_id, status, completed_at, execution_duration_ms, .. } = completed;
            let (queue_id, cell_id) = (queue_id.clone(), cell_id.clone());
            let (status, completed_at) = (*status, *completed_at);
            let execution_duration_ms = execution_duration_ms.clone();
            ExecutionCompleted { queue_id, cell_id, status, error: None, completed_at, execution_duration_ms }.into()
        }
        other => other.clone(),
    })
}

fn cell_of_new(output: &OutputId, events: &[Event]) -> Option<CellId> {
    events.iter().find(|event| added(event) == Some(output)).and_then(Event::cell_id).cloned()
}

/// The output that an event adds and that others may append to.
pub(super) fn added(event: &Event) -> Option<&OutputId> {
    match event {
        Event::TerminalOutputAdded(e) => Some(&e.id),
        Event::MarkdownOutputAdded(e) => Some(&e.id),
        _ => None,
    }
}

/// The output that an event appends to; it names nothing else.
pub(super) fn appended_to(event: &Event) -> Option<&OutputId> {
    Some(match event {
        Event::TerminalOutputAppended(e) => &e.output_id,
        Event::TerminalOutputAppendedV1(e) => &e.output_id,
        Event::MarkdownOutputAppended(e) => &e.output_id,
        Event::MarkdownOutputAppendedV1(e) => &e.output_id,
        _ => return None,
    })
}

/// The bytes that an event holds, roughly.
pub(super) fn weight(event: &Event) -> usize {
    let texts = match event {
        Event::MultimediaDisplayOutputAdded(e) => e.representations.values().map(of_container).sum(),
        Event::MultimediaResultOutputAdded(e) => e.representations.values().map(of_container).sum(),
        Event::MultimediaDisplayOutputUpdated(e) => e.representations.values().map(of_container).sum(),
        Event::TerminalOutputAdded(e) => of_container(&e.content),
        Event::TerminalOutputAppendedV1(e) => of_container(&e.content),
        Event::TerminalOutputAppended(e) => e.delta.len(),
        Event::MarkdownOutputAdded(e) => of_container(&e.content),
        Event::MarkdownOutputAppendedV1(e) => of_container(&e.content),
        Event::MarkdownOutputAppended(e) => e.delta.len(),
        Event::ErrorOutputAdded(e) => of_container(&e.content),
        Event::ExecutionCompleted(e) => e.error.as_ref().map_or(0, String::len),
        _ => 0,
    };
    EVENT_BYTES + texts
}

fn of_container(container: &Container) -> usize {
    let of_value = |value: &Value| match value {
        Value::String(text) => text.len(),
        other => json_bytes(other),
    };
    let metadata = container.metadata().map_or(0, json_bytes);
    metadata + container.data().map_or(0, of_value)
}
