//! What decides between the old and the new path of a notebook: the router and its plan, the lease, the ledger of executions and
//! the gate on every commit; what compares the two: the shadow, normalisation, the ledger of known differences and the noise of
//! the control; the guard that rolls back on what comparisons say, and the kill switch; the records of what comparisons could not
//! explain; and what reads a finished log: the audit and the backtest. This crate does no IO: time, flag sets and facts of the
//! store come in as arguments.

mod audit;
mod backtest;
mod compare;
mod diagnostic;
mod gate;
mod guard;
mod kill;
mod known;
mod lease;
mod ledger;
mod noise;
mod normalise;
mod plan;
mod record;
mod router;
mod sealed;
mod shadow;

pub use audit::{Audit, Auditor, Finding, FindingKind, Group, MAX_LISTED, Place, Served, ServedTally};
pub use backtest::{
    Backtest, Content, Differing, Parity, ROLLOUT_RULE, Readiness, Recorded, Replayed, Site, readiness,
};
pub use compare::{
    AaTally, Compared, Comparison, ComparisonMode, ComparisonTally, Difference, Verdict, Why, judge,
    judge_against_itself, judge_both,
};
pub use diagnostic::{Diagnostic, Level};
pub use gate::{Gate, GateCounts, Mode, Pass, Refusal, Ruling};
pub use guard::{
    ALPHA, Advice, Class, Closed, Counts, Discordant, Evidence, Guard, GuardStatus, Incident, Latch, MAX_COHORTS,
    MAX_DISCORDANT, MAX_LATCHED_NOTEBOOKS, MAX_POINTS, MIN_NOTEBOOKS, MIN_WATCHED_MS, Metric, Needed, Outcome, Point,
    Progress, RATE_LIMIT, RearmError, Rearmed, Rollback, Scope, Settings as GuardSettings, StateError, Tier, Totals,
    UnkillError, ln_e_pairs, ln_e_rate,
};
pub use kill::{Kill, KillWay};
pub use known::{KNOWN_DIFFERENCES, KnownDifference, Pair, Seen};
pub use lease::{Change, Lease, Token};
pub use ledger::{Ledger, MAX_FINISHED_ROWS, Standing, Tally, Terminal};
pub use noise::{
    Lesson, MAX_NOISE_CLASSES, MAX_NOISE_PLACES, MAX_PAIRED_BYTES, NOISE_ALPHA, NOISE_LIMIT, NoiseModel,
    NoiseStateError,
};
pub use normalise::{Canonical, Cosmetic, End, Hits, RULES_VERSION, normalise};
pub use plan::{Known, Move, Plan, plan};
pub use record::{
    Case, Excerpt, FIRST_RECORDS, Keeper, Latencies, Located, MAX_EXCERPT_BYTES, MAX_FACTS_BYTES,
    MAX_RECORDED_SIGNATURES, MAX_STORE_BYTES, Measure, Minimised, Mismatch, RECORD_SCHEMA, RESERVOIR, Record,
    RecordError, RecordTotals, RecordedRoute, Replay, Secret, Sighting, SignatureSeen, Sources, Spot, Versions,
    minimise, mismatches,
};
pub use router::{
    Ability, Boundary, Choice, Decision, Doubt, Path, ROUTE_FLAG, Reason, Route, UNKNOWN_ATTRIBUTES, choose_in, decide,
    decide_in,
};
pub use shadow::{
    CandidateRun, Control, Fault, MAX_BYTES, MAX_EVENTS, MAX_EXECUTIONS, Notes, Observation, ObservedExecution,
    RefusedEvent, RunEnd, SeenExecution, Shadow, Source, run_candidate, run_path,
};
