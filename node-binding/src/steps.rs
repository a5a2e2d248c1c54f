//! Runtime objects and notebooks: created, stepped, dropped.

use bridge_host::environment::NotebookKey;
use bridge_host::step::{Input, RuntimeKey};
use legacy_compat::HtmlRuntime;
use napi::{Error, Result};
use napi_derive::napi;
use registry::NotebookId;

use crate::convert::{RuntimeInput, RuntimeStep, read, write};
use crate::environment::{now, with};

/// Creates the lifecycle of a runtime object; `id` is its `metadata.id`.
#[napi(catch_unwind)]
pub fn create_runtime(id: String) -> Result<u32> {
    with(|environment| Ok(environment.create_runtime(id).0))
}

/// Names a manager, for the steps of its notebook.
#[napi(catch_unwind)]
pub fn create_manager() -> Result<u32> {
    with(|environment| Ok(environment.create_manager().0))
}

/// Steps the lifecycle of a runtime object: `{ type, … }` in, `{ state, notebookId, effects }` out.
#[napi(catch_unwind)]
pub fn step_runtime(runtime: u32, wall_ms: f64, mono_ms: f64, input: String) -> Result<String> {
    let input: RuntimeInput = read("runtime input", &input)?;
    let key = RuntimeKey(runtime);
    with(|environment| {
        let runtime = environment.runtime(key).ok_or_else(|| gone("runtime", runtime))?;
        let effects = runtime.handle(now(wall_ms, mono_ms), input.into());
        write(&RuntimeStep::new(key, runtime, effects))
    })
}

/// Why `validateStarted()` throws, or nothing.
#[napi(catch_unwind)]
pub fn validate_started(runtime: u32) -> Result<Option<String>> {
    with(|environment| {
        let runtime = environment.runtime(RuntimeKey(runtime)).ok_or_else(|| gone("runtime", runtime))?;
        Ok(runtime.validate_started().err().map(|failure| failure.message))
    })
}

/// `isActiveAndReady()`.
#[napi(catch_unwind)]
pub fn is_active_and_ready(runtime: u32) -> Result<bool> {
    with(|environment| {
        let runtime = environment.runtime(RuntimeKey(runtime)).ok_or_else(|| gone("runtime", runtime))?;
        Ok(runtime.is_active_and_ready())
    })
}

/// Why `getCurrentNotebookId()` throws, or nothing.
#[napi(catch_unwind)]
pub fn validate_notebook_id(runtime: u32) -> Result<Option<String>> {
    with(|environment| {
        let runtime = environment.runtime(RuntimeKey(runtime)).ok_or_else(|| gone("runtime", runtime))?;
        Ok(runtime.current_notebook_id().err().map(|failure| failure.message))
    })
}

/// Forgets a runtime object.
#[napi(catch_unwind)]
pub fn drop_runtime(runtime: u32) -> Result<()> {
    with(|environment| {
        environment.drop_runtime(RuntimeKey(runtime));
        Ok(())
    })
}

/// `generateRuntimeId()` of the old code.
#[napi(catch_unwind)]
pub fn generate_runtime_id(runtime_type: String) -> Result<String> {
    with(|environment| Ok(legacy_compat::runtime_id(&runtime_type, &environment.nanoid())))
}

/// `generateSessionId(runtimeId)` of the old code.
#[napi(catch_unwind)]
pub fn generate_session_id(runtime_id: String, wall_ms: f64) -> Result<String> {
    Ok(legacy_compat::session_id(&runtime_id, now(wall_ms, 0.0)))
}

/// Why `HtmlRuntime.doStart` throws before it touches the store, or nothing.
#[napi(catch_unwind)]
pub fn check_html_configuration(has_store: bool, user_id: Option<String>) -> Result<Option<String>> {
    Ok(HtmlRuntime::check_configuration(has_store, user_id.as_deref()).err().map(|failure| failure.message))
}

/// Opens a notebook; `id` is the key of its flags.
#[napi(catch_unwind)]
pub fn open_notebook(id: String) -> Result<u32> {
    with(|environment| Ok(environment.open_notebook(NotebookId::from(id)).0))
}

/// Steps a notebook: `{ type, … }` in, a list of effects out.
#[napi(catch_unwind)]
pub fn step_notebook(notebook: u32, wall_ms: f64, mono_ms: f64, input: String) -> Result<String> {
    let input: Input = read("notebook input", &input)?;
    with(|environment| {
        let effects = environment.step_notebook(NotebookKey(notebook), now(wall_ms, mono_ms), input);
        write(&effects.ok_or_else(|| gone("notebook", notebook))?)
    })
}

/// The live query that an owner runs between `watch` and `unwatch`: `{ query, tables }`.
#[napi(catch_unwind)]
pub fn watched() -> Result<String> {
    write(&serde_json::json!({ "query": bridge_host::sql::WATCH, "tables": bridge_host::sql::WATCHED_TABLES }))
}

/// The live query that an owner runs from `follow` to `unfollow`, with the entries that are not over or without: `{ query, tables }`.
#[napi(catch_unwind)]
pub fn followed(entries: bool) -> Result<String> {
    let which = usize::from(entries);
    let (query, tables) = (bridge_host::sql::ELSEWHERE[which], bridge_host::sql::ELSEWHERE_TABLES[which]);
    write(&serde_json::json!({ "query": query, "tables": tables }))
}

/// Closes a notebook.
#[napi(catch_unwind)]
pub fn close_notebook(notebook: u32) -> Result<()> {
    with(|environment| {
        environment.close_notebook(NotebookKey(notebook));
        Ok(())
    })
}

/// What an operator sees of every open notebook, as JSON.
#[napi(catch_unwind)]
pub fn notebooks_status() -> Result<String> {
    with(|environment| write(&environment.status()))
}

fn gone(what: &str, handle: u32) -> Error {
    Error::from_reason(format!("no {what} has the handle `{handle}`"))
}
