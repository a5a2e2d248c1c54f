//! The shadow's lane of an environment.

use bridge_core::Fault;
use bridge_host::lane::Lane;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Error, Result};
use napi_derive::napi;

use crate::environment::with;

/// Opens the lane on which shadows run. `on_done` is called whenever a comparison is done: any step of its notebook then gives
/// its outcome. It keeps no process alive.
#[napi(catch_unwind)]
pub fn open_lane(on_done: Function<'_, (), ()>) -> Result<()> {
    let callback = on_done.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
    with(|environment| {
        let lane = Lane::open(environment.records().clone(), move || {
            callback.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        let lane = lane.map_err(|error| Error::from_reason(format!("no thread for the shadow: {error}")))?;
        environment.open_lane(lane);
        Ok(())
    })
}

/// Spoils the candidates of comparisons by this fault, or by none. Gives false for a fault that does not exist.
#[napi(catch_unwind)]
pub fn seed_candidate_fault(name: Option<String>) -> Result<bool> {
    let fault = name.as_deref().map(Fault::parse);
    with(|environment| {
        environment.seed_candidate_fault(fault.flatten());
        Ok(fault != Some(None))
    })
}

/// The names of the faults that a candidate can be seeded with.
#[napi(catch_unwind)]
pub fn candidate_faults() -> Result<Vec<String>> {
    Ok(Fault::ALL.iter().map(|(_, name)| (*name).to_owned()).collect())
}
