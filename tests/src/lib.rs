//! What the integration tests share: traces and the player that plays them, the comparison of what was seen with what was
//! recorded. Nothing here decides anything that the product decides, and nothing of it ships.

pub mod append;
pub mod compare;
pub mod fuzzed;
pub mod host;
pub mod owner;
pub mod placeholder;
mod player;
pub mod random;
pub mod script;
pub mod side_by_side;
pub mod simulator;
mod trace;
mod watch;

pub use player::{Played, play, play_on};
pub use trace::{Setup, SetupCell, SetupEntry, SetupEvent, SetupSession, Trace, TraceError};
