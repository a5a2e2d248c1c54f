//! The Node addon of runtime-bridge: conversions between JavaScript and [`bridge_host`], and nothing else.
//!
//! Free functions, `u32` handles, JSON in and out. What is behind them belongs to the Node environment (main thread or worker)
//! that calls. Every export catches panics and turns them into JavaScript errors.

#![expect(clippy::needless_pass_by_value, reason = "an export owns what JavaScript hands it")]

pub mod agents;
pub mod artifacts;
pub mod comparisons;
pub mod config;
mod convert;
mod environment;
pub mod flags;
pub mod guard;
pub mod kill;
mod outcomes;
pub mod records;
pub mod routing;
pub mod runtime_factory;
pub mod runtime_registry;
pub mod steps;
mod text;
