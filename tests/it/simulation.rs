//! Is an execution ever lost or run twice, whatever happens, and would the simulator see it?

use std::collections::BTreeSet;

use bridge_core::Route;
use registry::{Event, QueueId};
use tests::simulator::{
    Action, Blow, Boundary, Campaign, Fault, Foreign, Ids, Invariant, Kind, Mechanism, Misdeed, Nested, Scenario,
    Target, What, run,
};

/// Seeds of one run of the tests; `npm run test:long` plays as many as it takes for a million flips.
const SEEDS: u64 = 250;

/// Within so many seeds the lack of a mechanism must show.
const SEEDS_TO_FIND: u64 = 1_000;

fn play(seeds: impl IntoIterator<Item = u64>, without: Option<Mechanism>) -> Result<Campaign, String> {
    let mut campaign = Campaign::default();
    for seed in seeds {
        campaign.play(seed, without).map_err(|found| found.to_string())?;
    }
    Ok(campaign)
}

#[test]
fn no_seed_breaks_an_invariant() {
    match std::env::var("SEED") {
        Ok(seed) => play_one(seed.parse().unwrap()),
        Err(_) => {
            let campaign = play(0..SEEDS, None).unwrap_or_else(|found| panic!("\n{found}"));
            assert!(campaign.flips > SEEDS && campaign.compared > SEEDS, "{campaign:?}");
        }
    }
}

/// Tells what a seed does, shrunk where it breaks something.
fn play_one(seed: u64) {
    let campaign = play([seed], None).unwrap_or_else(|found| panic!("\n{found}"));
    tell(&format!("SEED={seed} breaks nothing: {campaign:#?}\n{:#?}", Scenario::of_seed(seed)));
}

#[expect(clippy::print_stdout, reason = "what a person asks a seed for")]
fn tell(what: &str) {
    println!("{what}");
}

/// Without the mechanism some seed breaks an invariant, and soon; with it the same seed breaks none.
fn check_found(mechanism: Mechanism) {
    let breaks = |seed: u64| play([seed], Some(mechanism)).err().map(|found| (seed, found));
    let found = (0..SEEDS_TO_FIND).find_map(breaks);
    let (seed, found) = found.unwrap_or_else(|| panic!("nothing notices that {mechanism:?} is missing"));
    tell(&format!("without {mechanism:?}, found after {} seeds: {found}", seed + 1));
    play([seed], None).unwrap_or_else(|found| panic!("not for want of {mechanism:?}:\n{found}"));
}

#[test]
fn a_gate_that_does_not_look_at_the_token_is_found() {
    check_found(Mechanism::TokenCheck);
}

#[test]
fn a_claim_without_compare_and_set_is_found() {
    check_found(Mechanism::ClaimCheck);
}

#[test]
fn a_flip_that_does_not_raise_the_token_is_found() {
    check_found(Mechanism::Raise);
}

#[test]
fn a_flip_that_hands_no_claims_on_is_found() {
    check_found(Mechanism::HandOver);
}

#[test]
fn a_registry_that_does_not_sweep_is_found() {
    check_found(Mechanism::Sweep);
}

/// The watchdog needs nobody to compare with: on the route `registry` nothing else would notice.
#[test]
fn a_registry_that_begins_executions_out_of_order_is_found_by_its_watchdog_too() {
    check_found(Mechanism::RequestOrder);
    let actions = [flip(Route::Registry), request(3)];
    let outcome = run(&scenario(&[Kind::Compat], &actions), Some(Mechanism::RequestOrder));
    let broken: BTreeSet<Invariant> = outcome.violations.iter().map(|violation| violation.invariant).collect();
    assert!(broken.is_superset(&[Invariant::RequestOrder, Invariant::NoIncident].into()), "{broken:?}");
}

/// Old paths, and both ways between the paths.
const WAYS: [(Kind, Route, Route); 6] = [
    (Kind::Compat, Route::Legacy, Route::Registry),
    (Kind::Compat, Route::Registry, Route::Legacy),
    (Kind::Host, Route::Legacy, Route::Registry),
    (Kind::Host, Route::Registry, Route::Legacy),
    (Kind::Manager, Route::Legacy, Route::Registry),
    (Kind::Manager, Route::Registry, Route::Legacy),
];

