//! Redaction: other characters of the same shape, so that nobody reads what users have written and everybody sees where two
//! texts differ.
//!
//! Within a word each character becomes another one of its class (small letter, capital, digit, character of as many bytes),
//! and which one depends on the characters before it in the word and on a secret that is written nowhere. So equal words stay
//! equal, different ones stay different and differ from the same character on, and lengths, lines, white space, punctuation,
//! control characters and escape sequences stay what they are. Ids become their rank: their order as texts stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use crate::Observation;

/// What redaction and digests depend on: 32 random bytes that no record holds. Without them nobody can try out which text has
/// become another one.
#[derive(Clone, Copy)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Hexadecimal digits of a digest: no two texts of one folder will share them.
const DIGEST_DIGITS: usize = 16;

/// Fields whose strings are names of ours, never a user's.
const OPEN_FIELDS: [&str; 11] = [
    "serving",
    "status",
    "is",
    "event",
    "name",
    "type",
    "runtimeType",
    "unclear",
    "streamName",
    "startedAt",
    "completedAt",
];

/// Fields that hold ids.
const ID_FIELDS: [&str; 14] = [
    "id",
    "queueId",
    "cellId",
    "outputId",
    "displayId",
    "artifactId",
    "runtimeSessionId",
    "assignedRuntimeSession",
    "runtimeId",
    "sessionId",
    "requestedBy",
    "cancelledBy",
    "clearedBy",
    "actorId",
];

/// Fields that hold what users have written, as JSON of any shape.
const CONTENT_FIELDS: [&str; 2] = ["data", "metadata"];

/// Fields that no record holds, redacted or not, wherever somebody has put them.
const NEVER: [&str; 11] = [
    "env",
    "environment",
    "authorization",
    "authtoken",
    "auth",
    "token",
    "password",
    "secret",
    "apikey",
    "cookie",
    "credentials",
];

/// What the cores themselves write as an error; it tells nothing of a user.
const OUR_ERRORS: [&str; 3] = ["cell not found", "runtime-bridge: fenced", "runtime-bridge: orphaned"];

/// What the old path writes before the message of a refusal.
const ERROR_PREFIX: &str = "Error: ";

impl Secret {
    /// Names a text without telling it: equal texts have equal digests, as long as the secret is the same.
    pub fn digest(&self, text: &str) -> String {
        hex(&Sha256::new().chain_update(self.0).chain_update(text).finalize(), DIGEST_DIGITS)
    }

    /// A text of the same shape.
    pub fn text(&self, text: &str) -> String {
        if OUR_ERRORS.contains(&text) {
            return text.to_owned();
        }
        match text.strip_prefix(ERROR_PREFIX) {
            Some(message) => format!("{ERROR_PREFIX}{}", Mask::new(self).text(message)),
            None => Mask::new(self).text(text),
        }
    }

    /// JSON of the same shape: its strings, numbers and keys.
    fn content(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Number(number) => self.number(number).into(),
            Value::Array(items) => items.iter().map(|item| self.content(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (self.text(key), self.content(value))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    /// A number with as many digits; one that cannot be written so stays out.
    fn number(&self, number: &Number) -> Number {
        let text = number.to_string();
        let masked = Mask::new(self).text(&text);
        // A number does not begin with a zero, and another one stays one.
        let is_number = |text: &str| text.len() == 1 || !text.trim_start_matches('-').starts_with('0');
        let masked = if is_number(&text) == is_number(&masked) { masked } else { masked.replacen('0', "1", 1) };
        masked.parse().unwrap_or_else(|_| 0.into())
    }
}

/// The first digits of a hash.
pub(super) fn hex(hash: &[u8], digits: usize) -> String {
    let mut out: String = hash.iter().take(digits.div_ceil(2)).map(|byte| format!("{byte:02x}")).collect();
    out.truncate(digits);
    out
}

/// An observation as a redacted record holds it; nothing where a part of it cannot be told so.
pub(super) fn redact(secret: &Secret, observation: &Observation) -> Option<Observation> {
    let plain = serde_json::to_value(observation).ok()?;
    let mut ids = BTreeSet::new();
    collect_ids(&plain, &mut ids);
    let width = ids.len().to_string().len();
    let ids = ids.into_iter().enumerate().map(|(rank, id)| (id, format!("id-{:0width$}", rank + 1))).collect();
    serde_json::from_value(Redactor { secret, ids }.fields(&plain)).ok()
}

/// The same without what no record may hold.
pub(super) fn strip(observation: &Observation) -> Option<Observation> {
    let mut plain = serde_json::to_value(observation).ok()?;
    remove_secrets(&mut plain);
    serde_json::from_value(plain).ok()
}

fn remove_secrets(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(remove_secrets),
        Value::Object(fields) => {
            fields.retain(|key, _| !is_secret(key));
            fields.values_mut().for_each(remove_secrets);
        }
        _ => {}
    }
}

fn is_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    NEVER.contains(&plain.as_str())
}

fn collect_ids<'v>(value: &'v Value, ids: &mut BTreeSet<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, ids)),
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !CONTENT_FIELDS.contains(&key.as_str())) {
                match value {
                    Value::String(id) if ID_FIELDS.contains(&key.as_str()) => {
                        ids.insert(id);
                    }
                    other => collect_ids(other, ids),
                }
            }
        }
        _ => {}
    }
}

