//! Does the guard roll back what must be rolled back, and nothing else, and does it stay so?

use bridge_core::{
    Advice, Class, Closed, Evidence, Guard, GuardSettings, Incident, Latch, Outcome, Path, Reason, Scope, Tier,
};
use proptest::prelude::*;
use registry::{NotebookId, Now, QueueId};
use tests::host::{GOOD_CELL, Host, Step};

fn compared(class: Class, outcome: Outcome) -> Evidence {
    Evidence::Compared { id: QueueId::from("q"), class, outcome }
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
        Incident::CandidateDeath,
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
