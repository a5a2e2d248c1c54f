//! The default runtimes of the old `RuntimeFactory`.

use legacy_compat::DefaultRuntime;
use napi::{Error, Result};
use napi_derive::napi;

use crate::convert::write;

/// The types of the default runtimes, in order.
#[napi(catch_unwind)]
pub fn default_runtime_types() -> Result<Vec<&'static str>> {
    Ok(types(DefaultRuntime::ALL))
}

/// The types that `createWithDefaults()` registers, given how many runtimes call themselves available.
#[napi(catch_unwind)]
pub fn missing_default_types(available: u32) -> Result<Vec<&'static str>> {
    Ok(types(DefaultRuntime::missing_beside(available as usize)))
}

/// A default runtime as JSON: `{ metadata, capabilities, setupInstructions, startFailure }`. Throws for any other type.
#[napi(catch_unwind)]
pub fn default_runtime(runtime_type: String) -> Result<String> {
    let default = DefaultRuntime::of_type(&runtime_type).map_err(|failure| Error::from_reason(failure.message))?;
    write(default.description())
}

fn types(defaults: &[DefaultRuntime]) -> Vec<&'static str> {
    defaults.iter().map(|default| default.runtime_type()).collect()
}
