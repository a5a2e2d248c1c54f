//! Decisions as numbers. Few decisions differ in more than notebook and bucket, and a number crosses to JavaScript in a
//! fraction of the time that JSON takes.

use std::cell::RefCell;

use bridge_core::{Choice, Decision};
use napi::{Error, Result};

/// How many outcomes of one generation have a number: more than its variants, reasons and doubts can make of sensible
/// documents, few enough to be looked through. With more, the oldest are forgotten and numbered anew when they come again.
const MAX_OUTCOMES: usize = 64;

/// Numbers are below this, so that one and a bucket fit the 53 bits of a JavaScript number.
const NUMBERS: u32 = 1 << 20;

thread_local! {
    static OUTCOMES: RefCell<Outcomes> = const { RefCell::new(Outcomes { known: Vec::new(), next: 0 }) };
}

/// Decisions without notebook and bucket, by their numbers. A number is given once: what it stood for never changes while
/// JavaScript may remember it.
struct Outcomes {
    known: Vec<(u32, Decision)>,
    next: u32,
}

/// A decision as one number: that of its outcome, times 2^32, plus its bucket.
pub(crate) fn packed(choice: &Choice<'_>) -> f64 {
    let bucket = choice.bucket.unwrap_or_default();
    let number = OUTCOMES.with_borrow_mut(|outcomes| outcomes.number(choice));
    // 20 and 32 bits are exact in a double.
    ((u64::from(number) << 32) | u64::from(bucket)) as f64
}

/// The decision behind an outcome's number, of no notebook, with whichever bucket came first.
pub(crate) fn with<T>(number: u32, read: impl FnOnce(&Decision) -> Result<T>) -> Result<T> {
    OUTCOMES.with_borrow(|outcomes| match outcomes.known.iter().find(|(known, _)| *known == number) {
        Some((_, decision)) => read(decision),
        None => Err(Error::from_reason(format!("no outcome has the number `{number}`"))),
    })
}

impl Outcomes {
    fn number(&mut self, choice: &Choice<'_>) -> u32 {
        // The outcomes of the flags in force are at the end.
        if let Some((number, _)) = self.known.iter().rev().find(|(_, known)| is_same(known, choice)) {
            return *number;
        }
        if self.known.len() == MAX_OUTCOMES {
            self.known.remove(0);
        }
        let number = self.next;
        self.next = (self.next + 1) % NUMBERS;
        self.known.push((number, choice.of("")));
        number
    }
}

fn is_same(one: &Decision, other: &Choice<'_>) -> bool {
    one.generation == other.generation
        && one.route == other.route
        && one.reason == other.reason
        && one.variant.as_deref() == other.variant
        && one.bucket.is_some() == other.bucket.is_some()
        && one.boundary == other.boundary
        && one.drain_ms == other.drain_ms
}
