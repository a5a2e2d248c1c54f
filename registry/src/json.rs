//! JSON as JavaScript writes it: a reader that survives lone surrogates, and JavaScript's own texts for values.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// Like [`serde_json::from_str`], but a lone surrogate escape (`\ud83d` without its pair) reads as U+FFFD.
///
/// JavaScript strings may end in half a character (a stream cut in the middle) and `JSON.stringify` writes that half as
/// an escape which `serde_json` refuses. Text without such an escape is read as it stands, without a copy.
///
/// # Errors
/// As [`serde_json::from_str`]; positions count in the repaired text, which is as long as the original.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(&repaired(text))
}

/// Bytes of one `\uXXXX` escape.
const ESCAPE: usize = 6;

fn repaired(text: &str) -> Cow<'_, str> {
    if !text.contains(r"\ud") && !text.contains(r"\uD") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let (kept, len) = escaped(escape);
        out.push_str(before);
        out.push_str(kept);
        rest = &escape[len..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The text for the escape that `text` starts with, and how many bytes of `text` it stands for.
fn escaped(text: &str) -> (&str, usize) {
    match surrogate(text) {
        None => {
            let len = 1 + text[1..].chars().next().map_or(0, char::len_utf8);
            (&text[..len], len)
        }
        Some(Half::High) if text.get(ESCAPE..).and_then(surrogate) == Some(Half::Low) => {
            (&text[..2 * ESCAPE], 2 * ESCAPE)
        }
        Some(_) => (r"\ufffd", ESCAPE),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    High,
    Low,
}

fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// What JavaScript's `String(value)` gives for a value read from JSON.
#[must_use]
pub fn js_string(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => js_number(number),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(js_item).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".to_owned(),
    }
}

/// `Array.prototype.join` writes null as nothing.
fn js_item(item: &Value) -> String {
    if item.is_null() { String::new() } else { js_string(item) }
}

/// Whether JavaScript takes a value read from JSON for false in a condition: null, false, 0 and "".
#[must_use]
pub fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// What `JSON.stringify(value)` gives: as `serde_json` writes it but for numbers, which are doubles in JavaScript.
#[must_use]
pub fn js_stringify(value: &Value) -> String {
    match value {
        Value::Number(number) => js_number(number),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(js_stringify).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, _)| format!("{}:{}", Value::from(name.as_str()), js_stringify(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// ECMAScript's `Number::toString`: the shortest digits that read back, plain from 1e-7 up to 1e21.
fn js_number(number: &Number) -> String {
    let value = number.as_f64().unwrap_or(0.0);
    if value == 0.0 {
        return "0".to_owned();
    }
    let (sign, scientific) = if value < 0.0 { ("-", format!("{:e}", -value)) } else { ("", format!("{value:e}")) };
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = digits.replace('.', "");
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    format!("{sign}{}", placed(&digits, point))
}

/// Places the decimal point: `point` digits stand before it.
fn placed(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    match point {
        p if count <= p && p <= 21 => format!("{digits}{}", zeros(p - count)),
        p if 0 < p && p <= 21 => {
            let (whole, part) = digits.split_at(usize::try_from(p).unwrap_or(0));
            format!("{whole}.{part}")
        }
        p if -6 < p && p <= 0 => format!("0.{}{digits}", zeros(-p)),
        p => {
            let (first, more) = digits.split_at(1);
            let dot = if more.is_empty() { "" } else { "." };
            format!("{first}{dot}{more}e{:+}", p - 1)
        }
    }
}

/// Reads a number and writes what JavaScript writes: `1.0` becomes the integer 1. For `#[serde(deserialize_with)]`.
pub(crate) fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
    use serde::Deserialize;
    Number::deserialize(deserializer).map(canonical)
}

/// [`number`] for an optional field; wants `#[serde(default)]` too.
pub(crate) fn optional_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Number>, D::Error> {
    use serde::Deserialize;
    Ok(Option::<Number>::deserialize(deserializer)?.map(canonical))
}

/// 2^53: up to here every integer is a double of its own, and fits an `i64`.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

fn canonical(number: Number) -> Number {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() <= MAX_EXACT => {
            Number::from(value as i64)
        }
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expect: &str) {
        assert_eq!(from_str::<String>(text).unwrap(), expect, "{text}");
    }

    #[test]
    fn a_lone_surrogate_reads_as_the_replacement_character() {
        check(r#""\ud83d""#, "\u{fffd}");
        check(r#""\uDE00 low alone""#, "\u{fffd} low alone");
        check(r#""a\ud83d\ud83d\ude00b""#, "a\u{fffd}\u{1f600}b");
        check(r#""\ud83d\n\ude00""#, "\u{fffd}\n\u{fffd}");
        check(r#""\ud83d\u0041""#, "\u{fffd}A");
    }

    #[test]
    fn whole_pairs_and_escaped_backslashes_stay() {
        check(r#""\uD83D\uDE00""#, "\u{1f600}");
        check(r#""\\ud83d""#, r"\ud83d");
        check(r#""\\\ud83d\\""#, "\\\u{fffd}\\");
        check(r#""ä\ud7ff\ue000""#, "ä\u{d7ff}\u{e000}");
        assert!(matches!(repaired(r#""plain \n""#), Cow::Borrowed(_)));
    }

    #[test]
    fn broken_json_stays_an_error() {
        for text in [r#""\ud83""#, r#""\ud"#, r#""\ud83d"#, "\"\\ud83d\\", r#""\uDä00""#] {
            assert!(from_str::<String>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_repaired_too() {
        let value: Value = from_str(r#"{"\ud800":1}"#).unwrap();
        assert_eq!(value, json!({ "\u{fffd}": 1 }));
    }

    #[test]
    fn values_become_the_text_that_javascript_gives_them() {
        let cases = [
            (json!(null), "null"),
            (json!(true), "true"),
            (json!("x"), "x"),
            (json!({ "a": 1 }), "[object Object]"),
            (json!([1, null, "x", [2, 3], {}, false]), "1,,x,2,3,[object Object],false"),
            (json!([]), ""),
            (json!(1.0), "1"),
            (json!(-0.0), "0"),
            (json!(-1.5), "-1.5"),
            (json!(123.456), "123.456"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(1.25e-7), "1.25e-7"),
            (json!(0.000001), "0.000001"),
            (json!(9_007_199_254_740_993_u64), "9007199254740992"),
        ];
        for (value, expect) in cases {
            assert_eq!(js_string(&value), expect, "{value}");
        }
        assert_eq!(
            js_stringify(&json!({"a": [1.0, null, "\u{1}\"", 1e21], "b": {}})),
            r#"{"a":[1,null,"\u0001\"",1e+21],"b":{}}"#
        );
    }

    #[test]
    fn falsy_values_are_javascripts() {
        for value in [json!(null), json!(false), json!(0), json!(-0.0), json!("")] {
            assert!(is_falsy(&value), "{value}");
        }
        for value in [json!([]), json!({}), json!("0"), json!(1)] {
            assert!(!is_falsy(&value), "{value}");
        }
    }
}
