//! The kill switch of an environment: thrown by a call, a variable or a file, and shown.

use std::cell::RefCell;
use std::sync::Arc;

use bridge_core::{Diagnostic, KillWay, Level};
use bridge_host::kill::{KillEvent, KillFile};
use napi::Result;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use crate::convert::{refusal, write};
use crate::environment::{now, with};

thread_local! {
    /// The kill file that this environment follows.
    static FILE: RefCell<Option<KillFile>> = const { RefCell::new(None) };
}

/// Throws the switch by a call; gives diagnostics as JSON. Every notebook is to be woken.
#[napi(catch_unwind)]
pub fn kill(reason: String, by: Option<String>, wall_ms: f64, mono_ms: f64) -> Result<String> {
    with(|environment| write(&environment.kill(now(wall_ms, mono_ms), &reason, by.as_deref())))
}

/// Ends the kill by a call; gives diagnostics as JSON. Every notebook is to be woken.
#[napi(catch_unwind)]
pub fn unkill(reason: String, wall_ms: f64, mono_ms: f64) -> Result<String> {
    with(|environment| {
        let news = environment.unkill(now(wall_ms, mono_ms), &reason);
        write(&news.map_err(|error| refusal(error.code(), &format!("unkill: {error}"), error.hint()))?)
    })
}

/// Throws the switch if this variable of the environment says so, or says something doubtful; gives a diagnostic as JSON, or
/// `null`.
#[napi(catch_unwind)]
pub fn kill_by_variable(name: String, value: Option<String>, wall_ms: f64) -> Result<String> {
    with(|environment| write(&environment.kill_by_variable(now(wall_ms, 0.0), &name, value.as_deref())))
}

/// Looks for the kill file now, then follows it, in place of another one. `on_news` is called with a diagnostic as JSON
/// whenever there is news of it, and keeps no process alive.
#[napi(catch_unwind)]
pub fn watch_kill_file(path: String, on_news: Function<'_, String, ()>) -> Result<()> {
    let callback = on_news.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
    release_kill_file()?;
    let switch = with(|environment| Ok(Arc::clone(environment.kill_switch())))?;
    let file = KillFile::open(path, switch, move |event| {
        if let Ok(news) = serde_json::to_string(&diagnostic(&event)) {
            callback.call(news, ThreadsafeFunctionCallMode::NonBlocking);
        }
    });
    FILE.replace(Some(file));
    Ok(())
}

/// Stops following the kill file. What it holds, it goes on holding.
#[napi(catch_unwind)]
pub fn unwatch_kill_file() -> Result<()> {
    FILE.replace(None);
    Ok(())
}

/// Stops following the kill file and lets go of what it holds. Every notebook is to be woken.
#[napi(catch_unwind)]
pub fn release_kill_file() -> Result<()> {
    FILE.replace(None);
    with(|environment| {
        environment.kill_switch().release(KillWay::File);
        Ok(())
    })
}

/// What holds the switch, as JSON.
#[napi(catch_unwind)]
pub fn kills() -> Result<String> {
    with(|environment| write(&environment.kill_switch().kills()))
}

fn diagnostic(event: &KillEvent) -> Diagnostic {
    let level = match event {
        KillEvent::Killed { .. } => Level::Error,
        KillEvent::Released { .. } | KillEvent::Unwatched { .. } => Level::Warning,
    };
    Diagnostic { level, code: event.code(), message: event.to_string(), help: event.hint().to_owned() }
}
