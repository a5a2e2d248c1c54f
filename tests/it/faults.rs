//! Is every way in which a candidate can be wrong noticed, by the real comparison and the real guard, and how soon?

use std::fmt::Write as _;

use bridge_core::{Advice, Evidence, Fault, Guard, GuardSettings, Rollback, Tier};
use registry::{NotebookId, Now};
use tests::host::{Host, TELLING_CELLS};

use crate::pages;

/// The faults of a candidate that this project promises to notice.
const PROMISED: usize = 30;

/// Bursts after which a fault counts as missed.
const PATIENCE: u32 = 20;

/// What noticed a fault.
struct Caught {
    rollback: Rollback,
    /// Executions compared until then.
    compared: u64,
    /// The places of the first mismatch.
    signature: String,
}

/// Runs bursts of two different cells with this fault, until the guard rolls back.
fn caught(route: &str, fault: Fault) -> Option<Caught> {
    let mut host = Host::new();
    host.route(route);
    host.owner.fault = Some(fault);
    host.create_telling_cells();
    let mut guard = Guard::new(GuardSettings::default(), "b");
    let (mut compared, mut weighed) = (0, 0);
    for _ in 0..PATIENCE {
        host.request_together(&TELLING_CELLS);
        host.finish();
        for (_, comparison) in &host.owner.compared[weighed..] {
            for piece in Evidence::of(comparison) {
                compared += u64::from(matches!(piece, Evidence::Compared { .. }));
                if let Advice::Rollback(rollback) = guard.take(Now::default(), &NotebookId::from("nb"), &piece) {
                    assert!(guard.latch().holds("nb").is_some() && guard.latch().holds("another").is_none());
                    let signatures = &host.owner.status().comparisons.signatures;
                    let signature = signatures.keys().next().cloned().unwrap_or_default();
                    return Some(Caught { rollback: *rollback, compared, signature });
                }
            }
        }
        weighed = host.owner.compared.len();
    }
    None
}

fn metric(rollback: &Rollback) -> &str {
    match rollback.closed.tier {
        Tier::ZeroTolerance => rollback.closed.grounds.split('`').nth(1).unwrap_or_default(),
        Tier::Errors => "errors",
        Tier::Mismatches => "mismatches",
        Tier::Latency => "latency",
        Tier::Unreadable => "unreadable",
    }
}

fn tier(rollback: &Rollback) -> String {
    serde_json::to_value(rollback.closed.tier).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn all_seeded_faults_are_caught_on_both_routes_and_the_page_says_how() {
    let mut page = String::from(
        "# Seeded faults\n\n\
         Thirty ways in which a candidate can be wrong. A test seeds each on the routes `shadow` (the candidate is the registry) and\n\
         `live` (the candidate is the old path), runs bursts of two html cells through the real comparison and the real guard, and\n\
         writes this page: by which tier of the [guard](guard.md) the notebook was rolled back, on which evidence, and after how many\n\
         compared executions. `seedCandidateFault(name)` of `runtime-bridge/testing` seeds them in a host, `--seed-fault` in `repro`.\n\n\
         | fault | what the candidate does | differs at | tier | on | `shadow`, after | `live`, after |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (fault, name) in Fault::ALL.into_iter().take(PROMISED) {
        let [shadow, live] = ["shadow", "live"]
            .map(|route| caught(route, fault).unwrap_or_else(|| panic!("`{name}` goes unnoticed on `{route}`")));
        assert_eq!((tier(&shadow.rollback), metric(&shadow.rollback)), (tier(&live.rollback), metric(&live.rollback)));
        let places = shadow.signature.split_once(':').map_or("", |(_, places)| places).replace('+', "`, `");
        let (tier, metric) = (tier(&shadow.rollback), metric(&shadow.rollback));
        let (on_shadow, on_live) = (shadow.compared, live.compared);
        let says = fault.says();
        writeln!(page, "| `{name}` | {says} | `{places}` | {tier} | {metric} | {on_shadow} | {on_live} |").unwrap();
    }
    pages::check("faults.md", &page);
}
