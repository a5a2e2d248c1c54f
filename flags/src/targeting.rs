//! A targeting rule: checked when its document is read, compiled when it is first asked for.
//!
//! A document of a thousand flags is read where its caller waits, and most of its rules are never evaluated there. Nothing is
//! left for the compiler to refuse: it knows two faults, an object of several keys, which the check refuses, and a depth of
//! 256, which is twice [`MAX_DEPTH`].

use std::collections::BTreeMap;
use std::sync::OnceLock;

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::datavalue::OwnedDataValue;
use datalogic_rs::{Engine, Logic};
use serde_json::Value;

use crate::bucket::position;
use crate::context::numeric;
use crate::document::{Json, MAX_DEPTH, Member, Node, member};
use crate::error::{Cause, Fault};
use crate::operator::{FLAG_KEY, FLAGD, MAX_WEIGHT_SUM, TARGETING_KEY, engine_name, is_loop, needs_list};

/// The most values one rule may have, its `$ref`s expanded: room for thousands of listed ids, none for `$ref`s that
/// double, and the worst loop over that many values still ends within seconds.
pub const MAX_TARGETING_NODES: usize = 20_000;

/// How deep `map`, `filter`, `all`, `some` and `none` may stand in one another: each level is a power more work.
pub const MAX_LOOP_NESTING: usize = 1;

/// A rule that can be evaluated without further questions.
#[derive(Debug)]
pub(crate) struct Targeting {
    /// The rule as JSON, its `$ref`s expanded.
    text: Box<str>,
    compiled: OnceLock<Option<Compiled>>,
    pub(crate) traits: Traits,
}

/// What can be told of a rule without evaluating it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traits {
    /// A `fractional` in it is keyed on flag key + targeting key, so that the bucket explains the decision.
    pub(crate) has_implicit_fractional: bool,
    /// It may look at the time. Where that cannot be told, it may.
    pub(crate) is_timed: bool,
    /// It refers to evaluators.
    has_references: bool,
}

/// A rule ready to run.
#[derive(Debug)]
pub(crate) enum Compiled {
    /// Nothing but shares of all targeting keys: no engine is needed for these.
    Shares(Shares),
    /// Anything else, as the engine compiles it.
    Logic(Logic),
}

/// A `fractional` of literals that is keyed on flag key + targeting key.
#[derive(Debug)]
pub(crate) struct Shares {
    /// The sum of the weights.
    sum: u64,
    /// The first position after each entry, and the variant that it names.
    entries: Box<[(u64, Box<str>)]>,
}

/// The members of `$evaluators`, by name.
pub(crate) struct Evaluators<'t>(BTreeMap<&'t str, &'t Node<'t>>);

impl<'t> Evaluators<'t> {
    /// Reads and checks `$evaluators`, whether or not a flag refers to them.
    pub(crate) fn parse(document: &'t [Member<'t>]) -> Result<Self, Fault> {
        let Some(node) = member(document, "$evaluators") else { return Ok(Self(BTreeMap::new())) };
        let members = node.members().map_err(|fault| fault.inside("$evaluators"))?;
        let evaluators = Self(members.iter().map(|entry| (entry.name, &entry.node)).collect());
        for entry in members {
            let mut check = Check::new(&evaluators);
            let seen = check.refer(entry.name, &entry.node);
            seen.map_err(|fault| fault.inside(entry.name).inside("$evaluators"))?;
        }
        Ok(evaluators)
    }

    /// A rule that has been checked, with evaluators in the place of their `$ref`s.
    fn expanded(&self, node: &Node<'_>) -> Value {
        match node.json {
            Json::List(items) => items.iter().map(|item| self.expanded(item)).collect(),
            Json::Object([Member { name: "$ref", node, .. }]) => {
                let evaluator = node.text().ok().and_then(|name| self.0.get(name));
                evaluator.map_or(Value::Null, |evaluator| self.expanded(evaluator))
            }
            Json::Object(members) => {
                Value::Object(members.iter().map(|m| (m.name.to_owned(), self.expanded(&m.node))).collect())
            }
            _ => node.to_value(),
        }
    }
}

