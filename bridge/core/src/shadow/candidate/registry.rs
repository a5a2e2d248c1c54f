//! The registry's agent as candidate.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use registry::{Agent, Effect, Input, QueueEntry, QueueId, Reply, RuntimeType};

use super::{Observation, World};
use crate::shadow::{Control, handler_trace};

pub(super) fn run(world: &mut World<'_>) {
    let mut agent = Agent::new(runtime_type(world.observation), world.ids.split());
    let mut effects: VecDeque<Effect> =
        agent.handle(world.now, Input::Resume(world.observation.identity.clone())).into();
    effects.extend(agent.handle(world.now, Input::Queued(requests(world))));
    while let Some(effect) = effects.pop_front().filter(|_| world.may_go_on()) {
        let (ticket, answer) = match effect {
            Effect::Claim { ticket, entries } => (ticket, Ok(Reply::Claimed(entries))),
            Effect::Commit { ticket, events } => (ticket, world.commit(&events)),
            Effect::Query { ticket, query } => (ticket, world.query(&query)),
            Effect::Phase(_) => continue,
        };
        // What an answer brings is performed before what was still waiting.
        for next in agent.handle(world.now, Input::Answer(ticket, answer)).into_iter().rev() {
            effects.push_front(next);
        }
    }
}

/// html needs no trace: what it does is all in the source.
fn runtime_type(observation: &Observation) -> RuntimeType {
    match &observation.control {
        Control::Path => RuntimeType::html(),
        Control::External { runtime_type } => {
            let trace_of = |execution| handler_trace(observation, execution).ok();
            let traces = observation.executions.iter();
            let traces = traces.filter_map(|execution| Some((execution.entry.id.clone(), trace_of(execution)?)));
            RuntimeType::traced(runtime_type, Arc::new(traces.collect::<BTreeMap<_, _>>()))
        }
    }
}

/// The requests, in their order, each once: a queue id names one row for ever.
fn requests(world: &World<'_>) -> Vec<QueueEntry> {
    let mut executions: Vec<_> = world.observation.executions.iter().collect();
    executions.sort_by_key(|execution| execution.rank);
    let mut seen: Vec<&QueueId> = Vec::new();
    executions.retain(|execution| {
        let is_new = !seen.contains(&&execution.entry.id);
        seen.push(&execution.entry.id);
        is_new
    });
    executions.into_iter().map(|execution| execution.entry.clone()).collect()
}
