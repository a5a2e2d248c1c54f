//! Faults of the texts that an execution shows.

use registry::{Container, Event};
use serde_json::Value;

use super::Fault;
use super::output::containers;

/// Where a buffer would end.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) fn spoil(fault: Fault, mut events: Vec<Event>) -> Vec<Event> {
    for container in events.iter_mut().flat_map(containers) {
        if let Container::Inline { data: Value::String(text), .. } = container {
            change(fault, text);
        }
    }
    events
}

fn change(fault: Fault, text: &mut String) {
    match fault {
        Fault::ChangedCharacter => {
            let last = text.pop();
            text.push(if last == Some('?') { '!' } else { '?' });
        }
        Fault::LostFirstCharacter => *text = text.chars().skip(1).collect(),
        Fault::TrimmedWhitespace => text.truncate(text.trim_end().len()),
        Fault::NormalisedNewline => *text = text.replace("\r\n", "\n"),
        Fault::DroppedBom => *text = text.trim_start_matches('\u{feff}').to_owned(),
        Fault::Lowercased => *text = text.to_lowercase(),
        Fault::Truncated => text.truncate(text.floor_char_boundary(BUFFER_BYTES)),
        Fault::EscapedTwice => *text = text.replace('&', "&amp;"),
        _ => {}
    }
}
