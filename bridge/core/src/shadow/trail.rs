//! Which execution an event belongs to. Outputs name only their cell: they belong to the execution of that cell that is under
//! way, and where a cell runs twice at once to the one that has shown less.

use registry::{CellId, DisplayId, Event, OutputId, QueueId};

use super::notes::{added, appended_to, weight};

/// The events of executions, apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trails(Vec<Trail>);

#[derive(Clone, Debug)]
struct Trail {
    id: QueueId,
    cell: CellId,
    events: Vec<Event>,
}

impl Trails {
    /// Follows an execution from here on.
    pub(crate) fn open(&mut self, id: &QueueId, cell: &CellId) {
        self.0.push(Trail { id: id.clone(), cell: cell.clone(), events: Vec::new() });
    }

    /// Adds an event to the execution that it belongs to; one that belongs to none is not of an execution, and false.
    pub(crate) fn add(&mut self, event: &Event) -> bool {
        let owner = self.owner(event);
        let Some(trail) = self.0.iter_mut().find(|trail| Some(&trail.id) == owner.as_ref()) else { return false };
        trail.events.push(event.clone());
        true
    }

    /// The execution that an event belongs to.
    pub(crate) fn owner(&self, event: &Event) -> Option<QueueId> {
        if let Some(id) = event.queue_id() {
            return Some(id.clone());
        }
        if let Some(output) = appended_to(event) {
            return self.0.iter().find(|trail| trail.holds(output)).map(|trail| trail.id.clone());
        }
        if let Event::MultimediaDisplayOutputUpdated(update) = event {
            return self.updating(&update.display_id);
        }
        let cell = event.cell_id().filter(|_| event.is_output())?;
        let of_cell = || self.0.iter().filter(|trail| trail.cell == *cell && trail.is_started());
        let under_way = of_cell().filter(|trail| !trail.is_over()).min_by_key(|trail| trail.outputs_like(event));
        // An output behind the end of its execution still belongs to it: it came late.
        under_way.or_else(|| of_cell().next_back()).map(|trail| trail.id.clone())
    }

    /// An update names its display only. It comes from what is under way, though it may be of a display shown before.
    fn updating(&self, display: &DisplayId) -> Option<QueueId> {
        let under_way = || self.0.iter().filter(|trail| trail.is_started() && !trail.is_over());
        let shows = |trail: &&Trail| trail.shows(display);
        let updating =
            under_way().find(shows).or_else(|| under_way().next_back()).or_else(|| self.0.iter().find(shows));
        updating.map(|trail| trail.id.clone())
    }

    /// The executions of a cell that are started and not over.
    pub(crate) fn running(&self, cell: &CellId) -> Vec<QueueId> {
        let running = self.0.iter().filter(|trail| trail.cell == *cell && trail.is_started() && !trail.is_over());
        running.map(|trail| trail.id.clone()).collect()
    }

    /// True once the execution has a terminal.
    pub(crate) fn is_over(&self, id: &QueueId) -> bool {
        self.0.iter().any(|trail| trail.id == *id && trail.is_over())
    }

    /// The cell of an output that others may append to.
    pub(crate) fn cell_of(&self, output: &OutputId) -> Option<CellId> {
        self.0.iter().find(|trail| trail.holds(output)).map(|trail| trail.cell.clone())
    }

    /// The bytes of all events.
    pub(crate) fn weight(&self) -> usize {
        self.0.iter().flat_map(|trail| &trail.events).map(weight).sum()
    }

    /// Forgets what an execution has shown, but not how it stands.
    pub(crate) fn forget_outputs(&mut self, id: &QueueId) {
        for trail in self.0.iter_mut().filter(|trail| trail.id == *id) {
            trail.events.retain(|event| event.queue_id().is_some());
        }
    }

    /// Gives the events of an execution and follows it no longer.
    pub(crate) fn close(&mut self, id: &QueueId) -> Vec<Event> {
        let at = self.0.iter().position(|trail| trail.id == *id);
        at.map(|at| self.0.remove(at).events).unwrap_or_default()
    }

    /// The executions in the order of their first starts.
    pub(crate) fn in_order_of_start(events: &[Event]) -> Vec<QueueId> {
        let mut order = Vec::new();
        for event in events {
            if let Event::ExecutionStarted(started) = event
                && !order.contains(&started.queue_id)
            {
                order.push(started.queue_id.clone());
            }
        }
        order
    }
}

impl Trail {
    fn is_started(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::ExecutionStarted(_)))
    }

    fn is_over(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::ExecutionCompleted(_) | Event::ExecutionCancelled(_)))
    }

    fn holds(&self, output: &OutputId) -> bool {
        self.events.iter().any(|event| added(event) == Some(output))
    }

    fn shows(&self, display: &DisplayId) -> bool {
        let is_it = |event: &Event| matches!(event, Event::MultimediaDisplayOutputAdded(e) if e.display_id.as_ref() == Some(display));
        self.events.iter().any(is_it)
    }

    fn outputs_like(&self, event: &Event) -> usize {
        self.events.iter().filter(|known| known.name() == event.name()).count()
    }
}
