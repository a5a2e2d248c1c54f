//! A difference as a reviewer reads it: both sides one above the other, and a mark where they part.

use std::fmt::Write as _;

use bridge_core::{Located, Spot};
use serde_json::Value;

/// Characters of a line that are shown on each side of the place where texts part.
const MARGIN: usize = 60;

/// Characters of a value that is no text.
const MAX_VALUE: usize = 400;

/// The width of the names of both sides.
const SIDES: [&str; 2] = ["old path", "registry"];

pub(crate) fn show(located: &Located) -> String {
    let difference = &located.difference;
    match (&difference.legacy, &difference.registry, located.at) {
        (Some(Value::String(legacy)), Some(Value::String(registry)), Some(at)) => {
            texts(&difference.path, [legacy, registry], at)
        }
        _ => values(&difference.path, [difference.legacy.as_ref(), difference.registry.as_ref()]),
    }
}

fn texts(path: &str, sides: [&str; 2], at: Spot) -> String {
    let Spot { offset, line, column } = at;
    let mut out = format!("  {path}: line {line}, column {column} (character {offset})\n");
    for (name, text) in SIDES.into_iter().zip(sides) {
        let rest = if text.chars().count() == offset { " (it ends here)" } else { "" };
        let _ = writeln!(out, "    {name} | {}{rest}", window(text, at));
    }
    let before = window_before(sides[0], at).chars().count();
    let _ = writeln!(out, "    {:8} | {}^", "", " ".repeat(before));
    out
}

/// The line that holds a place, as much of it as is near, its control characters written out.
fn window(text: &str, at: Spot) -> String {
    let behind: String = line_of(text, at).chars().skip(at.column - 1).take(MARGIN).collect();
    format!("{}{}", window_before(text, at), visible(&behind))
}

fn window_before(text: &str, at: Spot) -> String {
    let before = at.column - 1;
    let near: String = line_of(text, at).chars().take(before).skip(before.saturating_sub(MARGIN)).collect();
    visible(&near)
}

/// With its end, so that a place behind the last character of a line is seen.
fn line_of(text: &str, at: Spot) -> &str {
    text.split_inclusive('\n').nth(at.line - 1).unwrap_or_default()
}

fn visible(text: &str) -> String {
    let shown = |character: char| {
        let is_plain = !character.is_control() && (character == ' ' || !character.is_whitespace());
        if is_plain && character != '\u{feff}' { character.to_string() } else { character.escape_default().to_string() }
    };
    text.chars().map(shown).collect()
}

fn values(path: &str, sides: [Option<&Value>; 2]) -> String {
    let mut out = format!("  {path}\n");
    for (name, value) in SIDES.into_iter().zip(sides) {
        let text = match value {
            Some(Value::String(text)) => visible(text),
            Some(value) => value.to_string(),
            None => "(nothing)".to_owned(),
        };
        let short: String = text.chars().take(MAX_VALUE).collect();
        let _ = writeln!(out, "    {name} | {short}{}", if short.len() < text.len() { "…" } else { "" });
    }
    out
}
