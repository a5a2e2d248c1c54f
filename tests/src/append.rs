//! What the program `append` writes until it is killed, so that a test knows what must be in the file.

use bridge_host::store::Seq;
use registry::{Event, EventError, Timestamp};
use serde_json::{Value, json};

/// The events of each batch: one cell, from its creation to the end of its execution.
pub const EVENTS: usize = 7;

/// When every batch is appended.
pub fn at() -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000)
}

/// The batch that begins at a place in the log.
///
/// # Errors
/// When the events are not of the schema.
pub fn batch(first: Seq) -> Result<Vec<Event>, EventError> {
    let (cell, entry, session) = (format!("c{first}"), format!("q{first}"), "html-1");
    let parts: [(&str, Value); EVENTS] = [
        ("v2.CellCreated", json!({ "id": cell, "fractionalIndex": "a0", "cellType": "code", "createdBy": "user" })),
        ("v1.CellSourceChanged", json!({ "id": cell, "source": "<b>hi</b>".repeat(40), "modifiedBy": "user" })),
        (
            "v1.ExecutionRequested",
            json!({ "queueId": entry, "cellId": cell, "executionCount": 1, "requestedBy": "user" }),
        ),
        ("v1.ExecutionAssigned", json!({ "queueId": entry, "runtimeSessionId": session })),
        (
            "v1.ExecutionStarted",
            json!({ "queueId": entry, "cellId": cell, "runtimeSessionId": session, "startedAt": at() }),
        ),
        (
            "v1.MultimediaResultOutputAdded",
            json!({ "id": format!("o{first}"), "cellId": cell, "position": 0, "executionCount": 1,
                "representations": { "text/html": { "type": "inline", "data": "<b>hi</b>" } } }),
        ),
        (
            "v1.ExecutionCompleted",
            json!({ "queueId": entry, "cellId": cell, "status": "success", "completedAt": at(),
                "executionDurationMs": 3 }),
        ),
    ];
    parts.into_iter().map(|(name, args)| Event::from_parts(name, args)).collect()
}
