//! A flag document, read: what is accepted here can be evaluated without further questions.

use datalogic_rs::Engine;
use datalogic_rs::bumpalo::Bump;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use crate::document::{Json, Member, Node, member};
use crate::error::{Cause, DocumentError, Fault};
use crate::metadata::Metadata;
use crate::operator::engine;
use crate::targeting::{Evaluators, Targeting};

/// Maps of up to this many names are looked through.
const FEW_NAMES: usize = 8;

/// All flags of one document, ready to be evaluated. Immutable; share it behind an `Arc`.
#[derive(Debug)]
pub struct FlagSet {
    pub(crate) flags: IndexMap<String, Flag>,
    pub(crate) engine: Engine,
    metadata: Metadata,
}

/// One flag.
#[derive(Debug)]
pub struct Flag {
    pub(crate) state: State,
    pub(crate) variants: IndexMap<String, Value>,
    pub(crate) default_variant: Option<usize>,
    pub(crate) targeting: Option<Targeting>,
    pub(crate) metadata: Metadata,
}

/// Whether a flag is evaluated at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// `ENABLED`.
    Enabled,
    /// `DISABLED`: the kill switch. Every resolution is [`Reason::Disabled`](crate::Reason::Disabled), without a variant.
    Disabled,
}

impl FlagSet {
    /// Reads a flag document: flagd's JSON.
    ///
    /// Members that flagd does not know are ignored, as flagd does.
    ///
    /// # Errors
    ///
    /// The first [`Cause`] met in document order within each part: the JSON itself, then `metadata`, `$evaluators`, `flags`.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let arena = Bump::with_capacity(text.len());
        let document = Node::parse(text, &arena).and_then(|root| Self::read(&root, text));
        document.map_err(|fault| fault.into_error(text))
    }

    fn read(root: &Node<'_>, text: &str) -> Result<Self, Fault> {
        let document = root.members()?;
        let metadata = Metadata::default().overlaid(document)?;
        let evaluators = Evaluators::parse(document)?;
        let flags = required(root, document, "flags")?;
        let flags = flags.members().and_then(|flags| {
            let read = |flag: &Member<'_>| {
                let read = Flag::read(&flag.node, &metadata, &evaluators, text);
                read.map(|read| (flag.name.to_owned(), read)).map_err(|fault| fault.inside(flag.name))
            };
            flags.iter().map(read).collect()
        });
        Ok(Self { flags: flags.map_err(|fault: Fault| fault.inside("flags"))?, engine: engine(), metadata })
    }

    /// The flag of that key.
    pub fn get(&self, key: &str) -> Option<&Flag> {
        self.flags.get(key)
    }

    /// The flags with their keys, in document order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Flag)> {
        self.flags.iter().map(|(key, flag)| (key.as_str(), flag))
    }

    /// The number of flags.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Whether there is no flag.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// The metadata of the whole set.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Flag {
    /// Whether the flag is evaluated at all.
    pub fn state(&self) -> State {
        self.state
    }

    /// The variants with their values (string, boolean, number or object), in document order.
    pub fn variants(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.variants.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The name of the default variant, if the document gives one.
    pub fn default_variant(&self) -> Option<&str> {
        self.default_entry().map(|(name, _)| name)
    }

    /// The flag's metadata, with the set's beneath.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The targeting rule with its `$ref`s expanded, if there is one; read anew each time.
    pub fn targeting(&self) -> Option<Value> {
        self.targeting.as_ref().map(Targeting::rule)
    }

    pub(crate) fn default_entry(&self) -> Option<(&str, &Value)> {
        let (name, value) = self.variants.get_index(self.default_variant?)?;
        Some((name, value))
    }

    fn read(flag: &Node<'_>, set: &Metadata, evaluators: &Evaluators<'_>, text: &str) -> Result<Self, Fault> {
        let members = flag.members()?;
        let state = state(required(flag, members, "state")?).map_err(|fault| fault.inside("state"))?;
        let variants = variants(required(flag, members, "variants")?).map_err(|fault| fault.inside("variants"))?;
        let default_variant = default_variant(members, &variants).map_err(|fault| fault.inside("defaultVariant"))?;
        let targeting = Targeting::parse(members, evaluators, text).map_err(|fault| fault.inside("targeting"))?;
        Ok(Self { state, variants, default_variant, targeting, metadata: set.overlaid(members)? })
    }
}

