//! The candidate: a path's core, as a rule of the path that does not serve, run on an observation's facts in a notebook state of
//! its own.
//!
//! Its events are kept and go nowhere: there is no store here, and no way to one. Time is virtual. What it made can be
//! compared, and by nobody taken out to be committed:
//!
//! ```compile_fail,E0616
//! fn events_of_a_candidate(observation: &bridge_core::Observation) -> Vec<registry::Event> {
//!     bridge_core::run_candidate(observation).events
//! }
//! ```
//!
//! It is no event that the gate could let through:
//!
//! ```compile_fail,E0308
//! use bridge_core::{Gate, Ledger, Observation, Pass, run_candidate};
//!
//! fn commit(gate: &mut Gate, ledger: &mut Ledger, pass: Pass, observation: &Observation) {
//!     gate.judge(ledger, pass, &run_candidate(observation));
//! }
//! ```
//!
//! And an observation is all that a candidate is given:
//!
//! ```
//! let _: fn(&bridge_core::Observation) -> bridge_core::CandidateRun = bridge_core::run_candidate;
//! ```
//!
//! ```compile_fail,E0308
//! let _: fn(&bridge_core::Observation, &mut bridge_core::Gate) -> bridge_core::CandidateRun = bridge_core::run_candidate;
//! ```

mod legacy;
mod registry;

use std::borrow::Cow;

use ::registry::{
    Answer, CellCreated, CellSourceChanged, CellType, Container, Event, ExecutionAssigned, ExecutionRequested, Failure,
    IdSource, NotebookState, Now, Query, QueueId, QueueStatus, Reply, UserId, session_events,
};

use super::{Observation, ObservedExecution, Source, Trails, handler_trace};
use crate::Path;

/// Effects that a candidate may ask for per execution before it counts as running away. An html execution asks for about
/// twenty on either path.
const MAX_EFFECTS_PER_EXECUTION: usize = 200;

/// Events that are kept of one candidate. An observation of html makes five an execution, so a hundred: what exceeds this is
/// no longer looked at by anybody.
pub const MAX_EVENTS: usize = 10_000;

/// Bytes that are kept of one candidate, as JSON. With one candidate at a time and some that are wedged, a host feels no more.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What the candidate did. Its events cannot be taken out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateRun {
    /// In order.
    pub(crate) events: Vec<Event>,
    /// How it came to an end.
    pub end: RunEnd,
}

/// How a candidate's run came to an end, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunEnd {
    /// By itself.
    Complete,
    /// It was stopped for asking for too many effects.
    RanAway,
    /// It was stopped for making more than is kept.
    Truncated,
}

/// Runs the path that did not serve.
pub fn run_candidate(observation: &Observation) -> CandidateRun {
    run_path(observation.serving.other(), observation)
}

/// Runs a path's core on the facts of an observation, whichever path served: what that path would have done. Where an agent
/// elsewhere served, the registry's does what that one's handlers did, and the old path has no core to run.
pub fn run_path(path: Path, observation: &Observation) -> CandidateRun {
    run(observation, |world| match path {
        Path::Registry => registry::run(world),
        Path::Legacy => legacy::run(world),
    })
}

/// Runs a candidate that shows outputs for as long as it may.
pub(crate) fn run_flooding(observation: &Observation) -> CandidateRun {
    run(observation, |world| {
        registry::run(world);
        let flood: Vec<Event> = world.events.iter().filter_map(flooded).collect();
        while !flood.is_empty() && world.may_go_on() {
            // What was taken once is taken again, until there is no room.
            let _ = world.commit(&flood);
        }
    })
}

/// Of an agent elsewhere the candidate is given what can be traced: the rest is not its to fail at.
fn traceable(observation: &Observation) -> Cow<'_, Observation> {
    let is_unclear = |execution: &ObservedExecution| handler_trace(observation, execution).is_err();
    if !observation.is_external() || !observation.executions.iter().any(is_unclear) {
        return Cow::Borrowed(observation);
    }
    let mut clear = observation.clone();
    clear.executions.retain(|execution| handler_trace(observation, execution).is_ok());
    Cow::Owned(clear)
}

