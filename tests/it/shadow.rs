//! Does the shadow see what differs between the paths, and leave the serving path alone?

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use bridge_core::{Fault, KNOWN_DIFFERENCES, Seen, Verdict, Why};
use bridge_host::step::LegacyKind;
use legacy_compat::{OnRegistry, QUIRKS};
use proptest::prelude::*;
use registry::{Event, QueueStatus, Timestamp};
use tests::host::{BAD_CELL, GOOD_CELL, Host, Step, TELLING_CELLS};

const COMPARING: [&str; 2] = ["shadow", "live"];

/// A host whose session is served on this route.
fn host_on(route: &str) -> Host {
    let mut host = Host::new();
    host.route(route);
    host
}

/// The known differences that were seen; anything else fails.
fn clean(host: &Host) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    for (observation, comparison) in &host.owner.compared {
        let verdicts = comparison.executions.iter().map(|execution| &execution.verdict);
        for verdict in verdicts.chain([&comparison.order]) {
            match verdict {
                Verdict::Match => {}
                Verdict::Known { names: known } => names.extend(known),
                other => panic!("{other:#?} in {observation:#?}"),
            }
        }
    }
    names
}

fn check(route: &str, play: impl FnOnce(&mut Host), expect: &[&str]) {
    let mut host = host_on(route);
    play(&mut host);
    host.finish();
    host.owner.stop();
    assert_eq!(clean(&host), expect.iter().copied().collect(), "on {route}");
}

#[test]
fn html_differs_only_as_the_ledger_says() {
    for route in COMPARING {
        check(route, |host| host.request(GOOD_CELL), &["no-empty-metadata", "outputs-replaced"]);
    }
}

#[test]
fn the_constant_execution_count_is_known() {
    for route in COMPARING {
        let expect = ["execution-count", "no-empty-metadata", "outputs-replaced"];
        check(route, |host| host.request_as("q", GOOD_CELL, 7), &expect);
    }
}

/// The serving side shows it all; no copy of it is kept to be compared, on either side.
#[test]
fn test_30_an_output_of_a_hundred_megabytes_is_served_and_called_truncated() {
    for route in COMPARING {
        let mut host = host_on(route);
        host.create("huge", &"~".repeat(100 * 1024 * 1024));
        host.request("huge");
        host.request(GOOD_CELL);
        host.finish();
        let shown = |event: &&Event| matches!(event, Event::MultimediaResultOutputAdded(_));
        assert_eq!(host.owner.log.iter().filter(shown).count(), 2, "on {route}");
        let held: usize = host.owner.compared.iter().map(|(observation, _)| observation.weight()).sum();
        assert!(held < 10_000, "{held} bytes are held on {route}");
        let verdicts = host.owner.compared.iter().flat_map(|(_, comparison)| &comparison.executions);
        let verdicts: Vec<&Verdict> = verdicts.map(|execution| &execution.verdict).collect();
        let [Verdict::Inconclusive { why: Why::Truncated }, Verdict::Known { .. }] = verdicts[..] else {
            panic!("{verdicts:?} on {route}");
        };
    }
}

#[test]
fn a_missing_cell_is_known() {
    for route in COMPARING {
        check(route, |host| host.request("ghost"), &["missing-cell-fails"]);
    }
}

#[test]
fn the_order_of_ids_as_texts_is_known() {
    for route in COMPARING {
        let request = |host: &mut Host| {
            host.owner.stop();
            ["q9", "q10", "q11"].iter().for_each(|id| host.request_as(id, GOOD_CELL, 1));
            host.owner.start();
        };
        check(route, request, &["no-empty-metadata", "outputs-replaced", "request-order"]);
    }
}

#[test]
fn a_refused_output_is_known_and_what_the_old_path_leaves_behind_it_too() {
    let refused = ["completion-says-why", "no-error-output"];
    for route in COMPARING {
        check(
            route,
            |host| {
                host.owner.refuses =
                    |event| matches!(event, Event::MultimediaResultOutputAdded(e) if e.cell_id.as_str() == BAD_CELL);
                host.request(BAD_CELL);
            },
            &refused,
        );
    }
    check(
        "shadow",
        |host| {
            host.owner.refuses =
                |event| matches!(event, Event::MultimediaResultOutputAdded(e) if e.cell_id.as_str() == BAD_CELL);
            host.request(BAD_CELL);
            host.finish();
            host.request(GOOD_CELL);
        },
        &["completion-says-why", "goes-on-after-refusal", "no-error-output"],
    );
}

#[test]
fn a_half_execution_of_the_old_path_is_known() {
    check(
        "shadow",
        |host| {
            host.owner.refuses = |event| matches!(event, Event::ExecutionCompleted(_));
            host.request(GOOD_CELL);
            host.finish();
            host.owner.refuses = |_| false;
        },
        &["no-half-execution"],
    );
}

#[test]
fn every_seeded_fault_is_a_mismatch_on_both_sides() {
    for route in COMPARING {
        for (fault, name) in Fault::ALL {
            let mut host = host_on(route);
            host.owner.fault = Some(fault);
            host.create_telling_cells();
            host.request_together(&TELLING_CELLS);
            host.finish();
            let tally = host.owner.status().comparisons;
            assert!(tally.compared == 2 && tally.mismatched > 0, "{name} on {route}: {tally:#?}");
        }
    }
}

