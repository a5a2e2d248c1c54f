//! The mismatch records of an environment: configured, shown, saved.

use std::path::Path;

use bridge_core::Sources;
use napi::Result;
use napi_derive::napi;
use serde_json::Value;

use crate::convert::{refusal, write};
use crate::environment::with;

/// Writes mismatches to a folder from now on; the settings are JSON as the host gave them: `{ folder, sources }`. Gives
/// diagnostics as JSON.
#[napi(catch_unwind)]
pub fn configure_records(settings: String) -> Result<String> {
    let settings: Value = serde_json::from_str(&settings).unwrap_or_default();
    let (folder, sources) = (folder(&settings)?, sources(&settings)?);
    with(|environment| write(&environment.configure_records(Path::new(&folder), sources)))
}

/// What an operator sees of the records, as JSON; `null` where no folder is configured.
#[napi(catch_unwind)]
pub fn records_status() -> Result<String> {
    with(|environment| write(&environment.records_status()))
}

/// Writes the counts of mismatches, where there is a folder.
#[napi(catch_unwind)]
pub fn save_records() -> Result<()> {
    with(|environment| {
        environment.books().records.save();
        Ok(())
    })
}

fn folder(settings: &Value) -> Result<String> {
    match settings.get("folder").and_then(Value::as_str) {
        Some(folder) if !folder.trim().is_empty() => Ok(folder.to_owned()),
        _ => Err(refused("folder", settings, "name the folder as a string; it is created where there is none")),
    }
}

fn sources(settings: &Value) -> Result<Sources> {
    match settings.get("sources").map(Value::as_str) {
        None | Some(Some("redacted")) => Ok(Sources::Redacted),
        Some(Some("full")) => Ok(Sources::Full),
        Some(_) => Err(refused("sources", settings, "write \"redacted\", or \"full\" to keep what users have written")),
    }
}

fn refused(key: &str, settings: &Value, hint: &str) -> napi::Error {
    let value = settings.get(key).unwrap_or(&Value::Null);
    refusal("BAD_OPTION", &format!("configure: `mismatches.{key}` cannot be `{value}`"), hint)
}
