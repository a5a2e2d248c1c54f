//! How often does the guard roll back when nothing is wrong, and how soon when something is?
//!
//! `GUARD_RUNS=10000` runs the simulations in full, in a release build: 10,000 runs of 3,000 comparisons each. Fewer runs are
//! the first of them, held to what chance allows.

use std::env;

use bridge_core::{
    ALPHA, Advice, Class, Counts, Evidence, Guard, GuardSettings, Incident, Outcome, Scope, Tier, ln_e_pairs, ln_e_rate,
};
use registry::{NotebookId, Now, QueueId};

/// Comparisons of a run.
const COMPARISONS: u32 = 3000;

/// The runs that the published figures come from.
const PUBLISHED_RUNS: u32 = 10_000;

/// Runs of a simulation: a slice of them, unless the environment asks for more.
fn runs() -> u32 {
    env::var("GUARD_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(150)
}

/// SplitMix64: the runs are the same wherever they are run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn is(&mut self, chance: f64) -> bool {
        ((self.next() >> 11) as f64) < chance * (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A place in so many; the first where there are none.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.below(length.max(1) as u64) as usize
    }
}

/// Whether a comparison of noisy runs differs: by noise, or by the excess that the candidate adds.
fn differs(dice: &mut Dice, noise: f64, excess: f64) -> bool {
    dice.is(noise) | dice.is(excess)
}

/// The number of the comparison at which the pair test fires.
fn pairs_fire(dice: &mut Dice, noise: f64, excess: f64, alpha: f64) -> Option<u32> {
    let mut counts = Counts::default();
    (1..=COMPARISONS).find(|_| {
        let (candidate, control) = (differs(dice, noise, excess), dice.is(noise));
        if candidate != control {
            counts.add(candidate);
        }
        candidate && !control && ln_e_pairs(counts) >= -alpha.ln()
    })
}

/// The limit of the rate test in the table: one in a hundred.
const TABLE_RATE: f64 = 0.01;

/// The same of the rate test.
fn rate_fires(dice: &mut Dice, noise: f64, excess: f64) -> Option<u32> {
    let mut counts = Counts::default();
    (1..=COMPARISONS).find(|_| {
        let candidate = differs(dice, noise, excess);
        counts.add(candidate);
        candidate && ln_e_rate(counts, TABLE_RATE) >= -ALPHA.ln()
    })
}

/// The same of a rule of thumb: more than five of the last hundred, from the twentieth on.
fn thumb_fires(dice: &mut Dice, noise: f64, excess: f64) -> Option<u32> {
    let mut last = 0_u128;
    (1..=COMPARISONS).find(|n| {
        let hit = u128::from(differs(dice, noise, excess));
        last = (last << 1 | hit) & ((1 << 100) - 1);
        *n >= 20 && last.count_ones() * 100 > 5 * (*n).min(100)
    })
}

/// What a test makes of many runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Power {
    /// The share of runs that roll back.
    pub(crate) share: f64,
    /// The median comparison at which they do; 0 where none does.
    pub(crate) median: u32,
}

fn power(run: impl Fn(&mut Dice) -> Option<u32>) -> Power {
    let mut fired: Vec<u32> = (0..runs()).filter_map(|seed| run(&mut Dice(u64::from(seed)))).collect();
    fired.sort_unstable();
    let median = fired.get(fired.len() / 2).copied().unwrap_or(0);
    Power { share: fired.len() as f64 / f64::from(runs()), median }
}

/// A row of the published table: what each test makes of this noise, and of this excess of the candidate on top.
pub(crate) struct Row {
    pub(crate) noise: f64,
    pub(crate) excess: f64,
    pub(crate) pairs: Power,
    pub(crate) rate: Power,
    pub(crate) thumb: Power,
}

const fn row(noise: f64, excess: f64, powers: [(f64, u32); 3]) -> Row {
    let [pairs, rate, thumb] = powers;
    Row { noise, excess, pairs: of(pairs), rate: of(rate), thumb: of(thumb) }
}

const fn of((share, median): (f64, u32)) -> Power {
    Power { share, median }
}

