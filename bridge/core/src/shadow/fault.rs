//! Seeded faults: what a broken candidate would do, to see that the comparison notices. They touch candidates only; nothing
//! that serves knows of them.

use registry::{Container, Event, ExecutionStatus};

/// One way for a candidate to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its executions never end.
    DroppedTerminal,
    /// Its outputs are missing.
    DroppedOutput,
    /// Each output is shown twice.
    DoubledOutput,
    /// The last character of an output differs.
    ChangedCharacter,
    /// The execution count of an output is one too high.
    WrongExecutionCount,
    /// Successes end as errors.
    FailedTerminal,
    /// Outputs come behind the end of their execution.
    LateOutput,
}

impl Fault {
    /// Every fault with its name.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::DroppedTerminal, "dropped-terminal"),
        (Self::DroppedOutput, "dropped-output"),
        (Self::DoubledOutput, "doubled-output"),
        (Self::ChangedCharacter, "changed-character"),
        (Self::WrongExecutionCount, "wrong-execution-count"),
        (Self::FailedTerminal, "failed-terminal"),
        (Self::LateOutput, "late-output"),
    ];

    /// The fault of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(fault, _)| *fault)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(fault, _)| *fault == self).map_or("", |(_, name)| name)
    }

    /// The events as a candidate with this fault would have made them.
    pub(crate) fn apply(self, events: Vec<Event>) -> Vec<Event> {
        match self {
            Self::LateOutput => late(events),
            _ => events.into_iter().flat_map(|event| self.spoil(event)).collect(),
        }
    }

    fn spoil(self, event: Event) -> Vec<Event> {
        match (self, event) {
            (Self::DroppedTerminal, Event::ExecutionCompleted(_)) => Vec::new(),
            (Self::DroppedOutput, Event::MultimediaResultOutputAdded(_)) => Vec::new(),
            (Self::DoubledOutput, Event::MultimediaResultOutputAdded(output)) => {
                let mut again = output.clone();
                again.id = format!("{}-again", output.id).into();
                vec![output.into(), again.into()]
            }
            (Self::ChangedCharacter, Event::MultimediaResultOutputAdded(mut output)) => {
                output.representations.values_mut().for_each(change_last_character);
                vec![output.into()]
            }
            (Self::WrongExecutionCount, Event::MultimediaResultOutputAdded(mut output)) => {
                output.execution_count += 1;
                vec![output.into()]
            }
            (Self::FailedTerminal, Event::ExecutionCompleted(mut completed)) => {
                completed.status = ExecutionStatus::Error;
                vec![completed.into()]
            }
            (_, event) => vec![event],
        }
    }
}

fn change_last_character(container: &mut Container) {
    if let Container::Inline { data: serde_json::Value::String(text), .. } = container {
        let last = text.pop();
        text.push(if last == Some('?') { '!' } else { '?' });
    }
}

fn late(events: Vec<Event>) -> Vec<Event> {
    let (outputs, mut rest): (Vec<Event>, Vec<Event>) =
        events.into_iter().partition(|event| matches!(event, Event::MultimediaResultOutputAdded(_)));
    rest.extend(outputs);
    rest
}
