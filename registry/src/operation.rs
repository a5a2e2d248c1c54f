//! What a handler does while it runs a cell, and how the registry takes that down.
//!
//! A handler shows, changes and clears; it knows no event, no position and no id of an output. [`Ingest`] turns its operations
//! into events in the order in which they come, as the TypeScript `RuntimeAgent` does: recorded traces `agent__*`.

use serde_json::Number;

use crate::{
    CellId, CellOutputsCleared, Container, DisplayId, ErrorOutputAdded, Event, IdSource, MarkdownOutputAdded,
    MarkdownOutputAppended, MultimediaDisplayOutputAdded, MultimediaDisplayOutputUpdated, MultimediaResultOutputAdded,
    OutputId, Representations, RuntimeId, StreamName, TerminalOutputAdded, TerminalOutputAppended, UserId,
};

/// One thing that a handler does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Writes to a stream. An empty text shows nothing.
    Terminal {
        /// The stream.
        stream: StreamName,
        /// The text.
        content: Container,
    },
    /// Shows something while it runs.
    Display {
        /// The output in each of its MIME types.
        representations: Representations,
        /// A name for later updates.
        display_id: Option<DisplayId>,
    },
    /// Replaces what every display of this name shows, in any cell.
    UpdateDisplay {
        /// The name.
        display_id: DisplayId,
        /// The output in each of its MIME types.
        representations: Representations,
    },
    /// Shows the value of the cell.
    Result {
        /// The value in each of its MIME types.
        representations: Representations,
    },
    /// Shows an error, which does not end the execution.
    Error {
        /// Usually `{ ename, evalue, traceback }`.
        content: Container,
    },
    /// Shows prose.
    Markdown {
        /// The text.
        content: Container,
    },
    /// Takes away what the cell shows.
    Clear {
        /// Only once the next output arrives.
        wait: bool,
    },
    /// Appends to the text of a terminal output.
    AppendTerminal(Delta),
    /// Appends to prose.
    AppendMarkdown(Delta),
}

/// A text that is appended to an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// The output.
    pub output: Appended,
    /// The text.
    pub text: String,
    /// Order among the deltas of the output.
    pub sequence_number: i64,
}

/// Which output is appended to.
#[derive(Clone, Debug, PartialEq)]
pub enum Appended {
    /// The output that this execution has added as its `n`-th, from 0. What has been cleared since is counted, what showed
    /// nothing is not.
    Own(usize),
    /// The output of this id, of whichever execution.
    Other(OutputId),
}

impl Operation {
    /// Writes a text to a stream.
    pub fn write(stream: StreamName, text: &str) -> Self {
        Self::Terminal { stream, content: Container::inline(text) }
    }

    /// An html cell shows its source as it is.
    pub fn html(source: &str) -> Self {
        Self::Result { representations: [("text/html".to_owned(), Container::inline(source))].into_iter().collect() }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Terminal { content: Container::Inline { data, .. }, .. } if data.as_str() == Some(""))
    }
}

/// All that a handler did in one execution.
#[derive(Clone, Debug, PartialEq)]
pub struct HandlerTrace {
    /// In order.
    pub operations: Vec<Operation>,
    /// How it came to an end.
    pub outcome: Outcome,
}

/// How a handler came to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// With an error, which it may have named.
    Error(Option<String>),
    /// It stopped because its execution was cancelled. Who cancelled it has committed its end.
    Cancelled,
}

/// Turns the operations of one execution into events.
#[derive(Clone, Debug)]
pub struct Ingest {
    cell_id: CellId,
    execution_count: i64,
    cleared_by: UserId,
    next_position: u64,
    added: Vec<OutputId>,
}

impl Ingest {
    /// The ingest of an execution that has shown nothing yet.
    pub fn new(cell_id: CellId, execution_count: i64, runtime_id: &RuntimeId) -> Self {
        let cleared_by = UserId::from(format!("runtime-{runtime_id}"));
        Self { cell_id, execution_count, cleared_by, next_position: 0, added: Vec::new() }
    }

    /// What the cell showed before goes, before the handler is entered.
    pub fn begin(&mut self) -> Event {
        self.clear(false)
    }