impl Targeting {
    /// Checks the `targeting` member of a flag in this text: `None` where it is absent, null or `{}`.
    pub(crate) fn parse(flag: &[Member<'_>], evaluators: &Evaluators<'_>, text: &str) -> Result<Option<Self>, Fault> {
        match member(flag, "targeting") {
            None | Some(Node { json: Json::Null, .. }) => Ok(None),
            Some(node) if node.members()?.is_empty() => Ok(None),
            Some(node) => Self::check(node, evaluators, text).map(Some),
        }
    }

    fn check(node: &Node<'_>, evaluators: &Evaluators<'_>, text: &str) -> Result<Self, Fault> {
        let mut check = Check::new(evaluators);
        check.value(node)?;
        let traits = check.traits;
        let text = match traits.has_references {
            true => evaluators.expanded(node).to_string().into(),
            false => text[node.at..node.end].into(),
        };
        Ok(Self { text, compiled: OnceLock::new(), traits })
    }

    /// The rule with its `$ref`s expanded.
    pub(crate) fn rule(&self) -> Value {
        let arena = Bump::new();
        // It has been read before, as a part of its document.
        Node::read(&self.text, 0, &arena).map_or(Value::Null, Node::to_value)
    }

    /// The rule ready to run. Of two who come first together both compile, so that nobody waits.
    pub(crate) fn compiled(&self, engine: &Engine) -> Option<&Compiled> {
        let compiled = match self.compiled.get() {
            Some(compiled) => compiled,
            None => {
                let _ = self.compiled.set(Compiled::of(&self.rule(), engine));
                self.compiled.get()?
            }
        };
        compiled.as_ref()
    }
}

impl Compiled {
    fn of(rule: &Value, engine: &Engine) -> Option<Self> {
        match Shares::of(rule) {
            Some(shares) => Some(Self::Shares(shares)),
            None => engine.compile(lowered(rule)).ok().map(Self::Logic),
        }
    }
}

impl Shares {
    /// The shares that a rule consists of: entries of a name each, and a weight where it is not 1.
    fn of(rule: &Value) -> Option<Self> {
        let (name, entries) = rule.as_object()?.iter().next()?;
        let entries = entries.as_array().filter(|_| name == "fractional")?;
        let mut sum = 0;
        let mut shares = Vec::with_capacity(entries.len());
        for entry in entries {
            let entry = entry.as_array()?;
            sum += match entry.get(1) {
                None | Some(Value::Null) => 1,
                Some(weight) => u64::try_from(numeric(weight.as_number()?).as_i64()?).ok()?,
            };
            shares.push((sum, entry.first()?.as_str()?.into()));
        }
        Some(Self { sum, entries: shares.into() })
    }

    /// The variant that the bucket falls to, if to any: weights may be nothing but zeros.
    pub(crate) fn pick(&self, bucket: u32) -> Option<&str> {
        let position = position(bucket, self.sum);
        self.entries.iter().find(|(to, _)| position < *to).map(|(_, variant)| &**variant)
    }
}

/// One walk over a rule as its `$ref`s expand it, which checks every operation.
struct Check<'e, 't> {
    evaluators: &'e Evaluators<'t>,
    /// The evaluators being expanded, the outermost first.
    open: Vec<&'t str>,
    depth: usize,
    loops: usize,
    nodes: usize,
    traits: Traits,
}

impl<'e, 't> Check<'e, 't> {
    fn new(evaluators: &'e Evaluators<'t>) -> Self {
        Self { evaluators, open: Vec::new(), depth: 0, loops: 0, nodes: 0, traits: Traits::default() }
    }

    fn value(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_TARGETING_NODES {
            return Err(node.fault(Cause::TargetingTooLarge));
        }
        if self.depth == MAX_DEPTH {
            return Err(node.fault(Cause::TooDeep));
        }
        self.depth += 1;
        match node.json {
            Json::List(items) => self.list(items)?,
            Json::Object(members) => self.operation(node, members)?,
            _ => {}
        }
        self.depth -= 1;
        Ok(())
    }

    fn list(&mut self, items: &[Node<'_>]) -> Result<(), Fault> {
        let mut items = items.iter().enumerate();
        items.try_for_each(|(index, item)| self.value(item).map_err(|fault| fault.inside_item(index)))
    }

    fn operation(&mut self, node: &Node<'_>, members: &[Member<'_>]) -> Result<(), Fault> {
        match members {
            [] => Ok(()),
            [one] if one.name == "$ref" => self.reference(&one.node).map_err(|fault| fault.inside("$ref")),
            [one] => self.operator(one).map_err(|fault| fault.inside(one.name)),
            many => Err(node.fault(Cause::AmbiguousOperation { count: many.len() })),
        }
    }

    fn operator(&mut self, one: &Member<'_>) -> Result<(), Fault> {
        let name = one.name;
        if engine_name(name).is_none() {
            return Err(Fault::new(one.at, Cause::UnknownOperator { found: name.to_owned() }));
        }
        if needs_list(name) && !matches!(one.node.json, Json::List(_)) {
            return Err(one.node.wrong_type("a list of arguments"));
        }
        if let ("fractional", Json::List(args)) = (name, one.node.json) {
            self.traits.has_implicit_fractional |= check_fractional(&one.node, args)?;
        }
        self.traits.is_timed |= name == "var" && may_be_time(&one.node);
        let inner = self.loops + usize::from(is_loop(name));
        if inner > MAX_LOOP_NESTING {
            return Err(Fault::new(one.at, Cause::LoopsTooDeep));
        }
        let outer = std::mem::replace(&mut self.loops, inner);
        self.value(&one.node)?;
        self.loops = outer;
        Ok(())
    }

