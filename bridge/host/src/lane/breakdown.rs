//! Seeded breakdowns: candidates that do not even come to differ, to see that what serves never feels it.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::thread;
use std::time::Duration;

use bridge_core::{Comparison, ComparisonMode, Fault, Observation, judge, judge_against_itself};

/// How long a candidate is away that comes back late: four times the least deadline.
const LATE: Duration = Duration::from_secs(1);

/// One way for a candidate to break down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakdown {
    /// It waits for ever.
    Hang,
    /// It computes for ever.
    Spin,
    /// It comes back, with its result, when nobody waits for it any more.
    Late,
    /// It panics.
    Panic,
    /// It shows outputs without end.
    Flood,
    /// It aborts the process.
    Abort,
    /// It overflows its stack, and the process with it.
    StackOverflow,
}

impl Breakdown {
    /// Every breakdown with its name.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Hang, "hang"),
        (Self::Spin, "spin"),
        (Self::Late, "late"),
        (Self::Panic, "panic"),
        (Self::Flood, "flood"),
        (Self::Abort, "abort"),
        (Self::StackOverflow, "stack-overflow"),
    ];

    fn happen(self) {
        match self {
            Self::Hang => loop {
                thread::park();
            },
            Self::Spin => loop {
                std::hint::spin_loop();
            },
            Self::Late => thread::sleep(LATE),
            Self::Panic => panic!("a seeded panic"),
            Self::Flood => {}
            Self::Abort => process::abort(),
            Self::StackOverflow => {
                black_box(deeper(0));
            }
        }
    }
}

fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    if black_box(true) { deeper(depth + 1) + frame[0] } else { 0 }
}

/// What spoils a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// It differs.
    Fault(Fault),
    /// It breaks down.
    Breakdown(Breakdown),
}

impl Seeded {
    /// The fault or breakdown of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let breakdown = || Breakdown::ALL.iter().find(|(_, known)| *known == name);
        Fault::parse(name).map(Self::Fault).or_else(|| breakdown().map(|(breakdown, _)| Self::Breakdown(*breakdown)))
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        let faults = Fault::ALL.iter().map(|(fault, name)| (Self::Fault(*fault), *name));
        let breakdowns = Breakdown::ALL.iter().map(|(breakdown, name)| (Self::Breakdown(*breakdown), *name));
        faults.chain(breakdowns).find(|(known, _)| *known == self).map_or("flood", |(_, name)| name)
    }

    pub(super) fn fault(self) -> Option<Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Breakdown(Breakdown::Flood) => Some(Fault::Flood),
            Self::Breakdown(_) => None,
        }
    }
}

/// Compares on this thread. A panic of the candidate ends its comparison, not the thread.
pub(super) fn compare(observation: &Observation, mode: ComparisonMode, seeded: Option<Seeded>) -> Comparison {
    let compared = catch_unwind(AssertUnwindSafe(|| {
        if let Some(Seeded::Breakdown(breakdown)) = seeded {
            breakdown.happen();
        }
        let fault = seeded.and_then(Seeded::fault);
        match mode {
            ComparisonMode::Paths => judge(observation, fault),
            ComparisonMode::Aa => judge_against_itself(observation, fault),
        }
    }));
    compared.unwrap_or_else(|_| Comparison::panicked(observation))
}
