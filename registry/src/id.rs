//! Identities and time: newtypes over the strings of the event log, the clock readings a step is given, and the one
//! source of new ids. Nothing here reads a clock or an entropy source: both are arguments.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Defines an id: a string that cannot be mistaken for another kind of id.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as it stands in events and tables.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

id! {
    /// A notebook, which is also its store: LiveStore's `storeId`.
    NotebookId
    /// One entry of the execution queue (`executionQueue.id`). Legacy claims in the byte order of these ids.
    QueueId
    /// A cell (`cells.id`).
    CellId
    /// One session of a runtime agent (`runtimeSessions.sessionId`); see [`SessionId::for_agent`].
    SessionId
    /// A runtime agent across its sessions (`runtimeSessions.runtimeId`); see [`RuntimeId::for_agent`].
    RuntimeId
    /// A row of `outputs`, or a delta appended to one.
    OutputId
    /// Whoever acts on a notebook: a person or a runtime agent.
    UserId
    /// The Jupyter-style name under which displays are updated together, in any cell.
    DisplayId
    /// A tool call that may wait for approval.
    ToolCallId
}

/// Length of the random tail of a session id: the width of `Math.random().toString(36).slice(2)`, seldom longer.
const SESSION_TAIL_CHARS: usize = 11;

/// Prefix of the runtime ids that the registry's agents give themselves, which tells them from legacy's.
const REGISTRY_PREFIX: &str = "registry-";

impl SessionId {
    /// A fresh session id, `<type>-<runtimeId>-<epoch ms>-<base36>`: the form of the TypeScript `RuntimeAgent`.
    pub fn for_agent(runtime_type: &str, runtime_id: &RuntimeId, now: Now, ids: &mut IdSource) -> Self {
        let tail = ids.base36(SESSION_TAIL_CHARS);
        Self(format!("{runtime_type}-{runtime_id}-{}-{tail}", now.wall_ms))
    }
}

impl RuntimeId {
    /// A fresh runtime id of a registry agent, `registry-<nanoid>`.
    pub fn for_agent(ids: &mut IdSource) -> Self {
        Self(format!("{REGISTRY_PREFIX}{}", ids.nanoid()))
    }

    /// Whether an agent of this registry gave itself this id.
    #[must_use]
    pub fn is_registry(&self) -> bool {
        self.0.starts_with(REGISTRY_PREFIX)
    }
}

/// The clock readings that come in with an input. A step knows no other time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Now {
    /// Wall clock, milliseconds since 1970-01-01T00:00:00Z. It may jump: use it for dates only.
    pub wall_ms: i64,
    /// Monotonic clock, milliseconds since any fixed start. Deadlines and durations use this one.
    pub mono_ms: u64,
}

impl Now {
    /// The wall clock as a date for an event.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_ms(self.wall_ms)
    }
}

