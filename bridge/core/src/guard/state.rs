//! The state that a guard leaves behind and takes up again: a line with a checksum, and JSON. A latch that opens because a byte
//! of its state has changed would be worse than one that cannot be read.

use registry::Now;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::latch::{Closed, Latch, Scope, Tier};
use super::{Collected, Guard, Settings};
use crate::sealed::{seal, unseal};

/// The version of the text. Another one is not understood, and so the latch stays closed.
const VERSION: u32 = 1;

/// Why a state cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not what a guard writes.
    #[error("the guard's state cannot be read: {0}")]
    Malformed(serde_json::Error),
    /// It is not what was written, byte for byte.
    #[error("the guard's state is damaged: its checksum does not match")]
    Damaged,
    /// It is of another version.
    #[error("the guard's state has version `{0}`, and this build reads version {VERSION}")]
    Version(u32),
}

impl StateError {
    /// The cause as a stable name in capitals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Damaged => "GUARD_STATE_UNREADABLE",
            Self::Version(_) => "GUARD_STATE_VERSION",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "every notebook stays on the old path until somebody re-arms the guard with a reason"
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    version: u32,
    build: &'a str,
    generation: u64,
    latch: &'a Latch,
    collected: &'a Collected,
}

#[derive(Deserialize)]
struct Read {
    build: String,
    generation: u64,
    latch: Latch,
    collected: Collected,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize)]
struct WrittenLatch<'a> {
    version: u32,
    latch: &'a Latch,
}

#[derive(Deserialize)]
struct ReadLatch {
    latch: Latch,
}

impl Latch {
    /// The latch alone as a text, for a store that several processes share.
    pub fn state(&self) -> String {
        seal(&WrittenLatch { version: VERSION, latch: self })
    }

    /// The latch that was written so.
    ///
    /// # Errors
    /// Where the text is not what was written: then nobody knows what is latched.
    pub fn restore(state: &str) -> Result<Self, StateError> {
        read::<ReadLatch>(state).map(|read| read.latch)
    }
}

impl Guard {
    /// The state as a text for [`Guard::restore`].
    pub fn state(&self) -> String {
        let Self { build, generation, latch, collected, .. } = self;
        seal(&Written { version: VERSION, build, generation: *generation, latch, collected })
    }

    /// The guard that left this state. Another build begins with new evidence behind the same latch. A state that cannot be
    /// read gives a guard whose latch is closed everywhere, and says why.
    pub fn restore(settings: Settings, build: &str, state: &str, now: Now) -> (Self, Option<StateError>) {
        let mut guard = Self::new(settings, build);
        let error = match read::<Read>(state) {
            Ok(read) => {
                guard.take_up(read);
                None
            }
            Err(error) => {
                guard.close_for_doubt(now, &error.to_string());
                Some(error)
            }
        };
        (guard, error)
    }

    /// Closes the latch everywhere because nothing is known of it: its store cannot be read.
    pub fn close_for_doubt(&mut self, now: Now, grounds: &str) {
        self.latch.close(Closed {
            scope: Scope::Everywhere,
            tier: Tier::Unreadable,
            grounds: grounds.to_owned(),
            since_wall_ms: now.wall_ms,
            build: self.build.clone(),
            generation: self.generation,
        });
    }

    fn take_up(&mut self, read: Read) {
        self.latch = read.latch;
        if read.build == self.build {
            self.generation = read.generation;
            self.collected = read.collected;
            self.collected.cohorts.refresh(self.settings.rate_limit());
        }
    }
}

fn read<T: DeserializeOwned>(state: &str) -> Result<T, StateError> {
    let json = unseal(state).ok_or(StateError::Damaged)?;
    let Version { version } = serde_json::from_str(json).map_err(StateError::Malformed)?;
    if version != VERSION {
        return Err(StateError::Version(version));
    }
    serde_json::from_str(json).map_err(StateError::Malformed)
}
