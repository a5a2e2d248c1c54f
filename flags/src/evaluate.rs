//! Which variant a context gets, and why.

use std::fmt;

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::{DataValue, Logic};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::bucket::bucket;
use crate::context::Context;
use crate::definition::{Flag, FlagSet, State, entry};
use crate::metadata::Metadata;
use crate::targeting::{Compiled, Traits};

/// The answer to one question, borrowed from the flag set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolution<'s> {
    /// The name of the variant. `None` where the caller's own default applies: a flag that is not there, is disabled, went
    /// wrong, or has no default variant.
    pub variant: Option<&'s str>,
    /// The value of the variant, `None` exactly when `variant` is.
    pub value: Option<&'s Value>,
    /// Why this variant.
    pub reason: Reason,
    /// [`bucket()`](crate::bucket()) of the flag and the targeting key, where an implicit `fractional` may have used it.
    pub bucket: Option<u32>,
    /// The flag's metadata; `None` exactly when the flag is not there.
    pub metadata: Option<&'s Metadata>,
    /// Whether the rule may look at the time: where it does not, this is the answer at any time.
    pub is_timed: bool,
}

/// Why a variant was chosen, in OpenFeature's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The targeting rule named the variant.
    TargetingMatch,
    /// The targeting rule answered null, so the default variant applies; or neither names a variant.
    Default,
    /// The flag has no targeting rule: everyone gets the default variant.
    Static,
    /// The flag is disabled.
    Disabled,
    /// The rule went wrong.
    Error(ErrorKind),
    /// The document has no flag of that key.
    FlagNotFound,
}

/// How a targeting rule can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The rule failed, as in adding up what is not a number.
    Evaluation,
    /// The rule answered a name that is no variant.
    UnknownVariant,
    /// The rule answered a list or an object, which can name no variant.
    NotAName,
}

impl Reason {
    /// The reason as a stable name in capitals: OpenFeature's, with the kind of error in its place.
    pub fn code(self) -> &'static str {
        match self {
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Default => "DEFAULT",
            Self::Static => "STATIC",
            Self::Disabled => "DISABLED",
            Self::Error(ErrorKind::Evaluation) => "ERROR_EVALUATION",
            Self::Error(ErrorKind::UnknownVariant) => "ERROR_UNKNOWN_VARIANT",
            Self::Error(ErrorKind::NotAName) => "ERROR_NOT_A_NAME",
            Self::FlagNotFound => "FLAG_NOT_FOUND",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FlagSet {
    /// Evaluates one flag. Total: whatever the document and the context, there is an answer.
    ///
    /// Allocates a little; ask many questions through one [`Session`].
    pub fn resolve(&self, key: &str, context: &Context) -> Resolution<'_> {
        Session::new().resolve(self, key, context)
    }
}

/// The memory of evaluations, reused from one to the next, so that they stop allocating after the first.
///
/// Holds nothing between two calls that could change an answer.
#[derive(Debug)]
pub struct Session {
    arena: Bump,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A session without memory of its own yet.
    pub fn new() -> Self {
        Self { arena: Bump::new() }
    }

    /// Evaluates one flag, as [`FlagSet::resolve`] does.
    pub fn resolve<'s>(&mut self, set: &'s FlagSet, key: &str, context: &Context) -> Resolution<'s> {
        let Some((key, flag)) = entry(&set.flags, key) else {
            return Resolution {
                variant: None,
                value: None,
                reason: Reason::FlagNotFound,
                bucket: None,
                metadata: None,
                is_timed: false,
            };
        };
        if flag.state == State::Disabled {
            return flag.without_variant(Reason::Disabled);
        }
        let Some(targeting) = &flag.targeting else {
            return flag.by_default(Reason::Static);
        };
        let Traits { has_implicit_fractional, is_timed, .. } = targeting.traits;
        let bucket = has_implicit_fractional.then(|| bucket(key, context.targeting_key()));
        let resolution = match (targeting.compiled(&set.engine), bucket) {
            (Some(Compiled::Shares(shares)), Some(bucket)) => flag.chosen(shares.pick(bucket)),
            (Some(Compiled::Logic(logic)), _) => self.evaluate(set, flag, logic, key, context),
            _ => flag.without_variant(Reason::Error(ErrorKind::Evaluation)),
        };
        Resolution { bucket, is_timed, ..resolution }
    }

    fn evaluate<'s>(
        &mut self,
        set: &FlagSet,
        flag: &'s Flag,
        logic: &Logic,
        key: &str,
        context: &Context,
    ) -> Resolution<'s> {
        self.arena.reset();
        let root = context.root(key, &self.arena);
        match set.engine.evaluate(logic, root, &self.arena) {
            Ok(answer) => flag.answered(answer),
            Err(_) => flag.without_variant(Reason::Error(ErrorKind::Evaluation)),
        }
    }
}

