//! What decides between the old and the new path of a notebook: the router and its plan, the lease, the ledger of executions and
//! the gate on every commit; and what compares the two: the shadow, normalisation and the ledger of known differences. This
//! crate does no IO: time, flag sets and facts of the store come in as arguments.

mod compare;
mod diagnostic;
mod gate;
mod known;
mod lease;
mod ledger;
mod normalise;
mod plan;
mod router;
mod shadow;

pub use compare::{Compared, Comparison, ComparisonTally, Difference, Verdict, Why, judge};
pub use diagnostic::{Diagnostic, Level};
pub use gate::{Gate, GateCounts, Mode, Pass, Refusal, Ruling};
pub use known::{KNOWN_DIFFERENCES, KnownDifference, Pair, Seen};
pub use lease::{Change, Lease, Token};
pub use ledger::{Ledger, MAX_FINISHED_ROWS, Standing, Tally, Terminal};
pub use normalise::{Canonical, End, Hits, RULES_VERSION, normalise};
pub use plan::{Known, Move, Plan, plan};
pub use router::{Ability, Boundary, Decision, Doubt, Path, ROUTE_FLAG, Reason, Route, decide, decide_in};
pub use shadow::{
    CandidateRun, Fault, MAX_EXECUTIONS, Observation, ObservedExecution, RefusedEvent, Shadow, Source, run_candidate,
};
