//! The shadow: what the serving path did, gathered execution by execution, so that the other path can be run on the same
//! facts and compared.
//!
//! The candidate never sees the store. It gets what the host wrote (requests, sources), pinned as the serving path found it,
//! and the commits that the store refused; see [`judge`] for the run and the comparison.

mod candidate;
mod fault;
mod notes;
mod observation;
mod seen;
mod traced;
mod trail;

use registry::{CellId, Event, Failure, Now, QueueEntry, QueueId, QueueStatus, SessionIdentity};

pub use candidate::{CandidateRun, MAX_BYTES, MAX_EVENTS, RunEnd, run_candidate, run_path};
pub(crate) use candidate::{request_order, run_flooding};
pub use fault::Fault;
pub use notes::Notes;
use notes::weight;
pub(crate) use observation::TYPE_OF_PATHS;
pub use observation::{Control, MAX_EXECUTIONS, Observation, ObservedExecution, RefusedEvent, Source};
pub use seen::SeenExecution;
pub(crate) use traced::handler_trace;
pub(crate) use trail::Trails;

use crate::{Path, Why};

/// Gathers what one session of the serving path does.
#[derive(Clone, Debug)]
pub struct Shadow {
    serving: Path,
    control: Control,
    identity: SessionIdentity,
    /// Requested and not taken yet, in request order.
    requested: Vec<(u64, QueueEntry)>,
    next_rank: u64,
    /// Taken by the serving path, in the order in which it took them.
    taken: Vec<ObservedExecution>,
    trails: Trails,
    /// The sources as read just before the commit under way.
    pinned: Vec<(CellId, Source)>,
    /// Whether the store has refused a commit of this session: from then on the old path is wedged.
    saw_refusal: bool,
    began: Option<Now>,
    /// Bytes of sources and events for which there is room until something is compared; as many as are kept of a candidate.
    room: usize,
}

impl Shadow {
    /// The shadow of a session that this path serves.
    pub fn new(serving: Path, identity: SessionIdentity) -> Self {
        Self {
            serving,
            control: Control::Path,
            identity,
            requested: Vec::new(),
            next_rank: 0,
            taken: Vec::new(),
            trails: Trails::default(),
            pinned: Vec::new(),
            saw_refusal: false,
            began: None,
            room: MAX_BYTES,
        }
    }

    /// The shadow of a session that an agent elsewhere serves: to the registry it is what the old path is.
    pub fn external(runtime_type: &str, identity: SessionIdentity) -> Self {
        let control = Control::External { runtime_type: runtime_type.to_owned() };
        Self { control, ..Self::new(Path::Legacy, identity) }
    }

    /// Whether an agent elsewhere serves.
    pub(crate) fn is_external(&self) -> bool {
        self.control != Control::Path
    }

    /// The execution that an event belongs to.
    pub(crate) fn owner(&self, event: &Event) -> Option<QueueId> {
        self.trails.owner(event)
    }

    /// The path that serves.
    pub fn serving(&self) -> Path {
        self.serving
    }

    /// Takes in rows of the queue as the live query shows them: new ones in request order, gone ones as what they became.
    pub fn saw(&mut self, entries: &[QueueEntry]) {
        for entry in entries {
            let is_taken = self.taken.iter().any(|execution| execution.entry.id == entry.id);
            let is_known = self.requested.iter().any(|(_, known)| known.id == entry.id);
            if !self.is_for_us(entry) {
                self.requested.retain(|(_, known)| known.id != entry.id);
            } else if !is_taken && !is_known {
                self.next_rank += 1;
                self.requested.push((self.next_rank, entry.clone()));
            }
        }
    }

    fn is_for_us(&self, entry: &QueueEntry) -> bool {
        match entry.status {
            QueueStatus::Pending => true,
            QueueStatus::Assigned => entry.assigned_runtime_session.as_ref() == Some(&self.identity.session_id),
            _ => false,
        }
    }

