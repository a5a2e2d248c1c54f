//! The registry of agents and runtime types.

use bridge_host::environment::Environment;
use napi::{Error, Result};
use napi_derive::napi;
use registry::{NotebookId, Placement, RegistryError, RuntimeType};

use crate::convert::{read, refusal, write};
use crate::environment::with;

/// Begins a registry of agents; `max` bounds how many may exist at once.
#[napi(catch_unwind)]
pub fn reset_agents(max: u32) -> Result<()> {
    with(|environment| {
        environment.reset_agents(max as usize);
        Ok(())
    })
}

/// Makes sure that a notebook has an agent of this type; true where there was none before.
#[napi(catch_unwind)]
pub fn place_agent(notebook: String, runtime_type: String) -> Result<bool> {
    let place = |environment: &mut Environment| environment.agents().place(&NotebookId::from(notebook), &runtime_type);
    with(|environment| Ok(place(environment).map_err(registry_refusal)? == Placement::Created))
}

/// Takes a notebook's agent out; false where it has none.
#[napi(catch_unwind)]
pub fn remove_agent(notebook: String) -> Result<bool> {
    with(|environment| Ok(environment.agents().remove(&NotebookId::from(notebook))))
}

/// Adds a runtime type, described as JSON.
#[napi(catch_unwind)]
pub fn register_runtime_type(definition: String) -> Result<()> {
    let definition: RuntimeType = read("runtime type", &definition)?;
    with(|environment| environment.agents().register_type(definition).map_err(registry_refusal))
}

/// A runtime type as JSON, `null` where there is none of that name.
#[napi(catch_unwind)]
pub fn runtime_type(name: String) -> Result<String> {
    with(|environment| write(&environment.agents().runtime_type(&name)))
}

/// The types that can be started, the highest priority first, as JSON.
#[napi(catch_unwind)]
pub fn available_runtime_types() -> Result<String> {
    with(|environment| write(&environment.agents().available_types()))
}

/// How many agents may exist at once.
#[napi(catch_unwind)]
pub fn max_concurrent_agents() -> Result<f64> {
    // A count that came in as a u32, or the default.
    with(|environment| Ok(environment.agents().max_concurrent_agents() as f64))
}

fn registry_refusal(error: RegistryError) -> Error {
    refusal(error.code(), &error.to_string(), error.hint())
}