/// Two executions are requested on one path; a blow strikes at every effect in turn, and what comes after is served by the other.
/// Gives how many places there were to strike at.
fn strike_everywhere(blow: impl Fn(Route) -> Blow) -> usize {
    WAYS.iter()
        .map(|(kind, from, to)| {
            let places = (0..).find(|after| {
                let strike = What::Strike { after: *after, blow: blow(*to) };
                let actions = [flip(*from), strike, request(2), What::Advance(220), flip(*to), What::Start(0)];
                let outcome = run(&scenario(&[*kind], &actions), None);
                assert_eq!(outcome.violations, [], "{kind:?} from {from:?} to {to:?}, struck after {after} effects");
                outcome.logs.iter().for_each(|log| assert_once(log));
                outcome.struck == 0
            });
            places.unwrap_or_default()
        })
        .sum()
}

/// Every execution is started at most once, and ends once.
fn assert_once(log: &[Event]) {
    let (mut started, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for event in log {
        match event {
            Event::ExecutionStarted(e) => assert!(started.insert(&e.queue_id), "{} is entered twice", e.queue_id),
            Event::ExecutionCompleted(e) => assert!(ended.insert(&e.queue_id), "{} ends twice", e.queue_id),
            _ => {}
        }
    }
    assert_eq!(ended.len(), 2, "{ended:?}");
}

#[test]
fn a_process_killed_at_any_step_of_an_execution_loses_and_doubles_nothing() {
    assert!(strike_everywhere(|_| Blow::Crash) > 100);
}

#[test]
fn a_flip_at_any_step_of_an_execution_loses_and_doubles_nothing() {
    assert!(strike_everywhere(Blow::Flip) > 100);
}

#[test]
fn a_long_queue_stays_in_order_however_often_the_route_goes_to_and_fro_during_a_drain() {
    let to_and_fro = [flip(Route::Registry), What::Advance(20), flip(Route::Legacy), What::Advance(20)];
    let mut actions = vec![request(10_000), What::Advance(160), What::Hang(true)];
    actions.extend(to_and_fro.iter().cycle().take(80));
    actions.extend([What::Hang(false), flip(Route::Registry), What::Advance(500)]);
    let outcome = run(&scenario(&[Kind::Host], &actions), None);
    assert_eq!(outcome.violations, []);
    let events = |name: fn(&Event) -> Option<&QueueId>| outcome.logs[0].iter().filter_map(name).collect::<Vec<_>>();
    let requested = events(|event| match event {
        Event::ExecutionRequested(e) => Some(&e.queue_id),
        _ => None,
    });
    let started = events(|event| match event {
        Event::ExecutionStarted(e) => Some(&e.queue_id),
        _ => None,
    });
    assert_eq!(started, requested);
}

fn scenario(cast: &[Kind], actions: &[What]) -> Scenario {
    let actions = actions.iter().map(|what| Action { notebook: 0, what: *what }).collect();
    Scenario { casts: vec![cast.to_vec()], actions }
}

/// Plays what a seed once broke.
fn check(cast: &[Kind], actions: &[What]) {
    let outcome = run(&scenario(cast, actions), None);
    assert_eq!(outcome.violations, []);
}

const fn flip(route: Route) -> What {
    What::Flip { route, boundary: Boundary::Drain }
}

const fn request(count: usize) -> What {
    What::Request { count, ids: Ids::Ascending, in_one_commit: true }
}

#[test]
fn of_two_sessions_that_the_old_system_let_go_on_the_newest_moves_and_the_other_ends() {
    check(&[Kind::Host, Kind::Compat], &[What::Start(1), flip(Route::Registry)]);
}

#[test]
fn a_flip_from_within_ready_finds_the_live_query_and_the_facade_as_the_notebook_left_them() {
    let nested = What::InCallback(Nested::Flip(Route::Live));
    check(&[Kind::Host], &[flip(Route::Live), nested, flip(Route::Legacy), request(1)]);
}

#[test]
fn a_start_on_the_old_path_that_fails_takes_nothing_from_who_serves() {
    let keep = What::Flip { route: Route::Legacy, boundary: Boundary::NextSession };
    let refused = What::Fault { of: Target::Session, how: Fault::Refused };
    check(&[Kind::Host, Kind::Compat], &[flip(Route::Live), refused, keep, What::Start(1), request(2)]);
}

#[test]
fn a_session_that_another_process_has_displaced_does_not_move() {
    for kind in [Kind::Compat, Kind::Host] {
        check(&[kind], &[What::Foreign(Foreign::Displace), flip(Route::Live), request(1)]);
    }
}

#[test]
fn a_flip_displaces_the_session_that_a_manager_did_not_see() {
    let actions = [What::Foreign(Foreign::Displace), What::Delay(true), What::Foreign(Foreign::Displace)];
    check(&[Kind::Manager], &[&actions[..], &[What::Start(0), flip(Route::Registry)]].concat());
}

#[test]
fn nothing_follows_a_fence_even_where_the_flip_then_finds_its_session_displaced() {
    let flip = What::Flip { route: Route::Live, boundary: Boundary::BriefDrain };
    let began = [What::Hang(true), request(2), What::Advance(101)];
    check(&[Kind::Host], &[&began[..], &[flip, What::Foreign(Foreign::Displace), What::Advance(2_388)]].concat());
}

#[test]
fn a_flag_that_changes_while_a_session_is_starting_reaches_it() {
    for kind in [Kind::Compat, Kind::Host, Kind::Manager] {
        for after in 0..40 {
            let strike = What::Strike { after, blow: Blow::Flip(Route::Registry) };
            check(&[kind], &[What::Stop(0), What::Advance(200), strike, What::Start(0), What::Advance(3_000)]);
        }
    }
}

#[test]
fn what_a_displaced_session_still_commits_is_stale() {
    let displaced = What::Foreign(Foreign::Displace);
    check(&[Kind::Host], &[flip(Route::Registry), flip(Route::Shadow), displaced, flip(Route::Live)]);
}

#[test]
fn a_terminal_that_took_effect_though_its_commit_failed_is_the_only_one() {
    let thrown = What::Fault { of: Target::Terminal, how: Fault::ThrownBehind };
    for kind in [Kind::Manager, Kind::Compat] {
        check(&[kind], &[flip(Route::Live), flip(Route::Shadow), thrown, request(1), What::Advance(200)]);
    }
}

#[test]
fn a_claim_that_took_effect_though_its_commit_failed_is_held() {
    let thrown = What::Fault { of: Target::Claim, how: Fault::ThrownBehind };
    check(&[Kind::Host], &[flip(Route::Live), flip(Route::Shadow), thrown, request(2), What::Advance(300)]);
}

#[test]
fn a_start_that_took_effect_though_its_commit_failed_is_held() {
    let thrown = What::Fault { of: Target::Anything, how: Fault::ThrownBehind };
    let claims = |facade, entry| What::Misbehave { facade, entry, how: Misdeed::Claim };
    let late = [claims(3, 0), thrown, What::Advance(76), claims(2, 6)];
    let actions = [[flip(Route::Live), flip(Route::Legacy), request(1)].as_slice(), &late].concat();
    check(&[Kind::Host, Kind::Compat], &actions);
}

#[test]
fn what_a_displaced_session_does_not_end_is_fenced_with_the_next_flip() {
    let now = What::Flip { route: Route::Live, boundary: Boundary::Now };
    let shadow = What::Flip { route: Route::Shadow, boundary: Boundary::Unnamed };
    let requests = What::Request { count: 4, ids: Ids::Descending, in_one_commit: true };
    let starts = What::Misbehave { facade: 3, entry: 2, how: Misdeed::Start };
    let displaced = What::Foreign(Foreign::Displace);
    check(&[Kind::Host], &[now, shadow, requests, What::Advance(84), What::Advance(76), displaced, starts, now]);
}

#[test]
fn a_late_start_that_is_dropped_opens_no_way_for_the_output_behind_it() {
    let brief = What::Flip { route: Route::Live, boundary: Boundary::BriefDrain };
    let shadow = What::Flip { route: Route::Shadow, boundary: Boundary::Unnamed };
    let requests = What::Request { count: 2, ids: Ids::Ascending, in_one_commit: false };
    let starts = What::Misbehave { facade: 2, entry: 5, how: Misdeed::Start };
    let hangs = What::Hang(true);
    check(&[Kind::Host], &[hangs, requests, What::Advance(115), brief, What::Advance(2154), shadow, starts]);
}

#[test]
fn what_a_displaced_session_had_under_way_is_not_compared() {
    let next = What::Flip { route: Route::Registry, boundary: Boundary::Unnamed };
    let actions = [flip(Route::Shadow), request(4), next, What::Advance(100), What::Start(1)];
    check(&[Kind::Host, Kind::Compat], &actions);
}
