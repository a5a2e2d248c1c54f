//! How often does the guard roll back when nothing is wrong, and how soon when something is?
//!
//! `GUARD_RUNS=10000` runs the simulations in full: 10,000 runs of 3,000 comparisons each.

use std::env;

use bridge_core::{
    ALPHA, Advice, Class, Closed, Counts, Evidence, Guard, GuardSettings, Incident, Latch, Outcome, Path, Reason,
    Scope, Tier, ln_e_pairs, ln_e_rate,
};
use proptest::prelude::*;
use registry::{NotebookId, Now, QueueId};
use tests::host::{GOOD_CELL, Host, Step};

/// Comparisons of a run.
const COMPARISONS: u32 = 3000;

/// Runs of a simulation: a slice of them, unless the environment asks for more.
fn runs() -> u32 {
    env::var("GUARD_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(150)
}

/// SplitMix64: the runs are the same wherever they are run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn is(&mut self, chance: f64) -> bool {
        ((self.next() >> 11) as f64) < chance * (1_u64 << 53) as f64
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
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

/// The same of the rate test.
fn rate_fires(dice: &mut Dice, noise: f64, excess: f64) -> Option<u32> {
    let mut counts = Counts::default();
    (1..=COMPARISONS).find(|_| {
        let candidate = differs(dice, noise, excess);
        counts.add(candidate);
        candidate && ln_e_rate(counts, 0.01) >= -ALPHA.ln()
    })
}

/// The share of runs that roll back, and the median comparison at which they do.
fn outcome(run: impl Fn(&mut Dice) -> Option<u32>) -> (f64, u32) {
    let mut fired: Vec<u32> = (0..runs()).filter_map(|seed| run(&mut Dice(u64::from(seed)))).collect();
    fired.sort_unstable();
    (fired.len() as f64 / f64::from(runs()), fired.get(fired.len() / 2).copied().unwrap_or(0))
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
            let (share, _) = outcome(|dice| pairs_fire(dice, noise, 0.0, alpha));
            assert_at_most(alpha, share, &format!("noise {noise}"));
        }
    }
    for rate in [0.0, 0.002, 0.005, 0.01] {
        let (share, _) = outcome(|dice| rate_fires(dice, rate, 0.0));
        assert_at_most(ALPHA, share, &format!("rate {rate}"));
    }
}

/// The table of what each test finds: the share of runs and the median comparison, within what sampling allows.
#[test]
fn test_34_the_power_is_that_of_the_table() {
    let check = |what: &str, found: (f64, u32), share: f64, median: u32| {
        assert!((found.0 - share).abs() < 0.1, "{what}: {} of the runs, not {share}", found.0);
        // Of hardly any runs there is no median.
        if share == 0.0 {
            return;
        }
        let (least, most) = (f64::from(median) * 0.75 - 2.0, f64::from(median) * 1.25 + 2.0);
        assert!((least..=most).contains(&f64::from(found.1)), "{what}: at {}, not {median}", found.1);
    };
    let pairs = |noise, excess| outcome(|dice| pairs_fire(dice, noise, excess, ALPHA));
    let rate = |noise, excess| outcome(|dice| rate_fires(dice, noise, excess));
    check("pairs, 1 %", pairs(0.0, 0.01), 0.97, 1320);
    check("pairs, 5 %", pairs(0.0, 0.05), 1.0, 256);
    check("pairs, 5 % noise + 10 %", pairs(0.05, 0.1), 1.0, 245);
    check("pairs, 30 % noise + 10 %", pairs(0.3, 0.1), 0.92, 1453);
    check("pairs, 50 %", pairs(0.0, 0.5), 1.0, 25);
    check("rate, 1 %", rate(0.0, 0.01), 0.0, COMPARISONS);
    check("rate, 5 %", rate(0.0, 0.05), 1.0, 209);
    check("rate, 50 %", rate(0.0, 0.5), 1.0, 6);
    check("rate, on 5 % noise, for which it is not meant", rate(0.05, 0.0), 1.0, 209);
}

fn compared(class: Class, outcome: Outcome) -> Evidence {
    Evidence::Compared { id: QueueId::from("q"), class, outcome }
}

