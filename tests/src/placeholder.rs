//! Turns what a player saw into the form of a recording: generated ids, dates and durations become placeholders.
//!
//! Ids are recognised by their form alone, so that the observations of any player can be turned. They are numbered by first
//! appearance, in the order of the observations, then of the tables.

use registry::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// UTF-16 units up to which a recording keeps a text.
const LONGEST_KEPT: usize = 2000;

/// Characters of a nanoid.
const NANOID_CHARS: usize = 21;

/// Digits of a date in milliseconds, from 2001 to 2286.
const EPOCH_DIGITS: usize = 13;

/// Characters that the user interface shows of a session id.
const TAIL_CHARS: usize = 6;

/// Observations and tables with placeholders; the suite of the scenario tells whose durations are constants.
pub fn with_placeholders(scenario: &str, observations: &[Value], tables: &Value) -> (Vec<Value>, Value) {
    let mut naming = Naming { keeps_durations: scenario.starts_with("manager/"), ..Naming::default() };
    let observations = observations.iter().map(|seen| naming.observation(seen)).collect();
    (observations, naming.tables(tables))
}

/// The ids seen so far.
#[derive(Default)]
struct Naming {
    runtimes: Numbered,
    sessions: Numbered,
    outputs: Numbered,
    deltas: Numbered,
    /// The old React component's durations are constants and stand as they are.
    keeps_durations: bool,
}

#[derive(Default)]
struct Numbered {
    seen: Vec<String>,
}

impl Numbered {
    fn placeholder(&mut self, kind: &str, id: &str) -> String {
        let at = self.seen.iter().position(|seen| seen == id).unwrap_or_else(|| {
            self.seen.push(id.to_owned());
            self.seen.len() - 1
        });
        format!("<{kind}:{}>", at + 1)
    }
}

/// What the fields `id` and `outputId` hold where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Output,
    Delta,
    Dom,
    Other,
}

impl Within {
    fn event(name: &str) -> Self {
        match name {
            "v2.TerminalOutputAppended" | "v2.MarkdownOutputAppended" => Self::Delta,
            name if name.contains("Output") => Self::Output,
            _ => Self::Other,
        }
    }

    fn table(name: &str) -> Self {
        match name {
            "outputs" => Self::Output,
            "outputDeltas" => Self::Delta,
            _ => Self::Other,
        }
    }
}

impl Naming {
    fn observation(&mut self, seen: &Value) -> Value {
        let kind = seen["kind"].as_str().unwrap_or_default();
        let within = match (kind, seen["name"].as_str()) {
            ("event" | "event-fault", Some(name)) => Within::event(name),
            ("dom", _) => Within::Dom,
            _ => Within::Other,
        };
        let Value::Object(fields) = seen else { return seen.clone() };
        let named = fields.iter().map(|(name, value)| {
            let value = if name == "tables" { self.tables(value) } else { self.field(name, value, within) };
            (name.clone(), value)
        });
        Value::Object(named.collect())
    }

    fn tables(&mut self, tables: &Value) -> Value {
        let Value::Object(tables) = tables else { return tables.clone() };
        let named = tables.iter().map(|(name, rows)| (name.clone(), self.value(rows, Within::table(name))));
        Value::Object(named.collect())
    }

