//! How the events about outputs become rows.

use serde_json::Number;

use super::NotebookState;
use super::representation::{Primary, text};
use super::row::{OutputDeltaRow, OutputRow, PendingClearRow};
use crate::event::{
    CellOutputsCleared, Container, ErrorOutputAdded, Event, MarkdownOutputAdded, MultimediaDisplayOutputAdded,
    MultimediaResultOutputAdded, OutputType, Representations, TerminalOutputAdded,
};
use crate::id::{CellId, DisplayId, OutputId};
use crate::json::js_stringify;

impl NotebookState {
    pub(super) fn apply_to_outputs(&mut self, event: &Event) {
        match event {
            Event::MultimediaDisplayOutputAdded(args) => self.display_added(args),
            Event::MultimediaDisplayOutputUpdated(args) => {
                self.update_displays(&args.display_id, &args.representations);
            }
            Event::MultimediaResultOutputAdded(args) => self.add_output(result_row(args)),
            Event::TerminalOutputAdded(args) => self.add_output(terminal_row(args)),
            Event::MarkdownOutputAdded(args) => self.add_output(markdown_row(args)),
            Event::ErrorOutputAdded(args) => self.add_output(error_row(args)),
            Event::TerminalOutputAppendedV1(args) => self.append(&args.output_id, &args.content),
            Event::MarkdownOutputAppendedV1(args) => self.append(&args.output_id, &args.content),
            Event::TerminalOutputAppended(args) => {
                self.add_delta(&args.id, &args.output_id, &args.delta, args.sequence_number);
            }
            Event::MarkdownOutputAppended(args) => {
                self.add_delta(&args.id, &args.output_id, &args.delta, args.sequence_number);
            }
            Event::CellOutputsCleared(args) => self.outputs_cleared(args),
            _ => {}
        }
    }

    /// A pending clear of the cell comes first, so that it cannot take the new output along.
    fn add_output(&mut self, row: OutputRow) {
        self.honour_pending_clear(&row.cell_id);
        self.outputs.replace(row.id.clone(), row);
    }

    fn honour_pending_clear(&mut self, cell: &CellId) {
        if self.pending_clears.delete(cell) {
            self.clear_outputs(cell);
        }
    }

    fn clear_outputs(&mut self, cell: &CellId) {
        self.outputs.retain(|output| output.cell_id != *cell);
    }

    fn display_added(&mut self, args: &MultimediaDisplayOutputAdded) {
        self.honour_pending_clear(&args.cell_id);
        let row = display_row(args);
        if let Some(name) = &row.display_id {
            self.update_displays(name, &args.representations);
        }
        self.outputs.replace(row.id.clone(), row);
    }

    fn update_displays(&mut self, name: &DisplayId, representations: &Representations) {
        let Some(primary) = Primary::of_display(representations) else { return };
        self.outputs.update_all(|output| {
            if output.display_id.as_ref() == Some(name) {
                output.data = Some(primary.data.clone());
                output.mime_type = Some(primary.mime_type.clone());
                output.representations = Some(representations.clone());
            }
        });
    }

    /// The deprecated append: it changes the output itself, so an artifact appends nothing.
    fn append(&mut self, output: &OutputId, content: &Container) {
        let more = text(content).unwrap_or_default();
        self.outputs.update(output, |row| row.data.get_or_insert_default().push_str(&more));
    }

    /// A host's database refuses a second delta of one id and with it the whole commit; here the first one stays.
    fn add_delta(&mut self, id: &OutputId, output: &OutputId, delta: &str, sequence_number: i64) {
        let row =
            OutputDeltaRow { id: id.clone(), output_id: output.clone(), delta: delta.to_owned(), sequence_number };
        self.output_deltas.insert_new(id.clone(), row);
    }

    fn outputs_cleared(&mut self, args: &CellOutputsCleared) {
        let cell = &args.cell_id;
        if args.wait {
            let row = PendingClearRow { cell_id: cell.clone(), cleared_by: args.cleared_by.clone() };
            self.pending_clears.replace(cell.clone(), row);
        } else {
            self.clear_outputs(cell);
        }
    }
}

fn display_row(args: &MultimediaDisplayOutputAdded) -> OutputRow {
    let primary = Primary::of_display(&args.representations).unwrap_or_default();
    let mut row = blank(&args.id, &args.cell_id, OutputType::MultimediaDisplay, &args.position);
    row.display_id = args.display_id.clone().filter(|name| !name.as_str().is_empty());
    with_representations(row, primary, &args.representations)
}

fn result_row(args: &MultimediaResultOutputAdded) -> OutputRow {
    let primary = Primary::of_result(&args.representations).unwrap_or_default();
    let mut row = blank(&args.id, &args.cell_id, OutputType::MultimediaResult, &args.position);
    row.execution_count = Some(args.execution_count);
    with_representations(row, primary, &args.representations)
}

fn terminal_row(args: &TerminalOutputAdded) -> OutputRow {
    let mut row = blank(&args.id, &args.cell_id, OutputType::Terminal, &args.position);
    row.stream_name = Some(args.stream_name);
    with_content(row, "text/plain", text(&args.content), &args.content)
}

fn markdown_row(args: &MarkdownOutputAdded) -> OutputRow {
    let row = blank(&args.id, &args.cell_id, OutputType::Markdown, &args.position);
    with_content(row, "text/markdown", text(&args.content), &args.content)
}

fn error_row(args: &ErrorOutputAdded) -> OutputRow {
    let row = blank(&args.id, &args.cell_id, OutputType::Error, &args.position);
    with_content(row, "application/json", args.content.data().map(js_stringify), &args.content)
}

fn with_representations(row: OutputRow, primary: Primary, all: &Representations) -> OutputRow {
    OutputRow {
        data: Some(primary.data),
        mime_type: Some(primary.mime_type),
        representations: Some(all.clone()),
        ..row
    }
}

fn with_content(row: OutputRow, mime: &str, data: Option<String>, content: &Container) -> OutputRow {
    OutputRow {
        data,
        artifact_id: content.artifact_id().map(str::to_owned),
        mime_type: Some(mime.to_owned()),
        metadata: content.metadata().cloned(),
        ..row
    }
}

fn blank(id: &OutputId, cell: &CellId, output_type: OutputType, position: &Number) -> OutputRow {
    OutputRow {
        id: id.clone(),
        cell_id: cell.clone(),
        output_type,
        position: position.clone(),
        stream_name: None,
        execution_count: None,
        display_id: None,
        data: None,
        artifact_id: None,
        mime_type: None,
        metadata: None,
        representations: None,
    }
}