impl Flag {
    fn answered(&self, answer: &DataValue<'_>) -> Resolution<'_> {
        match answer {
            DataValue::Null => self.by_default(Reason::Default),
            DataValue::String(name) => self.named(name),
            DataValue::Bool(true) => self.named("true"),
            DataValue::Bool(false) => self.named("false"),
            DataValue::Number(number) => self.named(&number.to_string()),
            _ => self.without_variant(Reason::Error(ErrorKind::NotAName)),
        }
    }

    /// What the name stands for that a `fractional` has chosen; null, which is none, for the default variant.
    fn chosen(&self, name: Option<&str>) -> Resolution<'_> {
        match name {
            Some(name) => self.named(name),
            None => self.by_default(Reason::Default),
        }
    }

    fn named(&self, name: &str) -> Resolution<'_> {
        match entry(&self.variants, name) {
            Some((name, value)) => self.with_variant(name, value, Reason::TargetingMatch),
            None => self.without_variant(Reason::Error(ErrorKind::UnknownVariant)),
        }
    }

    fn by_default(&self, reason: Reason) -> Resolution<'_> {
        match self.default_entry() {
            Some((name, value)) => self.with_variant(name, value, reason),
            None => self.without_variant(Reason::Default),
        }
    }

    fn with_variant<'s>(&'s self, name: &'s str, value: &'s Value, reason: Reason) -> Resolution<'s> {
        Resolution { variant: Some(name), value: Some(value), ..self.without_variant(reason) }
    }

    fn without_variant(&self, reason: Reason) -> Resolution<'_> {
        Resolution { variant: None, value: None, reason, bucket: None, metadata: Some(&self.metadata), is_timed: false }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VARIANTS: &str = r#"{"new": "registry", "old": "legacy", "true": 1, "false": 0, "7": 7, "mid": {"a": [1]}}"#;

    fn set(rule: &str) -> FlagSet {
        let text = format!(
            r#"{{"flags": {{"route": {{"state": "ENABLED", "variants": {VARIANTS}, "defaultVariant": "old", "targeting": {rule}}}}}}}"#
        );
        FlagSet::parse(&text).unwrap()
    }

    fn context(notebook_id: &str) -> Context {
        Context::new(notebook_id)
            .with("runtimeType", "html")
            .with("version", "1.4.2")
            .with("age", 7)
            .with("teams", json!(["red", "blue"]))
            .at(1_760_000_000_999)
    }

    #[track_caller]
    fn check_in(context: &Context, rule: &str, expect: &str) {
        let set = set(rule);
        let resolution = set.resolve("route", context);
        assert_eq!(format!("{} {}", resolution.variant.unwrap_or("-"), resolution.reason), expect);
        assert_eq!(resolution.variant.is_some(), resolution.value.is_some());
        let explained = set.explain("route", context);
        assert_eq!((explained.variant.as_deref(), explained.reason), (resolution.variant, resolution.reason));
    }

    #[track_caller]
    fn check(rule: &str, expect: &str) {
        check_in(&context("notebook-1"), rule, expect);
    }

    #[test]
    fn a_flag_without_a_rule_is_static() {
        check("{}", "old STATIC");
        check("null", "old STATIC");
    }

    #[test]
    fn a_rule_names_a_variant() {
        check(r#"{"if": [true, "new"]}"#, "new TARGETING_MATCH");
        check(r#"{"cat": ["ne", "w"]}"#, "new TARGETING_MATCH");
        check(r#"{"==": [1, 1]}"#, "true TARGETING_MATCH");
        check(r#"{"==": [1, 2]}"#, "false TARGETING_MATCH");
        check(r#"{"+": [3, 4]}"#, "7 TARGETING_MATCH");
    }

    #[test]
    fn null_stands_for_the_default_variant() {
        check(r#"{"if": [false, "new"]}"#, "old DEFAULT");
        check(r#"{"var": "nothing"}"#, "old DEFAULT");
    }

    #[test]
    fn what_names_no_variant_is_an_error() {
        check(r#"{"if": [true, "newer"]}"#, "- ERROR_UNKNOWN_VARIANT");
        check(r#"{"if": [true, ""]}"#, "- ERROR_UNKNOWN_VARIANT");
        check(r#"{"var": "teams"}"#, "- ERROR_NOT_A_NAME");
        check(r#"{"+": ["a", 1]}"#, "- ERROR_EVALUATION");
    }

    #[test]
    fn the_context_is_seen_as_flagd_shows_it() {
        check(r#"{"in": [{"var": "runtimeType"}, ["html"]]}"#, "true TARGETING_MATCH");
        check(r#"{"in": ["red", {"var": "teams"}]}"#, "true TARGETING_MATCH");
        check(r#"{"some": [{"var": "teams"}, {"==": [{"var": ""}, "blue"]}]}"#, "true TARGETING_MATCH");
        check(r#"{"==": [{"var": "targetingKey"}, "notebook-1"]}"#, "true TARGETING_MATCH");
        check(r#"{"==": [{"var": "$flagd.flagKey"}, "route"]}"#, "true TARGETING_MATCH");
        check(r#"{"===": [{"var": "$flagd.timestamp"}, 1760000000]}"#, "true TARGETING_MATCH");
        check(r#"{"===": [{"var": "age"}, 7]}"#, "true TARGETING_MATCH");
    }

    #[test]
    fn the_deepest_rule_accepted_is_evaluated_within_the_stack_of_a_thread() {
        let not = |times: usize, inner: &str| format!("{}{inner}{}", r#"{"!": ["#.repeat(times), "]}".repeat(times));
        // Each level of `!` is an object and a list; the flag stands in two objects more than its rule.
        check(&not(62, "true"), "true TARGETING_MATCH");
        let text = format!(
            r#"{{"$evaluators": {{"deep": {}}}, "flags": {{"route": {{"state": "ENABLED", "variants": {VARIANTS}, "targeting": {}}}}}}}"#,
            not(31, "true"),
            not(32, r#"{"$ref": "deep"}"#)
        );
        let set = FlagSet::parse(&text).unwrap();
        assert_eq!(set.resolve("route", &context("n")).variant, Some("false"));
    }

    #[test]
    fn loops_may_stand_side_by_side() {
        let some = r#"{"some": [{"var": "teams"}, {"==": [{"var": ""}, "red"]}]}"#;
        check(
            &format!(r#"{{"and": [{some}, {some}, {{"!": [{{"none": [{{"var": "teams"}}, true]}}]}}]}}"#),
            "true TARGETING_MATCH",
        );
    }

    #[test]
    fn attributes_cannot_take_the_names_of_flagd() {
        let context = Context::new("n").with("targetingKey", "other").with("$flagd", json!({"flagKey": "other"}));
        check_in(&context, r#"{"==": [{"var": "targetingKey"}, "n"]}"#, "true TARGETING_MATCH");
        check_in(&context, r#"{"==": [{"var": "$flagd.flagKey"}, "route"]}"#, "true TARGETING_MATCH");
    }

    #[test]
    fn the_operators_of_flagd_are_there() {
        check(r#"{"starts_with": [{"var": "runtimeType"}, "ht"]}"#, "true TARGETING_MATCH");
        check(r#"{"ends_with": [{"var": "runtimeType"}, "ht"]}"#, "false TARGETING_MATCH");
        check(r#"{"starts_with": [{"var": "age"}, "7"]}"#, "old DEFAULT");
        check(r#"{"sem_ver": [{"var": "version"}, "^", "v1.0"]}"#, "true TARGETING_MATCH");
        check(r#"{"sem_ver": [{"var": "version"}, ">=", "1.10.0"]}"#, "false TARGETING_MATCH");
        check(r#"{"sem_ver": [{"var": "runtimeType"}, "=", "1.0.0"]}"#, "old DEFAULT");
    }

    #[test]
    fn fractional_follows_flagd_s_vectors() {
        for (key, first, second) in [
            ("ejOoVL", "new", "new"),
            ("bY9fO-", "new", "new"),
            ("SI7p-", "new", "old"),
            ("6LvT0", "old", "old"),
            ("ceQdGm", "old", "old"),
        ] {
            check(
                &format!(r#"{{"fractional": ["{key}", ["new", 50], ["old", 50]]}}"#),
                &format!("{first} TARGETING_MATCH"),
            );
            // The hash 2147483647 is position 1073741822 of 2147483645: the last of the first band here, not there.
            let narrow = r#"["new", 1073741822], ["old", 1073741823]"#;
            check(&format!(r#"{{"fractional": ["{key}", {narrow}]}}"#), &format!("{second} TARGETING_MATCH"));
        }
    }

    #[test]
    fn fractional_without_a_key_takes_flag_key_and_targeting_key() {
        let rules = [
            r#"{"fractional": [["new", 1], ["old", 1], ["mid", 1]]}"#,
            r#"{"fractional": [null, ["new", 1], ["old", 1], ["mid", 1]]}"#,
            r#"{"fractional": [{"var": "nothing"}, ["new", 1], ["old", 1], ["mid", 1]]}"#,
            r#"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}, ["new", 1], ["old", 1], ["mid", 1]]}"#,
        ];
        for id in (0..100).map(|n| format!("notebook-ü-{n}")) {
            let position = (u64::from(bucket("route", &id)) * 3) >> 32;
            let expect = ["new", "old", "mid"][usize::try_from(position).unwrap()];
            for rule in rules {
                check_in(&context(&id), rule, &format!("{expect} TARGETING_MATCH"));
            }
        }
    }

    #[test]
    fn weights_default_to_one_and_may_be_computed() {
        check(r#"{"fractional": ["SI7p-", ["new"], ["old", null]]}"#, "new TARGETING_MATCH");
        check(r#"{"fractional": ["6LvT0", ["new"], ["old"]]}"#, "old TARGETING_MATCH");
        check(
            r#"{"fractional": ["6LvT0", ["new", {"+": [1, {"var": "age"}]}], ["old", {"if": [true, 7]}]]}"#,
            "new TARGETING_MATCH",
        );
        check(r#"{"fractional": ["ceQdGm", ["new", 25.0], ["old", 0]]}"#, "new TARGETING_MATCH");
    }

    #[test]
    fn a_single_entry_takes_all() {
        check(r#"{"fractional": [["new", 1]]}"#, "new TARGETING_MATCH");
        check(r#"{"fractional": ["ceQdGm", ["new"]]}"#, "new TARGETING_MATCH");
    }

    #[test]
    fn variants_of_fractional_may_be_computed_or_nested() {
        check(
            r#"{"fractional": ["ejOoVL", [{"if": [{"var": "age"}, "mid", "old"]}, 1], ["old", 1]]}"#,
            "mid TARGETING_MATCH",
        );
        check(
            r#"{"fractional": ["ejOoVL", [{"fractional": ["ceQdGm", ["new"], ["mid"]]}, 1], ["old", 1]]}"#,
            "mid TARGETING_MATCH",
        );
        check(r#"{"fractional": ["ejOoVL", [true, 1], ["old", 1]]}"#, "true TARGETING_MATCH");
        check(r#"{"fractional": ["ejOoVL", [null, 1], ["new", 1]]}"#, "old DEFAULT");
    }

    #[test]
    fn computed_weights_that_flagd_refuses_leave_the_default() {
        for weight in [r#"{"-": [0, 1]}"#, r#"{"/": [1, 2]}"#, r#"{"var": "runtimeType"}"#, r#"{"+": [2147483647, 1]}"#]
        {
            check(&format!(r#"{{"fractional": ["ejOoVL", ["new", {weight}], ["mid", 1]]}}"#), "old DEFAULT");
        }
        check(r#"{"fractional": ["ejOoVL", ["new", {"+": [2147483647, 0]}], ["mid", {"+": [0, 1]}]]}"#, "old DEFAULT");
        check(r#"{"fractional": ["ejOoVL", ["new", 0], ["mid", 0]]}"#, "old DEFAULT");
        check(r#"{"fractional": ["ejOoVL", {"var": "age"}, ["mid", 1]]}"#, "old DEFAULT");
    }

    #[test]
    fn the_bucket_is_told_where_the_key_is_implicit() {
        let told = |rule: &str| set(rule).resolve("route", &context("n")).bucket;
        let expect = Some(bucket("route", "n"));
        assert_eq!(told(r#"{"if": [{"var": "age"}, {"fractional": [["new", 1]]}]}"#), expect);
        assert_eq!(
            told(r#"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}, ["new", 1]]}"#),
            expect
        );
        assert_eq!(told(r#"{"fractional": [{"var": "email"}, ["new", 1]]}"#), None);
        assert_eq!(told(r#"{"fractional": ["salt", ["new", 1]]}"#), None);
        assert_eq!(told("{}"), None);
    }

    #[test]
    fn a_disabled_or_missing_flag_has_no_variant() {
        let text = r#"{"flags": {"off": {"state": "DISABLED", "variants": {"x": 1}, "defaultVariant": "x"}, "bare": {"state": "ENABLED", "variants": {"x": 1}}}}"#;
        let set = FlagSet::parse(text).unwrap();
        let reason = |key: &str| {
            let resolution = set.resolve(key, &context("n"));
            assert_eq!((resolution.variant, resolution.value), (None, None));
            resolution.reason
        };
        assert_eq!(reason("off"), Reason::Disabled);
        assert_eq!(reason("bare"), Reason::Default);
        assert_eq!(reason("none"), Reason::FlagNotFound);
    }

    #[test]
    fn a_rule_that_may_look_at_the_time_is_timed() {
        let is_timed = |rule: &str| set(rule).resolve("route", &context("n")).is_timed;
        for rule in [
            r#"{"<": [{"var": "$flagd.timestamp"}, 1]}"#,
            r#"{"<": [{"var": ["$flagd.timestamp", 0]}, 1]}"#,
            r#"{"<": [{"var": {"cat": ["$fl", "agd.timestamp"]}}, 1]}"#,
            r#"{"var": ""}"#,
            r#"{"var": []}"#,
            r#"{"some": [[1], {"==": [{"var": ["a"]}, {"var": "\\$flagd"}]}]}"#,
        ] {
            assert!(is_timed(rule), "{rule}");
        }
        for rule in [r#"{"in": [{"var": "runtimeType"}, ["html"]]}"#, r#"{"fractional": [["new", 1]]}"#, "{}"] {
            assert!(!is_timed(rule), "{rule}");
        }
        let referring = r#"{"$evaluators": {"late": {">": [{"var": "$flagd.timestamp"}, 5]}}, "flags": {"a":
            {"state": "ENABLED", "variants": {"true": 1, "false": 0}, "targeting": {"!": [{"$ref": "late"}]}}}}"#;
        let set = FlagSet::parse(referring).unwrap();
        assert!(set.resolve("a", &context("n")).is_timed);
        assert_eq!(
            set.get("a").unwrap().targeting().unwrap().to_string(),
            r#"{"!":[{">":[{"var":"$flagd.timestamp"},5]}]}"#
        );
    }

    #[test]
    fn one_session_answers_for_many_flag_sets() {
        let (new, old) = (set(r#"{"if": [true, "new"]}"#), set("{}"));
        let mut session = Session::new();
        let first = session.resolve(&new, "route", &context("n"));
        let second = session.resolve(&old, "route", &context("n"));
        assert_eq!((first.variant, second.variant), (Some("new"), Some("old")));
    }
}