#[test]
fn a_source_edited_between_two_executions_is_pinned_for_each() {
    for route in COMPARING {
        let play = |host: &mut Host| {
            host.request(GOOD_CELL);
            host.finish();
            host.edit(GOOD_CELL, "<i>new</i>");
            host.request(GOOD_CELL);
        };
        check(route, play, &["no-empty-metadata", "outputs-replaced"]);
    }
}

#[test]
fn only_routes_that_compare_are_compared() {
    for (route, compared) in [("legacy", 0), ("shadow", 1), ("live", 1), ("registry", 0)] {
        let mut host = host_on(route);
        host.request(GOOD_CELL);
        host.finish();
        assert_eq!(host.owner.status().comparisons.compared, compared, "on {route}");
    }
}

#[test]
fn the_shadow_changes_nothing_in_the_log() {
    for (compared, alone) in [("shadow", "legacy"), ("live", "registry")] {
        let log = |route: &str| {
            let mut host = Host::new();
            host.owner.stop();
            host.owner.flags.apply(&tests::host::document(route), "test").unwrap();
            host.owner.start();
            (0..25).for_each(|_| host.request(GOOD_CELL));
            host.finish();
            host.owner.stop();
            host.owner.log
        };
        assert_eq!(log(compared), log(alone), "{compared} and {alone}");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let routes = prop_oneof![Just("legacy"), Just("shadow"), Just("live"), Just("registry")];
    let step = prop_oneof![
        5 => (1..6u8).prop_map(Step::Request),
        2 => routes.prop_map(Step::Flip),
        1 => Just(Step::Cancel),
        3 => (1..120u64).prop_map(Step::Advance),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Each execution on a comparing route is compared once, and nothing innocent is a mismatch.
    #[test]
    fn no_innocent_run_is_a_mismatch(steps in steps(), kind in prop_oneof![Just(LegacyKind::Compat), Just(LegacyKind::Host)]) {
        let mut host = Host::with_legacy(kind);
        host.route("shadow");
        for step in steps {
            host.perform(step);
        }
        host.finish();
        host.owner.stop();
        clean(&host);
        let ids: Vec<_> = host.owner.compared.iter()
            .flat_map(|(observation, _)| observation.executions.iter().map(|execution| &execution.entry.id))
            .collect();
        let different: BTreeSet<_> = ids.iter().collect();
        prop_assert_eq!(ids.len(), different.len());
    }
}

#[test]
fn every_fixed_quirk_has_its_entry_and_no_kept_one_has() {
    let named: Vec<_> = KNOWN_DIFFERENCES.iter().map(|known| known.quirk).collect();
    for row in QUIRKS {
        let is_fixed = row.registry == OnRegistry::Fixed;
        assert_eq!(named.contains(&row.quirk), is_fixed, "{:?}", row.quirk);
    }
}

/// The store refuses what one cell puts out: the path that serves fails there and goes on, and the comparison says something
/// definite of every execution.
#[test]
fn test_21_a_control_that_fails_is_compared_and_serves_on() {
    for (route, fault) in COMPARING.into_iter().flat_map(|route| [(route, None), (route, Some(Fault::FailedTerminal))])
    {
        let mut host = host_on(route);
        host.owner.fault = fault;
        host.owner.refuses =
            |event| matches!(event, Event::MultimediaResultOutputAdded(e) if e.cell_id.as_str() == BAD_CELL);
        for cell in [GOOD_CELL, BAD_CELL, GOOD_CELL] {
            host.request(cell);
            host.finish();
            // The old path claims nothing more after a refusal until it is started again.
            host.perform(Step::Restart);
        }
        host.owner.refuses = |_| false;
        host.finish();
        host.owner.stop();
        let statuses: Vec<QueueStatus> = host.owner.state.queue().map(|row| row.status).collect();
        assert_eq!(statuses, [QueueStatus::Completed, QueueStatus::Failed, QueueStatus::Completed], "on {route}");
        let compared = host.owner.compared.iter().flat_map(|(_, comparison)| &comparison.executions);
        let verdicts: Vec<_> = compared.map(|one| matches!(one.verdict, Verdict::Mismatch { .. })).collect();
        assert_eq!(verdicts.len(), 3, "on {route}");
        assert_eq!(verdicts[0], fault.is_some(), "on {route}: what fails in the candidate alone is a mismatch");
    }
}

#[test]
fn no_entry_is_past_its_date() {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap()).to_string();
    for known in KNOWN_DIFFERENCES {
        assert!(known.expires > &now[..10], "`{}` expired on {}: look at it again", known.name, known.expires);
    }
}

#[test]
fn what_no_execution_shows_is_in_a_recording() {
    for known in KNOWN_DIFFERENCES {
        if let Seen::Recording(name) = known.seen {
            let path = format!("{}/traces/{name}.json", env!("CARGO_MANIFEST_DIR"));
            assert!(std::path::Path::new(&path).exists(), "`{}` names {name}", known.name);
        }
    }
}