    fn value(&mut self, value: &Value, within: Within) -> Value {
        match value {
            Value::String(text) => self.text(text, within),
            Value::Array(items) => items.iter().map(|item| self.value(item, within)).collect(),
            Value::Object(fields) => {
                let named = fields.iter().map(|(name, value)| (name.clone(), self.field(name, value, within)));
                Value::Object(named.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn field(&mut self, name: &str, value: &Value, within: Within) -> Value {
        match (name, value) {
            ("executionDurationMs" | "lastExecutionDurationMs", Value::Number(_)) if !self.keeps_durations => {
                "<ms>".into()
            }
            ("id", Value::String(id)) if within == Within::Delta && is_output_id(id) => {
                self.deltas.placeholder("delta", id).into()
            }
            ("id" | "outputId", Value::String(id)) if within != Within::Other && is_output_id(id) => {
                self.outputs.placeholder("output", id).into()
            }
            _ => self.value(value, within),
        }
    }

    fn text(&mut self, text: &str, within: Within) -> Value {
        let units = text.encode_utf16().count();
        if units > LONGEST_KEPT {
            let sha256: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            return json!({ "$long": { "utf16": units, "bytes": text.len(), "sha256": sha256 } });
        }
        if is_date(text) {
            return "<time>".into();
        }
        if is_agent_session(text) {
            return self.sessions.placeholder("session", text).into();
        }
        let named = self.ids_within(text);
        if within == Within::Dom { self.without_tails(named).into() } else { named.into() }
    }

    /// Puts placeholders for every runtime id and legacy session id in a text.
    fn ids_within(&mut self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(found) = find_id(rest) {
            out.push_str(&rest[..found.start]);
            let id = &rest[found.start..found.end];
            out.push_str(&match found.is_session {
                true => self.sessions.placeholder("session", id),
                false => self.runtimes.placeholder("runtime", id),
            });
            rest = &rest[found.end..];
        }
        out + rest
    }

    fn without_tails(&self, text: String) -> String {
        let tail = |id: &String| id.get(id.len().checked_sub(TAIL_CHARS)?..).map(str::to_owned);
        self.sessions.seen.iter().filter_map(tail).fold(text, |text, tail| text.replace(&tail, "<session-tail>"))
    }
}

struct Found {
    start: usize,
    end: usize,
    is_session: bool,
}

/// The first `<type>-runtime-<nanoid>`, with `-<epoch ms>` behind it if it is a session.
fn find_id(text: &str) -> Option<Found> {
    const MARK: &str = "-runtime-";
    let mut from = 0;
    while let Some(at) = text[from..].find(MARK).map(|at| from + at) {
        let start = text[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
        let nanoid = at + MARK.len();
        let end = nanoid + NANOID_CHARS;
        let is_id = start < at && text.get(nanoid..end).is_some_and(|id| id.bytes().all(is_nanoid_byte));
        if is_id && !text[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            let ms = text[end..].strip_prefix('-').map_or(0, leading_digits);
            let is_session = ms == EPOCH_DIGITS;
            return Some(Found { start, end: if is_session { end + 1 + ms } else { end }, is_session });
        }
        from = nanoid;
    }
    None
}

fn leading_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn is_nanoid_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn is_output_id(text: &str) -> bool {
    is_uuid(text) || (text.len() == NANOID_CHARS && text.bytes().all(is_nanoid_byte))
}

/// Version 4, in lower case.
fn is_uuid(text: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            _ => is_hex(byte),
        })
}

/// `<type>-<runtimeId>-<epoch ms>-<base36>`.
fn is_agent_session(text: &str) -> bool {
    let mut parts = text.rsplitn(3, '-');
    let (Some(tail), Some(ms), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let is_base36 = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    !tail.is_empty()
        && tail.bytes().all(is_base36)
        && ms.len() == EPOCH_DIGITS
        && ms.bytes().all(|byte| byte.is_ascii_digit())
        && rest.contains('-')
}

/// A date as `Date.prototype.toISOString` writes it.
fn is_date(text: &str) -> bool {
    Timestamp::parse(text).is_ok_and(|date| date.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNTIME: &str = "html-runtime-V1StGXR8_Z5jdHi6B-myT";

    fn check(seen: &Value, expected: &Value) {
        let (turned, _) = with_placeholders("html/x", std::slice::from_ref(seen), &json!({}));
        assert_eq!(turned[0], *expected);
    }

    #[test]
    fn ids_are_numbered_by_first_appearance_and_keep_their_references() {
        let other = RUNTIME.replace("V1", "W2");
        let text = format!("{other} before {RUNTIME}-1700000000000, {other}");
        check(&json!({ "message": text }), &json!({ "message": "<runtime:1> before <session:1>, <runtime:1>" }));
    }

    #[test]
    fn a_name_that_is_no_id_stays() {
        for text in ["html-runtime", "test-runtime-x", "2023-11-14", "V1StGXR8_Z5jdHi6B-myT"] {
            check(&json!({ "value": text }), &json!({ "value": text }));
        }
    }

    #[test]
    fn an_agents_session_and_its_dates_are_recognised() {
        let seen = json!({ "sessionId": "html-agent-1-1700000000000-k3x9", "at": "2023-11-14T22:13:20.000Z" });
        check(&seen, &json!({ "sessionId": "<session:1>", "at": "<time>" }));
    }

    #[test]
    fn outputs_and_deltas_are_told_apart_by_where_they_stand() {
        let uuid = |n: u32| format!("0000000{n}-0000-4000-8000-000000000000");
        let seen = json!({
            "kind": "event", "name": "v2.TerminalOutputAppended", "args": { "id": uuid(1), "outputId": uuid(2) },
        });
        let expected = json!({
            "kind": "event", "name": "v2.TerminalOutputAppended", "args": { "id": "<delta:1>", "outputId": "<output:1>" },
        });
        check(&seen, &expected);
    }

    #[test]
    fn a_long_text_becomes_its_lengths_and_its_hash() {
        let long = json!({ "utf16": 2001, "bytes": 2001, "sha256": format!("{:x}", Sha256::digest("a".repeat(2001))) });
        check(&json!({ "data": "a".repeat(2001) }), &json!({ "data": { "$long": long } }));
        check(&json!({ "data": "a".repeat(2000) }), &json!({ "data": "a".repeat(2000) }));
    }

    #[test]
    fn only_the_old_components_durations_are_constants() {
        let seen = json!({ "executionDurationMs": 100 });
        check(&seen, &json!({ "executionDurationMs": "<ms>" }));
        let (kept, _) = with_placeholders("manager/x", std::slice::from_ref(&seen), &json!({}));
        assert_eq!(kept[0], seen);
    }
}