    /// The cells whose sources must be read before these events are committed.
    pub fn cells_to_pin(&self, events: &[Event]) -> Vec<CellId> {
        let cell_of = |event: &Event| match event {
            Event::ExecutionAssigned(assigned) => self.requested_cell(&assigned.queue_id),
            Event::ExecutionStarted(started) => Some(started.cell_id.clone()),
            _ => None,
        };
        let mut cells: Vec<CellId> = events.iter().filter_map(cell_of).collect();
        cells.sort_unstable();
        cells.dedup();
        cells
    }

    fn requested_cell(&self, id: &QueueId) -> Option<CellId> {
        self.requested.iter().find(|(_, entry)| entry.id == *id).map(|(_, entry)| entry.cell_id.clone())
    }

    /// A source as it is pinned: no text is copied that there is no room for.
    pub fn source(&self, text: &str) -> Source {
        if text.len() > self.room { Source::Truncated } else { Source::Text(text.to_owned()) }
    }

    /// Takes down a commit that is about to be made, as far as there is room.
    pub fn take_down(&self, events: &[Event]) -> Notes {
        Notes::of(events, self.room, |output| self.trails.cell_of(output))
    }

    /// The sources as they stand now.
    pub fn pin(&mut self, sources: impl IntoIterator<Item = (CellId, Source)>) {
        for (cell, source) in sources {
            self.pinned.retain(|(known, _)| *known != cell);
            self.pinned.push((cell, source));
        }
    }

    /// The serving path committed these.
    pub fn committed(&mut self, now: Now, notes: &Notes) {
        for event in &notes.events {
            if let Event::ExecutionAssigned(_) | Event::ExecutionStarted(_) = event {
                self.began.get_or_insert(now);
                self.take(event);
            }
            self.notice_overlap(event);
            if event.queue_id().is_none() && self.is_of_truncated(event) {
                continue;
            }
            self.room = self.room.saturating_sub(weight(event));
            self.trails.add(event);
        }
        self.truncate(&notes.too_much);
        self.unpin(&notes.events);
    }

    /// The sources that these events have used.
    fn unpin(&mut self, events: &[Event]) {
        let cells: Vec<CellId> = self.taken.iter().map(|execution| execution.entry.cell_id.clone()).collect();
        let is_used = |cell: &CellId| events.iter().any(|event| event.cell_id() == Some(cell)) && cells.contains(cell);
        self.pinned.retain(|(cell, _)| !is_used(cell));
    }

    /// Outputs name their cell only: where one is run while it runs, nobody can tell whose they are.
    fn notice_overlap(&mut self, event: &Event) {
        let Event::ExecutionStarted(started) = event else { return };
        let overlapping = self.trails.running(&started.cell_id);
        let is_of_it = |id: &QueueId| overlapping.contains(id) || *id == started.queue_id;
        if overlapping.iter().any(|id| *id != started.queue_id) {
            let taken = self.taken.iter_mut().filter(|execution| is_of_it(&execution.entry.id));
            taken.for_each(|execution| execution.unclear = Some(Why::Interfered));
        }
    }

    /// Moves the entry of a claim or a start from the requested to the taken, with its source as pinned.
    fn take(&mut self, event: &Event) {
        let Some(id) = event.queue_id() else { return };
        if let Some(at) = self.requested.iter().position(|(_, entry)| entry.id == *id) {
            let (rank, entry) = self.requested.remove(at);
            self.trails.open(&entry.id, &entry.cell_id);
            self.taken.push(ObservedExecution::new(entry, rank));
        }
        if let Some(execution) = self.taken.iter_mut().find(|execution| execution.entry.id == *id)
            && let Some((_, source)) = self.pinned.iter().find(|(cell, _)| *cell == execution.entry.cell_id)
            && execution.source != Source::Truncated
        {
            self.room += execution.source.bytes();
            execution.source = if source.bytes() > self.room { Source::Truncated } else { source.clone() };
            self.room -= execution.source.bytes();
        }
    }

    fn is_of_truncated(&self, event: &Event) -> bool {
        let mut truncated = self.taken.iter().filter(|execution| execution.source == Source::Truncated).peekable();
        truncated.peek().is_some()
            && self.trails.owner(event).is_some_and(|owner| truncated.any(|execution| execution.entry.id == owner))
    }

