//! From what an agent elsewhere has committed for an execution back to what its handler did. The user's code ran once, there: the
//! registry is fed with what came of it. Calls of tools and their results are outputs like others, so that no tool and no model
//! is asked again.

use registry::{
    Appended, Container, Delta, Event, ExecutionStatus, HandlerTrace, Operation, Outcome, OutputId, SessionId, UserId,
};

use super::{Observation, ObservedExecution};
use crate::Why;

/// What the handler of an observed execution did, or why its events do not say so.
pub(crate) fn handler_trace(observation: &Observation, execution: &ObservedExecution) -> Result<HandlerTrace, Why> {
    if let Some(why) = execution.unclear {
        return Err(why);
    }
    let mut reader = Reader {
        session: &observation.identity.session_id,
        agent: clearer(execution).unwrap_or_else(|| format!("runtime-{}", observation.identity.runtime_id).into()),
        starts: 0,
        has_begun: false,
        added: Vec::new(),
        operations: Vec::new(),
        outcome: None,
    };
    execution.events.iter().try_for_each(|event| reader.take(event))?;
    // Outputs name their cell only: without a start nobody can tell whose they are.
    let outcome = reader.outcome.filter(|_| reader.starts == 1).ok_or(Why::Untraceable)?;
    Ok(HandlerTrace { operations: reader.operations, outcome })
}

/// An agent clears the cell right behind the start, and says there who it is.
fn clearer(execution: &ObservedExecution) -> Option<UserId> {
    let mut events = execution.events.iter();
    events.find(|event| matches!(event, Event::ExecutionStarted(_)))?;
    match events.next()? {
        Event::CellOutputsCleared(cleared) if !cleared.wait => Some(cleared.cleared_by.clone()),
        _ => None,
    }
}

struct Reader<'a> {
    session: &'a SessionId,
    /// As whom the agent clears.
    agent: UserId,
    starts: usize,
    /// Whether the clearing that is the registry's own to do has passed.
    has_begun: bool,
    added: Vec<OutputId>,
    operations: Vec<Operation>,
    outcome: Option<Outcome>,
}

impl Reader<'_> {
    fn take(&mut self, event: &Event) -> Result<(), Why> {
        match event {
            Event::ExecutionAssigned(assigned) if assigned.runtime_session_id != *self.session => Err(Why::Interfered),
            Event::ExecutionStarted(started) if started.runtime_session_id != *self.session => Err(Why::Interfered),
            Event::ExecutionAssigned(_) | Event::ExecutionRequested(_) => Ok(()),
            Event::ExecutionStarted(_) => self.start(),
            Event::ExecutionCompleted(end) => self.end(end.status, end.error.clone()),
            Event::ExecutionCancelled(_) => Err(Why::Cancelled),
            Event::CellOutputsCleared(cleared) if cleared.cleared_by != self.agent => Err(Why::Interfered),
            Event::CellOutputsCleared(cleared) => {
                self.clear(cleared.wait);
                Ok(())
            }
            other => self.perform(other),
        }
    }

    fn start(&mut self) -> Result<(), Why> {
        self.starts += 1;
        if self.starts > 1 { Err(Why::RanTwice) } else { Ok(()) }
    }

    fn end(&mut self, status: ExecutionStatus, error: Option<String>) -> Result<(), Why> {
        let outcome = match status {
            ExecutionStatus::Success => Outcome::Success,
            ExecutionStatus::Error => Outcome::Error(error),
            ExecutionStatus::Cancelled => return Err(Why::Cancelled),
        };
        if self.outcome.replace(outcome).is_some() { Err(Why::RanTwice) } else { Ok(()) }
    }

    /// The first clearing, before anything is shown, is no doing of the handler's.
    fn clear(&mut self, wait: bool) {
        if wait || self.has_begun || !self.operations.is_empty() {
            self.operations.push(Operation::Clear { wait });
        }
        self.has_begun = true;
    }

    fn perform(&mut self, event: &Event) -> Result<(), Why> {
        let operation = match event {
            Event::TerminalOutputAdded(e) => {
                self.added.push(e.id.clone());
                Operation::Terminal { stream: e.stream_name, content: e.content.clone() }
            }
            Event::MultimediaDisplayOutputAdded(e) => {
                self.added.push(e.id.clone());
                Operation::Display { representations: e.representations.clone(), display_id: e.display_id.clone() }
            }
            Event::MultimediaResultOutputAdded(e) => {
                self.added.push(e.id.clone());
                Operation::Result { representations: e.representations.clone() }
            }
            Event::ErrorOutputAdded(e) => {
                self.added.push(e.id.clone());
                Operation::Error { content: e.content.clone() }
            }
            Event::MarkdownOutputAdded(e) => {
                self.added.push(e.id.clone());
                Operation::Markdown { content: e.content.clone() }
            }
            Event::MultimediaDisplayOutputUpdated(e) => {
                let (display_id, representations) = (e.display_id.clone(), e.representations.clone());
                Operation::UpdateDisplay { display_id, representations }
            }
            Event::TerminalOutputAppended(e) => {
                Operation::AppendTerminal(self.delta(&e.output_id, e.delta.clone(), e.sequence_number))
            }
            Event::MarkdownOutputAppended(e) => {
                Operation::AppendMarkdown(self.delta(&e.output_id, e.delta.clone(), e.sequence_number))
            }
            Event::TerminalOutputAppendedV1(e) => Operation::AppendTerminal(self.joined(&e.output_id, &e.content)?),
            Event::MarkdownOutputAppendedV1(e) => Operation::AppendMarkdown(self.joined(&e.output_id, &e.content)?),
            _ => return Err(Why::Untraceable),
        };
        self.operations.push(operation);
        Ok(())
    }

    fn delta(&self, output: &OutputId, text: String, sequence_number: i64) -> Delta {
        let output = match self.added.iter().rposition(|added| added == output) {
            Some(nth) => Appended::Own(nth),
            None => Appended::Other(output.clone()),
        };
        Delta { output, text, sequence_number }
    }

    /// The deprecated events have no order but the one in which they come.
    fn joined(&self, output: &OutputId, content: &Container) -> Result<Delta, Why> {
        let text = content.data().map(registry::json::js_string).ok_or(Why::Untraceable)?;
        let order = i64::try_from(self.operations.len()).unwrap_or(i64::MAX);
        Ok(self.delta(output, text, order))
    }
}
