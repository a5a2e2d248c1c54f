//! Is a notebook routed by one document at a time, the same way wherever and whenever it is asked, and as often as the document
//! says?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bridge_core::{Ability, Decision, Doubt, Path, Reason, Route, decide};
use bridge_host::environment::Environment;
use flags::{Context, LiveFlags};

const ABLE: Ability = Ability { is_built_in: true, has_live_query: true };

/// A document with this rule; `default` where it says nothing.
fn document(default: &str, targeting: &str) -> String {
    format!(
        r#"{{ "flags": {{ "runtime-route": {{ "state": "ENABLED", "variants": {{ "registry": "registry", "legacy": "legacy" }},
        "defaultVariant": "{default}", "targeting": {targeting} }} }} }}"#
    )
}

fn percentage(percent: u32) -> String {
    let rest = 100 - percent;
    document("legacy", &format!(r#"{{ "fractional": [["registry", {percent}], ["legacy", {rest}]] }}"#))
}

fn live(document: &str) -> LiveFlags {
    let live = LiveFlags::new();
    live.expect();
    live.apply(document, "test").unwrap();
    live
}

fn route(live: &LiveFlags, id: &str) -> Decision {
    decide(&live.load(), true, &Context::new(id), ABLE)
}

/// Documents come as fast as they can while decisions are made; each document says the opposite of the one before, so that its
/// generation tells what it says.
#[test]
fn test_2_a_decision_is_of_one_document_and_names_it() {
    let environment = Environment::new([1; 32]);
    let flags = Arc::clone(environment.flags());
    flags.expect();
    flags.apply(&document("registry", "{}"), "test").unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let (writers, over) = (Arc::clone(&flags), Arc::clone(&is_over));
    let writer = thread::spawn(move || {
        let documents = ["legacy", "registry"].map(|route| document(route, "{}"));
        for document in documents.iter().cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
            writers.apply(document, "test").unwrap();
        }
    });
    let mut asked = environment;
    let mut generations = BTreeSet::new();
    while generations.len() < 50 {
        let decision = asked.route(&Context::new("nb"));
        let said = if decision.generation % 2 == 1 { Route::Registry } else { Route::Legacy };
        assert_eq!((decision.route, decision.variant.as_deref()), (said, Some(said_variant(said))));
        generations.insert(decision.generation);
        thread::yield_now();
    }
    is_over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

fn said_variant(route: Route) -> &'static str {
    if route.serving() == Path::Registry { "registry" } else { "legacy" }
}

#[test]
fn test_3_generations_only_rise_and_a_refused_document_is_none() {
    let live = live(&document("registry", "{}"));
    let mut last = live.generation();
    for text in [&document("legacy", "{}"), "{", &document("registry", "{}"), r#"{"flags":7}"#, &percentage(3)] {
        let _ = live.apply(text, "test");
        assert!(live.generation() >= last);
        last = live.generation();
        assert_eq!(route(&live, "nb").generation, last);
    }
    assert_eq!(last, 4);
}

const IDS: usize = 8_000;

fn on_registry(live: &LiveFlags) -> BTreeSet<usize> {
    (0..IDS).filter(|n| route(live, &format!("notebook-{n}")).route == Route::Registry).collect()
}

/// The chance of a chi-square with one degree of freedom above this is one in a million.
const CHI_SQUARE: f64 = 23.93;

#[test]
fn test_4_a_ramp_is_nested_up_and_down_outlives_restarts_and_has_the_share_it_says() {
    let steps = [0, 1, 5, 10, 25, 50, 75, 99, 100];
    let mut inner: Vec<BTreeSet<usize>> = Vec::new();
    for percent in steps {
        let set = on_registry(&live(&percentage(percent)));
        if let Some(before) = inner.last() {
            assert!(before.is_subset(&set), "somebody left at {percent} %");
        }
        let expect = f64::from(percent) / 100.0 * IDS as f64;
        let variance = expect * (1.0 - f64::from(percent) / 100.0);
        let off = set.len() as f64 - expect;
        assert!(off == 0.0 || off * off / variance < CHI_SQUARE, "{percent} % became {} of {IDS}", set.len());
        inner.push(set);
    }
    let live = live(&percentage(100));
    for (percent, up) in steps.iter().zip(&inner).rev() {
        live.apply(&percentage(*percent), "test").unwrap();
        assert_eq!(on_registry(&live), *up, "down at {percent} %, in a process that has seen the ramp");
    }
}

#[test]
fn test_5_what_is_no_route_is_legacy_and_says_why() {
    for value in
        [r#""false""#, r#""""#, "0", "false", r#""NaN""#, "1e9", r#""SHADOW""#, r#""ｒegistry""#, r#""registry\u0000""#]
    {
        let text = document("legacy", "{}").replace(r#""legacy": "legacy""#, &format!(r#""legacy": {value}"#));
        let decision = route(&live(&text), "nb");
        assert_eq!((decision.route, decision.reason), (Route::Legacy, Reason::Doubt(Doubt::NotARoute)), "{value}");
    }
    for text in ["NaN", r#"{"flags":{"runtime-route":{"state":"ENABLED","variants":{"v":null},"defaultVariant":"v"}}}"#]
    {
        let live = LiveFlags::new();
        assert!(live.apply(text, "test").is_err(), "{text}");
        assert_eq!(route(&live, "nb").reason, Reason::Doubt(Doubt::NoDocument));
    }
}

/// The buckets are those of an independent MurmurHash3 over the flag's key and the id in UTF-8.
#[test]
fn test_6_any_id_has_its_bucket_for_good() {
    let half = live(&percentage(50));
    let long = "n".repeat(1 << 20);
    let vectors: [(&str, u32); 6] = [
        ("", 0x7adf_b467),
        ("nb", 0xf3e8_ff61),
        ("a\0b", 0x5403_77b8),
        ("\u{1f980}", 0x334e_687d),
        ("ノート📓", 0x31fe_dd11),
        (&long, 0x99e6_7a79),
    ];
    for (id, bucket) in vectors {
        let decision = route(&half, id);
        let name: String = id.chars().take(20).collect();
        assert_eq!(decision.bucket, Some(bucket), "{name:?}");
        let said = if (u64::from(bucket) * 100) >> 32 < 50 { Route::Registry } else { Route::Legacy };
        assert_eq!((decision.route, decision.notebook.len()), (said, id.len()), "{name:?}");
        assert_eq!(route(&half, id), decision);
    }
}