/// The entry of that name. Few names are compared sooner than one is hashed.
pub(crate) fn entry<'m, V>(map: &'m IndexMap<String, V>, name: &str) -> Option<(&'m String, &'m V)> {
    if map.len() <= FEW_NAMES {
        return map.iter().find(|(known, _)| *known == name);
    }
    map.get_key_value(name)
}

fn required<'t>(owner: &Node<'_>, members: &'t [Member<'t>], name: &'static str) -> Result<&'t Node<'t>, Fault> {
    member(members, name).ok_or_else(|| owner.fault(Cause::MissingMember { member: name }))
}

fn state(node: &Node<'_>) -> Result<State, Fault> {
    match node.text()? {
        "ENABLED" => Ok(State::Enabled),
        "DISABLED" => Ok(State::Disabled),
        found => Err(node.fault(Cause::UnknownState { found: found.to_owned() })),
    }
}

fn variants(node: &Node<'_>) -> Result<IndexMap<String, Value>, Fault> {
    let read = |variant: &Member<'_>| match variant.node.json {
        Json::Null | Json::List(_) => {
            Err(variant.node.wrong_type("a string, boolean, number or object").inside(variant.name))
        }
        _ => Ok((variant.name.to_owned(), variant.node.to_value())),
    };
    node.members()?.iter().map(read).collect()
}

