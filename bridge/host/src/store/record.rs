//! How an event is written, and what is read back: the same for every store, so that none can tell them apart.

use registry::{Event, EventError};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::StoreError;

/// An event ready to be written.
#[derive(Debug)]
pub(super) struct Written {
    /// The event as it will be read back.
    pub(super) event: Event,
    /// Its arguments as JSON.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory keeps the event itself"))]
    pub(super) args: String,
}

/// The part of an event's JSON that a row holds beside its name.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    args: &'a RawValue,
}

/// Makes a batch ready. Each event is read back from its JSON first: what could not be read is never written, or it would
/// close the log for good.
pub(super) fn encode(events: &[Event]) -> Result<Vec<Written>, StoreError> {
    let written = |(index, event)| encode_one(event).map_err(|source| StoreError::Unwritable { index, source });
    events.iter().enumerate().map(written).collect()
}

fn encode_one(event: &Event) -> Result<Written, EventError> {
    let text = serde_json::to_string(event).map_err(|error| shape(&error))?;
    let Parts { args } = serde_json::from_str(&text).map_err(|error| shape(&error))?;
    Ok(Written { event: decode(event.name(), args.get())?, args: args.get().to_owned() })
}

/// Reads an event from its name and the JSON of its arguments.
pub(crate) fn decode(name: &str, args: &str) -> Result<Event, EventError> {
    let args: Value = registry::json::from_str(args).map_err(|error| shape(&error))?;
    Event::from_parts(name, args)
}

fn shape(error: &serde_json::Error) -> EventError {
    EventError::Shape { detail: error.to_string() }
}
