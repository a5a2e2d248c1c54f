//! Faults of what an execution shows.

use registry::{CellOutputsCleared, Container, Event};
use serde_json::{Map, Value};

use super::Fault;

pub(super) fn spoil(fault: Fault, events: Vec<Event>) -> Vec<Event> {
    match fault {
        Fault::SwappedOutputs => exchanged(events, |at, count| (at + 1) % count),
        Fault::StaleOutput => exchanged(events, |at, _| at.saturating_sub(1)),
        _ => events
            .into_iter()
            .flat_map(|event| if is_shown(&event) { one(fault, event) } else { vec![event] })
            .collect(),
    }
}

/// Whether an event adds an output.
pub(super) fn is_shown(event: &Event) -> bool {
    event.is_output() && !matches!(event, Event::CellOutputsCleared(_))
}

/// What an output holds.
pub(super) fn containers(event: &mut Event) -> Vec<&mut Container> {
    match event {
        Event::MultimediaResultOutputAdded(e) => e.representations.values_mut().collect(),
        Event::MultimediaDisplayOutputAdded(e) => e.representations.values_mut().collect(),
        Event::TerminalOutputAdded(e) => vec![&mut e.content],
        Event::MarkdownOutputAdded(e) => vec![&mut e.content],
        Event::ErrorOutputAdded(e) => vec![&mut e.content],
        _ => Vec::new(),
    }
}

fn one(fault: Fault, mut event: Event) -> Vec<Event> {
    match fault {
        Fault::DroppedOutput => return Vec::new(),
        Fault::DoubledOutput => {
            let again = edited(&event, |args| args["id"] = format!("{}-again", args["id"]).into());
            return vec![event, again];
        }
        Fault::ClearedOutput => {
            let Some(cell_id) = event.cell_id().cloned() else { return vec![event] };
            return vec![event, CellOutputsCleared { cell_id, wait: false, cleared_by: "nobody".into() }.into()];
        }
        Fault::WrongExecutionCount => {
            if let Event::MultimediaResultOutputAdded(output) = &mut event {
                output.execution_count += 1;
            }
        }
        Fault::WrongCell => move_away(&mut event),
        Fault::ChangedMime => rename_types(&mut event),
        Fault::AddedMetadata => containers(&mut event).into_iter().for_each(add_metadata),
        _ => {}
    }
    vec![event]
}

fn move_away(event: &mut Event) {
    let cell = match event {
        Event::MultimediaResultOutputAdded(e) => &mut e.cell_id,
        Event::MultimediaDisplayOutputAdded(e) => &mut e.cell_id,
        Event::TerminalOutputAdded(e) => &mut e.cell_id,
        Event::MarkdownOutputAdded(e) => &mut e.cell_id,
        Event::ErrorOutputAdded(e) => &mut e.cell_id,
        _ => return,
    };
    *cell = format!("not-{cell}").into();
}

fn rename_types(event: &mut Event) {
    let representations = match event {
        Event::MultimediaResultOutputAdded(e) => &mut e.representations,
        Event::MultimediaDisplayOutputAdded(e) => &mut e.representations,
        _ => return,
    };
    *representations = representations.drain(..).map(|(mime, container)| (format!("x-{mime}"), container)).collect();
}

fn add_metadata(container: &mut Container) {
    let (Container::Inline { metadata, .. } | Container::Artifact { metadata, .. }) = container;
    metadata.get_or_insert_with(Map::new).insert("isSpoiled".to_owned(), Value::Bool(true));
}

/// Puts what one output shows in the place of another; `from` says which, by place and number of outputs.
fn exchanged(mut events: Vec<Event>, from: impl Fn(usize, usize) -> usize) -> Vec<Event> {
    let held: Vec<Event> = events.iter().filter(|event| is_shown(event)).cloned().collect();
    for (at, event) in events.iter_mut().filter(|event| is_shown(event)).enumerate() {
        *event = placed(&held[from(at, held.len())], event);
    }
    events
}

/// What one output shows, where another one stands: its cell, its place, its id and its count stay with the place.
fn placed(shown: &Event, place: &Event) -> Event {
    let place = serde_json::to_value(place).unwrap_or_default();
    edited(shown, |args| {
        for field in ["id", "cellId", "position"] {
            args[field] = place["args"][field].clone();
        }
        if let (Some(own), count @ Value::Number(_)) =
            (args.get_mut("executionCount"), &place["args"]["executionCount"])
        {
            *own = count.clone();
        }
    })
}

fn edited(event: &Event, edit: impl FnOnce(&mut Value)) -> Event {
    let mut told = serde_json::to_value(event).unwrap_or_default();
    edit(&mut told["args"]);
    serde_json::from_value(told).unwrap_or_else(|_| event.clone())
}
