//! Does the guard roll back when it must, and only then?

use registry::QueueId;

use super::*;
use crate::sealed::sealed;

const BUILD: &str = "1.0.0";

/// A guard with the time and the number of executions so far.
struct Case {
    guard: Guard,
    now: Now,
    executions: u64,
}

impl Case {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };
        Self { guard: Guard::new(settings, BUILD), now, executions: 0 }
    }

    fn take(&mut self, notebook: &str, evidence: &Evidence) -> Advice {
        self.now.wall_ms += 1000;
        self.now.mono_ms += 1000;
        self.guard.take(self.now, &NotebookId::from(notebook), evidence)
    }

    fn compared(&mut self, notebook: &str, outcome: Outcome) -> Advice {
        self.compared_as(notebook, Class::Deterministic, outcome)
    }

    fn compared_as(&mut self, notebook: &str, class: Class, outcome: Outcome) -> Advice {
        self.executions += 1;
        let id = QueueId::from(format!("q{}", self.executions));
        self.take(notebook, &Evidence::Compared { id, class, outcome })
    }

    fn timed(&mut self, notebook: &str, control_ms: f64, candidate_ms: f64) -> Advice {
        self.take(notebook, &Evidence::Timed { id: QueueId::from("q"), control_ms, candidate_ms })
    }

    fn incident(&mut self, notebook: &str, incident: Incident) -> Advice {
        self.take(notebook, &Evidence::Incident(incident))
    }

    fn restarted(&mut self, build: &str) -> Option<StateError> {
        let state = self.guard.state();
        let (guard, error) = Guard::restore(self.guard.settings, build, &state, self.now);
        self.guard = guard;
        self.now.mono_ms = 0;
        error
    }

    fn holds(&self, notebook: &str) -> bool {
        self.guard.latch().holds(notebook).is_some()
    }

    /// All that promotion needs, spread over notebooks and time.
    fn earn_promotion(&mut self) -> Advice {
        let mut last = Advice::Hold;
        for n in 0..600 {
            self.now.mono_ms += 10_000;
            last = self.compared(&format!("n{}", n % 20), Outcome::Clean);
        }
        last
    }
}

/// The scope and tier of a rollback; anything else fails.
fn rolled_back(advice: Advice) -> (Scope, Tier) {
    match advice {
        Advice::Rollback(rollback) => (rollback.closed.scope, rollback.closed.tier),
        other => panic!("{other:?}"),
    }
}

fn notebook(id: &str) -> Scope {
    Scope::Notebook(NotebookId::from(id))
}

#[test]
fn a_deterministic_class_that_breaks_is_rolled_back_at_its_second_comparison() {
    for (outcome, tier) in [(Outcome::Mismatch, Tier::Mismatches), (Outcome::Failed, Tier::Errors)] {
        let mut case = Case::new();
        assert_eq!(case.compared("a", outcome), Advice::Hold);
        assert_eq!(rolled_back(case.compared("a", outcome)), (notebook("a"), tier));
        assert!(case.holds("a") && !case.holds("b"));
    }
}

#[test]
fn a_candidate_that_breaks_everywhere_is_rolled_back_everywhere() {
    let mut case = Case::new();
    for id in ["a", "b", "c"] {
        assert_eq!(case.compared(id, Outcome::Mismatch), Advice::Hold);
    }
    assert_eq!(rolled_back(case.compared("d", Outcome::Mismatch)), (Scope::Everywhere, Tier::Mismatches));
    assert!(case.holds("never seen"));
}

#[test]
fn noise_needs_more_than_a_deterministic_class() {
    let mut case = Case::new();
    let class = Class::Noisy { control_differs: false };
    let fires = (1..).find(|_| case.compared_as("a", class, Outcome::Mismatch) != Advice::Hold);
    // 13 in a row at 1e-3, 15 at a third of it.
    assert_eq!(fires, Some(15));
}

#[test]
fn a_slower_candidate_is_rolled_back_and_a_faster_one_is_not() {
    let mut case = Case::new();
    assert!((0..1000).all(|_| case.timed("a", 20.0, 10.0) == Advice::Hold));
    assert!((0..1000).all(|_| case.timed("b", 100.0, 110.0) == Advice::Hold));
    let slow = (0..100).map(|_| case.timed("c", 10.0, 20.0)).find(|advice| *advice != Advice::Hold);
    assert_eq!(slow.map(rolled_back), Some((notebook("c"), Tier::Latency)));
}

