//! The guard of an environment: configured, shown, re-armed.

use std::path::PathBuf;

use bridge_core::{GuardSettings, Scope};
use napi::Result;
use napi_derive::napi;
use registry::NotebookId;

use crate::convert::{read, refusal, write};
use crate::environment::{now, with};

/// Works by these settings, as JSON, from now on, with the latch in this file if one is given; gives diagnostics as JSON.
#[napi(catch_unwind)]
pub fn configure_guard(settings: String, file: Option<String>, wall_ms: f64, mono_ms: f64) -> Result<String> {
    let settings: GuardSettings = read("guard settings", &settings)?;
    let file = file.map(PathBuf::from);
    with(|environment| write(&environment.configure_guard(now(wall_ms, mono_ms), settings, file.as_deref())))
}

/// Shares the latch with other processes through a store; it is closed until [`take_in_guard`].
#[napi(catch_unwind)]
pub fn share_guard(wall_ms: f64, mono_ms: f64) -> Result<()> {
    with(|environment| {
        environment.share_guard(now(wall_ms, mono_ms));
        Ok(())
    })
}

/// Takes in what the shared store holds, `null` where it holds nothing yet; gives diagnostics as JSON. Every notebook is to be
/// woken.
#[napi(catch_unwind)]
pub fn take_in_guard(state: Option<String>, wall_ms: f64, mono_ms: f64) -> Result<String> {
    with(|environment| write(&environment.take_in_guard(now(wall_ms, mono_ms), state.as_deref())))
}

/// What the shared store has to be told, as JSON: `{ state, changes }`, or `null`.
#[napi(catch_unwind)]
pub fn offer_guard() -> Result<String> {
    with(|environment| write(&environment.offer_guard()))
}

/// The shared store has taken an offer with so many changes.
#[napi(catch_unwind)]
pub fn guard_sent(changes: u32) -> Result<()> {
    with(|environment| {
        environment.guard_sent(changes as usize);
        Ok(())
    })
}

/// Ends the rollbacks of a notebook, or all of them; gives a diagnostic as JSON, or `null`. Every notebook is to be woken.
#[napi(catch_unwind)]
pub fn rearm_guard(
    notebook: Option<String>,
    by: Option<String>,
    reason: String,
    wall_ms: f64,
    mono_ms: f64,
) -> Result<String> {
    let scope = notebook.map_or(Scope::Everywhere, |id| Scope::Notebook(NotebookId::from(id)));
    with(|environment| {
        let news = environment.rearm(now(wall_ms, mono_ms), &scope, by.as_deref(), &reason);
        write(&news.map_err(|error| refusal(error.code(), &format!("rearm: {error}"), error.hint()))?)
    })
}

/// Writes the guard's state and what is known of noise, where they have files; gives diagnostics as JSON.
#[napi(catch_unwind)]
pub fn save_guard(wall_ms: f64, mono_ms: f64) -> Result<String> {
    with(|environment| write(&environment.save_guard(now(wall_ms, mono_ms))))
}

/// What an operator sees of the guard, as JSON.
#[napi(catch_unwind)]
pub fn guard_status() -> Result<String> {
    with(|environment| write(&environment.guard_status()))
}
