//! Whom a flag is evaluated for.

use std::collections::BTreeMap;

use datalogic_rs::DataValue;
use datalogic_rs::bumpalo::Bump;
use datalogic_rs::datavalue::NumberValue;
use serde_json::{Number, Value};

use crate::operator::{FLAG_KEY, FLAGD, TARGETING_KEY, TIMESTAMP};

/// How deep an attribute may nest: a list of objects of lists. Anything below reads as null.
const MAX_ATTRIBUTE_DEPTH: usize = 4;

/// Everything a decision may depend on: the targeting key, the attributes, and the time.
///
/// A targeting rule sees the attributes at the top level (`{"var": "runtimeType"}`), `targetingKey`, and flagd's own
/// `$flagd.flagKey` and `$flagd.timestamp` (seconds since 1970); these two names cannot be taken by attributes.
///
/// ```
/// use flags::Context;
///
/// let context = Context::new("notebook-7").with("runtimeType", "python").with("teams", vec!["red", "blue"]).at(0);
/// assert_eq!(context.targeting_key(), "notebook-7");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    targeting_key: String,
    attributes: BTreeMap<String, Value>,
    now_ms: i64,
}

impl Context {
    /// A context for the notebook of that id, without attributes, at the beginning of 1970.
    pub fn new(targeting_key: impl Into<String>) -> Self {
        Self { targeting_key: targeting_key.into(), ..Self::default() }
    }

    /// Sets an attribute: a string, a boolean, a number or a list of those. A later value replaces an earlier one.
    ///
    /// Attributes named `targetingKey` or `$flagd` are dropped, because flagd defines these itself.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let name = name.into();
        if name != TARGETING_KEY && name != FLAGD {
            self.attributes.insert(name, value.into());
        }
        self
    }

    /// Gives an attribute that there is another value, in place. Nothing where there is none of that name.
    pub fn vary(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(known) = self.attributes.get_mut(name) {
            *known = value.into();
        }
    }

    /// Sets the time, in milliseconds since 1970. Rules see whole seconds.
    #[must_use]
    pub fn at(mut self, now_ms: i64) -> Self {
        self.now_ms = now_ms;
        self
    }

    /// Asks for another notebook, at another time, with the same attributes, in the same memory.
    pub fn retarget(&mut self, targeting_key: &str, now_ms: i64) {
        targeting_key.clone_into(&mut self.targeting_key);
        self.now_ms = now_ms;
    }

    /// The id that decides the bucket: the notebook's.
    pub fn targeting_key(&self) -> &str {
        &self.targeting_key
    }

    /// The attributes, by name.
    pub fn attributes(&self) -> &BTreeMap<String, Value> {
        &self.attributes
    }

    /// The time in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The context as JsonLogic sees it. Strings are borrowed, the rest lives in the arena.
    pub(crate) fn root<'a>(&'a self, flag_key: &'a str, arena: &'a Bump) -> DataValue<'a> {
        let flagd = arena.alloc([
            (FLAG_KEY, DataValue::String(flag_key)),
            (TIMESTAMP, DataValue::from_i64(self.now_ms.div_euclid(1000))),
        ]);
        let mut attributes = self.attributes.iter();
        DataValue::Object(arena.alloc_slice_fill_with(self.attributes.len() + 2, |index| match index {
            0 => (TARGETING_KEY, DataValue::String(&self.targeting_key)),
            1 => (FLAGD, DataValue::Object(flagd)),
            _ => attributes.next().map_or(("", DataValue::Null), |(name, value)| {
                (name.as_str(), data(value, arena, MAX_ATTRIBUTE_DEPTH))
            }),
        }))
    }
}

fn data<'a>(value: &'a Value, arena: &'a Bump, depth: usize) -> DataValue<'a> {
    match value {
        Value::Null => DataValue::Null,
        Value::Bool(flag) => DataValue::Bool(*flag),
        Value::Number(number) => DataValue::Number(numeric(number)),
        Value::String(text) => DataValue::String(text),
        Value::Array(_) | Value::Object(_) if depth == 0 => DataValue::Null,
        Value::Array(items) => {
            DataValue::Array(arena.alloc_slice_fill_iter(items.iter().map(|item| data(item, arena, depth - 1))))
        }
        Value::Object(members) => {
            DataValue::Object(arena.alloc_slice_fill_iter(
                members.iter().map(|(name, item)| (name.as_str(), data(item, arena, depth - 1))),
            ))
        }
    }
}

/// A JSON number as the engine holds it: whole if it fits 64 bits with a sign, else the nearest fraction.
pub(crate) fn numeric(number: &Number) -> NumberValue {
    match number.as_i64() {
        Some(whole) => NumberValue::from_i64(whole),
        None => NumberValue::from_f64(number.as_f64().unwrap_or_default()),
    }
}