#[test]
fn an_incident_rolls_back_its_notebook_and_the_second_notebook_the_world() {
    for incident in
        [Incident::CandidatePanic, Incident::InFlightMark, Incident::LostExecution, Incident::OrderViolation]
    {
        let mut case = Case::new();
        assert_eq!(rolled_back(case.incident("a", incident)), (notebook("a"), Tier::ZeroTolerance));
        assert_eq!(case.incident("a", incident), Advice::Hold, "said once");
        assert!(!case.holds("b"));
        assert_eq!(rolled_back(case.incident("b", incident)), (Scope::Everywhere, Tier::ZeroTolerance));
    }
}

#[test]
fn a_breach_and_a_second_terminal_roll_back_the_world_even_from_a_notebook_that_is_back_already() {
    for incident in [Incident::IsolationBreach, Incident::SecondTerminal] {
        let mut case = Case::new();
        case.compared("a", Outcome::Mismatch);
        case.compared("a", Outcome::Mismatch);
        assert!(case.holds("a") && !case.holds("b"));
        assert_eq!(rolled_back(case.incident("a", incident)), (Scope::Everywhere, Tier::ZeroTolerance));
        assert_eq!(case.incident("b", incident), Advice::Hold);
    }
}

#[test]
fn test_35_no_data_one_notebook_little_time_or_nothing_to_say_is_hold() {
    assert_eq!(Case::new().guard.advise(), Advice::Hold);

    let mut one_notebook = Case::new();
    for _ in 0..5000 {
        one_notebook.now.mono_ms += 10_000;
        assert_eq!(one_notebook.compared("a", Outcome::Clean), Advice::Hold);
    }

    let mut daily = Case::new();
    for day in 0..300 {
        daily.now.mono_ms += 24 * 60 * 60 * 1000;
        assert_eq!(daily.compared(&format!("n{day}"), Outcome::Clean), Advice::Hold);
    }

    let mut hasty = Case::new();
    assert!((0..1000).all(|n| hasty.compared(&format!("n{n}"), Outcome::Clean) == Advice::Hold));

    let mut mute = Case::new();
    for n in 0..5000 {
        mute.now.mono_ms += 10_000;
        assert_eq!(mute.compared(&format!("n{}", n % 20), Outcome::Inconclusive), Advice::Hold);
    }
    assert_eq!(mute.guard.status().promotion.watched_ms, 0, "a dead source is watched by nobody");
}

#[test]
fn promotion_needs_six_hundred_clean_comparisons_and_not_one_other() {
    let mut case = Case::new();
    assert_eq!(case.earn_promotion(), Advice::Promote);
    assert_eq!(case.guard.status().promotion.needed.clean, 600);
    case.guard.begin_stage(2);
    assert_eq!(case.guard.advise(), Advice::Hold, "each stage earns its own");
    case.compared("n0", Outcome::Mismatch);
    assert_eq!(case.earn_promotion(), Advice::Hold);
}

#[test]
fn a_host_may_ask_for_more_or_less_before_promotion() {
    let settings = Settings { rate_limit: 0.001, min_notebooks: 2, min_watched_ms: 0, ..Settings::default() };
    let mut case = Case::with(settings);
    let fires = (1..).find(|n| case.compared(&format!("n{}", n % 2), Outcome::Clean) == Advice::Promote);
    assert_eq!(fires, Some(3000));
    let mut hasty = Case::with(Settings { min_notebooks: 1, min_watched_ms: 0, ..Settings::default() });
    assert_eq!((1..).find(|_| hasty.compared("a", Outcome::Clean) == Advice::Promote), Some(600));
}

#[test]
fn test_36_good_evidence_after_bad_opens_nothing() {
    let mut case = Case::new();
    case.incident("a", Incident::IsolationBreach);
    assert_eq!(case.earn_promotion(), Advice::Hold);
    assert!(case.holds("a"));
    assert_eq!(case.guard.status().totals.late, 600);
}

#[test]
fn test_37_new_generations_of_the_flags_open_nothing() {
    let mut case = Case::new();
    case.incident("a", Incident::IsolationBreach);
    for generation in 0..1000 {
        case.guard.begin_stage(generation);
        assert!(case.holds("a"));
    }
}

