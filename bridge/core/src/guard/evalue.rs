//! E-values: how many times over the evidence has multiplied a stake against the claim that the candidate is innocent.
//!
//! Each is a mixture of likelihood ratios, a function of counts alone: nothing is summed up from update to update, so nothing
//! drifts, and a restart loses nothing. While the claim is true the value is a supermartingale that begins at 1, and Ville's
//! inequality bounds the chance that it *ever* reaches `1 / alpha` by `alpha`, however often one looks and whenever one stops.
//!
//! - **Rate**, for classes that are deterministic. Claim: a hit has at most the chance `p0`, whatever came before. The mixture
//!   is log-uniform over `p` in `(p0, 1)`; for `k` hits and `m` others
//!   `E = 1 / ln(1/p0) · ∫ p^(k-1) (1-p)^m dp / (p0^k (1-p0)^m)`.
//! - **Pairs**, where noise is measured. Only comparisons count in which exactly one of candidate and noise has fired. Claim:
//!   it was the candidate with a chance of at most one half. The mixture is uniform over `q` in `(1/2, 1)`; for `a` hits and
//!   `b` others `E = 2^(a+b+1) · ∫ q^a (1-q)^b dq`.
//!
//! Both integrals run from a limit `x` to 1: they are the upper tail of a beta distribution, computed from the continued
//! fraction of the incomplete beta function. Below the mode's side of `x` the powers cancel exactly and no logarithm of a gamma
//! function is needed; beyond it the error of `ln E` stays under 1e-6 for counts up to 10^9.

use serde::{Deserialize, Serialize};

/// Counts in all, after which a test no longer looks: to stop is always allowed. Up to here the arithmetic below is known to
/// hold; no build is compared more often.
const MAX_COUNTS: u64 = 1_000_000_000;

/// What was counted: all that an e-value needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Counts {
    /// What speaks against the candidate.
    pub hits: u64,
    /// What speaks for it.
    pub others: u64,
}

impl From<(u64, u64)> for Counts {
    fn from((hits, others): (u64, u64)) -> Self {
        let hits = hits.min(MAX_COUNTS);
        Self { hits, others: others.min(MAX_COUNTS - hits) }
    }
}

impl From<Counts> for (u64, u64) {
    fn from(counts: Counts) -> Self {
        (counts.hits, counts.others)
    }
}

impl Counts {
    /// Adds one.
    pub fn add(&mut self, is_hit: bool) {
        if self.hits + self.others < MAX_COUNTS {
            *(if is_hit { &mut self.hits } else { &mut self.others }) += 1;
        }
    }

    /// The same without one of its hits; nothing where there is none.
    #[must_use]
    pub fn without_a_hit(self) -> Option<Self> {
        self.hits.checked_sub(1).map(|hits| Self { hits, ..self })
    }
}

/// `ln E` of the rate test against the claim that hits have at most the chance `limit`, which lies in (0, 1).
pub fn ln_e_rate(counts: Counts, limit: f64) -> f64 {
    if counts == Counts::default() {
        return 0.0;
    }
    let (k, m) = (counts.hits as f64, counts.others as f64);
    let powers = k * limit.ln() + m * (-limit).ln_1p();
    ln_tail_over(k, m + 1.0, limit, powers + (-limit).ln_1p()) + (-limit).ln_1p() - (-limit.ln()).ln()
}

/// `ln E` of the pair test against the claim that of two that disagree the candidate is the odd one at most half of the time.
pub fn ln_e_pairs(counts: Counts) -> f64 {
    if counts == Counts::default() {
        return 0.0;
    }
    let (a, b) = (counts.hits as f64 + 1.0, counts.others as f64 + 1.0);
    let ln_half = -std::f64::consts::LN_2;
    ln_tail_over(a, b, 0.5, (a + b) * ln_half) + ln_half
}

/// `ln( ∫ from x to 1 of p^(a-1) (1-p)^(b-1) dp / e^powers )`, where `powers` is `a ln x + b ln(1-x)`.
fn ln_tail_over(a: f64, b: f64, x: f64, powers: f64) -> f64 {
    // Without a hit the whole integral, from 0, does not exist.
    if a == 0.0 || x * (a + b + 2.0) > a + 1.0 {
        // The tail itself is what the fraction gives, with the very powers that are divided by.
        return fraction(b, a, 1.0 - x).ln() - b.ln();
    }
    let whole = ln_beta(a, b) - powers;
    let head = fraction(a, b, x).ln() - a.ln();
    whole + (-(head - whole).exp()).ln_1p()
}

/// Steps after which the fraction is taken as it is. It needs some multiple of the root of the counts: 10^9 are within reach.
const MAX_STEPS: u32 = 200_000;

