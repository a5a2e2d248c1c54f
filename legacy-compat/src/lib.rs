//! The old runtime classes as state machines: their states, their events, their order and their oddities, as recorded from
//! the real code. This crate does no IO and knows no clock; it builds outputs of its own and shares none of that with
//! [`registry`], so that comparing the two proves something.
//!
//! It serves hosts that have deleted their old code, and stands in for the old code in shadow runs, benchmarks and backtests.

mod base_runtime;
mod html_events;
mod html_runtime;
mod html_runtime_manager;
mod protocol;
mod quirk;
mod runtime_factory;
mod runtime_registry;
mod state;
mod tasks;

pub use base_runtime::{BaseRuntime, Input as BaseInput, runtime_id, session_id};
pub use html_runtime::{HtmlRuntime, Input as HtmlInput};
pub use html_runtime_manager::{HtmlRuntimeManager, Input as ManagerInput, Server};
pub use protocol::{CallId, Effect, Hook};
pub use quirk::{OnRegistry, QUIRKS, Quirk, QuirkRow};
pub use runtime_factory::{DefaultCapabilities, DefaultDescription, DefaultMetadata, DefaultRuntime};
pub use runtime_registry::{
    Effect as RegistryEffect, Event as RegistryEvent, Facts, Input as RegistryInput, Limits, ObjectKey, RuntimeFacts,
    RuntimeRegistry, Stats,
};
pub use state::{HtmlRuntimeState, LegacyStatus, RuntimeState, StatePatch};