    /// The event of an operation; none for one that shows nothing.
    pub fn take(&mut self, operation: Operation, ids: &mut IdSource) -> Option<Event> {
        if operation.is_empty() {
            return None;
        }
        Some(match operation {
            Operation::Terminal { stream: stream_name, content } => {
                let Place { id, cell_id, position } = self.next_place(ids);
                TerminalOutputAdded { id, cell_id, position, content, stream_name }.into()
            }
            Operation::Display { representations, display_id } => {
                let Place { id, cell_id, position } = self.next_place(ids);
                MultimediaDisplayOutputAdded { id, cell_id, position, representations, display_id }.into()
            }
            Operation::Result { representations } => {
                let Place { id, cell_id, position } = self.next_place(ids);
                let execution_count = self.execution_count;
                MultimediaResultOutputAdded { id, cell_id, position, representations, execution_count }.into()
            }
            Operation::Error { content } => {
                let Place { id, cell_id, position } = self.next_place(ids);
                ErrorOutputAdded { id, cell_id, position, content }.into()
            }
            Operation::Markdown { content } => {
                let Place { id, cell_id, position } = self.next_place(ids);
                MarkdownOutputAdded { id, cell_id, position, content }.into()
            }
            Operation::UpdateDisplay { display_id, representations } => {
                MultimediaDisplayOutputUpdated { display_id, representations }.into()
            }
            Operation::Clear { wait } => self.clear(wait),
            Operation::AppendTerminal(Delta { output, text: delta, sequence_number }) => {
                let output_id = self.id_of(output)?;
                TerminalOutputAppended { id: ids.nanoid().into(), output_id, delta, sequence_number }.into()
            }
            Operation::AppendMarkdown(Delta { output, text: delta, sequence_number }) => {
                let output_id = self.id_of(output)?;
                MarkdownOutputAppended { id: ids.nanoid().into(), output_id, delta, sequence_number }.into()
            }
        })
    }

    /// Positions begin anew with what is cleared at once; what is cleared later still holds its own.
    fn clear(&mut self, wait: bool) -> Event {
        if !wait {
            self.next_position = 0;
        }
        CellOutputsCleared { cell_id: self.cell_id.clone(), wait, cleared_by: self.cleared_by.clone() }.into()
    }

    fn next_place(&mut self, ids: &mut IdSource) -> Place {
        let id = OutputId::from(ids.nanoid());
        self.added.push(id.clone());
        let position = self.next_position.into();
        self.next_position += 1;
        Place { id, cell_id: self.cell_id.clone(), position }
    }

    fn id_of(&self, output: Appended) -> Option<OutputId> {
        match output {
            Appended::Own(nth) => self.added.get(nth).cloned(),
            Appended::Other(id) => Some(id),
        }
    }
}

/// Where an output goes.
struct Place {
    id: OutputId,
    cell_id: CellId,
    position: Number,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operations: &[Operation], expect: &[&str]) {
        let mut ids = IdSource::new([1; 32]);
        let mut ingest = Ingest::new(CellId::from("c"), 3, &RuntimeId::from("r"));
        let mut events = vec![ingest.begin()];
        events.extend(operations.iter().filter_map(|operation| ingest.take(operation.clone(), &mut ids)));
        let position = |event: &Event| serde_json::to_value(event).unwrap()["args"]["position"].to_string();
        let names = events.iter().map(|event| match position(event).as_str() {
            "null" => event.name().to_owned(),
            position => format!("{} {position}", event.name()),
        });
        assert_eq!(names.collect::<Vec<_>>(), expect);
    }

    fn out(text: &str) -> Operation {
        Operation::write(StreamName::Stdout, text)
    }

    fn append(output: Appended) -> Operation {
        Operation::AppendTerminal(Delta { output, text: "more".to_owned(), sequence_number: 0 })
    }

    #[test]
    fn outputs_are_numbered_from_nought_and_anew_behind_what_is_cleared_at_once() {
        let clear = |wait| Operation::Clear { wait };
        check(
            &[out("a"), out(""), Operation::html("b"), clear(true), out("c"), clear(false), out("d")],
            &[
                "v1.CellOutputsCleared",
                "v1.TerminalOutputAdded 0",
                "v1.MultimediaResultOutputAdded 1",
                "v1.CellOutputsCleared",
                "v1.TerminalOutputAdded 2",
                "v1.CellOutputsCleared",
                "v1.TerminalOutputAdded 0",
            ],
        );
    }

    #[test]
    fn an_output_that_was_never_added_cannot_be_appended_to_by_its_number() {
        let appended = "v2.TerminalOutputAppended";
        check(&[append(Appended::Own(0))], &["v1.CellOutputsCleared"]);
        check(
            &[out(""), out("a"), append(Appended::Own(0)), append(Appended::Other("x".into()))],
            &["v1.CellOutputsCleared", "v1.TerminalOutputAdded 0", appended, appended],
        );
    }
}