struct Redactor<'a> {
    secret: &'a Secret,
    ids: BTreeMap<&'a str, String>,
}

impl Redactor<'_> {
    /// The fields of what the bridge itself lays out. What it does not know is a user's.
    fn fields(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(key, _)| !is_secret(key));
                kept.map(|(key, value)| (key.clone(), self.field(key, value))).collect::<Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(|item| self.fields(item)).collect(),
            Value::String(text) => self.secret.text(text).into(),
            other => other.clone(),
        }
    }

    fn field(&self, key: &str, value: &Value) -> Value {
        match value {
            _ if CONTENT_FIELDS.contains(&key) => {
                let mut content = value.clone();
                remove_secrets(&mut content);
                self.secret.content(&content)
            }
            Value::String(text) if OPEN_FIELDS.contains(&key) => text.clone().into(),
            Value::String(text) if ID_FIELDS.contains(&key) => match self.ids.get(text.as_str()) {
                Some(rank) => rank.clone().into(),
                None => self.secret.text(text).into(),
            },
            other => self.fields(other),
        }
    }
}

/// Characters that take each other's place, as ranges of code points; each is a class of its own. None holds white space, a
/// surrogate, a control or formatting character, or the byte order mark.
const CLASSES: [(u32, u32); 12] = [
    (0x30, 0x3a),
    (0x41, 0x5b),
    (0x61, 0x7b),
    (0xc0, 0x600),
    (0x620, 0x800),
    (0x900, 0x1680),
    (0x1681, 0x180b),
    (0x1810, 0x2000),
    (0x2070, 0x3000),
    (0x3001, 0xd800),
    (0xf900, 0xfdd0),
    (0x1_0000, 0xe_0000),
];

/// Hexadecimal digits of an address take each other's place among themselves.
const HEX_LETTERS: (u32, u32) = (0x61, 0x67);

/// What stands before an address in a text: the rules of normalisation look for it.
const ADDRESSES: [&str; 2] = ["object at 0x", "at 0x"];

/// The way through one text.
struct Mask<'s> {
    secret: &'s Secret,
    /// The hash of the word so far.
    word: Option<[u8; 32]>,
    is_address: bool,
}

impl<'s> Mask<'s> {
    fn new(secret: &'s Secret) -> Self {
        Self { secret, word: None, is_address: false }
    }