    /// Of the executions of these cells there was more than is kept: nothing is.
    fn truncate(&mut self, cells: &[CellId]) {
        for execution in self.taken.iter_mut().filter(|execution| cells.contains(&execution.entry.cell_id)) {
            execution.source = Source::Truncated;
            self.trails.forget_outputs(&execution.entry.id);
        }
        if !cells.is_empty() {
            self.make_room();
        }
    }

    /// There is room for what is not held.
    fn make_room(&mut self) {
        let sources: usize = self.taken.iter().map(|execution| execution.source.bytes()).sum();
        self.room = MAX_BYTES.saturating_sub(sources + self.trails.weight());
    }

    /// The store refused these. A batch of several executions tells nothing yet: what is to blame is committed again alone.
    pub fn refused(&mut self, notes: &Notes, failure: &Failure) {
        let events = &notes.events;
        self.saw_refusal |= !notes.too_much.is_empty();
        self.truncate(&notes.too_much);
        let mut owners: Vec<QueueId> = events.iter().filter_map(|event| self.trails.owner(event)).collect();
        owners.dedup();
        let [owner] = owners.as_slice() else { return };
        self.saw_refusal = true;
        if let Some(event) = events.first().filter(|event| matches!(event, Event::ExecutionAssigned(_))) {
            self.take(event);
        }
        let blamed = |event: &&Event| events.len() == 1 || !events.iter().any(Event::is_output) || event.is_output();
        let refusals: Vec<RefusedEvent> = events
            .iter()
            .filter(blamed)
            .map(|event| RefusedEvent { event: event.name().to_owned(), message: failure.message.clone() })
            .collect();
        if let Some(execution) = self.taken.iter_mut().find(|execution| execution.entry.id == *owner) {
            execution.refused.extend(refusals);
        }
    }

    /// What can be compared now: once nothing is under way and nothing waits, or enough is done.
    pub fn due(&mut self) -> Option<Observation> {
        let done = self.taken.iter().filter(|execution| self.trails.is_over(&execution.entry.id)).count();
        let is_idle = done == self.taken.len() && self.requested.is_empty();
        let is_due = done > 0 && (is_idle || done >= MAX_EXECUTIONS);
        is_due.then(|| self.observe(|shadow, execution| shadow.trails.is_over(&execution.entry.id)))
    }

    /// Nothing more is followed: what is done, though not enough yet to be due.
    pub fn leave(mut self) -> Option<Observation> {
        let is_done = self.taken.iter().any(|execution| self.trails.is_over(&execution.entry.id));
        is_done.then(|| self.observe(|shadow, execution| shadow.trails.is_over(&execution.entry.id)))
    }

    /// The session is over: what is left, with what it has stranded.
    pub fn end(mut self) -> Option<Observation> {
        if self.saw_refusal {
            let stranded = std::mem::take(&mut self.requested);
            self.taken.extend(stranded.into_iter().map(|(rank, entry)| ObservedExecution::new(entry, rank)));
        }
        (!self.taken.is_empty()).then(|| self.observe(|_, _| true))
    }

    fn observe(&mut self, is_wanted: impl Fn(&Self, &ObservedExecution) -> bool) -> Observation {
        let (wanted, left) = std::mem::take(&mut self.taken).into_iter().partition(|one| is_wanted(self, one));
        self.taken = left;
        let mut executions: Vec<ObservedExecution> = wanted;
        for execution in &mut executions {
            execution.events = self.trails.close(&execution.entry.id);
        }
        self.make_room();
        Observation {
            serving: self.serving,
            control: self.control.clone(),
            identity: self.identity.clone(),
            began: self.began.take().unwrap_or_default(),
            saw_refusal: self.saw_refusal,
            executions,
        }
    }
}

#[cfg(test)]
mod tests {
    use registry::{
        Capabilities, Container, ExecutionAssigned, ExecutionCompleted, ExecutionStarted, ExecutionStatus,
        MultimediaDisplayOutputAdded, OutputId, RuntimeId, SessionId, Timestamp,
    };

