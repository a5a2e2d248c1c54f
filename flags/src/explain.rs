//! Why a context got its variant, for a human.

use std::fmt;

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::{DataValue, Engine};
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::{Flag, FlagSet, State};
use crate::evaluate::Reason;
use crate::operator::{Band, pick};
use crate::targeting::{Targeting, lowered};

/// One resolution with everything that led to it. Displays as a few lines of text, serialises in camel case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The key asked for.
    pub flag: String,
    /// The state of the flag, `None` if it is not there.
    pub state: Option<State>,
    /// Why this variant.
    pub reason: Reason,
    /// The name of the variant, as in [`Resolution::variant`](crate::Resolution::variant).
    pub variant: Option<String>,
    /// The value of the variant.
    pub value: Option<Value>,
    /// [`bucket()`](crate::bucket()) of the flag and the targeting key, where an implicit `fractional` may have used it.
    pub bucket: Option<u32>,
    /// The whole targeting rule as JSON, its `$ref`s expanded.
    pub targeting: Option<String>,
    /// The part of the rule that decided; `None` if no rule was evaluated.
    pub decided_by: Option<Rule>,
}

/// The part of a targeting rule that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Where it stands, as in `targeting.if[1].fractional[0]`. Below a `$ref` the path is that of the expanded rule.
    pub path: String,
    /// The operation or value there, as JSON.
    pub text: String,
    /// How the bucket fell, if it is a `fractional` that chose.
    pub band: Option<Band>,
}

impl FlagSet {
    /// Evaluates one flag as [`FlagSet::resolve`] does, and says how the answer came about.
    ///
    /// Compiles parts of the rule again: for people, not for the hot path.
    pub fn explain(&self, key: &str, context: &Context) -> Explanation {
        let resolution = self.resolve(key, context);
        let flag = self.get(key);
        let evaluated = flag.filter(|flag| flag.state() == State::Enabled);
        let targeting = evaluated.and_then(|flag| flag.targeting.as_ref());
        Explanation {
            flag: key.to_owned(),
            state: flag.map(Flag::state),
            reason: resolution.reason,
            variant: resolution.variant.map(str::to_owned),
            value: resolution.value.cloned(),
            bucket: resolution.bucket,
            targeting: flag.and_then(Flag::targeting).as_ref().map(Value::to_string),
            decided_by: targeting.map(|targeting| self.trace(key, targeting, context)),
        }
    }

    fn trace(&self, key: &str, targeting: &Targeting, context: &Context) -> Rule {
        let arena = Bump::new();
        let root = context.root(key, &arena);
        let tracer = Tracer { engine: &self.engine, root: &root };
        tracer.trace("targeting", &targeting.rule())
    }
}

/// Follows the branches that an evaluation takes.
struct Tracer<'r> {
    engine: &'r Engine,
    root: &'r DataValue<'r>,
}

impl Tracer<'_> {
    fn trace(&self, path: &str, rule: &Value) -> Rule {
        match operation(rule) {
            Some(("if" | "?:", args)) => self.branch(path, rule, args),
            Some(("fractional", args)) => self.fractional(path, rule, args),
            _ => Rule { path: path.to_owned(), text: rule.to_string(), band: None },
        }
    }

    /// An `if` is a list of conditions and results in turn, perhaps with one result left over as the else.
    fn branch(&self, path: &str, rule: &Value, args: &[Value]) -> Rule {
        let name = operation(rule).map_or("if", |(name, _)| name);
        let pairs = args.chunks_exact(2);
        let otherwise = pairs.remainder().first().map(|result| (args.len() - 1, result));
        let taken = pairs.enumerate().find(|(_, pair)| self.holds(&pair[0]));
        match taken.map(|(index, pair)| (index * 2 + 1, &pair[1])).or(otherwise) {
            Some((index, result)) => self.trace(&format!("{path}.{name}[{index}]"), result),
            None => Rule { path: format!("{path}.{name}"), text: rule.to_string(), band: None },
        }
    }

    fn fractional(&self, path: &str, rule: &Value, args: &[Value]) -> Rule {
        let chosen = self.evaluated(&Value::Array(args.to_vec()), |answer| {
            let args: Vec<&DataValue<'_>> = answer.as_array()?.iter().collect();
            pick(&args, self.root).map(|(index, band, _)| (index, band))
        });
        let path = match chosen {
            Some((index, _)) => format!("{path}.fractional[{index}]"),
            None => format!("{path}.fractional"),
        };
        Rule { path, text: rule.to_string(), band: chosen.map(|(_, band)| band) }
    }

    fn holds(&self, condition: &Value) -> bool {
        self.evaluated(condition, |answer| Some(self.engine.truthy(answer))).unwrap_or(false)
    }

    fn evaluated<T>(&self, rule: &Value, read: impl FnOnce(&DataValue<'_>) -> Option<T>) -> Option<T> {
        let logic = self.engine.compile(lowered(rule)).ok()?;
        let arena = Bump::new();
        let answer = self.engine.evaluate(&logic, self.root, &arena).ok()?;
        read(answer)
    }
}

