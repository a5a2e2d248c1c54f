//! The line in front of the new path: what waits for it, in the order in which the store has shown it. The watchdog keeps it, apart
//! from what the path keeps for itself.

use std::collections::BTreeMap;

use registry::{QueueEntry, QueueId, QueueStatus, SessionId};

/// Who waits, and in which order.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    places: BTreeMap<QueueId, u64>,
    waiting: BTreeMap<u64, QueueId>,
    last: u64,
}

impl Line {
    /// Takes in rows of the queue: what waits for this session stands behind what waited before, all else leaves.
    pub(super) fn shows(&mut self, entries: &[QueueEntry], session: &SessionId) {
        for entry in entries {
            if !waits_for(entry, session) {
                self.leave(&entry.id);
            } else if !self.places.contains_key(&entry.id) {
                self.last += 1;
                self.places.insert(entry.id.clone(), self.last);
                self.waiting.insert(self.last, entry.id.clone());
            }
        }
    }

    /// It waits no longer.
    pub(super) fn leave(&mut self, id: &QueueId) {
        if let Some(place) = self.places.remove(id) {
            self.waiting.remove(&place);
        }
    }

    /// Those before this one, the first first; nobody is before what never stood in line.
    pub(super) fn before(&self, id: &QueueId) -> impl Iterator<Item = &QueueId> {
        let place = self.places.get(id).copied().unwrap_or_default();
        self.waiting.range(..place).map(|(_, id)| id)
    }
}

fn waits_for(entry: &QueueEntry, session: &SessionId) -> bool {
    match entry.status {
        QueueStatus::Pending => true,
        QueueStatus::Assigned => entry.assigned_runtime_session.as_ref() == Some(session),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use registry::CellId;

    use super::*;

    fn entry(id: &str, status: QueueStatus) -> QueueEntry {
        let (id, cell_id) = (QueueId::from(id), CellId::from("c"));
        QueueEntry { id, cell_id, execution_count: 1, status, assigned_runtime_session: None }
    }

    fn before(line: &Line, id: &str) -> Vec<String> {
        line.before(&QueueId::from(id)).map(ToString::to_string).collect()
    }

    #[test]
    fn whoever_was_shown_first_stands_first_and_who_comes_back_stands_last() {
        let session = SessionId::from("s");
        let pending = |id| entry(id, QueueStatus::Pending);
        let mut line = Line::default();
        line.shows(&[pending("z"), pending("b")], &session);
        line.shows(&[pending("a"), pending("z")], &session);
        assert_eq!(before(&line, "a"), ["z", "b"]);
        // Somebody else has claimed it, and lets go of it.
        line.shows(&[entry("z", QueueStatus::Assigned)], &session);
        assert_eq!(before(&line, "a"), ["b"]);
        line.shows(&[pending("z")], &session);
        assert_eq!(before(&line, "z"), ["b", "a"]);
        assert_eq!(before(&line, "unknown"), [""; 0]);
    }
}