    use super::*;
    use crate::compare::{Verdict, Why, judge};

    const MB: usize = 1024 * 1024;

    fn session() -> SessionId {
        SessionId::from("s")
    }

    fn display(number: usize, bytes: usize) -> Event {
        let (id, cell_id) = (OutputId::from(format!("o{number}")), CellId::from("c"));
        let representations = [("text/html".to_owned(), Container::inline("~".repeat(bytes)))].into();
        MultimediaDisplayOutputAdded { id, cell_id, position: 0.into(), representations, display_id: None }.into()
    }

    fn completed(error: Option<String>) -> Event {
        let (queue_id, cell_id, status) = (QueueId::from("q"), CellId::from("c"), ExecutionStatus::Success);
        let (completed_at, execution_duration_ms) = (Timestamp::from_ms(1), 1.into());
        ExecutionCompleted { queue_id, cell_id, status, error, completed_at, execution_duration_ms }.into()
    }

    /// A control that commits these events one by one, between its start and its end; what is observed of it.
    fn observed(source: &str, shown: impl Iterator<Item = Event>, end: Event) -> Observation {
        let identity = SessionIdentity {
            runtime_id: RuntimeId::from("r"),
            session_id: session(),
            capabilities: Capabilities::default(),
        };
        let (id, cell_id, status) = (QueueId::from("q"), CellId::from("c"), QueueStatus::Pending);
        let (queue_id, cell, started_at) = (id.clone(), cell_id.clone(), Timestamp::from_ms(0));
        let mut shadow = Shadow::new(Path::Legacy, identity);
        shadow.saw(&[QueueEntry { id, cell_id, execution_count: 1, status, assigned_runtime_session: None }]);
        let assigned = ExecutionAssigned { queue_id: queue_id.clone(), runtime_session_id: session() };
        let started = ExecutionStarted { queue_id, cell_id: cell.clone(), runtime_session_id: session(), started_at };
        for event in [assigned.into(), started.into()].into_iter().chain(shown).chain([end]) {
            let pinned = shadow.source(source);
            shadow.pin([(cell.clone(), pinned)]);
            let notes = shadow.take_down(std::slice::from_ref(&event));
            shadow.committed(Now::default(), &notes);
            let held = shadow.trails.weight() + notes.events.iter().map(weight).sum::<usize>();
            assert!(held <= 2 * MAX_BYTES, "{held} bytes are held");
        }
        shadow.due().unwrap()
    }

    /// Nothing is kept of what such a control shows, nothing is said of it, and how it ended is known all the same.
    fn check_truncated(observation: &Observation) {
        assert!(observation.weight() < 4096, "{}", observation.weight());
        let ends = observation.executions[0].events.iter();
        assert_eq!(ends.filter(|event| matches!(event, Event::ExecutionCompleted(_))).count(), 1);
        let verdicts: Vec<Verdict> = judge(observation, None).executions.into_iter().map(|one| one.verdict).collect();
        assert_eq!(verdicts, [Verdict::Inconclusive { why: Why::Truncated }]);
    }

    #[test]
    fn a_control_that_shows_a_hundred_megabytes_at_once_or_bit_by_bit_is_cut_off() {
        check_truncated(&observed("<p>", [display(0, 100 * MB)].into_iter(), completed(None)));
        check_truncated(&observed("<p>", (0..100).map(|number| display(number, MB)), completed(None)));
        check_truncated(&observed("<p>", std::iter::empty(), completed(Some("~".repeat(100 * MB)))));
        check_truncated(&observed(&"~".repeat(100 * MB), std::iter::empty(), completed(None)));
    }

    #[test]
    fn what_there_is_room_for_is_kept_whole() {
        let observation = observed("<p>", (0..7).map(|number| display(number, MB)), completed(None));
        assert_eq!(observation.executions[0].events.len(), 10);
        assert!(observation.weight() > 7 * MB);
    }
}