    fn reference(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let name = node.text()?;
        let found = || name.to_owned();
        if self.open.contains(&name) {
            return Err(node.fault(Cause::CyclicEvaluator { found: found() }));
        }
        self.traits.has_references = true;
        let evaluators = self.evaluators;
        match evaluators.0.get_key_value(name) {
            // The walk over `$evaluators` has named whatever is wrong inside; what is left are limits, met at this place.
            Some((name, evaluator)) => self.refer(name, evaluator).map_err(|fault| fault.met_at(node.at)),
            None => Err(node.fault(Cause::UnknownEvaluator { found: found() })),
        }
    }

    fn refer(&mut self, name: &'t str, evaluator: &Node<'_>) -> Result<(), Fault> {
        self.open.push(name);
        self.value(evaluator)?;
        self.open.pop();
        Ok(())
    }
}

/// Whether a `var` with these arguments may be of the time: unless its path is a literal that names another member.
fn may_be_time(args: &Node<'_>) -> bool {
    let path = match args.json {
        Json::List([path, ..]) => path.json,
        json => json,
    };
    match path {
        // Nothing is the whole context, and so is a path that is no text; a backslash may hide a name.
        Json::Text(path) => path.is_empty() || path.contains(FLAGD) || path.contains('\\'),
        _ => true,
    }
}

/// Refuses a `fractional` that can never choose, and says whether its key is flag key + targeting key.
fn check_fractional(node: &Node<'_>, args: &[Node<'_>]) -> Result<bool, Fault> {
    let keyed =
        usize::from(matches!(args.first().map(|first| first.json), Some(Json::Text(_) | Json::Null | Json::Object(_))));
    let entries = &args[keyed..];
    if entries.is_empty() {
        return Err(node.fault(Cause::FractionalEntry { found: "nothing" }));
    }
    let mut sum = 0;
    for (index, entry) in entries.iter().enumerate() {
        sum += literal_weight(entry).map_err(|fault| fault.inside_item(index + keyed))?;
    }
    if sum > MAX_WEIGHT_SUM {
        return Err(node.fault(Cause::WeightSum { sum }));
    }
    Ok(args.first().is_some_and(is_implicit_key))
}

/// The weight of an entry as far as the document says it: 0 where an operation computes it.
fn literal_weight(entry: &Node<'_>) -> Result<u64, Fault> {
    let items = match entry.json {
        Json::List(items) => items,
        Json::Object(_) => return Ok(0),
        _ => return Err(entry.fault(Cause::FractionalEntry { found: entry.kind() })),
    };
    match items.first() {
        None => return Err(entry.fault(Cause::FractionalEntry { found: "an empty list" })),
        Some(variant) if matches!(variant.json, Json::List(_)) => {
            return Err(variant.fault(Cause::FractionalEntry { found: "a list" }).inside_item(0));
        }
        Some(_) => {}
    }
    let Some(weight) = items.get(1) else { return Ok(1) };
    let whole = match weight.json {
        Json::Null => return Ok(1),
        Json::Object(_) => return Ok(0),
        Json::Number(number) => numeric(number).as_i64().and_then(|whole| u64::try_from(whole).ok()),
        _ => None,
    };
    whole
        .filter(|whole| *whole <= MAX_WEIGHT_SUM)
        .ok_or_else(|| weight.fault(Cause::Weight { found: weight.to_value().to_string() }).inside_item(1))
}

/// An entry or null in the place of the key, or the key spelled out: `{"cat": [$flagd.flagKey, targetingKey]}`.
fn is_implicit_key(first: &Node<'_>) -> bool {
    match first.json {
        Json::List(_) | Json::Null => true,
        Json::Object(_) => {
            let variable = |path: String| serde_json::json!({ "var": path });
            let spelled = [variable(format!("{FLAGD}.{FLAG_KEY}")), variable(TARGETING_KEY.to_owned())];
            first.to_value() == serde_json::json!({ "cat": spelled })
        }
        _ => false,
    }
}

/// The rule in the engine's words: our operators under the names that they are registered by.
pub(crate) fn lowered(rule: &Value) -> OwnedDataValue {
    match rule {
        Value::Null => OwnedDataValue::Null,
        Value::Bool(flag) => OwnedDataValue::Bool(*flag),
        Value::Number(number) => OwnedDataValue::Number(numeric(number)),
        Value::String(text) => OwnedDataValue::String(text.clone()),
        Value::Array(items) => OwnedDataValue::Array(items.iter().map(lowered).collect()),
        Value::Object(members) => {
            let rename = |name: &str| engine_name(name).unwrap_or(name).to_owned();
            OwnedDataValue::Object(members.iter().map(|(name, args)| (rename(name), lowered(args))).collect())
        }
    }
}
