//! Where users are: every event with a user and a cell in it says so.

use super::NotebookState;
use super::row::PresenceRow;
use crate::event::Event;
use crate::id::{CellId, UserId};

impl NotebookState {
    /// A user's row is replaced, not updated, so the table ends with whoever acted last (trace `cancel-after-done`).
    pub(super) fn apply_to_presence(&mut self, event: &Event) {
        if let Event::PresenceSet(args) = event {
            self.set_presence(&args.user_id, args.cell_id.as_ref());
        } else if let (Some(user), Some(cell)) = (acting_user(event), event.cell_id()) {
            self.set_presence(user, Some(cell));
        }
    }

    fn set_presence(&mut self, user: &UserId, cell: Option<&CellId>) {
        let row = PresenceRow { user_id: user.clone(), cell_id: cell.cloned() };
        self.presence.replace(user.clone(), row);
    }
}

/// Who acted. `changedBy` of the SQL events does not count, nor do the events without a user.
fn acting_user(event: &Event) -> Option<&UserId> {
    match event {
        Event::CellCreatedV1(args) => Some(actor_or(&args.actor_id, &args.created_by)),
        Event::CellCreated(args) => Some(&args.created_by),
        Event::CellSourceChanged(args) => Some(&args.modified_by),
        Event::ExecutionRequested(args) => Some(actor_or(&args.actor_id, &args.requested_by)),
        Event::ExecutionCancelled(args) => Some(actor_or(&args.actor_id, &args.cancelled_by)),
        Event::CellOutputsCleared(args) => named(Some(&args.cleared_by)),
        Event::CellTypeChanged(args) => named(args.actor_id.as_ref()),
        Event::CellDeleted(args) => named(args.actor_id.as_ref()),
        Event::CellMovedV1(args) => named(args.actor_id.as_ref()),
        Event::CellMoved(args) => named(args.actor_id.as_ref()),
        Event::CellSourceVisibilityToggled(args) => named(args.actor_id.as_ref()),
        Event::CellOutputVisibilityToggled(args) => named(args.actor_id.as_ref()),
        Event::CellAiContextVisibilityToggled(args) => named(args.actor_id.as_ref()),
        _ => None,
    }
}

fn actor_or<'a>(actor: &'a Option<UserId>, user: &'a UserId) -> &'a UserId {
    named(actor.as_ref()).unwrap_or(user)
}

/// JavaScript takes the empty id for none.
fn named(user: Option<&UserId>) -> Option<&UserId> {
    user.filter(|user| !user.as_str().is_empty())
}
