//! What holds for every document, rule and id.

use datalogic_rs::bumpalo::Bump;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::document::Node;
use crate::operator::ENGINES;
use crate::{Context, FlagSet, MAX_WEIGHT_SUM, Session};

fn document(rule: &Value) -> String {
    let variants = json!({ "registry": "registry", "legacy": "legacy", "true": true, "1": 1 });
    json!({ "flags": { "runtime-route":
        { "state": "ENABLED", "variants": variants, "defaultVariant": "legacy", "targeting": rule } } })
    .to_string()
}

fn percentage(percent: u64) -> FlagSet {
    let rule = json!({ "fractional": [["registry", percent], ["legacy", 100 - percent]] });
    FlagSet::parse(&document(&rule)).unwrap()
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..10).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z.0-9$]{0,6}".prop_map(Value::from),
        prop::sample::select(vec!["registry", "legacy", "1.2.3", "^", "targetingKey", "$flagd.timestamp", "list"])
            .prop_map(Value::from),
    ]
}

/// A weight of an entry, if it gives one; some of them are refused.
fn weight() -> impl Strategy<Value = Option<Value>> {
    let weights = prop_oneof![
        Just(Value::Null),
        (0_u64..200).prop_map(Value::from),
        Just(Value::from(MAX_WEIGHT_SUM)),
        Just(Value::from(25.0)),
    ];
    prop::option::of(weights)
}

fn operator() -> impl Strategy<Value = &'static str> {
    let flagd = ["fractional", "starts_with", "ends_with", "sem_ver"];
    prop::sample::select(ENGINES.into_iter().chain(flagd).collect::<Vec<_>>())
}

/// Operations of known operators on arguments of all kinds and numbers.
fn rule() -> impl Strategy<Value = Value> {
    let operation = |inner: BoxedStrategy<Value>| {
        let args = prop::collection::vec(inner, 0..5).prop_map(Value::from);
        (operator(), args).prop_map(|(operator, args)| json!({ operator: args }))
    };
    let inner = scalar().prop_recursive(5, 60, 5, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
        prop_oneof![operation(inner.boxed()), list]
    });
    operation(inner.boxed())
}

fn context() -> impl Strategy<Value = Context> {
    ("\\PC{0,12}", scalar(), prop::collection::vec(scalar(), 0..4), any::<i64>())
        .prop_map(|(id, scalar, list, now_ms)| Context::new(id).with("a", scalar).with("list", list).at(now_ms))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn evaluation_answers_for_every_rule_and_context(rule in rule(), context in context()) {
        if let Ok(set) = FlagSet::parse(&document(&rule)) {
            let resolution = set.resolve("runtime-route", &context);
            prop_assert_eq!(resolution.variant.is_some(), resolution.value.is_some());
            prop_assert_eq!(resolution, Session::new().resolve(&set, "runtime-route", &context));
            prop_assert_eq!(resolution.reason, set.explain("runtime-route", &context).reason);
        }
    }

    #[test]
    fn every_rule_that_is_accepted_compiles(rule in rule()) {
        if let Ok(set) = FlagSet::parse(&document(&rule)) {
            let targeting = set.flags[0].targeting.as_ref();
            prop_assert!(targeting.is_none_or(|targeting| targeting.compiled(&set.engine).is_some()));
            prop_assert!(targeting.is_none_or(|targeting| targeting.rule() == rule));
        }
    }

    #[test]
    fn a_rule_that_is_not_timed_answers_alike_at_all_times(rule in rule(), context in context(), later_ms in any::<i64>()) {
        if let Ok(set) = FlagSet::parse(&document(&rule)) {
            let resolution = set.resolve("runtime-route", &context);
            let later = context.at(later_ms);
            prop_assert!(resolution.is_timed || resolution == set.resolve("runtime-route", &later));
        }
    }

    #[test]
    fn shares_are_what_the_engine_makes_of_them(
        id in "\\PC{0,20}",
        shares in prop::collection::vec((prop::sample::select(vec!["registry", "legacy", "nowhere", ""]), weight()), 1..5),
    ) {
        let entry = |(variant, weight): &(&str, Option<Value>)| match weight {
            None => json!([variant]),
            Some(weight) => json!([variant, weight]),
        };
        let shares = json!({ "fractional": shares.iter().map(entry).collect::<Vec<_>>() });
        // What the engine is given is no rule of shares alone.
        let through_engine = json!({ "if": [{ "var": "always" }, shares] });
        let context = Context::new(id).with("always", true);
        let [ours, engines] = [shares, through_engine].map(|rule| FlagSet::parse(&document(&rule)));
        if let (Ok(ours), Ok(engines)) = (&ours, &engines) {
            prop_assert_eq!(ours.resolve("runtime-route", &context), engines.resolve("runtime-route", &context));
        }
        prop_assert_eq!(ours.is_ok(), engines.is_ok());
    }

    #[test]
    fn a_document_is_accepted_or_refused_but_never_panics(text in "\\PC{0,60}|[\\[\\]{}\",:0-9a-z\\\\ \n.-]{0,60}") {
        if let Err(error) = FlagSet::parse(&text) {
            prop_assert!(error.place.line >= 1 && error.place.column >= 1);
        }
    }

    #[test]
    fn a_document_cut_anywhere_is_a_syntax_error(rule in rule(), cut in any::<prop::sample::Index>()) {
        let whole = document(&rule);
        let cut = whole.floor_char_boundary(cut.index(whole.len()));
        prop_assert_eq!(FlagSet::parse(&whole[..cut]).unwrap_err().code(), "SYNTAX");
    }

    #[test]
    fn our_reading_of_json_is_serde_json_s(rule in rule()) {
        let text = rule.to_string();
        prop_assert_eq!(Node::parse(&text, &Bump::new()).unwrap().to_value(), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn raising_the_percentage_of_the_first_variant_moves_ids_only_towards_it(
        id in "\\PC{0,20}", low in 0_u64..=100, high in 0_u64..=100,
    ) {
        let (low, high) = (low.min(high), low.max(high));
        let context = Context::new(id);
        let registry = |percent| percentage(percent).resolve("runtime-route", &context).variant == Some("registry");
        prop_assert!(registry(high) || !registry(low));
        prop_assert!(!registry(0) && registry(100));
    }
}

#[test]
fn shares_are_near_their_weights() {
    const IDS: u32 = 20_000;
    for percent in [1, 10, 25, 50, 90] {
        let set = percentage(percent);
        let mut session = Session::new();
        let ids = (0..IDS).map(|n| Context::new(format!("notebook-{n}")));
        let hits = ids.filter(|id| session.resolve(&set, "runtime-route", id).variant == Some("registry")).count();
        let share = hits as f64 / f64::from(IDS) * 100.0;
        // One percentage point is above 2.8 standard deviations at 50 %.
        assert!((share - percent as f64).abs() < 1.0, "{percent} % became {share} %");
    }
}
