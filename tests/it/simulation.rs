//! Is an execution ever lost or run twice, whatever happens, and would the simulator see it?

use bridge_core::Route;
use tests::simulator::{
    Action, Boundary, Campaign, Fault, Foreign, Ids, Kind, Mechanism, Nested, Scenario, Target, What, run,
};

/// Seeds of one run of the tests; `npm run test:long` plays as many as it takes for a million flips.
const SEEDS: u64 = 400;

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
    let wanted = std::env::var("SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = wanted.map_or(0..SEEDS, |seed| seed..seed + 1);
    let campaign = play(seeds, None).unwrap_or_else(|found| panic!("\n{found}"));
    if wanted.is_none() {
        assert!(campaign.flips > SEEDS && campaign.compared > SEEDS, "{campaign:?}");
    }
}

/// Without the mechanism some seed breaks an invariant, and soon; with it the same seed breaks none.
#[expect(clippy::print_stdout, reason = "the seed and its actions are what a reader of the test wants to see")]
fn check_found(mechanism: Mechanism) {
    let breaks = |seed: u64| play([seed], Some(mechanism)).err().map(|found| (seed, found));
    let found = (0..SEEDS_TO_FIND).find_map(breaks);
    let (seed, found) = found.unwrap_or_else(|| panic!("nothing notices that {mechanism:?} is missing"));
    println!("without {mechanism:?}, found after {} seeds: {found}", seed + 1);
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

/// Plays what a seed once broke.
fn check(cast: &[Kind], actions: &[What]) {
    let actions = actions.iter().map(|what| Action { notebook: 0, what: *what }).collect();
    let outcome = run(&Scenario { casts: vec![cast.to_vec()], actions }, None);
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
fn what_a_displaced_session_had_under_way_is_not_compared() {
    let next = What::Flip { route: Route::Registry, boundary: Boundary::Unnamed };
    let actions = [flip(Route::Shadow), request(4), next, What::Advance(100), What::Start(1)];
    check(&[Kind::Host, Kind::Compat], &actions);
}
