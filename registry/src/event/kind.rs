//! The closed sets of words in events and tables. A word outside its set is an error of the event that holds it.

use serde::{Deserialize, Serialize};

/// Defines a closed set of words with its spelling on the wire.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text)] $word,)*
        }

        impl $name {
            /// The word as it stands in events and tables.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

words! {
    /// What a cell holds.
    CellType {
        /// A program.
        Code = "code",
        /// Prose.
        Markdown = "markdown",
        /// A query.
        Sql = "sql",
        /// Text that nothing interprets.
        Raw = "raw",
        /// A prompt.
        Ai = "ai",
    }
    /// Where a cell stands (`cells.executionState`).
    ExecutionState {
        /// Never run, or cancelled.
        Idle = "idle",
        /// Asked for.
        Queued = "queued",
        /// Under way.
        Running = "running",
        /// Ended well.
        Completed = "completed",
        /// Ended badly.
        Error = "error",
    }
    /// How an execution ended.
    ExecutionStatus {
        /// Well.
        Success = "success",
        /// With an error.
        Error = "error",
        /// It stopped because it was cancelled.
        Cancelled = "cancelled",
    }
    /// Where a queue entry stands.
    QueueStatus {
        /// Nobody has claimed it.
        Pending = "pending",
        /// A session has claimed it.
        Assigned = "assigned",
        /// It runs.
        Executing = "executing",
        /// It ended well.
        Completed = "completed",
        /// It ended badly.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
    /// Where a runtime session stands, in the schema's words.
    SessionStatus {
        /// Announced.
        Starting = "starting",
        /// Claims work.
        Ready = "ready",
        /// Executes.
        Busy = "busy",
        /// Will be ready again.
        Restarting = "restarting",
        /// Over.
        Terminated = "terminated",
    }
    /// Why a session ended.
    TerminationReason {
        /// It was stopped.
        Shutdown = "shutdown",
        /// It makes room for its successor.
        Restart = "restart",
        /// It broke.
        Error = "error",
        /// It gave no sign of life.
        Timeout = "timeout",
        /// Another session took the notebook.
        Displaced = "displaced",
    }
    /// What kind of output a row is.
    OutputType {
        /// What code shows while it runs.
        MultimediaDisplay = "multimedia_display",
        /// The value of a cell.
        MultimediaResult = "multimedia_result",
        /// Text of a stream.
        Terminal = "terminal",
        /// Prose.
        Markdown = "markdown",
        /// An error.
        Error = "error",
    }
    /// Which stream a terminal output was written to.
    StreamName {
        /// Standard output.
        Stdout = "stdout",
        /// Standard error.
        Stderr = "stderr",
    }
    /// What kind of user an actor is.
    ActorType {
        /// A person.
        Human = "human",
        /// An agent.
        RuntimeAgent = "runtime_agent",
    }
    /// Where a tool approval stands. An event answers with one of the last three.
    ApprovalStatus {
        /// Nobody has answered.
        Pending = "pending",
        /// This call may run.
        ApprovedOnce = "approved_once",
        /// This tool may always run.
        ApprovedAlways = "approved_always",
        /// It may not run.
        Denied = "denied",
    }
}
