//! Feature flags in flagd's format: parsed once, evaluated without allocation, swapped atomically. It deliberately cannot
//! read a file, a clock, the environment or a random number: the text of a document and the time are arguments.
//!
//! A document is [flagd's JSON](https://flagd.dev/reference/flag-definitions/): `flags`, `$evaluators`, `metadata`.
//! [`FlagSet::parse`] accepts it whole or refuses it whole, and a refusal names the JSON path, the line and the column. What
//! it accepts answers every question: [`FlagSet::resolve`] is total, and its work is bounded by the size of the document.
//!
//! ```
//! use flags::{Context, FlagSet, Reason};
//!
//! let set = FlagSet::parse(r#"{
//!   "flags": {
//!     "runtime-route": {
//!       "state": "ENABLED",
//!       "variants": { "registry": "registry", "legacy": "legacy" },
//!       "defaultVariant": "legacy",
//!       "targeting": { "if": [
//!         { "in": [{ "var": "runtimeType" }, ["html", "sql"]] },
//!         { "fractional": [["registry", 25], ["legacy", 75]] }
//!       ] },
//!       "metadata": { "boundary": "drain", "drainMs": 30000 }
//!     }
//!   }
//! }"#)?;
//!
//! let context = Context::new("notebook-7").with("runtimeType", "html").at(1_760_000_000_000);
//! let resolution = set.resolve("runtime-route", &context);
//! assert_eq!(resolution.reason, Reason::TargetingMatch);
//! assert_eq!(resolution.variant, Some("legacy"));
//! # Ok::<(), flags::DocumentError>(())
//! ```
//!
//! Three ways to ask, one answer: [`FlagSet::resolve`] for a single question, [`Session::resolve`] for many (it reuses its
//! memory, so the second question on is free of allocation), [`FlagSet::explain`] for a human.
//!
//! [`LiveFlags`] holds the set in force. A document that is refused leaves the last good one there; the generation rises
//! by one with each new content and never falls.
//!
//! # Bucketing
//!
//! `fractional` is flagd's version 2 (flagd in Go and JavaScript, 2026): `(murmur3_x86_32(key) * sum of weights) >> 32`
//! picks the first entry whose cumulative weight exceeds it. The key is the first argument when that is a string, else the
//! flag's key followed by the targeting key, both as UTF-8. The entry that grows must stand first: then raising its
//! percentage only ever moves ids towards it.
//!
//! # Where it is stricter than flagd
//!
//! Duplicate keys, unknown operators, weights that can never be valid, and `reduce` (its result can grow without bound) are
//! refused when the document is loaded, where flagd answers at each evaluation with an error or the default variant.

mod bucket;
mod context;
mod definition;
mod document;
mod error;
mod evaluate;
mod explain;
#[cfg(test)]
mod interleavings;
mod live;
mod metadata;
mod operator;
#[cfg(test)]
mod properties;
mod targeting;

/// What the flags are swapped with; tests of interleavings put another in its place.
mod swap {
    pub(crate) use arc_swap::{ArcSwap, ArcSwapOption};
}

pub use bucket::bucket;
pub use context::Context;
pub use definition::{Flag, FlagSet, State};
pub use document::{MAX_DEPTH, MAX_DOCUMENT_BYTES};
pub use error::{Cause, DocumentError, Place};
pub use evaluate::{ErrorKind, Reason, Resolution, Session};
pub use explain::{Explanation, Rule};
pub use live::{Applied, LiveFlags, Refusal, Snapshot};
pub use metadata::{Boundary, Bucketing, Metadata};
pub use operator::{Band, MAX_WEIGHT_SUM};
pub use targeting::{MAX_LOOP_NESTING, MAX_TARGETING_NODES};
