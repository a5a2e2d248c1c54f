//! The integration tests: one binary, a module a question.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

mod audit;
mod backtest;
mod day;
mod dependencies;
mod elsewhere;
mod faults;
mod flips;
mod fuzzed;
mod guard;
mod guard_power;
mod ingest;
mod journal;
mod manager;
mod materialiser;
mod normalise;
mod orphans;
mod pages;
mod records;
mod replay;
mod routing;
mod shadow;
mod side_by_side;
mod simulation;
mod stores;
mod traced;
mod traces;
