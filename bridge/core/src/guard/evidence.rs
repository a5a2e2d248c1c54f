//! Evidence: what the guard is told, and what it bets on it.

use registry::QueueId;
use serde::{Deserialize, Serialize};

use crate::{Comparison, Verdict};

/// One thing that speaks for or against the candidate at one notebook.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// An execution was compared.
    Compared {
        /// The execution.
        id: QueueId,
        /// What is known of the noise of its like.
        class: Class,
        /// What came of it.
        outcome: Outcome,
    },
    /// An execution was timed on both paths, in the same units of work.
    Timed {
        /// The execution.
        id: QueueId,
        /// How long the path that serves took, in milliseconds.
        control_ms: f64,
        /// How long the candidate took, in milliseconds.
        candidate_ms: f64,
    },
    /// Something happened that must never happen.
    Incident(Incident),
}

/// How a comparison's outcome is to be weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// The same facts give the same result: every difference counts.
    #[default]
    Deterministic,
    /// The results vary by themselves, so that a second run of the control was compared with the first.
    Noisy {
        /// Whether the control differed from itself.
        control_differs: bool,
    },
    /// The results vary by themselves, and there is no second run of the control to hold against this one: nothing is bet, and
    /// a difference holds a promotion.
    Unpaired,
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Equal, or different as the ledger of known differences says.
    Clean,
    /// Different only where the control was seen to differ from itself. It holds: nothing is counted for or against.
    Noise,
    /// Different.
    Mismatch,
    /// The candidate failed where the control did not.
    Failed,
    /// Nothing can be said, and nothing is counted.
    Inconclusive,
}

/// What is answered at once, by one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Incident {
    /// The candidate panicked.
    CandidatePanic,
    /// The candidate brought down the process that it ran in.
    CandidateDeath,
    /// A start found the mark of a candidate's run that never ended.
    InFlightMark,
    /// An effect of the candidate reached the real world.
    IsolationBreach,
    /// An execution got a second terminal of ours.
    SecondTerminal,
    /// An execution of ours never got a terminal.
    LostExecution,
    /// Executions were begun in an order that nobody asked for.
    OrderViolation,
}

impl Incident {
    /// Whether one is enough to roll back everywhere: it shows that the bridge itself, not one notebook's work, is wrong.
    pub fn is_everywhere(self) -> bool {
        matches!(self, Self::IsolationBreach | Self::SecondTerminal)
    }
}

/// What the guard tests, each with an equal share of alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Failures of the candidate only.
    Errors,
    /// Different results.
    Mismatches,
    /// A candidate that is slower.
    Latency,
}

impl Metric {
    /// All of them, in the order of their index.
    pub const ALL: [Self; 3] = [Self::Errors, Self::Mismatches, Self::Latency];
}

/// How often slower a run has to be to count: less is scheduling.
const SLOWER_FACTOR: f64 = 1.5;
/// And by how many milliseconds: below, nobody notices, and a garbage collection decides.
const SLOWER_MS: f64 = 5.0;

/// One bet that a piece of evidence settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bet {
    pub(super) metric: Metric,
    pub(super) test: Test,
    pub(super) is_hit: bool,
}

/// The test whose counts a bet changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Rate,
    Pairs,
}

impl Evidence {
    /// All that a comparison says: an outcome for each execution, an incident where the candidate panicked or kept no order.
    /// A candidate that failed has no noise to be held against.
    pub fn of(comparison: &Comparison) -> Vec<Self> {
        let failure = comparison.candidate_failure();
        let compared = comparison.executions.iter().map(|execution| Self::Compared {
            id: execution.queue_id.clone(),
            class: if failure.is_some() { Class::Deterministic } else { execution.class },
            outcome: match &execution.verdict {
                Verdict::Match | Verdict::Known { .. } => Outcome::Clean,
                Verdict::Noise { .. } => Outcome::Noise,
                Verdict::Mismatch { .. } if failure.is_some() => Outcome::Failed,
                Verdict::Mismatch { .. } => Outcome::Mismatch,
                Verdict::Inconclusive { .. } => Outcome::Inconclusive,
            },
        });
        let mut evidence: Vec<Self> = compared.collect();
        if failure == Some(crate::compare::PANICKED) {
            evidence.push(Self::Incident(Incident::CandidatePanic));
        } else if failure == Some(crate::compare::DIED) {
            evidence.push(Self::Incident(Incident::CandidateDeath));
        } else if failure.is_none() && matches!(comparison.order, Verdict::Mismatch { .. }) {
            evidence.push(Self::Incident(Incident::OrderViolation));
        }
        evidence
    }