#[test]
fn test_38_a_second_rollback_at_once_and_a_corrupt_state_leave_the_latch_closed() {
    let mut case = Case::new();
    case.incident("a", Incident::SecondTerminal);
    let before = case.guard.latch().clone();
    assert_eq!(case.incident("b", Incident::IsolationBreach), Advice::Hold);
    assert_eq!(*case.guard.latch(), before);
    let state = case.guard.state();
    let json = state.split_once('\n').unwrap().1.trim_end();
    let renamed = sealed(&json.replace("\"latch\"", "\"latsch\""));
    for broken in ["", "{}", json, &state[..state.len() / 2], &sealed("null"), &renamed] {
        let (guard, error) = Guard::restore(Settings::default(), BUILD, broken, case.now);
        assert_eq!(error.map(|error| error.code()), Some("GUARD_STATE_UNREADABLE"), "{broken}");
        assert_eq!(guard.latch().holds("any").map(|closed| closed.tier), Some(Tier::Unreadable));
    }
    let newer = sealed(&json.replace("\"version\":1", "\"version\":2"));
    let (guard, error) = Guard::restore(Settings::default(), BUILD, &newer, case.now);
    assert_eq!((error.map(|error| error.code()), guard.latch().is_open()), (Some("GUARD_STATE_VERSION"), false));
}

#[test]
fn test_39_one_breach_in_a_million_is_found() {
    let mut case = Case::new();
    let (id, class) = (QueueId::from("q"), Class::Deterministic);
    let clean = Evidence::Compared { id, class, outcome: Outcome::Clean };
    // A few thousand stand for the million before it: they weigh the same, which is nothing.
    (0..5000).for_each(|n| drop(case.take(&format!("n{}", n % 100), &clean)));
    assert_eq!(rolled_back(case.incident("n5", Incident::IsolationBreach)), (Scope::Everywhere, Tier::ZeroTolerance));
}

#[test]
fn test_40_one_poisoned_notebook_neither_sinks_the_world_nor_hides_in_it() {
    let mut case = Case::with(Settings { is_dry_run: true, ..Settings::default() });
    for n in 0..20_000 {
        case.compared(&format!("n{}", n % 200), Outcome::Clean);
    }
    assert_eq!(case.compared("bad", Outcome::Mismatch), Advice::Hold);
    assert_eq!(rolled_back(case.compared("bad", Outcome::Mismatch)), (notebook("bad"), Tier::Mismatches));
    // The counts that decide everywhere, as if every one of its mismatches had been counted.
    let bet = evidence::Bet { metric: Metric::Mismatches, test: evidence::Test::Rate, is_hit: true };
    let cohorts = &mut case.guard.collected.cohorts;
    (0..100_000).for_each(|_| cohorts.add(&NotebookId::from("bad"), bet, RATE_LIMIT));
    assert!(cohorts.ln_e_everywhere(Metric::Mismatches) < 0.0);
}

#[test]
fn test_40_notebooks_are_told_apart_across_restarts() {
    let mut poisoned = Case::new();
    for n in 0..2000 {
        poisoned.compared(&format!("n{}", n % 20), Outcome::Clean);
        if n % 100 == 0 {
            assert!(poisoned.restarted(BUILD).is_none());
        }
    }
    assert_eq!(poisoned.compared("bad", Outcome::Mismatch), Advice::Hold);
    poisoned.restarted(BUILD);
    assert_eq!(rolled_back(poisoned.compared("bad", Outcome::Mismatch)), (notebook("bad"), Tier::Mismatches));
    for _ in 0..50 {
        poisoned.restarted(BUILD);
        assert_eq!(poisoned.compared("bad", Outcome::Mismatch), Advice::Hold);
    }
    assert!(poisoned.holds("bad") && !poisoned.holds("n1"), "it does not sink the world");

    let mut broken = Case::new();
    for id in ["a", "b", "c"] {
        assert_eq!(broken.compared(id, Outcome::Mismatch), Advice::Hold);
        broken.restarted(BUILD);
    }
    assert_eq!(rolled_back(broken.compared("d", Outcome::Mismatch)), (Scope::Everywhere, Tier::Mismatches));
}