/// Many notebooks, differing at the rate that is tolerated, one of them always: nothing is wrong everywhere.
#[test]
fn one_broken_notebook_among_innocent_ones_never_rolls_back_the_world() {
    let (share, _) = outcome(|dice| {
        let mut guard = Guard::new(GuardSettings { is_dry_run: true, ..GuardSettings::default() }, "b");
        (1..=COMPARISONS / 3).find(|n| {
            let at = dice.below(40);
            let is_hit = at == 0 || dice.is(0.005);
            let now = Now { wall_ms: i64::from(*n), mono_ms: u64::from(*n) };
            let outcome = if is_hit { Outcome::Mismatch } else { Outcome::Clean };
            let advice = guard.take(now, &NotebookId::from(format!("n{at}")), &compared(Class::Deterministic, outcome));
            matches!(advice, Advice::Rollback(rollback) if rollback.closed.scope == Scope::Everywhere)
        })
    });
    assert_at_most(ALPHA, share, "one broken notebook");
}

#[test]
fn what_is_spread_thin_over_many_notebooks_is_found() {
    let (share, median) = outcome(|dice| {
        let mut guard = Guard::new(GuardSettings::default(), "b");
        (1..=COMPARISONS).find(|n| {
            let now = Now { wall_ms: i64::from(*n), mono_ms: u64::from(*n) };
            let outcome = if dice.is(0.1) { Outcome::Mismatch } else { Outcome::Clean };
            let id = NotebookId::from(format!("n{}", dice.below(500)));
            guard.take(now, &id, &compared(Class::Deterministic, outcome));
            guard.latch().is_everywhere()
        })
    });
    assert!(share > 0.99 && median < 150, "{share} at {median}");
}

/// What closes the latch for this scope.
fn closed(scope: Scope, tier: Tier) -> Closed {
    Closed { scope, tier, grounds: "a test".into(), since_wall_ms: 0, build: "b".into(), generation: 1 }
}

#[test]
fn a_rollback_takes_a_running_session_back_whatever_the_flags_say() {
    for (scope, tier) in
        [(Scope::Everywhere, Tier::ZeroTolerance), (Scope::Notebook(NotebookId::from("nb")), Tier::Mismatches)]
    {
        let mut host = Host::new();
        host.perform(Step::Flip("registry"));
        assert_eq!(host.owner.status().leases[0].path, Path::Registry);
        let mut latch = Latch::default();
        latch.close(closed(scope, tier));
        host.owner.roll_back(latch);
        for _ in 0..3 {
            let [lease] = &host.owner.status().leases[..] else { panic!("one session") };
            assert_eq!((lease.path, lease.decision.reason), (Path::Legacy, Reason::RolledBack(tier)));
            host.route("registry");
            host.request(GOOD_CELL);
            host.finish();
        }
        assert_eq!(host.owner.adopted.len(), 2, "one `ready` there and one back");
        host.owner.roll_back(Latch::default());
        host.owner.stop();
        host.owner.start();
        assert_eq!(host.owner.status().leases[0].path, Path::Registry, "the flags decide again");
    }
}

#[test]
fn a_rollback_of_another_notebook_changes_nothing_here() {
    let mut host = Host::new();
    host.perform(Step::Flip("registry"));
    let mut latch = Latch::default();
    latch.close(closed(Scope::Notebook(NotebookId::from("another")), Tier::ZeroTolerance));
    host.owner.roll_back(latch);
    assert_eq!((host.owner.status().leases[0].path, host.owner.adopted.len()), (Path::Registry, 1));
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Clean),
        2 => Just(Outcome::Mismatch),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::Inconclusive),
    ]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let class = prop_oneof![
        Just(Class::Deterministic),
        any::<bool>().prop_map(|control_differs| Class::Noisy { control_differs }),
    ];
    let incidents = [
        Incident::CandidatePanic,
        Incident::InFlightMark,
        Incident::IsolationBreach,
        Incident::SecondTerminal,
        Incident::LostExecution,
        Incident::OrderViolation,
    ];
    let timed = |(control_ms, candidate_ms)| Evidence::Timed { id: QueueId::from("q"), control_ms, candidate_ms };
    prop_oneof![
        30 => (class, outcomes()).prop_map(|(class, outcome)| compared(class, outcome)),
        5 => (any::<f64>(), any::<f64>()).prop_map(timed),
        5 => (0.0..50.0_f64, 0.0..50.0_f64).prop_map(timed),
        1 => prop::sample::select(incidents.to_vec()).prop_map(Evidence::Incident),
    ]
}