    fn text(mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let kept = if self.word.is_none() { kept_length(rest) } else { 0 };
            if kept > 0 {
                out.push_str(&rest[..kept]);
                self.is_address = rest[..kept].ends_with("0x");
                rest = &rest[kept..];
                continue;
            }
            out.push(self.character(character));
            rest = &rest[character.len_utf8()..];
        }
        out
    }

    fn character(&mut self, character: char) -> char {
        let Some((first, end)) = self.class(character) else {
            (self.word, self.is_address) = (None, false);
            return character;
        };
        let before = self.word.unwrap_or(self.secret.0);
        let size = end - first;
        // Never by nothing: no character stays what it was.
        let by = 1 + u32::from_le_bytes([before[0], before[1], before[2], 0]) % (size - 1);
        let mut bytes = [0; 4];
        let hash = Sha256::new().chain_update(before).chain_update(character.encode_utf8(&mut bytes)).finalize();
        self.word = Some(hash.into());
        char::from_u32(first + (character as u32 - first + by) % size).unwrap_or(character)
    }

    fn class(&self, character: char) -> Option<(u32, u32)> {
        let code = character as u32;
        let is_within = |class: &(u32, u32)| (class.0..class.1).contains(&code);
        if self.is_address && is_within(&HEX_LETTERS) {
            return Some(HEX_LETTERS);
        }
        CLASSES.into_iter().find(is_within)
    }
}

/// How much at the beginning of this stays as it is: an escape sequence, or what announces an address.
fn kept_length(text: &str) -> usize {
    if let Some(announced) = ADDRESSES.into_iter().find(|announced| text.starts_with(announced)) {
        return announced.len();
    }
    let Some(behind) = text.strip_prefix('\u{1b}') else { return 0 };
    let (introducer, body) = match behind.strip_prefix('[') {
        Some(body) => (2, body),
        None => (1, behind),
    };
    let parameters = body.bytes().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    let is_final = body.as_bytes().get(parameters).is_some_and(|byte| matches!(byte, 0x30..=0x7e));
    introducer + parameters + usize::from(is_final)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret([7; 32]);

    fn kinds(text: &str) -> Vec<(usize, bool, bool, bool)> {
        let kind = |c: char| (c.len_utf8(), c.is_ascii_lowercase(), c.is_ascii_uppercase(), c.is_ascii_digit());
        text.chars().map(kind).collect()
    }

    #[test]
    fn a_text_keeps_its_shape_and_none_of_its_letters() {
        let text = "\u{feff}<B class=\"pay\">Été 2024</B>\r\n\t4.5 %\u{1b}[1;31mred\u{1b}[0m 日本語 🙂";
        let masked = SECRET.text(text);
        assert_eq!(kinds(&masked), kinds(text));
        for (old, new) in text.chars().zip(masked.chars()) {
            let is_word = old.is_alphanumeric() && !"1;31m0".contains(old);
            assert!(!is_word || old != new, "{old} in {masked}");
        }
        assert!(masked.contains("\u{1b}[1;31m") && masked.starts_with('\u{feff}') && masked.contains("\r\n\t"));
        assert_ne!(masked, Secret([8; 32]).text(text));
    }

    #[test]
    fn equal_words_stay_equal_and_others_part_where_they_did() {
        let masked = SECRET.text("total totem total");
        let words: Vec<&str> = masked.split(' ').collect();
        assert_eq!(words[0], words[2]);
        assert_eq!(words[0][..3], words[1][..3]);
        assert_ne!(words[0][3..4], words[1][3..4]);
        let letters: BTreeSet<String> = ('a'..='z').map(|letter| SECRET.text(&letter.to_string())).collect();
        assert_eq!(letters.len(), 26);
    }

    #[test]
    fn what_the_rules_look_for_stays() {
        let masked = SECRET.text("<Plot at 0x7f3a1c> cat at 0xyz");
        let address = &masked[masked.find("0x").unwrap() + 2..masked.find('>').unwrap()];
        assert!(masked.contains(" at 0x") && address.bytes().all(|byte| byte.is_ascii_hexdigit()), "{masked}");
        assert_eq!(SECRET.text("cell not found"), "cell not found");
        assert!(SECRET.text("Error: refused").starts_with("Error: ") && !SECRET.text("Error: refused").contains("ref"));
    }

    #[test]
    fn json_keeps_its_shape() {
        let content = SECRET.content(&serde_json::json!({ "name": ["Ada", 17, 0, 2.5, -30, null, true] }));
        let text = content.to_string();
        assert!(!text.contains("name") && !text.contains("Ada") && !text.contains("17") && !text.contains("2.5"));
        assert_eq!(text.len(), "{\"name\":[\"Ada\",17,0,2.5,-30,null,true]}".len(), "{text}");
    }
}
