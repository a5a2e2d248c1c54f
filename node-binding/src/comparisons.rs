//! The shadow's lane of an environment.

use bridge_core::{ComparisonMode, Fault};
use bridge_host::lane::{self, Breakdown, Lane, Program, Seeded};
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Error, Result};
use napi_derive::napi;
use serde::Deserialize;

use crate::convert::{read, write};
use crate::environment::with;

/// Opens the lane on which shadows run. `on_done` is called whenever a comparison is done: any step of its notebook then gives
/// its outcome. It keeps no process alive.
#[napi(catch_unwind)]
pub fn open_lane(on_done: Function<'_, (), ()>) -> Result<()> {
    let callback = on_done.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
    with(|environment| {
        let lane = Lane::open(environment.books().clone(), move || {
            callback.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        let lane = lane.map_err(|error| Error::from_reason(format!("no thread for the shadow: {error}")))?;
        environment.shadowing().open(lane);
        Ok(())
    })
}

#[derive(Deserialize)]
struct ChildProcess {
    path: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

/// Runs candidates in a process of their own from now on, started as this JSON says: `{ path, args, env }`; without one, on the
/// lane's thread. The process has to call [`serve_shadow`].
#[napi(catch_unwind)]
pub fn separate_shadow(program: Option<String>) -> Result<()> {
    let child: Option<ChildProcess> = program.map(|program| read("program", &program)).transpose()?;
    let program = child.map(|ChildProcess { path, args, env }| Program {
        path: path.into(),
        args: args.into_iter().map(Into::into).collect(),
        env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
    });
    with(|environment| {
        environment.shadowing().separate(program);
        Ok(())
    })
}

/// Compares the path that serves with its own core from now on, or with the other path.
#[napi(catch_unwind)]
pub fn compare_with_itself(is_aa: bool) -> Result<()> {
    with(|environment| {
        environment.shadowing().compare_with(if is_aa { ComparisonMode::Aa } else { ComparisonMode::Paths });
        Ok(())
    })
}

/// Compares what comes in on standard input until it ends: all that a process for candidates does.
#[napi(catch_unwind)]
pub fn serve_shadow() -> Result<()> {
    lane::serve().map_err(|error| Error::from_reason(error.to_string()))
}

/// What an operator sees of the shadow, as JSON.
#[napi(catch_unwind)]
pub fn shadow_status() -> Result<String> {
    with(|environment| write(&environment.shadowing().status()))
}

/// The process ends in order: what is being compared now has brought nothing down.
#[napi(catch_unwind)]
pub fn clear_marks() -> Result<()> {
    with(|environment| {
        environment.shadowing().clear_marks();
        Ok(())
    })
}

/// Spoils the candidates of comparisons by this fault or breakdown, or by none. Gives false for one that does not exist.
#[napi(catch_unwind)]
pub fn seed_candidate_fault(name: Option<String>) -> Result<bool> {
    let seeded = name.as_deref().map(Seeded::parse);
    with(|environment| {
        environment.shadowing().seed(seeded.flatten());
        Ok(seeded != Some(None))
    })
}

/// The names of the faults that a candidate can be seeded with.
#[napi(catch_unwind)]
pub fn candidate_faults() -> Result<Vec<String>> {
    Ok(Fault::ALL.iter().map(|(_, name)| (*name).to_owned()).collect())
}

/// The names of the breakdowns that a candidate can be seeded with.
#[napi(catch_unwind)]
pub fn candidate_breakdowns() -> Result<Vec<String>> {
    Ok(Breakdown::ALL.iter().map(|(_, name)| (*name).to_owned()).collect())
}
