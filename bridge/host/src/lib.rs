//! The owner of a notebook: its one [`step`] function, its stores and its flag sources. Everything that decides is in the
//! crates below; this one drives them.

pub mod environment;
pub mod guarding;
pub mod journal;
pub mod kill;
pub mod lane;
pub mod latch;
pub mod log;
pub mod mark;
pub mod noise;
pub mod records;
pub mod shadowing;
pub mod shared;
pub mod source;
pub mod sql;
pub mod step;
pub mod store;
mod watch;