fn default_variant(flag: &[Member<'_>], variants: &IndexMap<String, Value>) -> Result<Option<usize>, Fault> {
    let Some(node) = member(flag, "defaultVariant").filter(|node| !matches!(node.json, Json::Null)) else {
        return Ok(None);
    };
    let found = node.text()?;
    let known = || variants.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    match variants.get_index_of(found) {
        Some(index) => Ok(Some(index)),
        None => Err(node.fault(Cause::UnknownDefaultVariant { found: found.to_owned(), known: known() })),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// The refusal of a document: code, message and hint.
    #[track_caller]
    fn refusal(text: &str) -> String {
        let error = FlagSet::parse(text).expect_err("the document is refused");
        format!("{}: {error}\nhint: {}", error.code(), error.hint())
    }

    /// A document with one flag, `a`, whose members after `state` and `variants` are given.
    fn with_flag(members: &str) -> String {
        format!(
            "{{\n  \"flags\": {{\n    \"a\": {{\n      \"state\": \"ENABLED\", \"variants\": {{\"on\": true, \"off\": false}},\n      {members}\n    }}\n  }}\n}}"
        )
    }

    fn with_targeting(rule: &str) -> String {
        with_flag(&format!("\"defaultVariant\": \"off\", \"targeting\": {rule}"))
    }

    #[test]
    fn half_a_document_is_a_syntax_error_at_its_end() {
        assert_snapshot!(refusal(r#"{"flags": {"a": {"state": "ENA"#), @r##"
        SYNTAX: flags.a.state at line 1, column 31: expected a closing quote, found `end of text`
        hint: check the JSON around this place: a comma, a quote or a bracket; a file must be written whole, then renamed into place
        "##);
    }

    #[test]
    fn an_empty_text_is_a_syntax_error() {
        assert_snapshot!(refusal(""), @r##"
        SYNTAX: document at line 1, column 1: expected a value, found `end of text`
        hint: check the JSON around this place: a comma, a quote or a bracket; a file must be written whole, then renamed into place
        "##);
    }

    #[test]
    fn a_comma_too_many_is_a_syntax_error() {
        assert_snapshot!(refusal(&with_flag(r#""defaultVariant": "on","#)), @r##"
        SYNTAX: flags.a at line 6, column 5: expected a key in quotes, found `}`
        hint: check the JSON around this place: a comma, a quote or a bracket; a file must be written whole, then renamed into place
        "##);
    }

    #[test]
    fn text_after_the_document_is_a_syntax_error() {
        assert_snapshot!(refusal(r#"{"flags": {}} x"#), @r##"
        SYNTAX: document at line 1, column 15: expected the end of the document, found `x`
        hint: check the JSON around this place: a comma, a quote or a bracket; a file must be written whole, then renamed into place
        "##);
    }

    #[test]
    fn a_number_that_json_does_not_know_is_a_syntax_error() {
        assert_snapshot!(refusal(r#"{"flags": {}, "n": 01}"#), @r##"
        SYNTAX: n at line 1, column 20: expected a number that JSON can hold, found `0`
        hint: check the JSON around this place: a comma, a quote or a bracket; a file must be written whole, then renamed into place
        "##);
    }

    #[test]
    fn an_unknown_escape_is_a_syntax_error() {
        assert_snapshot!(refusal(r#"{"flags": {}, "n": "\q"}"#), @r##"
        SYNTAX: n at line 1, column 20: expected a string with valid escapes, found `\"`
        hint: check the JSON around this place: a comma, a quote or a bracket; a file must be written whole, then renamed into place
        "##);
    }

    #[test]
    fn a_document_without_flags_is_refused() {
        assert_snapshot!(refusal("{}"), @r##"
        MISSING_MEMBER: document at line 1, column 1: missing member `flags`
        hint: add the member, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_document_that_is_no_object_is_refused() {
        assert_snapshot!(refusal("[]"), @r##"
        WRONG_TYPE: document at line 1, column 1: expected an object, found `list`
        hint: write a value of the expected type, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn flags_must_be_an_object() {
        assert_snapshot!(refusal(r#"{"flags": []}"#), @r##"
        WRONG_TYPE: flags at line 1, column 11: expected an object, found `list`
        hint: write a value of the expected type, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_flag_needs_a_state() {
        assert_snapshot!(refusal(r#"{"flags": {"a": {"variants": {}}}}"#), @r##"
        MISSING_MEMBER: flags.a at line 1, column 17: missing member `state`
        hint: add the member, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_flag_needs_variants() {
        assert_snapshot!(refusal(r#"{"flags": {"a": {"state": "ENABLED"}}}"#), @r##"
        MISSING_MEMBER: flags.a at line 1, column 17: missing member `variants`
        hint: add the member, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn an_unknown_state_is_refused() {
        assert_snapshot!(refusal(r#"{"flags": {"a": {"state": "enabled", "variants": {}}}}"#), @r##"
        UNKNOWN_STATE: flags.a.state at line 1, column 27: unknown state `enabled`
        hint: write ENABLED or DISABLED, in capitals
        "##);
    }

    #[test]
    fn a_variant_is_not_null() {
        assert_snapshot!(refusal(r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": null}}}}"#), @r##"
        WRONG_TYPE: flags.a.variants.on at line 1, column 57: expected a string, boolean, number or object, found `null`
        hint: write a value of the expected type, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_default_variant_names_a_variant() {
        assert_snapshot!(refusal(&with_flag(r#""defaultVariant": "of""#)), @r##"
        UNKNOWN_DEFAULT_VARIANT: flags.a.defaultVariant at line 5, column 25: the default variant names no variant (there are on, off): `of`
        hint: name one of the variants, or add this one to `variants`
        "##);
    }

    #[test]
    fn a_default_variant_is_a_string() {
        assert_snapshot!(refusal(&with_flag(r#""defaultVariant": true"#)), @r##"
        WRONG_TYPE: flags.a.defaultVariant at line 5, column 25: expected a string, found `boolean`
        hint: write a value of the expected type, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_key_occurs_once() {
        assert_snapshot!(refusal(&with_flag(r#""defaultVariant": "on", "state": "DISABLED""#)), @r##"
        DUPLICATE_KEY: flags.a.state at line 5, column 31: duplicate key `state`
        hint: remove or rename one of the two members
        "##);
    }

    #[test]
    fn a_flag_occurs_once() {
        assert_snapshot!(refusal(r#"{"flags": {"a": {"state": "DISABLED", "variants": {}}, "a": {"state": "DISABLED", "variants": {}}}}"#), @r##"
        DUPLICATE_KEY: flags.a at line 1, column 56: duplicate key `a`
        hint: remove or rename one of the two members
        "##);
    }

    #[test]
    fn an_unknown_operator_is_refused() {
        assert_snapshot!(refusal(&with_targeting(r#"{"if": [{"matches": [1, 2]}, "on"]}"#)), @r##"
        UNKNOWN_OPERATOR: flags.a.targeting.if[0].matches at line 5, column 54: unknown operator `matches`
        hint: use an operator of JsonLogic (all but `reduce` and `log`) or one of fractional, starts_with, ends_with, sem_ver, $ref
        "##);
    }

    #[test]
    fn reduce_is_refused() {
        assert_snapshot!(refusal(&with_targeting(r#"{"reduce": [[1, 2], {"var": "current"}, 0]}"#)), @r##"
        UNKNOWN_OPERATOR: flags.a.targeting.reduce at line 5, column 46: unknown operator `reduce`
        hint: use an operator of JsonLogic (all but `reduce` and `log`) or one of fractional, starts_with, ends_with, sem_ver, $ref
        "##);
    }

    #[test]
    fn an_operation_has_one_operator() {
        assert_snapshot!(refusal(&with_targeting(r#"{"if": [true, "on"], "else": "off"}"#)), @r##"
        AMBIGUOUS_OPERATION: flags.a.targeting at line 5, column 45: an operation has one operator, this one has `2`
        hint: give each operation an object of its own and join them with `and`, `or` or `if`
        "##);
    }

    #[test]
    fn a_rule_is_an_object() {
        assert_snapshot!(refusal(&with_targeting(r#""on""#)), @r##"
        WRONG_TYPE: flags.a.targeting at line 5, column 45: expected an object, found `string`
        hint: write a value of the expected type, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_loop_holds_no_loop() {
        assert_snapshot!(refusal(&with_targeting(r#"{"some": [[1], {"all": [[2], true]}]}"#)), @r##"
        LOOPS_TOO_DEEP: flags.a.targeting.some[1].all at line 5, column 61: loops are nested deeper than `1`
        hint: prepare the list in the host and send it as an attribute of the context
        "##);
    }

    #[test]
    fn if_takes_a_list() {
        assert_snapshot!(refusal(&with_targeting(r#"{"if": true}"#)), @r##"
        WRONG_TYPE: flags.a.targeting.if at line 5, column 52: expected a list of arguments, found `boolean`
        hint: write a value of the expected type, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_fraction_is_no_weight() {
        assert_snapshot!(refusal(&with_targeting(r#"{"fractional": [["on", 12.5], ["off", 87.5]]}"#)), @r##"
        WEIGHT: flags.a.targeting.fractional[0][1] at line 5, column 68: expected an integer weight from 0 to 2147483647, found `12.5`
        hint: scale the weights to whole numbers: 12.5 and 87.5 are 125 and 875
        "##);
    }

    #[test]
    fn a_weight_is_not_negative() {
        assert_snapshot!(refusal(&with_targeting(r#"{"fractional": [["on", -1], ["off", 1]]}"#)), @r##"
        WEIGHT: flags.a.targeting.fractional[0][1] at line 5, column 68: expected an integer weight from 0 to 2147483647, found `-1`
        hint: scale the weights to whole numbers: 12.5 and 87.5 are 125 and 875
        "##);
    }

    #[test]
    fn a_weight_is_a_number() {
        assert_snapshot!(refusal(&with_targeting(r#"{"fractional": ["key", ["on", "25"]]}"#)), @r##"
        WEIGHT: flags.a.targeting.fractional[1][1] at line 5, column 75: expected an integer weight from 0 to 2147483647, found `"25"`
        hint: scale the weights to whole numbers: 12.5 and 87.5 are 125 and 875
        "##);
    }

    #[test]
    fn weights_stay_within_31_bits() {
        assert_snapshot!(refusal(&with_targeting(r#"{"fractional": [["on", 2147483647], ["off", 1]]}"#)), @r##"
        WEIGHT_SUM: flags.a.targeting.fractional at line 5, column 60: the weights add up to more than 2147483647: `2147483648`
        hint: divide all weights by a common factor
        "##);
    }

    #[test]
    fn a_fractional_without_entries_is_refused() {
        assert_snapshot!(refusal(&with_targeting(r#"{"fractional": [{"var": "email"}]}"#)), @r##"
        FRACTIONAL_ENTRY: flags.a.targeting.fractional at line 5, column 60: expected `[variant, weight]` in fractional, found `nothing`
        hint: list entries such as ["registry", 25], after an optional bucketing key
        "##);
    }

    #[test]
    fn a_fractional_entry_is_a_list() {
        assert_snapshot!(refusal(&with_targeting(r#"{"fractional": [["on", 1], "off"]}"#)), @r##"
        FRACTIONAL_ENTRY: flags.a.targeting.fractional[1] at line 5, column 72: expected `[variant, weight]` in fractional, found `string`
        hint: list entries such as ["registry", 25], after an optional bucketing key
        "##);
    }

    #[test]
    fn an_unknown_evaluator_is_refused() {
        assert_snapshot!(refusal(&with_targeting(r#"{"if": [{"$ref": "internal"}, "on"]}"#)), @r##"
        UNKNOWN_EVALUATOR: flags.a.targeting.if[0].$ref at line 5, column 62: unknown evaluator `internal`
        hint: add the evaluator to `$evaluators`, or correct the name in `$ref`
        "##);
    }

    #[test]
    fn an_evaluator_does_not_refer_to_itself() {
        assert_snapshot!(refusal(r#"{"$evaluators": {"a": {"!": [{"$ref": "b"}]}, "b": {"$ref": "a"}}, "flags": {}}"#), @r##"
        CYCLIC_EVALUATOR: $evaluators.a.![0].$ref at line 1, column 39: the evaluator refers to itself: `a`
        hint: write the shared part as an evaluator of its own that refers to neither
        "##);
    }

    #[test]
    fn an_evaluator_is_checked_though_nothing_refers_to_it() {
        assert_snapshot!(refusal(r#"{"$evaluators": {"a": {"!": [{"nope": 1}]}}, "flags": {}}"#), @r##"
        UNKNOWN_OPERATOR: $evaluators.a.![0].nope at line 1, column 31: unknown operator `nope`
        hint: use an operator of JsonLogic (all but `reduce` and `log`) or one of fractional, starts_with, ends_with, sem_ver, $ref
        "##);
    }

    #[test]
    fn an_unknown_bucketing_is_refused() {
        assert_snapshot!(refusal(r#"{"metadata": {"bucketing": "flagd-v3"}, "flags": {}}"#), @r##"
        UNKNOWN_BUCKETING: metadata.bucketing at line 1, column 28: unknown bucketing `flagd-v3`
        hint: write flagd-v2 or leave the member out; another bucketing would move notebooks between variants
        "##);
    }

    #[test]
    fn an_unknown_boundary_is_refused() {
        assert_snapshot!(refusal(&with_flag(r#""metadata": {"boundary": "soon"}"#)), @r##"
        UNKNOWN_BOUNDARY: flags.a.metadata.boundary at line 5, column 32: unknown boundary `soon`
        hint: write next-session, drain or now
        "##);
    }

    #[test]
    fn a_drain_is_a_whole_number_of_milliseconds() {
        assert_snapshot!(refusal(&with_flag(r#""metadata": {"drainMs": -1}"#)), @r##"
        OUT_OF_RANGE: flags.a.metadata.drainMs at line 5, column 31: expected an integer of milliseconds, 0 or more, found `-1`
        hint: write a number within the range
        "##);
    }

    #[test]
    fn a_drain_is_a_number() {
        assert_snapshot!(refusal(&with_flag(r#""metadata": {"drainMs": "30s"}"#)), @r##"
        WRONG_TYPE: flags.a.metadata.drainMs at line 5, column 31: expected an integer, found `string`
        hint: write a value of the expected type, see https://flagd.dev/reference/flag-definitions/
        "##);
    }

    #[test]
    fn a_sample_is_a_share() {
        assert_snapshot!(refusal(&with_flag(r#""metadata": {"shadowSample": 1.5}"#)), @r##"
        OUT_OF_RANGE: flags.a.metadata.shadowSample at line 5, column 36: expected a number from 0 to 1, found `1.5`
        hint: write a number within the range
        "##);
    }

    #[test]
    fn a_document_that_is_too_large_is_refused_unread() {
        let text = " ".repeat(crate::MAX_DOCUMENT_BYTES + 1);
        assert_snapshot!(refusal(&text), @r##"
        TOO_LARGE: document at line 1, column 1: the document is larger than 4194304 bytes: `4194305`
        hint: move long lists of ids out of the rules, or split the flags over several sources
        "##);
    }

    #[test]
    fn nesting_is_refused_before_it_can_exhaust_the_stack() {
        let text = format!("{{\"flags\": {}", "[".repeat(1_000_000));
        assert_eq!(FlagSet::parse(&text).unwrap_err().code(), "TOO_DEEP");
        let deep = format!("{}1{}", "[".repeat(crate::MAX_DEPTH - 1), "]".repeat(crate::MAX_DEPTH - 1));
        FlagSet::parse(&format!("{{\"flags\": {{}}, \"deep\": {deep}}}")).unwrap();
    }

    #[test]
    fn references_that_double_are_refused() {
        let evaluators: Vec<String> = (1..60)
            .map(|n| format!(r#""e{n}": {{"and": [{{"$ref": "e{}"}}, {{"$ref": "e{}"}}]}}"#, n - 1, n - 1))
            .collect();
        let text = format!(r#"{{"$evaluators": {{"e0": {{"var": "x"}}, {}}}, "flags": {{}}}}"#, evaluators.join(", "));
        assert_eq!(FlagSet::parse(&text).unwrap_err().code(), "TARGETING_TOO_LARGE");
    }

    #[test]
    fn a_column_counts_characters_and_a_byte_order_mark_is_skipped() {
        let error = FlagSet::parse("\u{feff}{\"flags\": {\"äöü\": {\"state\": 1}}}").unwrap_err();
        assert_eq!((error.place.path.as_str(), error.place.line, error.place.column), ("flags.äöü.state", 1, 29));
    }

    #[test]
    fn members_that_flagd_does_not_know_are_ignored() {
        let text =
            r#"{"$schema": "x", "extra": [1], "flags": {"a": {"state": "ENABLED", "variants": {}, "note": null}}}"#;
        assert_eq!(FlagSet::parse(text).unwrap().len(), 1);
    }

    #[test]
    fn a_flag_s_own_metadata_wins_over_the_set_s() {
        let text = r#"{"metadata": {"boundary": "now", "drainMs": 5, "team": "x"}, "flags": {"a":
            {"state": "ENABLED", "variants": {}, "metadata": {"boundary": "drain", "shadowSample": 0.5}}}}"#;
        let set = FlagSet::parse(text).unwrap();
        let metadata = set.get("a").unwrap().metadata();
        assert_eq!(metadata.boundary, Some(crate::Boundary::Drain));
        assert_eq!((metadata.drain_ms, metadata.shadow_sample), (Some(5), Some(0.5)));
        assert_eq!(metadata.members["team"], "x");
        assert_eq!(set.metadata().boundary, Some(crate::Boundary::Now));
    }

    #[test]
    fn strings_are_read_with_their_escapes() {
        let text = r#"{"flags": {"\u0061": {"state": "ENABLED", "variants": {"a\"b": "\ud83d\ude00\n"}}}}"#;
        let set = FlagSet::parse(text).unwrap();
        let variant = set.get("a").and_then(|flag| flag.variants().next()).unwrap();
        assert_eq!(variant, ("a\"b", &Value::from("😀\n")));
    }
}