type Piece = (u8, i64, u64, Evidence);

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    prop::collection::vec((0..6_u8, any::<i64>(), any::<u64>(), evidence()), 0..120)
}

fn take(guard: &mut Guard, (notebook, wall_ms, mono_ms, evidence): &Piece) -> Advice {
    let now = Now { wall_ms: *wall_ms, mono_ms: *mono_ms };
    guard.take(now, &NotebookId::from(format!("n{notebook}")), evidence)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever comes, nothing panics, what is latched stays latched, and nothing is promoted past it.
    #[test]
    fn the_latch_only_ever_closes_further(pieces in pieces(), is_dry_run: bool) {
        let mut guard = Guard::new(GuardSettings { is_dry_run, ..GuardSettings::default() }, "b");
        let mut before = guard.latch().clone();
        for piece in &pieces {
            let advice = take(&mut guard, piece);
            let latch = guard.latch().clone();
            prop_assert!(before.closed().all(|closed| latch.closed().any(|now| now == closed)));
            prop_assert_eq!(latch != before, matches!(advice, Advice::Rollback(_)) && !is_dry_run);
            prop_assert!(latch.is_open() || advice != Advice::Promote);
            before = latch;
        }
    }

    /// A restart at any point changes nothing of what is advised after it.
    #[test]
    fn a_restart_between_any_two_pieces_changes_no_advice(pieces in pieces(), at in 0..120_usize) {
        let mut guard = Guard::new(GuardSettings::default(), "b");
        let mut restarted = guard.clone();
        for (n, piece) in pieces.iter().enumerate() {
            if n == at {
                let (restored, error) = Guard::restore(GuardSettings::default(), "b", &guard.state(), Now::default());
                prop_assert!(error.is_none());
                prop_assert_eq!(restored.state(), guard.state());
                restarted = restored;
            }
            prop_assert_eq!(take(&mut guard, piece), take(&mut restarted, piece));
        }
    }

    /// The order of a notebook's comparisons does not matter to its own e-values, as long as none of them decides.
    #[test]
    fn the_order_of_one_notebooks_evidence_does_not_matter(outcomes in prop::collection::vec(outcomes(), 0..60)) {
        let run = |outcomes: &[Outcome]| {
            let mut guard = Guard::new(GuardSettings { rate_limit: 0.5, ..GuardSettings::default() }, "b");
            let notebook = NotebookId::from("n");
            for outcome in outcomes.iter().chain([&Outcome::Mismatch]) {
                guard.take(Now::default(), &notebook, &compared(Class::Deterministic, *outcome));
            }
            match guard.take(Now::default(), &notebook, &Evidence::Incident(Incident::IsolationBreach)) {
                Advice::Rollback(rollback) => (rollback.totals, rollback.discordant.last().cloned()),
                other => panic!("{other:?}"),
            }
        };
        let mut reversed = outcomes.clone();
        reversed.reverse();
        let (there, back) = (run(&outcomes), run(&reversed));
        prop_assume!(there.0.late == 0 && back.0.late == 0);
        prop_assert_eq!(there.1.map(|one| one.log10_e), back.1.map(|one| one.log10_e));
    }

    /// A state that differs in one byte is refused, and the latch is closed.
    #[test]
    fn a_damaged_state_never_opens_the_latch(pieces in pieces(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut guard = Guard::new(GuardSettings::default(), "b");
        pieces.iter().for_each(|piece| drop(take(&mut guard, piece)));
        let mut state = guard.state().into_bytes();
        let at = at.index(state.len());
        prop_assume!(state[at] != byte & 0x7f);
        state[at] = byte & 0x7f;
        let text = String::from_utf8(state).unwrap();
        let (restored, error) = Guard::restore(GuardSettings::default(), "b", &text, Now::default());
        prop_assert!(error.is_some());
        prop_assert_eq!(restored.latch().holds("any").map(|closed| closed.tier), Some(Tier::Unreadable));
    }
}
