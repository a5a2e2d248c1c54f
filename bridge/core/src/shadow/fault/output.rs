//! Faults of what an execution shows.

use registry::{CellOutputsCleared, Container, Event, MultimediaResultOutputAdded, Representations};
use serde_json::{Map, Value};

use super::Fault;

pub(super) fn spoil(fault: Fault, events: Vec<Event>) -> Vec<Event> {
    match fault {
        Fault::SwappedOutputs => exchanged(events, |at, count| (at + 1) % count),
        Fault::StaleOutput => exchanged(events, |at, _| at.saturating_sub(1)),
        _ => events
            .into_iter()
            .flat_map(|event| match event {
                Event::MultimediaResultOutputAdded(output) => one(fault, output),
                other => vec![other],
            })
            .collect(),
    }
}

fn one(fault: Fault, mut output: MultimediaResultOutputAdded) -> Vec<Event> {
    match fault {
        Fault::DroppedOutput => return Vec::new(),
        Fault::DoubledOutput => {
            let mut again = output.clone();
            again.id = format!("{}-again", output.id).into();
            return vec![output.into(), again.into()];
        }
        Fault::ClearedOutput => {
            let (cell_id, cleared_by) = (output.cell_id.clone(), "nobody".into());
            return vec![output.into(), CellOutputsCleared { cell_id, wait: false, cleared_by }.into()];
        }
        Fault::WrongExecutionCount => output.execution_count += 1,
        Fault::WrongCell => output.cell_id = format!("not-{}", output.cell_id).into(),
        Fault::ChangedMime => {
            let renamed = output.representations.drain(..).map(|(mime, container)| (format!("x-{mime}"), container));
            output.representations = renamed.collect();
        }
        Fault::AddedMetadata => output.representations.values_mut().for_each(add_metadata),
        _ => {}
    }
    vec![output.into()]
}

fn add_metadata(container: &mut Container) {
    let (Container::Inline { metadata, .. } | Container::Artifact { metadata, .. }) = container;
    metadata.get_or_insert_with(Map::new).insert("isSpoiled".to_owned(), Value::Bool(true));
}

/// Gives each output what another one holds; `from` says which, by place and number of outputs.
fn exchanged(mut events: Vec<Event>, from: impl Fn(usize, usize) -> usize) -> Vec<Event> {
    let held: Vec<Representations> = events.iter_mut().filter_map(representations).map(|held| held.clone()).collect();
    for (at, representations) in events.iter_mut().filter_map(representations).enumerate() {
        representations.clone_from(&held[from(at, held.len())]);
    }
    events
}

fn representations(event: &mut Event) -> Option<&mut Representations> {
    match event {
        Event::MultimediaResultOutputAdded(output) => Some(&mut output.representations),
        _ => None,
    }
}