/// The table, from 10,000 runs.
pub(crate) const TABLE: &[Row] = &[
    row(0.0, 0.0, [(0.0, 0), (0.0, 0), (0.0, 0)]),
    row(0.01, 0.0, [(0.001, 2065), (0.001, 2), (0.124, 78)]),
    row(0.05, 0.0, [(0.001, 719), (1.0, 187), (1.0, 34)]),
    row(0.2, 0.0, [(0.001, 116), (1.0, 18), (1.0, 20)]),
    row(0.5, 0.0, [(0.001, 62), (1.0, 5), (1.0, 20)]),
    row(0.0, 0.01, [(1.0, 1266), (0.0, 59), (0.119, 77)]),
    row(0.0, 0.05, [(1.0, 254), (1.0, 188), (1.0, 34)]),
    row(0.05, 0.1, [(1.0, 275), (1.0, 31), (1.0, 20)]),
    row(0.3, 0.1, [(0.94, 1429), (1.0, 7), (1.0, 20)]),
    row(0.0, 0.5, [(1.0, 25), (1.0, 5), (1.0, 20)]),
];

/// In full the figures are the published ones; fewer runs are as near as chance allows.
fn assert_near(found: Power, published: Power, what: &str) {
    if runs() == PUBLISHED_RUNS {
        let rounded = Power { share: (found.share * 1000.0).round() / 1000.0, ..found };
        return assert_eq!(rounded, published, "{what}");
    }
    let deviation = (published.share * (1.0 - published.share) / f64::from(runs())).sqrt();
    let (share, slack) = (found.share, 5.0 * deviation + 0.005);
    assert!((share - published.share).abs() <= slack, "{what}: {share} of the runs, not {}", published.share);
    // Of hardly any runs there is no median.
    if published.share < 0.5 {
        return;
    }
    let (least, most) = (f64::from(published.median) * 0.7 - 3.0, f64::from(published.median) * 1.4 + 3.0);
    assert!((least..=most).contains(&f64::from(found.median)), "{what}: {found:?}, not {published:?}");
}

#[test]
fn test_34_the_power_is_that_of_the_published_table() {
    for Row { noise, excess, pairs, rate, thumb } in TABLE {
        let (noise, excess) = (*noise, *excess);
        let name = |test| format!("{test} at noise {noise}, excess {excess}");
        assert_near(power(|dice| pairs_fire(dice, noise, excess, ALPHA)), *pairs, &name("pairs"));
        assert_near(power(|dice| rate_fires(dice, noise, excess)), *rate, &name("rate"));
        assert_near(power(|dice| thumb_fires(dice, noise, excess)), *thumb, &name("rule of thumb"));
    }
}

/// Fails where so many alarms in so many runs are less likely than one in a million at a chance of alpha.
fn assert_at_most(alpha: f64, share: f64, what: &str) {
    let (runs, alarms) = (f64::from(runs()), share * f64::from(runs()));
    // Chernoff's bound: P(alarms >= a) <= exp(-runs * KL(a / runs, alpha)).
    let divergence = |x: f64| x * (x / alpha).ln() + (1.0 - x) * ((1.0 - x) / (1.0 - alpha)).ln();
    let is_likely = share <= alpha || share < 1.0 && runs * divergence(share) < 1e6_f64.ln();
    assert!(is_likely, "{what}: {alarms} alarms in {runs} runs at alpha {alpha}");
}

#[test]
fn test_33_noise_alone_rolls_back_no_more_often_than_alpha() {
    for noise in [0.0, 0.01, 0.05, 0.2, 0.3, 0.5] {
        for alpha in [0.05, ALPHA] {
            let share = power(|dice| pairs_fire(dice, noise, 0.0, alpha)).share;
            assert_at_most(alpha, share, &format!("noise {noise}"));
        }
    }
    for rate in [0.0, 0.002, 0.005, 0.01] {
        let share = power(|dice| rate_fires(dice, rate, 0.0)).share;
        assert_at_most(ALPHA, share, &format!("rate {rate}"));
    }
}

fn compared(class: Class, outcome: Outcome) -> Evidence {
    Evidence::Compared { id: QueueId::from("q"), class, outcome }
}

fn outcome(is_hit: bool) -> Outcome {
    if is_hit { Outcome::Mismatch } else { Outcome::Clean }
}

