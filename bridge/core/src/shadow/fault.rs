//! Seeded faults: what a broken candidate would do, to see that the comparison notices. They touch candidates only; nothing
//! that serves knows of them.

mod lifecycle;
mod output;
mod text;

use registry::Event;

/// Declares the faults with their names and what is wrong with a candidate that has them.
macro_rules! faults {
    ($($fault:ident, $name:literal, $says:literal;)*) => {
        /// One way for a candidate to be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $(#[doc = $says] $fault,)*
            /// Outputs come without end.
            Flood,
        }

        impl Fault {
            /// Every fault that a comparison can show, with its name. A flood is cut off, and nothing is compared.
            pub const ALL: [(Self, &'static str); [$($name),*].len()] = [$((Self::$fault, $name)),*];

            /// What a candidate with this fault does.
            pub fn says(self) -> &'static str {
                match self {
                    $(Self::$fault => $says,)*
                    Self::Flood => "outputs come without end",
                }
            }
        }
    };
}

faults! {
    // What becomes of an execution.
    DroppedTerminal, "dropped-terminal", "executions never end";
    DoubledTerminal, "doubled-terminal", "executions end twice";
    FailedTerminal, "failed-terminal", "successes end as errors";
    InventedError, "invented-error", "the end names an error where there was none";
    MissingClaim, "missing-claim", "executions are begun without being claimed";
    DoubleClaim, "double-claim", "executions are claimed twice";
    MissingStart, "missing-start", "executions end without having been started";
    DoubleStart, "double-start", "executions are started twice";
    StartAfterOutput, "start-after-output", "executions are started behind their outputs";
    LateOutput, "late-output", "outputs come behind the end of their execution";
    WrongSession, "wrong-session", "executions are started under another session's id";
    LostExecution, "lost-execution", "the last execution of a batch is left out";
    ReorderedExecutions, "reordered-executions", "the last request is served first";
    // What it shows.
    DroppedOutput, "dropped-output", "outputs are missing";
    DoubledOutput, "doubled-output", "each output is shown twice";
    WrongExecutionCount, "wrong-execution-count", "the execution count of outputs is one too high";
    WrongCell, "wrong-cell", "outputs are shown at another cell";
    SwappedOutputs, "swapped-outputs", "executions show each other's outputs";
    StaleOutput, "stale-output", "executions show what the one before has shown";
    ClearedOutput, "cleared-output", "outputs are cleared once they are there";
    ChangedMime, "changed-mime", "outputs have another MIME type";
    AddedMetadata, "added-metadata", "outputs carry metadata that nobody gave them";
    // The text of it.
    ChangedCharacter, "changed-character", "the last character differs";
    LostFirstCharacter, "lost-first-character", "texts begin one character too late";
    TrimmedWhitespace, "trimmed-whitespace", "white space at the end is gone";
    NormalisedNewline, "normalised-newline", "carriage returns before line feeds are gone";
    DroppedBom, "dropped-bom", "a byte order mark at the beginning is gone";
    Lowercased, "lowercased", "capitals are small";
    Truncated, "truncated", "texts end after 64 KiB";
    EscapedTwice, "escaped-twice", "entities are escaped once more";
}

impl Fault {
    /// The fault of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(fault, _)| *fault)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(fault, _)| *fault == self).map_or("flood", |(_, name)| name)
    }

    /// The events as a candidate with this fault would have made them.
    pub(crate) fn apply(self, events: Vec<Event>) -> Vec<Event> {
        let events = lifecycle::spoil(self, events);
        let events = output::spoil(self, events);
        text::spoil(self, events)
    }
}