fn run(observation: &Observation, path: impl Fn(&mut World<'_>)) -> CandidateRun {
    let observation = &*traceable(observation);
    let mut run = CandidateRun { events: Vec::new(), end: RunEnd::Complete };
    let mut room = Room { events: MAX_EVENTS, bytes: MAX_BYTES };
    for portion in portions(observation) {
        let mut world = World::new(&portion, room);
        path(&mut world);
        room = world.room;
        run.end = run.end.max(world.end());
        run.events.append(&mut world.events);
    }
    run
}

/// Bytes that each output of a flood holds: with the effects that a candidate has, more than is kept.
const FLOODED_BYTES: usize = 1024 * 1024;

/// An output with far more in it.
fn flooded(event: &Event) -> Option<Event> {
    let Event::MultimediaResultOutputAdded(output) = event else { return None };
    let mut output = output.clone();
    for container in output.representations.values_mut() {
        if let Container::Inline { data, .. } = container {
            *data = "~".repeat(FLOODED_BYTES).into();
        }
    }
    Some(output.into())
}

/// What may still be kept of a candidate.
#[derive(Clone, Copy)]
struct Room {
    events: usize,
    bytes: usize,
}

impl Room {
    /// Makes room for these; nothing where there is none.
    fn less(self, events: &[Event]) -> Option<Self> {
        let bytes = events.iter().try_fold(self.bytes, |left, event| left.checked_sub(json_bytes(event)))?;
        Some(Self { events: self.events.checked_sub(events.len())?, bytes })
    }
}

/// The bytes of a value as JSON.
pub(super) fn json_bytes(value: &impl serde::Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
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
        control: observation.control.clone(),
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
    room: Room,
    is_truncated: bool,
    now: Now,
    ids: IdSource,
}

impl<'a> World<'a> {
    /// The notebook as the host made it, with the session announced, before anybody claimed.
    fn new(observation: &'a Observation, room: Room) -> Self {
        let mut state = NotebookState::new();
        let session = session_events(Vec::new(), &observation.identity, observation.runtime_type().to_owned());
        session.iter().for_each(|event| state.apply(event));
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
            room,
            is_truncated: false,
            now: observation.began,
            ids: IdSource::new([0; 32]),
        }
    }

    /// Books one effect; false once there have been too many, or too much has come of them.
    fn may_go_on(&mut self) -> bool {
        self.effects_left = self.effects_left.saturating_sub(1);
        self.effects_left > 0 && !self.is_truncated
    }

    fn end(&self) -> RunEnd {
        match () {
            () if self.is_truncated => RunEnd::Truncated,
            () if self.effects_left == 0 => RunEnd::RanAway,
            () => RunEnd::Complete,
        }
    }

    /// Takes a batch, all or nothing; refuses what the store refused of the serving path, and what there is no room for.
    fn commit(&mut self, events: &[Event]) -> Answer {
        let Some(room) = self.room.less(events) else {
            self.is_truncated = true;
            return Err(Failure::new("the candidate has made more than is kept of it"));
        };
        self.room = room;
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
    // Of an execution that was given up before its source was read, only its end is looked at, of one that was too much to keep
    // nothing: any source will do.
    let source = match &execution.source {
        Source::Text(source) => Some(source.clone()),
        Source::Unread | Source::Truncated => Some(String::new()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_for_so_many_events_and_so_many_bytes() {
        let event = |name: &str| Event::Unknown { name: name.to_owned(), args: serde_json::Value::Null };
        let room = |events, bytes| Room { events, bytes };
        let short = json_bytes(&event("a"));
        assert_eq!(json_bytes(&event("aaa")), short + 2);
        assert!(room(2, 2 * short).less(&[event("a"), event("b")]).is_some_and(|left| left.events + left.bytes == 0));
        assert!(room(1, 2 * short).less(&[event("a"), event("b")]).is_none());
        assert!(room(2, 2 * short).less(&[event("a"), event("bb")]).is_none());
    }
}