/// A date of the event log: milliseconds since 1970-01-01T00:00:00Z, between the years 0 and 9999.
///
/// On the wire it is what JavaScript's `Date.prototype.toISOString` writes, `2023-11-14T22:13:20.000Z`. Any RFC 3339
/// date is read; what is finer than a millisecond is dropped, as `Date` drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 0000-01-01T00:00:00.000Z: before it `toISOString` changes to six-digit years.
const MIN_MS: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z: after it `toISOString` changes to six-digit years.
const MAX_MS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// A date from milliseconds since the epoch. Outside the years 0 to 9999 it becomes the nearest date within them,
    /// so that every `Timestamp` can be written.
    #[must_use]
    pub fn from_ms(wall_ms: i64) -> Self {
        Self(wall_ms.clamp(MIN_MS, MAX_MS))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 date.
    ///
    /// # Errors
    /// When `text` is no RFC 3339 date.
    pub fn parse(text: &str) -> Result<Self, time::error::Parse> {
        let date = OffsetDateTime::parse(text, &Rfc3339)?;
        let ms = date.unix_timestamp() * 1000 + i64::from(date.millisecond());
        Ok(Self::from_ms(ms))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The clamp in `from_ms` keeps every value inside the range of `time`.
        let date = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        let (hour, minute, second) = (date.hour(), date.minute(), date.second());
        let ms = self.0.rem_euclid(1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .map_err(|error| serde::de::Error::custom(format_args!("not an RFC 3339 date ({error}): `{text}`")))
    }
}

/// The one source of new ids: a ChaCha8 stream, so equal seeds give equal ids and a run can be replayed.
///
/// The seed is the caller's: the edge takes it from the operating system, tests and replays write it down.
#[derive(Clone, Debug)]
pub struct IdSource {
    stream: ChaCha8Rng,
}

const NANOID_CHARS: usize = 21;
const NANOID_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const BASE36_ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl IdSource {
    /// A source that yields the same ids for the same seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { stream: ChaCha8Rng::from_seed(seed) }
    }

    /// 21 characters of `A-Za-z0-9_-`, each equally likely (126 bits): the form of nanoid, as the old code's ids.
    pub fn nanoid(&mut self) -> String {
        self.text(NANOID_ALPHABET, NANOID_CHARS)
    }

    /// A source of its own for a part of the whole, determined by this one's seed and how far it has been drawn.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self::new(self.seed())
    }

    /// The seed of such a part.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.stream.fill_bytes(&mut seed);
        seed
    }

    /// `chars` characters of `0-9a-z`, each equally likely.
    pub fn base36(&mut self, chars: usize) -> String {
        self.text(BASE36_ALPHABET, chars)
    }

    fn text(&mut self, alphabet: &[u8], chars: usize) -> String {
        (0..chars).map(|_| char::from(self.pick(alphabet))).collect()
    }

    /// Draws again where a byte falls beyond the last whole multiple of the alphabet, which keeps the draw uniform.
    fn pick(&mut self, alphabet: &[u8]) -> u8 {
        let fair_end = 256 - 256 % alphabet.len();
        loop {
            let mut byte = [0];
            self.stream.fill_bytes(&mut byte);
            let draw = usize::from(byte[0]);
            if draw < fair_end {
                return alphabet[draw % alphabet.len()];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_date(text: &str, written: &str) {
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), written, "{text}");
    }

    #[test]
    fn dates_are_written_as_javascript_writes_them() {
        check_date("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.000Z");
        check_date("2023-11-14T22:13:20Z", "2023-11-14T22:13:20.000Z");
        check_date("2023-11-14T23:13:20.0019+01:00", "2023-11-14T22:13:20.001Z");
        check_date("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z");
        check_date("0000-01-01T00:00:00.000Z", "0000-01-01T00:00:00.000Z");
        check_date("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z");
        assert!(Timestamp::parse("<time>").is_err());
    }

    #[test]
    fn a_date_out_of_range_becomes_the_nearest_writable_one() {
        assert_eq!(Timestamp::from_ms(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_ms(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_ms(-1).as_ms(), -1);
    }

    #[test]
    fn equal_seeds_give_equal_ids_of_the_right_form() {
        let (mut left, mut right) = (IdSource::new([7; 32]), IdSource::new([7; 32]));
        let id = left.nanoid();
        assert_eq!(id, right.nanoid());
        assert_ne!(id, left.nanoid());
        assert_eq!(id.len(), 21);
        assert!(id.bytes().all(|byte| NANOID_ALPHABET.contains(&byte)), "{id}");
        assert_eq!(IdSource::new([1; 32]).base36(200).len(), 200);
    }

    #[test]
    fn every_character_of_an_alphabet_is_about_as_likely() {
        let mut ids = IdSource::new([3; 32]);
        let text = ids.base36(180_000);
        for wanted in BASE36_ALPHABET {
            let seen = text.bytes().filter(|byte| byte == wanted).count();
            assert!((4650..5350).contains(&seen), "{} came {seen} times", char::from(*wanted));
        }
    }

    #[test]
    fn agent_ids_carry_their_type_runtime_and_time() {
        let mut ids = IdSource::new([9; 32]);
        let runtime = RuntimeId::for_agent(&mut ids);
        assert!(runtime.is_registry());
        assert!(!RuntimeId::from("html-runtime-x").is_registry());
        let now = Now { wall_ms: 1_700_000_000_000, mono_ms: 5 };
        let session = SessionId::for_agent("html", &runtime, now, &mut ids);
        let prefix = format!("html-{runtime}-1700000000000-");
        let tail = session.as_str().strip_prefix(&prefix).unwrap();
        assert_eq!(tail.len(), SESSION_TAIL_CHARS);
        assert_eq!(now.timestamp().to_string(), "2023-11-14T22:13:20.000Z");
    }

    #[test]
    fn an_id_is_a_plain_string_in_json() {
        assert_eq!(serde_json::to_string(&CellId::from("c1")).unwrap(), r#""c1""#);
        assert_eq!(serde_json::from_str::<CellId>(r#""c1""#).unwrap(), CellId::from("c1"));
    }
}
