//! How the events about sessions and executions become rows.

use super::NotebookState;
use super::row::{QueueRow, SessionRow};
use crate::event::{
    Event, ExecutionCompleted, ExecutionRequested, ExecutionStarted, ExecutionState, ExecutionStatus, QueueStatus,
    RuntimeSessionStarted, SessionStatus,
};

impl NotebookState {
    pub(super) fn apply_to_sessions(&mut self, event: &Event) {
        match event {
            Event::RuntimeSessionStarted(args) => {
                self.sessions.replace(args.session_id.clone(), session_row(args));
            }
            Event::RuntimeSessionStatusChanged(args) => {
                self.sessions.update(&args.session_id, |row| row.status = args.status);
            }
            Event::RuntimeSessionTerminated(args) => {
                self.sessions.update(&args.session_id, |row| {
                    row.status = SessionStatus::Terminated;
                    row.is_active = false;
                });
            }
            _ => {}
        }
    }

    pub(super) fn apply_to_queue(&mut self, event: &Event) {
        match event {
            Event::ExecutionRequested(args) => self.execution_requested(args),
            Event::ExecutionAssigned(args) => self.queue.update(&args.queue_id, |row| {
                row.status = QueueStatus::Assigned;
                row.assigned_runtime_session = Some(args.runtime_session_id.clone());
            }),
            Event::ExecutionStarted(args) => self.execution_started(args),
            Event::ExecutionCompleted(args) => self.execution_completed(args),
            Event::ExecutionCancelled(args) => {
                self.queue.update(&args.queue_id, |row| row.status = QueueStatus::Cancelled);
                self.cells.update(&args.cell_id, |cell| cell.execution_state = ExecutionState::Idle);
            }
            _ => {}
        }
    }

    /// A known queue id leaves the queue alone and still marks the cell: it stays queued for ever, as in the host.
    fn execution_requested(&mut self, args: &ExecutionRequested) {
        self.queue.insert_new(args.queue_id.clone(), queue_row(args));
        self.cells.update(&args.cell_id, |cell| {
            cell.execution_state = ExecutionState::Queued;
            cell.execution_count = Some(args.execution_count);
        });
    }

    fn execution_started(&mut self, args: &ExecutionStarted) {
        self.queue.update(&args.queue_id, |row| {
            row.status = QueueStatus::Executing;
            row.started_at = Some(args.started_at);
        });
        self.cells.update(&args.cell_id, |cell| {
            cell.execution_state = ExecutionState::Running;
            cell.assigned_runtime_session = Some(args.runtime_session_id.clone());
        });
    }

    fn execution_completed(&mut self, args: &ExecutionCompleted) {
        let (status, state) = match args.status {
            ExecutionStatus::Success => (QueueStatus::Completed, ExecutionState::Completed),
            ExecutionStatus::Error | ExecutionStatus::Cancelled => (QueueStatus::Failed, ExecutionState::Error),
        };
        self.queue.update(&args.queue_id, |row| {
            row.status = status;
            row.completed_at = Some(args.completed_at);
            row.execution_duration_ms = Some(args.execution_duration_ms.clone());
        });
        self.cells.update(&args.cell_id, |cell| {
            cell.execution_state = state;
            cell.last_execution_duration_ms = Some(args.execution_duration_ms.clone());
        });
    }
}

fn session_row(args: &RuntimeSessionStarted) -> SessionRow {
    let can = &args.capabilities;
    SessionRow {
        session_id: args.session_id.clone(),
        runtime_id: args.runtime_id.clone(),
        runtime_type: args.runtime_type.clone(),
        status: SessionStatus::Starting,
        is_active: true,
        can_execute_code: can.can_execute_code,
        can_execute_sql: can.can_execute_sql,
        can_execute_ai: can.can_execute_ai,
        available_ai_models: can.available_ai_models.clone(),
    }
}

fn queue_row(args: &ExecutionRequested) -> QueueRow {
    QueueRow {
        id: args.queue_id.clone(),
        cell_id: args.cell_id.clone(),
        execution_count: args.execution_count,
        requested_by: args.requested_by.clone(),
        status: QueueStatus::Pending,
        assigned_runtime_session: None,
        started_at: None,
        completed_at: None,
        execution_duration_ms: None,
    }
}
