//! Compares what a player saw with what was recorded.

use std::fmt;

use serde_json::Value;

use crate::placeholder::with_placeholders;
use crate::{Played, Trace};

/// Lines of context before a difference.
const CONTEXT: usize = 3;

/// Characters of a value that a report shows.
const SHOWN_CHARS: usize = 2000;

/// How close the two must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// Equal in every observation but those of what React drew and threw: no player renders.
    Exact,
    /// What the recordings' README lets a comparison ignore is ignored, too: repeated state callbacks that differ in the
    /// heartbeat alone, global listeners, and the states that React showed to a component.
    Allowed,
}

/// The first place where the two part.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The trace.
    pub scenario: String,
    /// The step in which they part, as the trace has it; none where only the tables differ.
    pub step: Option<(usize, String)>,
    /// Which part differs: `observation 12`, or a row of a table.
    pub place: String,
    /// What was recorded there.
    pub expected: String,
    /// What was seen there.
    pub observed: String,
    /// What both have just before.
    pub context: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.scenario, self.place)?;
        if let Some((at, step)) = &self.step {
            write!(f, ", step {at} {step}")?;
        }
        for line in &self.context {
            write!(f, "\n    both     {line}")?;
        }
        write!(f, "\n    expected {}\n    observed {}", self.expected, self.observed)
    }
}

/// The first difference between a trace and what was seen, or none.
pub fn compare(trace: &Trace, played: &Played, closeness: Closeness) -> Option<Difference> {
    let (observed, tables) = with_placeholders(&trace.scenario, &played.observations, &played.tables);
    let expected = comparable(trace.observations.clone(), closeness);
    let observed = comparable(observed, closeness);
    differing_observation(trace, &expected, &observed).or_else(|| differing_table(trace, &tables))
}

fn comparable(mut observations: Vec<Value>, closeness: Closeness) -> Vec<Value> {
    for seen in &mut observations {
        if let Some(fields) = seen.as_object_mut() {
            fields.shift_remove("seq");
        }
    }
    observations.retain(|seen| !is_rendering(seen));
    match closeness {
        Closeness::Exact => observations,
        Closeness::Allowed => without_repeats(observations.into_iter().filter(|seen| !is_ignored(seen)).collect()),
    }
}

fn is_rendering(seen: &Value) -> bool {
    seen["kind"] == "dom" || seen["where"] == "render"
}

fn is_ignored(seen: &Value) -> bool {
    seen["kind"] == "global-listener" || seen["from"] == "hook"
}

/// Leaves out a state callback that tells the same callback the same as the one before, the heartbeat aside.
fn without_repeats(observations: Vec<Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::with_capacity(observations.len());
    for seen in observations {
        let is_same_callback = |other: &&Value| {
            other["kind"] == "state" && other["cb"] == seen["cb"] && other["runtime"] == seen["runtime"]
        };
        let last = kept.iter().rev().find(is_same_callback);
        let repeats = seen["kind"] == "state" && last.is_some_and(|last| beatless(last) == beatless(&seen));
        if !repeats {
            kept.push(seen);
        }
    }
    kept
}

fn beatless(seen: &Value) -> Value {
    let mut state = seen["state"].clone();
    if let Some(fields) = state.as_object_mut() {
        fields.shift_remove("lastHeartbeat");
    }
    state
}

fn differing_observation(trace: &Trace, expected: &[Value], observed: &[Value]) -> Option<Difference> {
    let at = first_difference(expected, observed)?;
    let step = [expected.get(at), observed.get(at)].into_iter().flatten().filter_map(|seen| seen["at"].as_u64()).min();
    let step = step.and_then(|step| usize::try_from(step).ok());
    Some(Difference {
        scenario: trace.scenario.clone(),
        step: step.map(|step| (step, trace.steps.get(step).map_or_else(String::new, shown))),
        place: format!("observation {at}"),
        expected: shown_or_nothing(expected.get(at)),
        observed: shown_or_nothing(observed.get(at)),
        context: expected[at.saturating_sub(CONTEXT)..at].iter().map(shown).collect(),
    })
}

fn differing_table(trace: &Trace, observed: &Value) -> Option<Difference> {
    let (expected, observed) = (rows(&trace.tables), rows(observed));
    let at = first_difference(&expected, &observed)?;
    let row = |rows: &[(String, Value)]| shown_or_nothing(rows.get(at).map(|(_, row)| row));
    let place = expected.get(at).or(observed.get(at)).map_or_else(String::new, |(place, _)| place.clone());
    Some(Difference {
        scenario: trace.scenario.clone(),
        step: None,
        place,
        expected: row(&expected),
        observed: row(&observed),
        context: expected[at.saturating_sub(CONTEXT)..at]
            .iter()
            .map(|(place, row)| format!("{place} {}", shown(row)))
            .collect(),
    })
}

/// Every row behind the count of its table's rows.
fn rows(tables: &Value) -> Vec<(String, Value)> {
    let empty = serde_json::Map::new();
    let tables = tables.as_object().unwrap_or(&empty);
    let of_table = |(name, rows): (&String, &Value)| -> Vec<(String, Value)> {
        let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
        let count = (format!("rows of {name}"), Value::from(rows.len()));
        let row = |(at, row): (usize, &Value)| (format!("{name}[{at}]"), row.clone());
        std::iter::once(count).chain(rows.iter().enumerate().map(row)).collect()
    };
    tables.iter().flat_map(of_table).collect()
}

fn first_difference<T: PartialEq>(expected: &[T], observed: &[T]) -> Option<usize> {
    (0..expected.len().max(observed.len())).find(|&at| expected.get(at) != observed.get(at))
}

fn shown_or_nothing(value: Option<&Value>) -> String {
    value.map_or_else(|| "(nothing more)".to_owned(), shown)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state(cb: &str, status: &str, heartbeat: &str) -> Value {
        json!({ "kind": "state", "runtime": "r", "cb": cb, "state": { "status": status, "lastHeartbeat": heartbeat } })
    }

    #[test]
    fn a_repeated_state_is_left_out_for_its_own_callback_only() {
        let seen =
            vec![state("a", "ready", "1"), state("b", "ready", "1"), state("a", "ready", "2"), state("a", "busy", "2")];
        let kept = without_repeats(seen.clone());
        assert_eq!(kept, [seen[0].clone(), seen[1].clone(), seen[3].clone()]);
    }

    #[test]
    fn a_state_that_comes_back_stays() {
        let seen = vec![state("a", "ready", "1"), state("a", "busy", "1"), state("a", "ready", "1")];
        assert_eq!(without_repeats(seen.clone()), seen);
    }
}
