//! How the events about the notebook, its cells, its tools and the people in it become rows.

use serde_json::Number;

use super::NotebookState;
use super::row::{ActorRow, CellRow, MetadataRow, ToolApprovalRow};
use crate::event::{
    ActorProfileSet, ApprovalStatus, CellType, Event, ExecutionState, ToolApprovalRequested, ToolApprovalResponded,
};
use crate::id::{CellId, UserId};

impl NotebookState {
    pub(super) fn apply_to_cells(&mut self, event: &Event) {
        match event {
            Event::CellCreatedV1(args) => {
                let index = index_of_position(&args.position);
                self.create_cell(&args.id, args.cell_type, index, &args.created_by);
            }
            Event::CellCreated(args) => {
                let index = args.fractional_index.clone();
                self.create_cell(&args.id, args.cell_type, index, &args.created_by);
            }
            Event::CellDeleted(args) => {
                self.cells.delete(&args.id);
            }
            other => self.apply_to_one_cell(other),
        }
    }

    fn apply_to_one_cell(&mut self, event: &Event) {
        let Some(id) = event.cell_id() else { return };
        self.cells.update(id, |cell| change_cell(cell, event));
    }

    fn create_cell(&mut self, id: &CellId, cell_type: CellType, index: String, created_by: &UserId) {
        let row = CellRow {
            id: id.clone(),
            cell_type,
            source: String::new(),
            fractional_index: Some(index),
            execution_count: None,
            execution_state: ExecutionState::Idle,
            assigned_runtime_session: None,
            last_execution_duration_ms: None,
            sql_connection_id: None,
            sql_result_variable: None,
            ai_provider: None,
            ai_model: None,
            ai_settings: None,
            source_visible: true,
            output_visible: true,
            ai_context_visible: true,
            created_by: created_by.clone(),
        };
        self.cells.insert_new(id.clone(), row);
    }

    pub(super) fn apply_to_notebook(&mut self, event: &Event) {
        match event {
            Event::NotebookInitialized(args) => {
                self.set_metadata("title", &args.title);
                self.set_metadata("ownerId", args.owner_id.as_str());
            }
            Event::NotebookTitleChanged(args) => self.set_metadata("title", &args.title),
            Event::NotebookMetadataSet(args) => self.set_metadata(&args.key, &args.value),
            Event::ActorProfileSet(args) => self.actors.replace(args.id.clone(), actor_row(args)),
            Event::ToolApprovalRequested(args) => {
                let key = args.tool_call_id.clone();
                self.tool_approvals.replace(key, tool_approval_row(args));
            }
            Event::ToolApprovalResponded(args) => self.tool_approval_responded(args),
            _ => {}
        }
    }

    fn set_metadata(&mut self, key: &str, value: &str) {
        let row = MetadataRow { key: key.to_owned(), value: value.to_owned() };
        self.metadata.replace(key.to_owned(), row);
    }

    fn tool_approval_responded(&mut self, args: &ToolApprovalResponded) {
        self.tool_approvals.update(&args.tool_call_id, |row| {
            row.status = args.status;
            row.approved_by = Some(args.approved_by.clone());
            row.responded_at = Some(args.responded_at);
        });
    }
}

fn change_cell(cell: &mut CellRow, event: &Event) {
    match event {
        Event::CellSourceChanged(args) => cell.source.clone_from(&args.source),
        Event::CellTypeChanged(args) => cell.cell_type = args.cell_type,
        Event::CellMovedV1(args) => cell.fractional_index = Some(index_of_position(&args.new_position)),
        Event::CellMoved(args) => cell.fractional_index = Some(args.fractional_index.clone()),
        Event::CellSourceVisibilityToggled(args) => cell.source_visible = args.source_visible,
        Event::CellOutputVisibilityToggled(args) => cell.output_visible = args.output_visible,
        Event::CellAiContextVisibilityToggled(args) => cell.ai_context_visible = args.ai_context_visible,
        Event::AiSettingsChanged(args) => {
            cell.ai_provider = Some(args.provider.clone());
            cell.ai_model = Some(args.model.clone());
            cell.ai_settings = Some(args.settings.clone());
        }
        Event::SqlConnectionChanged(args) => cell.sql_connection_id.clone_from(&args.connection_id),
        Event::SqlResultVariableChanged(args) => cell.sql_result_variable.clone_from(&args.result_variable),
        _ => {}
    }
}

fn actor_row(args: &ActorProfileSet) -> ActorRow {
    ActorRow {
        id: args.id.clone(),
        actor_type: args.actor_type,
        display_name: args.display_name.clone(),
        avatar: args.avatar.clone(),
    }
}

fn tool_approval_row(args: &ToolApprovalRequested) -> ToolApprovalRow {
    ToolApprovalRow {
        tool_call_id: args.tool_call_id.clone(),
        cell_id: args.cell_id.clone(),
        tool_name: args.tool_name.clone(),
        status: ApprovalStatus::Pending,
        approved_by: None,
        requested_at: args.requested_at,
        responded_at: None,
    }
}

/// The fractional index that stands for a position of the deprecated events: `a` and the position, rounded down, in base
/// 36. The tables have no column for positions; hosts convert them so (position 0 is `a0`, position 10 is `aa`), which
/// keeps the order up to 35. Fractions of a position are lost.
fn index_of_position(position: &Number) -> String {
    let floor = position.as_f64().unwrap_or(0.0).floor();
    let sign = if floor < 0.0 { "-" } else { "" };
    let digits = base36(floor.abs() as u64);
    format!("a{sign}{digits}")
}

fn base36(mut value: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(u32::try_from(value % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
        value /= 36;
        if value == 0 {
            break;
        }
    }
    digits.iter().rev().collect()
}
