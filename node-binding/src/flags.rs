//! Flags: their file, their documents, their answers.

use std::cell::RefCell;
use std::sync::Arc;

use bridge_host::source::FlagFile;
use flags::Context;
use napi::Result;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use serde_json::{Map, Value};

use crate::convert::{diagnostic, read, refusal, write};
use crate::environment::{now, with};

thread_local! {
    /// The flag file that this environment watches.
    static FILE: RefCell<Option<FlagFile>> = const { RefCell::new(None) };
}

/// Reads the flag file now, then watches it. `on_news` is called with a diagnostic as JSON whenever there is news of the file,
/// and keeps no process alive.
#[napi(catch_unwind)]
pub fn watch_flags(path: String, on_news: Function<'_, String, ()>) -> Result<()> {
    let callback = on_news.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
    let live = with(|environment| {
        environment.flags().expect();
        Ok(Arc::clone(environment.flags()))
    })?;
    let file = FlagFile::open(path, live, move |event| {
        if let Ok(news) = serde_json::to_string(&diagnostic(&event)) {
            callback.call(news, ThreadsafeFunctionCallMode::NonBlocking);
        }
    });
    FILE.replace(Some(file));
    Ok(())
}

/// Stops watching the flag file. The flags in force stay.
#[napi(catch_unwind)]
pub fn unwatch_flags() -> Result<()> {
    FILE.replace(None);
    Ok(())
}

/// Puts a flag document in force; gives its generation. A refused one leaves the last good one in force.
#[napi(catch_unwind)]
pub fn apply_flags(text: String, origin: String) -> Result<f64> {
    with(|environment| {
        environment.flags().expect();
        let applied = environment.flags().apply(&text, &origin);
        let applied = applied.map_err(|error| refusal(error.code(), &format!("{origin}: {error}"), error.hint()))?;
        // A generation counts documents: it stays far below 2^53.
        Ok(applied.generation as f64)
    })
}

/// Which rule decides for a notebook, as JSON: `{ text, explanation, overruledBy }`, or `null` where there is no document and
/// nothing overrules one.
#[napi(catch_unwind)]
pub fn explain(notebook: String, attributes: String, wall_ms: f64) -> Result<String> {
    let context = context(notebook.clone(), &attributes)?;
    with(|environment| {
        let overruled_by = environment.overruled_by(&notebook);
        let explanation = environment.explain(now(wall_ms, 0.0), context);
        if explanation.is_none() && overruled_by.is_empty() {
            return write(&Value::Null);
        }
        let told = explanation.iter().map(ToString::to_string);
        let text = overruled_by.iter().cloned().chain(told).collect::<Vec<_>>().join("\n");
        write(&serde_json::json!({ "text": text, "explanation": explanation, "overruledBy": overruled_by }))
    })
}

/// What a flag document would do to the notebooks that have sessions, as JSON.
#[napi(catch_unwind)]
pub fn plan(document: String, wall_ms: f64) -> Result<String> {
    with(|environment| {
        let plan = environment.plan(now(wall_ms, 0.0), &document);
        write(&plan.map_err(|error| refusal(error.code(), &format!("plan: {error}"), error.hint()))?)
    })
}

/// The generation of the flags in force and the error of the document refused last, as JSON.
#[napi(catch_unwind)]
pub fn flags_status() -> Result<String> {
    with(|environment| {
        let flags = environment.flags();
        let error = flags.last_error().map(|refusal| {
            serde_json::json!({
                "code": refusal.error.code(),
                "message": format!("{}: {}", refusal.origin, refusal.error),
                "help": refusal.error.hint(),
            })
        });
        write(
            &serde_json::json!({ "configured": flags.is_expected(), "generation": flags.generation(), "error": error }),
        )
    })
}

pub(crate) fn context(notebook: String, attributes: &str) -> Result<Context> {
    let attributes: Map<String, Value> = read("attributes", attributes)?;
    Ok(attributes.into_iter().fold(Context::new(notebook), |context, (name, value)| context.with(name, value)))
}
