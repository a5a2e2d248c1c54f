//! What the bridge has to tell an operator. Nothing is swallowed: what falls back, says so.

use serde::Serialize;

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing once.
    Info,
    /// Something was refused or fell back; the work went on.
    Warning,
    /// Something failed.
    Error,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How much it matters.
    pub level: Level,
    /// A stable name in capitals.
    pub code: &'static str,
    /// What happened, naming the place.
    pub message: String,
    /// What to do about it.
    pub help: String,
}