/// The continued fraction of the incomplete beta function, by Lentz's method: `a B_x(a, b) = x^a (1-x)^b · fraction`. It
/// converges fast for `x` below `(a + 1) / (a + b + 2)`.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..=MAX_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// Below this, Stirling's series is shifted up: with five terms it is then exact to the last digits.
const STIRLING_FROM: f64 = 12.0;

/// `ln Γ(x)` for `x >= 1`, by Stirling's series.
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut z = x;
    while z < STIRLING_FROM {
        shift += z.ln();
        z += 1.0;
    }
    let r = 1.0 / (z * z);
    let series = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r / 1188.0)))) / z;
    (z - 0.5) * z.ln() - z + 0.5 * std::f64::consts::TAU.ln() + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(hits: u64, others: u64) -> Counts {
        Counts::from((hits, others))
    }

    /// The first run of hits without anything else that reaches `1 / alpha`.
    fn first(alpha: f64, ln_e: impl Fn(Counts) -> f64) -> u64 {
        (1..100).find(|hits| ln_e(counts(*hits, 0)) >= -alpha.ln()).unwrap()
    }

    #[test]
    fn a_deterministic_class_fires_after_as_many_hits_as_its_limit_says() {
        let fires = |limit| first(1e-3, |counts| ln_e_rate(counts, limit));
        assert_eq!([fires(0.01), fires(0.05)], [2, 4]);
    }

    #[test]
    fn pairs_need_as_many_in_a_row_as_alpha_says() {
        assert_eq!([0.05, 0.01, 1e-3, 1e-4].map(|alpha| first(alpha, ln_e_pairs)), [7, 9, 13, 17]);
    }

    #[test]
    fn without_evidence_the_stake_is_whole() {
        for ln_e in [ln_e_rate(counts(0, 0), 0.01), ln_e_rate(counts(0, 0), 0.3), ln_e_pairs(counts(0, 0))] {
            assert!(ln_e.abs() < 1e-9, "{ln_e}");
        }
    }

    /// Simpson's rule on a fine grid of `ln p`, straight from the definition.
    fn rate_by_hand(counts: Counts, limit: f64) -> f64 {
        let steps = 200_000;
        let width = -limit.ln() / f64::from(steps);
        let density = |at: i32| {
            let p = (limit.ln() + f64::from(at) * width).exp().min(1.0);
            let ratio = (p / limit).powf(counts.hits as f64);
            ratio * ((1.0 - p) / (1.0 - limit)).powf(counts.others as f64)
        };
        let sum: f64 = (0..=steps)
            .map(|at| density(at) * if at == 0 || at == steps { 1.0 } else { f64::from(2 + 2 * (at % 2)) })
            .sum();
        (sum * width / 3.0 / -limit.ln()).ln()
    }

    #[test]
    fn the_closed_form_is_the_integral() {
        for (hits, others) in [(0, 1), (0, 500), (1, 0), (1, 99), (2, 0), (3, 10), (5, 500), (30, 100), (60, 3000)] {
            for limit in [0.005, 0.01, 0.05] {
                let (closed, by_hand) =
                    (ln_e_rate(counts(hits, others), limit), rate_by_hand(counts(hits, others), limit));
                assert!((closed - by_hand).abs() < 1e-6, "{hits}/{others} at {limit}: {closed} and {by_hand}");
            }
        }
    }

    /// One more comparison changes the value by a factor whose mean under the claim is one, to the last digit that counts.
    #[test]
    fn the_stake_is_a_fair_bet_under_the_claim() {
        for (hits, others) in [(0, 0), (1, 0), (0, 9), (7, 3), (100, 9_900), (100_000, 9_900_000), (50, 10_000_000)] {
            let now = counts(hits, others);
            let (hit, other) = (counts(hits + 1, others), counts(hits, others + 1));
            let limit = 0.01;
            let e = |counts| (ln_e_rate(counts, limit) - ln_e_rate(now, limit)).exp();
            let mean = limit * e(hit) + (1.0 - limit) * e(other);
            assert!((mean - 1.0).abs() < 1e-6, "rate at {now:?}: {mean}");
            let e = |counts| (ln_e_pairs(counts) - ln_e_pairs(now)).exp();
            let mean = 0.5 * e(hit) + 0.5 * e(other);
            assert!((mean - 1.0).abs() < 1e-6, "pairs at {now:?}: {mean}");
        }
    }

    #[test]
    fn nothing_overflows_at_the_largest_counts() {
        for (hits, others) in [(0, 10_000_000), (10_000_000, 0), (10_000_000, 10_000_000), (u64::MAX, u64::MAX)] {
            for ln_e in [ln_e_rate(counts(hits, others), 0.01), ln_e_pairs(counts(hits, others))] {
                assert!(ln_e.is_finite(), "{hits}/{others}: {ln_e}");
            }
        }
    }
}