#[test]
fn test_41_evidence_survives_a_restart() {
    let mut case = Case::new();
    case.compared("a", Outcome::Mismatch);
    assert!(case.restarted(BUILD).is_none());
    assert_eq!(rolled_back(case.compared("a", Outcome::Mismatch)), (notebook("a"), Tier::Mismatches));
    assert!(case.restarted(BUILD).is_none());
    assert!(case.holds("a"));
}

#[test]
fn test_42_a_new_build_begins_with_new_evidence_behind_the_same_latch() {
    let mut case = Case::new();
    case.compared("a", Outcome::Mismatch);
    case.incident("b", Incident::LostExecution);
    case.restarted("1.0.1");
    assert!(case.holds("b"));
    assert_eq!(case.compared("a", Outcome::Mismatch), Advice::Hold, "the old build's mismatch does not count");
    assert_eq!(rolled_back(case.incident("c", Incident::LostExecution)).0, notebook("c"), "nor does its incident");
    assert_eq!(case.earn_promotion(), Advice::Hold, "nothing is promoted past a rollback");
}

#[test]
fn re_arming_needs_a_reason_and_begins_anew() {
    let mut case = Case::new();
    case.compared("a", Outcome::Mismatch);
    case.compared("a", Outcome::Mismatch);
    assert_eq!(case.guard.rearm(case.now, &notebook("a"), None, ""), Err(RearmError::NoReason));
    assert!(case.holds("a"));
    case.guard.rearm(case.now, &notebook("a"), Some("an operator"), "the ledger knows it now").unwrap();
    assert!(!case.holds("a"));
    assert_eq!(case.compared("a", Outcome::Mismatch), Advice::Hold, "what was explained is forgotten");
    assert_eq!(rolled_back(case.compared("a", Outcome::Mismatch)).0, notebook("a"));
    case.guard.rearm(case.now, &Scope::Everywhere, None, "again").unwrap();
    case.restarted(BUILD);
    let reasons: Vec<String> = case.guard.status().rearmed.into_iter().map(|one| one.reason).collect();
    assert_eq!(reasons, ["the ledger knows it now", "again"]);
    assert_eq!(case.earn_promotion(), Advice::Promote);
}

#[test]
fn a_dry_run_says_it_once_and_latches_nothing() {
    let mut case = Case::with(Settings { is_dry_run: true, ..Settings::default() });
    case.compared("a", Outcome::Mismatch);
    let Advice::Rollback(rollback) = case.compared("a", Outcome::Mismatch) else { panic!("no advice") };
    assert!(rollback.is_dry_run);
    assert_eq!(case.compared("a", Outcome::Mismatch), Advice::Hold);
    assert!(case.guard.latch().is_open());
    assert_eq!(case.guard.status().would_be_latched.len(), 1);
    case.restarted(BUILD);
    assert!(case.guard.latch().is_open());
}

#[test]
fn a_rollback_shows_the_evidence_in_bounded_space() {
    let mut case = Case::new();
    case.guard.begin_stage(7);
    let noisy = |control_differs| Class::Noisy { control_differs };
    for n in 0..5000 {
        case.compared(&format!("n{}", n % 50), Outcome::Clean);
        case.compared_as("noisy", noisy(n % 2 == 0), if n % 2 == 0 { Outcome::Clean } else { Outcome::Mismatch });
    }
    case.compared("bad", Outcome::Mismatch);
    let Advice::Rollback(rollback) = case.compared("bad", Outcome::Mismatch) else { panic!("no rollback") };
    let ids: Vec<&str> = rollback.discordant.iter().map(|one| one.queue_id.as_str()).collect();
    assert_eq!(ids, ["q10001", "q10002"]);
    assert!(rollback.discordant[0].log10_e < rollback.discordant[1].log10_e);
    assert!((MAX_POINTS / 2..=MAX_POINTS).contains(&rollback.path.len()), "{}", rollback.path.len());
    assert!(rollback.path.is_sorted_by_key(|point| point.compared));
    assert_eq!((rollback.closed.generation, rollback.closed.build.as_str()), (7, BUILD));
    assert_eq!((rollback.totals.compared, rollback.totals.mismatched), (10_002, 2502));
    assert_eq!(case.guard.collected.record.discordant.len(), MAX_DISCORDANT);
}
