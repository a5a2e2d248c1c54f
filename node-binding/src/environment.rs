//! The environment of the calling thread.

use std::cell::RefCell;

use bridge_host::environment::Environment;
use napi::{Error, Result};
use registry::Now;

thread_local! {
    /// Each Node environment runs on a thread of its own, so a thread's environment is the caller's.
    static ENVIRONMENT: RefCell<Option<Environment>> = const { RefCell::new(None) };
}

/// Runs with the calling thread's environment, which comes into being at its first use.
pub(crate) fn with<T>(work: impl FnOnce(&mut Environment) -> Result<T>) -> Result<T> {
    ENVIRONMENT.with(|cell| {
        let mut slot =
            cell.try_borrow_mut().map_err(|_| Error::from_reason("the bridge was called from within itself"))?;
        let environment = match &mut *slot {
            Some(environment) => environment,
            empty => empty.insert(Environment::new(seed()?)),
        };
        work(environment)
    })
}

/// 32 bytes from the operating system.
fn seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Error::from_reason(format!("no randomness: {error}")))?;
    Ok(seed)
}

/// The time as the host's clocks have it. `mono_ms` is `performance.now()`.
pub(crate) fn now(wall_ms: f64, mono_ms: f64) -> Now {
    // Casting saturates, and turns NaN into 0.
    Now { wall_ms: wall_ms as i64, mono_ms: mono_ms.round() as u64 }
}
