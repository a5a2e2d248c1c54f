//! Both sides of a comparison as text, so that a reader sees at a glance where they part.

use std::fmt::Write;

use bridge_core::{Canonical, Compared, Comparison, Observation, Verdict};
use serde_json::Value;

/// Characters of a value that are shown; of longer ones the length is told.
const MAX_SHOWN: usize = 60;

/// The comparisons of a run: one block per execution, a line per place, both sides where they differ.
pub fn side_by_side(compared: &[(Observation, Comparison)]) -> String {
    let mut out = String::new();
    for (_, comparison) in compared {
        for execution in &comparison.executions {
            write_execution(&mut out, execution);
        }
        if comparison.order != Verdict::Match {
            let _ = writeln!(out, "order: {}\n", said(&comparison.order));
        }
    }
    out
}

fn write_execution(out: &mut String, execution: &Compared) {
    let _ = writeln!(out, "{} ({}): {}", execution.queue_id, execution.cell_id, said(&execution.verdict));
    let (legacy, registry) = (leaves(&execution.legacy), leaves(&execution.registry));
    let mut paths: Vec<&String> = legacy.iter().chain(&registry).map(|(path, _)| path).collect();
    paths.sort_unstable();
    paths.dedup();
    let value = |side: &[(String, Value)], path: &str| {
        side.iter().find(|(known, _)| known == path).map_or_else(|| "nothing".to_owned(), |(_, value)| shown(value))
    };
    for path in paths {
        let (left, right) = (value(&legacy, path), value(&registry, path));
        let _ = match left == right {
            true => writeln!(out, "    {path}: {left}"),
            false => writeln!(out, "  ≠ {path}: legacy {left} | registry {right}"),
        };
    }
    out.push('\n');
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Match => "match".to_owned(),
        Verdict::Known { names } => format!("known: {}", names.iter().copied().collect::<Vec<_>>().join(", ")),
        Verdict::Noise { paths } => format!("noise: {}", paths.iter().cloned().collect::<Vec<_>>().join(", ")),
        Verdict::Mismatch { signature, .. } => format!("MISMATCH {signature}"),
        Verdict::Inconclusive { why } => format!("inconclusive: {why:?}"),
    }
}

fn leaves(canonical: &Canonical) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    collect("", &serde_json::to_value(canonical).unwrap_or_default(), &mut leaves);
    leaves
}

fn collect(path: &str, value: &Value, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            fields.iter().for_each(|(name, value)| collect(&format!("{path}{dot}{name}"), value, leaves));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, value)| collect(&format!("{path}[{at}]"), value, leaves));
        }
        _ => leaves.push((path.to_owned(), value.clone())),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    let length = text.chars().count();
    if length <= MAX_SHOWN {
        return text;
    }
    let head: String = text.chars().take(MAX_SHOWN).collect();
    format!("{head}… ({length} characters)")
}
