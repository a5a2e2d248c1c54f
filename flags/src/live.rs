//! The flag set in force, swapped atomically.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::swap::{ArcSwap, ArcSwapOption};
use crate::definition::FlagSet;
use crate::error::DocumentError;

/// The flag set in force, for many readers and any number of writers, none of whom ever waits.
///
/// A document that is refused leaves the last good one in force and is kept as [`LiveFlags::last_error`].
#[derive(Debug)]
pub struct LiveFlags {
    current: ArcSwap<Snapshot>,
    refused: ArcSwapOption<Refusal>,
    expected: AtomicBool,
}

/// The flags at one moment. Load one per unit of work and pass it down: two loads may differ.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    set: Option<Arc<FlagSet>>,
    generation: u64,
    /// Of the text, to tell whether a document is new. Never leaves the process, so any 64 bits will do.
    fingerprint: u64,
}

/// A document that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The generation now in force.
    pub generation: u64,
    /// Whether the document differs from the one in force before.
    pub changed: bool,
}

/// A document that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where the document came from, as the caller of [`LiveFlags::apply`] put it: a path, an address, a name.
    pub origin: String,
    /// What was wrong with it.
    pub error: DocumentError,
}

impl Snapshot {
    /// The flags, or `None` as long as no document has been accepted.
    pub fn set(&self) -> Option<&FlagSet> {
        self.set.as_deref()
    }

    /// How many different documents have been accepted so far: 0 as long as there are no flags.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn succeeded_by(&self, set: &Arc<FlagSet>, fingerprint: u64) -> Self {
        Self { set: Some(Arc::clone(set)), generation: self.generation + 1, fingerprint }
    }

    fn has(&self, fingerprint: u64) -> bool {
        self.set.is_some() && self.fingerprint == fingerprint
    }
}

impl Default for LiveFlags {
    fn default() -> Self {
        Self::new()
    }
}

impl LiveFlags {
    /// Without flags, at generation 0.
    pub fn new() -> Self {
        Self {
            current: ArcSwap::from_pointee(Snapshot::default()),
            refused: ArcSwapOption::empty(),
            expected: AtomicBool::new(false),
        }
    }

    /// Says that a source of flags has been configured, so that having none is a fault and not a choice.
    pub fn expect(&self) {
        self.expected.store(true, Ordering::Release);
    }

    /// Whether a source of flags has been configured.
    pub fn is_expected(&self) -> bool {
        self.expected.load(Ordering::Acquire)
    }

    /// The flags in force.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The generation in force, to see cheaply whether anything changed.
    pub fn generation(&self) -> u64 {
        self.current.load().generation
    }

    /// Puts a document in force, unless it is the one in force already. `origin` says where it came from, for error messages.
    ///
    /// # Errors
    ///
    /// Those of [`FlagSet::parse`]. The flags in force stay.
    pub fn apply(&self, text: &str, origin: &str) -> Result<Applied, DocumentError> {
        let fingerprint = fingerprint(text);
        let current = self.current.load();
        if current.has(fingerprint) {
            self.refused.store(None);
            return Ok(Applied { generation: current.generation, changed: false });
        }
        let set = Arc::new(FlagSet::parse(text).inspect_err(|error| self.refuse(origin, error))?);
        self.refused.store(None);
        Ok(self.swap(&set, fingerprint))
    }

    /// The refusal of the document applied last, `None` if that was accepted.
    pub fn last_error(&self) -> Option<Arc<Refusal>> {
        self.refused.load_full()
    }

    fn refuse(&self, origin: &str, error: &DocumentError) {
        self.refused.store(Some(Arc::new(Refusal { origin: origin.to_owned(), error: error.clone() })));
    }

    /// Two writers may arrive together: each starts from what it finds, so generations rise by one and none is lost.
    fn swap(&self, set: &Arc<FlagSet>, fingerprint: u64) -> Applied {
        let before = self.current.rcu(|current| {
            if current.has(fingerprint) {
                Arc::clone(current)
            } else {
                Arc::new(current.succeeded_by(set, fingerprint))
            }
        });
        let changed = !before.has(fingerprint);
        Applied { generation: before.generation + u64::from(changed), changed }
    }
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(state: &str) -> String {
        format!(r#"{{"flags": {{"a": {{"state": "{state}", "variants": {{}}}}}}}}"#)
    }

    /// Applies the states one after another and says what came of each: generation and whether it changed, or the error.
    #[track_caller]
    fn check(states: &[&str], expect: &[&str]) {
        let live = LiveFlags::new();
        let told = states.iter().map(|state| match live.apply(&document(state), "test") {
            Ok(applied) => format!("{}{}", applied.generation, if applied.changed { " changed" } else { "" }),
            Err(error) => format!("{} at {}", error.code(), live.generation()),
        });
        assert_eq!(told.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_generation_is_a_change_of_content() {
        check(&["ENABLED", "ENABLED", "DISABLED", "ENABLED"], &["1 changed", "1", "2 changed", "3 changed"]);
    }

    #[test]
    fn a_refused_document_leaves_the_last_good_one() {
        check(&["ENABLED", "BAD", "ENABLED"], &["1 changed", "UNKNOWN_STATE at 1", "1"]);
    }

    #[test]
    fn nothing_is_in_force_before_the_first_good_document() {
        check(&["BAD", "ENABLED"], &["UNKNOWN_STATE at 0", "1 changed"]);
        let live = LiveFlags::new();
        assert!(live.load().set().is_none());
        assert_eq!(live.load().generation(), 0);
    }

    #[test]
    fn the_last_error_stays_until_a_document_is_accepted() {
        let live = LiveFlags::new();
        live.apply(&document("ENABLED"), "first").unwrap();
        let error = live.apply(&document("BAD"), "second").unwrap_err();
        assert_eq!(*live.last_error().unwrap(), Refusal { origin: "second".to_owned(), error });
        for state in ["ENABLED", "DISABLED"] {
            live.apply(&document("BAD"), "third").unwrap_err();
            live.apply(&document(state), "fourth").unwrap();
            assert_eq!(live.last_error(), None);
        }
    }

    #[test]
    fn a_snapshot_outlives_the_flags_that_replace_it() {
        let live = LiveFlags::new();
        live.apply(&document("ENABLED"), "test").unwrap();
        let snapshot = live.load();
        live.apply(&document("DISABLED"), "test").unwrap();
        assert_eq!(snapshot.set().unwrap().get("a").unwrap().state(), crate::State::Enabled);
        assert_eq!((snapshot.generation(), live.generation()), (1, 2));
    }

    #[test]
    fn flags_are_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<LiveFlags>();
        check::<Snapshot>();
    }
}