/// The first comparison after which the guard is closed at this scope, with what each comparison says and where.
fn guard_fires(comparisons: u32, mut next: impl FnMut() -> (u64, Evidence), is_hit: fn(&Scope) -> bool) -> Option<u32> {
    let mut guard = Guard::new(GuardSettings { is_dry_run: true, ..GuardSettings::default() }, "b");
    (1..=comparisons).find(|n| {
        let (at, evidence) = next();
        let now = Now { wall_ms: i64::from(*n), mono_ms: u64::from(*n) };
        let advice = guard.take(now, &NotebookId::from(format!("n{at}")), &evidence);
        matches!(advice, Advice::Rollback(rollback) if is_hit(&rollback.closed.scope))
    })
}

fn is_everywhere(scope: &Scope) -> bool {
    *scope == Scope::Everywhere
}

/// All of it together: three metrics, many notebooks, noise that is measured beside rates that are tolerated.
#[test]
fn test_33_an_innocent_build_is_rolled_back_everywhere_no_more_often_than_alpha() {
    for noise in [0.0, 0.05, 0.3, 0.5] {
        let share = power(|dice| {
            let next = || {
                let (at, is_timed, is_noisy) = (dice.below(40), dice.is(0.2), dice.is(0.5));
                let ms = |dice: &mut Dice| if dice.is(noise) { 40.0 } else { 10.0 };
                let (control_ms, candidate_ms) = (ms(dice), ms(dice));
                let class = Class::Noisy { control_differs: dice.is(noise) };
                (
                    at,
                    match (is_timed, is_noisy) {
                        (true, _) => Evidence::Timed { id: QueueId::from("q"), control_ms, candidate_ms },
                        (_, true) => compared(class, outcome(dice.is(noise))),
                        _ => compared(Class::Deterministic, outcome(dice.is(0.005))),
                    },
                )
            };
            guard_fires(if runs() < PUBLISHED_RUNS { 200 } else { COMPARISONS / 3 }, next, is_everywhere)
        });
        assert_at_most(ALPHA, share.share, &format!("all together at noise {noise}"));
    }
}

/// Many notebooks, differing at the rate that is tolerated, one of them always: nothing is wrong everywhere.
#[test]
fn test_40_one_broken_notebook_among_innocent_ones_never_rolls_back_the_world() {
    let share = power(|dice| {
        let next = || {
            let at = dice.below(40);
            (at, compared(Class::Deterministic, outcome(at == 0 || dice.is(0.005))))
        };
        guard_fires(COMPARISONS / 3, next, is_everywhere)
    });
    assert_at_most(ALPHA, share.share, "one broken notebook");
}

#[test]
fn what_is_spread_thin_over_many_notebooks_is_found() {
    let found = power(|dice| {
        let next = || (dice.below(500), compared(Class::Deterministic, outcome(dice.is(0.1))));
        guard_fires(COMPARISONS, next, is_everywhere)
    });
    assert!(found.share > 0.99 && found.median < 150, "{found:?}");
}

/// In full a million comparisons, of which one notebook's are all bad; a slice of them says the same.
#[test]
fn test_39_and_40_neither_one_breach_nor_one_bad_notebook_hides_in_a_million() {
    let matches = if runs() >= PUBLISHED_RUNS { 1_000_000 } else { 20_000 };
    let mut guard = Guard::new(GuardSettings::default(), "b");
    let mut take = |at: &str, evidence: &Evidence| guard.take(Now::default(), &NotebookId::from(at), evidence);
    for n in 0..matches {
        take(&format!("n{}", n % 1000), &compared(Class::Deterministic, Outcome::Clean));
        if n % 10 == 0 {
            take("bad", &compared(Class::Deterministic, Outcome::Mismatch));
        }
    }
    let Advice::Rollback(breach) = take("n5", &Evidence::Incident(Incident::IsolationBreach)) else {
        panic!("a breach is answered at once");
    };
    assert_eq!((breach.closed.scope, breach.closed.tier), (Scope::Everywhere, Tier::ZeroTolerance));
    let tiers: Vec<Tier> = guard.latch().closed().map(|closed| closed.tier).collect();
    assert!(tiers.contains(&Tier::Mismatches), "{tiers:?}");
    let at_the_second = guard.status().totals;
    assert_eq!(at_the_second.late, matches / 10 - 2, "the bad notebook is rolled back at its second comparison");
}
