//! Outputs as the registry writes them.

use crate::{
    CellId, CellOutputsCleared, Container, Event, IdSource, MultimediaResultOutputAdded, OutputId, Representations,
    RuntimeId, UserId,
};

/// The result of an execution: one output with a representation per MIME type.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    representations: Representations,
}

impl Output {
    /// An html cell shows its source as it is.
    pub fn html(source: &str) -> Self {
        Self { representations: [("text/html".to_owned(), Container::inline(source))].into_iter().collect() }
    }

    /// The events that show this output in place of what the cell showed before.
    pub fn events(
        self,
        cell_id: &CellId,
        execution_count: i64,
        runtime_id: &RuntimeId,
        ids: &mut IdSource,
    ) -> [Event; 2] {
        let cleared = CellOutputsCleared {
            cell_id: cell_id.clone(),
            wait: false,
            cleared_by: UserId::from(format!("runtime-{runtime_id}")),
        };
        let added = MultimediaResultOutputAdded {
            id: OutputId::from(ids.nanoid()),
            cell_id: cell_id.clone(),
            position: 0.into(),
            representations: self.representations,
            execution_count,
        };
        [Event::CellOutputsCleared(cleared), Event::MultimediaResultOutputAdded(added)]
    }
}