    /// Whether it speaks against the candidate by itself.
    pub fn is_against(&self) -> bool {
        match self {
            Self::Compared { outcome, .. } => matches!(outcome, Outcome::Mismatch | Outcome::Failed),
            Self::Incident(_) => true,
            Self::Timed { .. } => self.bets().iter().any(|bet| bet.is_hit),
        }
    }

    pub(super) fn id(&self) -> Option<&QueueId> {
        match self {
            Self::Compared { id, .. } | Self::Timed { id, .. } => Some(id),
            Self::Incident(_) => None,
        }
    }

    /// What is bet on. A failure is no mismatch and a mismatch no failure, but either is a comparison for both: to leave it out
    /// would choose among the comparisons by their outcome.
    pub(super) fn bets(&self) -> Vec<Bet> {
        match self {
            Self::Compared { outcome: Outcome::Inconclusive, .. } | Self::Incident(_) => Vec::new(),
            Self::Compared { class, outcome, .. } => {
                let hits = [(Metric::Errors, Outcome::Failed), (Metric::Mismatches, Outcome::Mismatch)];
                hits.into_iter().filter_map(|(metric, hit)| bet(metric, *class, *outcome == hit)).collect()
            }
            Self::Timed { control_ms, candidate_ms, .. } => {
                let slower = |one: f64, other: f64| one > SLOWER_FACTOR * other && one - other >= SLOWER_MS;
                // Against the mirror: where neither is slower, nothing disagrees.
                let pair = (slower(*candidate_ms, *control_ms), slower(*control_ms, *candidate_ms));
                let bet = Bet { metric: Metric::Latency, test: Test::Pairs, is_hit: pair.0 };
                if pair.0 == pair.1 { Vec::new() } else { vec![bet] }
            }
        }
    }
}

fn bet(metric: Metric, class: Class, is_hit: bool) -> Option<Bet> {
    match class {
        Class::Deterministic => Some(Bet { metric, test: Test::Rate, is_hit }),
        Class::Noisy { control_differs } => {
            (is_hit != control_differs).then_some(Bet { metric, test: Test::Pairs, is_hit })
        }
        Class::Unpaired => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(control_ms: f64, candidate_ms: f64) -> Vec<bool> {
        let evidence = Evidence::Timed { id: QueueId::from("q"), control_ms, candidate_ms };
        evidence.bets().iter().map(|bet| bet.is_hit).collect()
    }

    #[test]
    fn slower_is_half_as_much_again_and_five_milliseconds() {
        assert_eq!(timed(10.0, 16.0), [true]);
        assert_eq!(timed(16.0, 10.0), [false]);
        assert_eq!((timed(2.0, 6.0), timed(100.0, 110.0), timed(f64::NAN, 1.0)), (vec![], vec![], vec![]));
    }

    #[test]
    fn noise_speaks_only_where_one_of_the_two_differs() {
        let bets = |outcome, control_differs| {
            let class = Class::Noisy { control_differs };
            let bets = Evidence::Compared { id: QueueId::from("q"), class, outcome }.bets();
            bets.iter().filter(|bet| bet.metric == Metric::Mismatches).map(|bet| bet.is_hit).collect::<Vec<_>>()
        };
        assert_eq!(bets(Outcome::Mismatch, false), [true]);
        assert_eq!(bets(Outcome::Clean, true), [false]);
        assert_eq!((bets(Outcome::Mismatch, true), bets(Outcome::Clean, false)), (vec![], vec![]));
        assert_eq!((bets(Outcome::Noise, true), bets(Outcome::Noise, false)), (vec![false], vec![]));
    }

    #[test]
    fn without_a_second_run_of_the_control_noise_is_bet_on_nothing() {
        for outcome in [Outcome::Clean, Outcome::Noise, Outcome::Mismatch] {
            let evidence = Evidence::Compared { id: QueueId::from("q"), class: Class::Unpaired, outcome };
            assert_eq!(evidence.bets(), []);
        }
    }
}
