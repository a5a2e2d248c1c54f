//! The candidate: a path's core, as a rule of the path that does not serve, run on an observation's facts in a notebook state of
//! its own.
//!
//! Its events are kept and go nowhere: there is no store here, and no way to one. Time is virtual.

mod legacy;
mod registry;

use ::registry::{
    Answer, CellCreated, CellSourceChanged, CellType, Event, ExecutionAssigned, ExecutionRequested, Failure, IdSource,
    NotebookState, Now, Query, QueueId, QueueStatus, Reply, UserId,
};

use super::{Observation, ObservedExecution, Source, Trails};
use crate::Path;

/// Effects that a candidate may ask for per execution before it counts as running away. An html execution asks for about
/// twenty on either path.
const MAX_EFFECTS_PER_EXECUTION: usize = 200;

/// What the candidate did.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateRun {
    /// Its events, in order.
    pub events: Vec<Event>,
    /// False where it was stopped for running away.
    pub is_complete: bool,
}

/// Runs the path that did not serve.
pub fn run_candidate(observation: &Observation) -> CandidateRun {
    run_path(observation.serving.other(), observation)
}

/// Runs a path's core on the facts of an observation, whichever path served: what that path would have done.
pub fn run_path(path: Path, observation: &Observation) -> CandidateRun {
    let mut run = CandidateRun { events: Vec::new(), is_complete: true };
    for portion in portions(observation) {
        let mut world = World::new(&portion);
        match path {
            Path::Registry => registry::run(&mut world),
            Path::Legacy => legacy::run(&mut world),
        }
        run.is_complete &= world.effects_left > 0;
        run.events.append(&mut world.events);
    }
    run
}

/// The order in which the registry takes what was requested: as it was requested, portion by portion where it was a candidate.
pub(crate) fn request_order(observation: &Observation) -> Vec<QueueId> {
    let by_rank = |executions: &[ObservedExecution]| {
        let mut ranked: Vec<&ObservedExecution> = executions.iter().collect();
        ranked.sort_by_key(|execution| execution.rank);
        ranked.into_iter().map(|execution| execution.entry.id.clone()).collect::<Vec<QueueId>>()
    };
    match observation.serving {
        Path::Registry => by_rank(&observation.executions),
        Path::Legacy => portions(observation).iter().flat_map(|portion| by_rank(&portion.executions)).collect(),
    }
}

/// A cell has one source at a time: where the host edited a cell between two of its executions, the candidate runs in two
/// portions, each with the source that the serving path found.
fn portions(observation: &Observation) -> Vec<Observation> {
    let empty = || Observation {
        serving: observation.serving,
        identity: observation.identity.clone(),
        began: observation.began,
        saw_refusal: observation.saw_refusal,
        executions: Vec::new(),
    };
    let mut portions = vec![empty()];
    for execution in &observation.executions {
        let conflicts = |portion: &Observation| {
            let mut same_cell = portion.executions.iter().filter(|one| one.entry.cell_id == execution.entry.cell_id);
            same_cell.any(|one| one.source != execution.source)
        };
        if portions.last().is_some_and(conflicts) {
            portions.push(empty());
        }
        if let Some(portion) = portions.last_mut() {
            portion.executions.push(execution.clone());
        }
    }
    portions
}

/// What a candidate sees and does instead of the store.
struct World<'a> {
    observation: &'a Observation,
    state: NotebookState,
    trails: Trails,
    events: Vec<Event>,
    effects_left: usize,
    now: Now,
    ids: IdSource,
}

impl<'a> World<'a> {
    /// The notebook as the host made it, before anybody claimed.
    fn new(observation: &'a Observation) -> Self {
        let mut state = NotebookState::new();
        let mut trails = Trails::default();
        let mut requests: Vec<&ObservedExecution> = observation.executions.iter().collect();
        requests.sort_by_key(|execution| execution.rank);
        for execution in requests {
            facts(execution, observation).iter().for_each(|event| state.apply(event));
            trails.open(&execution.entry.id, &execution.entry.cell_id);
        }
        Self {
            observation,
            state,
            trails,
            events: Vec::new(),
            effects_left: MAX_EFFECTS_PER_EXECUTION * (observation.executions.len() + 1),
            now: observation.began,
            ids: IdSource::new([0; 32]),
        }
    }

    /// Books one effect; false once there have been too many.
    fn may_go_on(&mut self) -> bool {
        self.effects_left = self.effects_left.saturating_sub(1);
        self.effects_left > 0
    }

    /// Takes a batch, all or nothing; refuses what the store refused of the serving path.
    fn commit(&mut self, events: &[Event]) -> Answer {
        let mut trails = self.trails.clone();
        for event in events {
            let owner = trails.owner(event);
            let execution =
                self.observation.executions.iter().find(|execution| Some(&execution.entry.id) == owner.as_ref());
            if let Some(message) = execution.and_then(|execution| execution.refusal(event.name())) {
                return Err(Failure::new(message));
            }
            trails.add(event);
        }
        self.trails = trails;
        events.iter().for_each(|event| self.state.apply(event));
        self.events.extend_from_slice(events);
        Ok(Reply::Done)
    }

    fn query(&self, query: &Query) -> Answer {
        Ok(self.state.answer(query))
    }
}

/// The events with which the host brought an execution about.
fn facts(execution: &ObservedExecution, observation: &Observation) -> Vec<Event> {
    let entry = &execution.entry;
    let host = UserId::from("host");
    let mut events = Vec::new();
    // Of an execution that was given up before its source was read, only its end is looked at: any source will do.
    let source = match &execution.source {
        Source::Text(source) => Some(source.clone()),
        Source::Unread => Some(String::new()),
        Source::Missing => None,
    };
    if let Some(source) = source {
        let created = CellCreated {
            id: entry.cell_id.clone(),
            fractional_index: "a0".to_owned(),
            cell_type: CellType::Code,
            created_by: host.clone(),
        };
        events.push(created.into());
        let changed = CellSourceChanged { id: entry.cell_id.clone(), source, modified_by: host.clone() };
        events.push(changed.into());
    }
    let requested = ExecutionRequested {
        queue_id: entry.id.clone(),
        cell_id: entry.cell_id.clone(),
        execution_count: entry.execution_count,
        requested_by: host,
        actor_id: None,
    };
    events.push(requested.into());
    if entry.status == QueueStatus::Assigned {
        let runtime_session_id = observation.identity.session_id.clone();
        events.push(ExecutionAssigned { queue_id: entry.id.clone(), runtime_session_id }.into());
    }
    events
}