fn operation(rule: &Value) -> Option<(&str, &[Value])> {
    let (name, args) = rule.as_object()?.iter().next()?;
    Some((name, args.as_array()?))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.flag, self.variant.as_deref().unwrap_or("no variant"), self.reason)?;
        let Some(rule) = &self.decided_by else { return Ok(()) };
        write!(f, "\n  decided by {}: {}", rule.path, rule.text)?;
        match &rule.band {
            Some(band) => write!(f, "\n  {band}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, sum, position, from, to } = self;
        write!(f, "bucket {bucket} is position {position} of {sum}, within {from}..{to}")
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[track_caller]
    fn explain(rule: &str, notebook_id: &str) -> String {
        let text = format!(
            r#"{{"$evaluators": {{"fast": {{"in": [{{"var": "runtimeType"}}, ["html", "sql"]]}}}},
                "flags": {{
                  "route": {{"state": "ENABLED", "variants": {{"new": 1, "old": 2}}, "defaultVariant": "old", "targeting": {rule}}},
                  "killed": {{"state": "DISABLED", "variants": {{"new": 1}}, "targeting": {rule}}}
                }}}}"#
        );
        let context = Context::new(notebook_id).with("runtimeType", "html");
        let set = FlagSet::parse(&text).unwrap();
        format!(
            "{}\n{}\n{}",
            set.explain("route", &context),
            set.explain("killed", &context),
            set.explain("none", &context)
        )
    }

    #[test]
    fn the_branch_taken_and_the_band_of_its_bucket_are_named() {
        let rule =
            r#"{"if": [{"==": [1, 2]}, "old", {"$ref": "fast"}, {"fractional": [["new", 25], ["old", 75]]}, "old"]}"#;
        assert_snapshot!(explain(rule, "notebook-1"), @r##"
        route: old (TARGETING_MATCH)
          decided by targeting.if[3].fractional[1]: {"fractional":[["new",25],["old",75]]}
          bucket 4244562895 is position 98 of 100, within 25..100
        killed: no variant (DISABLED)
        none: no variant (FLAG_NOT_FOUND)
        "##);
    }

    #[test]
    fn a_rule_that_answers_null_is_named_as_what_left_the_default() {
        assert_snapshot!(explain(r#"{"if": [{"!": [{"$ref": "fast"}]}, "new"]}"#, "notebook-1"), @r##"
        route: old (DEFAULT)
          decided by targeting.if: {"if":[{"!":[{"in":[{"var":"runtimeType"},["html","sql"]]}]},"new"]}
        killed: no variant (DISABLED)
        none: no variant (FLAG_NOT_FOUND)
        "##);
    }

    #[test]
    fn a_fractional_that_cannot_choose_has_no_band() {
        assert_snapshot!(explain(r#"{"fractional": [["new", {"var": "runtimeType"}]]}"#, "notebook-1"), @r##"
        route: old (DEFAULT)
          decided by targeting.fractional: {"fractional":[["new",{"var":"runtimeType"}]]}
        killed: no variant (DISABLED)
        none: no variant (FLAG_NOT_FOUND)
        "##);
    }

    #[test]
    fn an_explanation_serialises_in_camel_case() {
        let text =
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "targeting": {"fractional": [["x"]]}}}}"#;
        let explanation = FlagSet::parse(text).unwrap().explain("a", &Context::new("n"));
        assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap(), @r##"
        {
          "flag": "a",
          "state": "ENABLED",
          "reason": "TARGETING_MATCH",
          "variant": "x",
          "value": 1,
          "bucket": 3774540135,
          "targeting": "{\"fractional\":[[\"x\"]]}",
          "decidedBy": {
            "path": "targeting.fractional[0]",
            "text": "{\"fractional\":[[\"x\"]]}",
            "band": {
              "bucket": 3774540135,
              "sum": 1,
              "position": 0,
              "from": 0,
              "to": 1
            }
          }
        }
        "##);
    }
}
