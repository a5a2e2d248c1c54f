//! A targeting rule: checked, its `$ref`s expanded, compiled once.

use std::collections::BTreeMap;

use datalogic_rs::datavalue::OwnedDataValue;
use datalogic_rs::{Engine, Logic};
use serde_json::{Map, Value};

use crate::context::numeric;
use crate::document::{Json, MAX_DEPTH, Member, Node, member};
use crate::error::{Cause, Fault};
use crate::operator::{FLAG_KEY, FLAGD, MAX_WEIGHT_SUM, TARGETING_KEY, engine_name, is_loop, needs_list};

/// The most values one rule may have, its `$ref`s expanded: room for thousands of listed ids, none for `$ref`s that
/// double, and the worst loop over that many values still ends within seconds.
pub const MAX_TARGETING_NODES: usize = 20_000;

/// How deep `map`, `filter`, `all`, `some` and `none` may stand in one another: each level is a power more work.
pub const MAX_LOOP_NESTING: usize = 1;

/// A rule ready to run.
#[derive(Debug)]
pub(crate) struct Targeting {
    pub(crate) logic: Logic,
    /// The rule with its `$ref`s expanded, as a human wrote it.
    pub(crate) rule: Value,
    /// Whether a `fractional` in it is keyed on flag key + targeting key, so that the bucket explains the decision.
    pub(crate) implicit_fractional: bool,
}

/// The members of `$evaluators`, by name.
pub(crate) struct Evaluators<'n, 't>(BTreeMap<&'n str, &'n Node<'t>>);

impl<'n, 't> Evaluators<'n, 't> {
    /// Reads and checks `$evaluators`, whether or not a flag refers to them.
    pub(crate) fn parse(document: &'n [Member<'t>]) -> Result<Self, Fault> {
        let Some(node) = member(document, "$evaluators") else { return Ok(Self(BTreeMap::new())) };
        let members = node.members().map_err(|fault| fault.inside("$evaluators"))?;
        let evaluators = Self(members.iter().map(|entry| (&*entry.name, &entry.node)).collect());
        for entry in members {
            let mut expansion = Expansion::new(&evaluators);
            let seen = expansion.refer(&entry.name, &entry.node);
            seen.map_err(|fault| fault.inside(&entry.name).inside("$evaluators"))?;
        }
        Ok(evaluators)
    }
}

impl Targeting {
    /// Reads the `targeting` member of a flag: `None` where it is absent, null or `{}`.
    pub(crate) fn parse(
        flag: &[Member<'_>],
        evaluators: &Evaluators<'_, '_>,
        engine: &Engine,
    ) -> Result<Option<Self>, Fault> {
        match member(flag, "targeting") {
            None | Some(Node { json: Json::Null, .. }) => Ok(None),
            Some(node) if node.members()?.is_empty() => Ok(None),
            Some(node) => Self::compile(node, evaluators, engine).map(Some),
        }
    }

    fn compile(node: &Node<'_>, evaluators: &Evaluators<'_, '_>, engine: &Engine) -> Result<Self, Fault> {
        let mut expansion = Expansion::new(evaluators);
        let rule = expansion.value(node)?;
        let logic = engine
            .compile(lowered(&rule))
            .map_err(|error| node.fault(Cause::Targeting { reason: error.to_string() }))?;
        Ok(Self { logic, rule, implicit_fractional: expansion.implicit_fractional })
    }
}

/// One walk over a rule: checks every operation and puts evaluators in the place of their `$ref`s.
struct Expansion<'e, 'n, 't> {
    evaluators: &'e Evaluators<'n, 't>,
    /// The evaluators being expanded, the outermost first.
    open: Vec<String>,
    depth: usize,
    loops: usize,
    nodes: usize,
    implicit_fractional: bool,
}

impl<'e, 'n, 't> Expansion<'e, 'n, 't> {
    fn new(evaluators: &'e Evaluators<'n, 't>) -> Self {
        Self { evaluators, open: Vec::new(), depth: 0, loops: 0, nodes: 0, implicit_fractional: false }
    }

    fn value(&mut self, node: &Node<'_>) -> Result<Value, Fault> {
        self.nodes += 1;
        if self.nodes > MAX_TARGETING_NODES {
            return Err(node.fault(Cause::TargetingTooLarge));
        }
        if self.depth == MAX_DEPTH {
            return Err(node.fault(Cause::TooDeep));
        }
        self.depth += 1;
        let value = match &node.json {
            Json::List(items) => self.list(items)?,
            Json::Object(members) => self.operation(node, members)?,
            _ => node.to_value(),
        };
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self, items: &[Node<'_>]) -> Result<Value, Fault> {
        let walk = |(index, item)| self.value(item).map_err(|fault| fault.inside_item(index));
        items.iter().enumerate().map(walk).collect::<Result<_, _>>().map(Value::Array)
    }

    fn operation(&mut self, node: &Node<'_>, members: &[Member<'_>]) -> Result<Value, Fault> {
        match members {
            [] => Ok(Value::Object(Map::new())),
            [one] if one.name == "$ref" => self.reference(&one.node).map_err(|fault| fault.inside("$ref")),
            [one] => {
                let args = self.operator(one).map_err(|fault| fault.inside(&one.name))?;
                Ok(Value::Object(Map::from_iter([(one.name.clone().into_owned(), args)])))
            }
            many => Err(node.fault(Cause::AmbiguousOperation { count: many.len() })),
        }
    }

    fn operator(&mut self, one: &Member<'_>) -> Result<Value, Fault> {
        let name = &*one.name;
        if engine_name(name).is_none() {
            return Err(Fault::new(one.at, Cause::UnknownOperator { found: name.to_owned() }));
        }
        if needs_list(name) && !matches!(one.node.json, Json::List(_)) {
            return Err(one.node.wrong_type("a list of arguments"));
        }
        if let ("fractional", Json::List(args)) = (name, &one.node.json) {
            self.implicit_fractional |= check_fractional(&one.node, args)?;
        }
        let inner = self.loops + usize::from(is_loop(name));
        if inner > MAX_LOOP_NESTING {
            return Err(Fault::new(one.at, Cause::LoopsTooDeep));
        }
        let outer = std::mem::replace(&mut self.loops, inner);
        let args = self.value(&one.node)?;
        self.loops = outer;
        Ok(args)
    }

    fn reference(&mut self, node: &Node<'_>) -> Result<Value, Fault> {
        let name = node.text()?;
        let found = || name.to_owned();
        if self.open.iter().any(|open| open == name) {
            return Err(node.fault(Cause::CyclicEvaluator { found: found() }));
        }
        match self.evaluators.0.get(name) {
            // The walk over `$evaluators` has named whatever is wrong inside; what is left are limits, met at this place.
            Some(evaluator) => self.refer(name, evaluator).map_err(|fault| fault.met_at(node.at)),
            None => Err(node.fault(Cause::UnknownEvaluator { found: found() })),
        }
    }

    fn refer(&mut self, name: &str, evaluator: &Node<'_>) -> Result<Value, Fault> {
        self.open.push(name.to_owned());
        let value = self.value(evaluator)?;
        self.open.pop();
        Ok(value)
    }
}

/// Refuses a `fractional` that can never choose, and says whether its key is flag key + targeting key.
fn check_fractional(node: &Node<'_>, args: &[Node<'_>]) -> Result<bool, Fault> {
    let keyed = usize::from(matches!(
        args.first().map(|first| &first.json),
        Some(Json::Text(_) | Json::Null | Json::Object(_))
    ));
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
    let items = match &entry.json {
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
    let whole = match &weight.json {
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
    match &first.json {
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
