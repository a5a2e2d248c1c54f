//! Faults of what becomes of an execution.

use registry::{Event, ExecutionStatus, SessionId};

use super::Fault;
use super::output::is_shown;

pub(super) fn spoil(fault: Fault, events: Vec<Event>) -> Vec<Event> {
    match fault {
        Fault::LateOutput => behind(events, is_shown),
        Fault::StartAfterOutput => each(events, behind_outputs),
        Fault::LostExecution => {
            let mut runs = runs(events);
            runs.pop();
            runs.concat()
        }
        Fault::ReorderedExecutions => {
            let mut runs = runs(events);
            runs.reverse();
            runs.concat()
        }
        _ => events.into_iter().flat_map(|event| one(fault, event)).collect(),
    }
}

fn one(fault: Fault, event: Event) -> Vec<Event> {
    match (fault, event) {
        (Fault::DroppedTerminal, Event::ExecutionCompleted(_))
        | (Fault::MissingClaim, Event::ExecutionAssigned(_))
        | (Fault::MissingStart, Event::ExecutionStarted(_)) => Vec::new(),
        (Fault::DoubledTerminal, event @ Event::ExecutionCompleted(_))
        | (Fault::DoubleClaim, event @ Event::ExecutionAssigned(_))
        | (Fault::DoubleStart, event @ Event::ExecutionStarted(_)) => vec![event.clone(), event],
        (Fault::FailedTerminal, Event::ExecutionCompleted(mut completed)) => {
            completed.status = ExecutionStatus::Error;
            vec![completed.into()]
        }
        (Fault::InventedError, Event::ExecutionCompleted(mut completed)) => {
            completed.error = Some("an error that nobody made".to_owned());
            vec![completed.into()]
        }
        (Fault::WrongSession, Event::ExecutionStarted(mut started)) => {
            started.runtime_session_id = SessionId::from(format!("not-{}", started.runtime_session_id));
            vec![started.into()]
        }
        (_, event) => vec![event],
    }
}

/// The events of each execution, in the order in which they were begun.
fn runs(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut runs: Vec<Vec<Event>> = Vec::new();
    for event in events {
        let id_of = |run: &Vec<Event>| run.iter().find_map(Event::queue_id).cloned();
        let is_new = event.queue_id().is_some_and(|id| runs.last().and_then(id_of).as_ref() != Some(id));
        match runs.last_mut().filter(|_| !is_new) {
            Some(run) => run.push(event),
            None => runs.push(vec![event]),
        }
    }
    runs
}

fn each(events: Vec<Event>, spoil: impl FnMut(Vec<Event>) -> Vec<Event>) -> Vec<Event> {
    runs(events).into_iter().flat_map(spoil).collect()
}

/// Moves some events behind all others.
fn behind(events: Vec<Event>, is_late: impl Fn(&Event) -> bool) -> Vec<Event> {
    let (late, mut rest): (Vec<Event>, Vec<Event>) = events.into_iter().partition(is_late);
    rest.extend(late);
    rest
}

/// Moves the start of an execution behind its outputs.
fn behind_outputs(run: Vec<Event>) -> Vec<Event> {
    let is_start = |event: &Event| matches!(event, Event::ExecutionStarted(_));
    let (starts, mut rest): (Vec<Event>, Vec<Event>) = run.into_iter().partition(is_start);
    let at = rest.iter().rposition(Event::is_output).map_or(0, |at| at + 1);
    rest.splice(at..at, starts);
    rest
}
