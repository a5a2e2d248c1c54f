//! flagd's own operators, for the JsonLogic engine: `fractional`, `starts_with`, `ends_with`.
//!
//! `sem_ver` is the engine's. Its `fractional` is not used: it clamps negative weights and takes a fraction for 1, where
//! flagd refuses the rule, and its sum of weights can overflow.

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::operator::EvalContext;
use datalogic_rs::{ArenaExt, CustomOperator, DataValue, Engine, EvaluationConfig};
use serde::Serialize;

use crate::bucket::{Murmur3, position};

/// What the weights of one `fractional` may add up to: with it, hash times sum still fits 64 bits in every flagd.
pub const MAX_WEIGHT_SUM: u64 = 2_147_483_647;

/// The members of the evaluation context that flagd defines.
pub(crate) const TARGETING_KEY: &str = "targetingKey";
pub(crate) const FLAGD: &str = "$flagd";
pub(crate) const FLAG_KEY: &str = "flagKey";
pub(crate) const TIMESTAMP: &str = "timestamp";

/// The operators implemented here, under the names that the engine knows them by: its own `fractional` would come first.
const OURS: [(&str, &str); 3] =
    [("fractional", "flagd.fractional"), ("starts_with", "flagd.starts_with"), ("ends_with", "flagd.ends_with")];

/// JsonLogic's operators without `reduce`, which can double its result at each step, and `log`, which is a side effect.
pub(crate) const ENGINES: [&str; 33] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "and",
    "or",
    ">",
    ">=",
    "<",
    "<=",
    "max",
    "min",
    "+",
    "-",
    "*",
    "/",
    "%",
    "map",
    "filter",
    "all",
    "none",
    "some",
    "merge",
    "in",
    "cat",
    "substr",
];

/// The engine with flagd's operators. One serves a whole flag set.
pub(crate) fn engine() -> Engine {
    let config = EvaluationConfig::default().with_loose_equality_errors(false);
    let [fractional, starts_with, ends_with] = OURS.map(|(_, name)| name);
    Engine::builder()
        .with_config(config)
        .add_operator(fractional, Fractional)
        .add_operator(starts_with, Affix(|text, part| text.starts_with(part)))
        .add_operator(ends_with, Affix(|text, part| text.ends_with(part)))
        .build()
}

/// The name by which the engine knows an operator, if a rule may use it.
pub(crate) fn engine_name(operator: &str) -> Option<&str> {
    match OURS.iter().find(|(name, _)| *name == operator) {
        Some((_, ours)) => Some(ours),
        None if operator == "sem_ver" || ENGINES.contains(&operator) => Some(operator),
        None => None,
    }
}

/// Whether the operator evaluates its second argument once for each item of its first.
pub(crate) fn is_loop(operator: &str) -> bool {
    matches!(operator, "map" | "filter" | "all" | "some" | "none")
}

/// Whether the engine needs the arguments of this operator as a list.
pub(crate) fn needs_list(operator: &str) -> bool {
    matches!(operator, "fractional" | "if" | "?:" | "and" | "or" | "starts_with" | "ends_with" | "sem_ver")
}

struct Fractional;

impl CustomOperator for Fractional {
    fn evaluate<'a>(
        &self,
        args: &[&'a DataValue<'a>],
        ctx: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> datalogic_rs::Result<&'a DataValue<'a>> {
        Ok(pick(args, ctx.root_input()).map_or_else(|| arena.null(), |(_, _, variant)| variant))
    }
}

/// How a `fractional` chose among its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Band {
    /// The hash of the bucketing key.
    pub bucket: u32,
    /// What the weights add up to.
    pub sum: u64,
    /// Where the bucket falls among the weights: 0 to `sum - 1`.
    pub position: u64,
    /// The first position of the entry that was chosen.
    pub from: u64,
    /// The first position after it.
    pub to: u64,
}

/// The entry that the key falls to, as its index in `args`, its band and its variant. `None` where flagd answers null, which
/// stands for the default variant.
pub(crate) fn pick<'a>(args: &[&'a DataValue<'a>], root: &DataValue<'_>) -> Option<(usize, Band, &'a DataValue<'a>)> {
    let (bucket, keyed) = match args.first()? {
        DataValue::String(key) => (hash(&[key]), 1),
        DataValue::Null => (implicit_hash(root)?, 1),
        _ => (implicit_hash(root)?, 0),
    };
    let entries = args.get(keyed..)?;
    let sum = entries.iter().try_fold(0, |sum, entry| Some(sum + weight(entry)?))?;
    if sum > MAX_WEIGHT_SUM {
        return None;
    }
    let position = position(bucket, sum);
    let mut to = 0;
    for (index, entry) in entries.iter().enumerate() {
        let from = to;
        to += weight(entry)?;
        if position < to {
            return Some((keyed + index, Band { bucket, sum, position, from, to }, entry.as_array()?.first()?));
        }
    }
    None
}

/// The weight of an entry, 1 where it gives none; `None` if flagd refuses the entry.
fn weight(entry: &DataValue<'_>) -> Option<u64> {
    let entry = entry.as_array()?;
    if matches!(entry.first()?, DataValue::Array(_) | DataValue::Object(_)) {
        return None;
    }
    match entry.get(1) {
        None | Some(DataValue::Null) => Some(1),
        Some(weight) => u64::try_from(weight.as_i64()?).ok().filter(|weight| *weight <= MAX_WEIGHT_SUM),
    }
}

fn implicit_hash(root: &DataValue<'_>) -> Option<u32> {
    let key = root.get(TARGETING_KEY)?.as_str()?;
    let flag = root.get(FLAGD).and_then(|flagd| flagd.get(FLAG_KEY)).and_then(DataValue::as_str);
    Some(hash(&[flag.unwrap_or_default(), key]))
}

fn hash(pieces: &[&str]) -> u32 {
    let mut hash = Murmur3::default();
    for piece in pieces {
        hash.write(piece.as_bytes());
    }
    hash.finish()
}

/// `starts_with` and `ends_with`: null unless there are two strings, as in flagd.
struct Affix(fn(&str, &str) -> bool);

impl CustomOperator for Affix {
    fn evaluate<'a>(
        &self,
        args: &[&'a DataValue<'a>],
        _: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> datalogic_rs::Result<&'a DataValue<'a>> {
        Ok(match args {
            [DataValue::String(text), DataValue::String(part)] => arena.bool((self.0)(text, part)),
            _ => arena.null(),
        })
    }
}
