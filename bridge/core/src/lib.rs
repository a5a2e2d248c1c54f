//! What decides between the old and the new path of a notebook: the router and its plan, the lease, the ledger of executions and
//! the gate on every commit. This crate does no IO: time, flag sets and facts of the store come in as arguments.

mod diagnostic;
mod gate;
mod lease;
mod ledger;
mod plan;
mod router;

pub use diagnostic::{Diagnostic, Level};
pub use gate::{Gate, GateCounts, Mode, Pass, Refusal, Verdict};
pub use lease::{Change, Lease, Token};
pub use ledger::{Ledger, MAX_FINISHED_ROWS, Standing, Tally, Terminal};
pub use plan::{Known, Move, Plan, plan};
pub use router::{Ability, Boundary, Decision, Doubt, Path, ROUTE_FLAG, Reason, Route, decide};
