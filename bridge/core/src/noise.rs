//! Noise: where results vary by themselves, learned from pairs of runs of the control alone.
//!
//! A pair is two runs of one cell source by one path, or one run and its repetition in A/A mode. Runs that served are paired
//! within their session, each in one pair only: (1, 2), (3, 4), so that one outlier counts once. A pair whose lifecycles or ends
//! differ was run under other circumstances and teaches nothing.
//!
//! What is learned belongs to a class (a runtime type and a source) and a place in it: a number, or one word of a text. Where two
//! texts have the same words but for one, that word is the place; where they cannot be laid side by side, nothing in them is ever
//! excused. A place is noisy by the rate test of the guard: against the claim that it differs in at most [`NOISE_LIMIT`] of the
//! pairs, at [`NOISE_ALPHA`]. It counts what kind of words differed there too, so that `undefined` in the place of a random
//! number is no noise. A place that never differed is never noisy.

mod state;

use std::collections::{BTreeMap, BTreeSet};

use registry::SessionId;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::compare::{Compared, Comparison, ComparisonMode, Difference, MAX_DIFFERENCES, Verdict, differing};
use crate::guard::{ALPHA, Class, Counts, RATE_LIMIT, ln_e_rate};
use crate::normalise::{Hits, normalise};
use crate::shadow::{Observation, ObservedExecution, Source};
pub use state::NoiseStateError;

/// The share of pairs in which a place may differ without being noisy: what the guard tolerates of the candidate.
pub const NOISE_LIMIT: f64 = RATE_LIMIT;

/// The chance that a place that differs no more often than that is ever called noisy, for each stay of its class in memory.
pub const NOISE_ALPHA: f64 = ALPHA;

/// Classes that are remembered; the one that was not seen for longest makes room. With all that each may hold, about 16 MB.
pub const MAX_NOISE_CLASSES: usize = 500;

/// Places that are remembered of a class: two dozen UUIDs. Further ones are never noisy.
pub const MAX_NOISE_PLACES: usize = 128;

/// Bytes of a run that is kept until its pair comes. Larger ones are paired in A/A mode only.
pub const MAX_PAIRED_BYTES: usize = 8 * 1024;

/// Bytes of a text that is looked at word by word.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Bytes of a place's path; a longer one is not remembered.
const MAX_PLACE_BYTES: usize = 120;

/// What is known of the noise of the control.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoiseModel {
    classes: BTreeMap<String, Learned>,
    seen: u64,
}

/// What a comparison has taught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lesson {
    /// Nothing that could be kept.
    #[default]
    Nothing,
    /// How a pair came out.
    Pair,
    /// Of a pair, that something is noise which was not, or is none any more.
    Noise,
}

/// What was learned of one class.
#[derive(Clone, Debug, Default, PartialEq)]
struct Learned {
    /// The number of the execution that was its last.
    seen: u64,
    pairs: u64,
    places: BTreeMap<String, Place>,
    /// A run of the control that waits for its pair.
    unpaired: Option<Run>,
}

/// How often the control differed from itself in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// By kind: pairs that differed there in something of this kind or a wider one.
    hits: [u64; 4],
    /// The widest kind that is noise there.
    noisy: Option<Kind>,
}

/// A run of the control: what counts of it, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    session: SessionId,
    fields: String,
}

/// What differs in a place, the widest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A number, or digits.
    Figure,
    /// Hexadecimal digits.
    Hexadecimal,
    /// Any word.
    Word,
    /// More than a word: it makes its class noisy, and excuses nothing.
    Shape,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Figure, Self::Hexadecimal, Self::Word, Self::Shape];

    fn of(word: &str) -> Self {
        match () {
            () if word.bytes().all(|byte| byte.is_ascii_digit()) => Self::Figure,
            () if word.bytes().all(|byte| byte.is_ascii_hexdigit()) => Self::Hexadecimal,
            () => Self::Word,
        }
    }
}

/// The places in which two runs differ, and in what.
type Varied = BTreeMap<String, Kind>;

impl NoiseModel {
    /// Judges a comparison by what is known, then learns from it: a mismatch becomes noise where all of it lies where the control
    /// differs from itself. A comparison whose candidate failed is left alone, control included: the candidate may have choked
    /// on what is in it.
    pub fn take(&mut self, runtime_type: &str, observation: &Observation, comparison: &mut Comparison) -> Lesson {
        // The candidate is fed with the very run that it is compared with: noise of the control is in both.
        if observation.is_external() || comparison.candidate_failure().is_some() {
            return Lesson::Nothing;
        }
        let mut lesson = Lesson::Nothing;
        let mode = comparison.mode;
        for compared in &mut comparison.executions {
            let execution = observation.executions.iter().find(|execution| execution.entry.id == compared.queue_id);
            let Some(execution) = execution else { continue };
            let Source::Text(source) = &execution.source else { continue };
            if matches!(compared.verdict, Verdict::Inconclusive { .. }) {
                continue;
            }
            let learned = self.class(runtime_type, source);
            let pair = match mode {
                ComparisonMode::Aa => Some(differences_of(&compared.verdict).to_vec()),
                ComparisonMode::Paths => learned.pair(&observation.identity.session_id, execution),
            };
            let pair = pair.and_then(|differences| varied(&differences));
            learned.judge(compared, pair.as_ref());
            if let Some(pair) = pair {
                lesson = lesson.max(learned.learn(pair));
            }
        }
        lesson
    }

    /// Classes that are remembered.
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Classes in which something is noisy.
    pub fn noisy_classes(&self) -> usize {
        self.classes.values().filter(|learned| learned.is_noisy()).count()
    }

    fn class(&mut self, runtime_type: &str, source: &str) -> &mut Learned {
        let key = format!("{runtime_type}:{}", fingerprint(source));
        if self.classes.len() >= MAX_NOISE_CLASSES && !self.classes.contains_key(&key) {
            let oldest = self.classes.iter().min_by_key(|(_, learned)| learned.seen).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.classes.remove(&oldest));
        }
        self.seen = self.seen.saturating_add(1);
        let learned = self.classes.entry(key).or_default();
        learned.seen = self.seen;
        learned
    }
}

impl Learned {
    /// Where this run differs from the one that waited for it; nothing where it is the one that waits now.
    fn pair(&mut self, session: &SessionId, execution: &ObservedExecution) -> Option<Vec<Difference>> {
        let fields = fields(execution);
        match self.unpaired.take().filter(|run| run.session == *session) {
            Some(first) => Some(differing(&serde_json::from_str(&first.fields).ok()?, &fields)),
            None => {
                let fields = fields.to_string();
                let is_small = fields.len() <= MAX_PAIRED_BYTES;
                self.unpaired = is_small.then(|| Run { session: session.clone(), fields });
                None
            }
        }
    }

    fn judge(&self, compared: &mut Compared, pair: Option<&Varied>) {
        if !self.is_noisy() {
            return;
        }
        compared.class = match pair {
            Some(pair) => Class::Noisy { control_differs: !self.excuses(pair) },
            None => Class::Unpaired,
        };
        let differences = differences_of(&compared.verdict);
        // Where the list is full there may be more, of which nobody knows.
        let is_all = !differences.is_empty() && differences.len() < MAX_DIFFERENCES;
        if is_all && varied(differences).is_some_and(|varied| self.excuses(&varied)) {
            let paths: BTreeSet<String> = differences.iter().map(|difference| difference.path.clone()).collect();
            compared.verdict = Verdict::Noise { paths };
        }
    }

    fn excuses(&self, varied: &Varied) -> bool {
        let is_noise = |(place, kind): (&String, &Kind)| {
            *kind < Kind::Shape && self.places.get(place).is_some_and(|place| place.noisy >= Some(*kind))
        };
        varied.iter().all(is_noise)
    }

    fn learn(&mut self, varied: Varied) -> Lesson {
        self.pairs = self.pairs.saturating_add(1);
        let pairs = self.pairs;
        // What agreed may only have become less certain.
        let noisy = self.places.values_mut().filter(|place| place.noisy.is_some());
        let mut lesson = noisy.map(|place| place.test(pairs)).fold(Lesson::Pair, Lesson::max);
        for (place, kind) in varied {
            let has_room = self.places.len() < MAX_NOISE_PLACES && place.len() <= MAX_PLACE_BYTES;
            if has_room || self.places.contains_key(&place) {
                let place = self.places.entry(place).or_default();
                place.add(kind);
                lesson = lesson.max(place.test(pairs));
            }
        }
        lesson
    }

    fn is_noisy(&self) -> bool {
        self.places.values().any(|place| place.noisy.is_some())
    }
}

impl Place {
    fn add(&mut self, kind: Kind) {
        self.hits[..=kind as usize].iter_mut().for_each(|hits| *hits = hits.saturating_add(1));
    }

    fn test(&mut self, pairs: u64) -> Lesson {
        let is_noisy = |kind: &Kind| {
            let hits = self.hits[*kind as usize];
            let counts = Counts::from((hits, pairs.saturating_sub(hits)));
            ln_e_rate(counts, NOISE_LIMIT) >= -NOISE_ALPHA.ln()
        };
        let noisy = Kind::ALL.into_iter().rev().find(is_noisy);
        if std::mem::replace(&mut self.noisy, noisy) == noisy { Lesson::Pair } else { Lesson::Noise }
    }
}

/// The digest of a source by which its executions are known.
fn fingerprint(source: &str) -> String {
    Sha256::digest(source).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What counts of an execution of the control, normalised.
fn fields(execution: &ObservedExecution) -> Value {
    let canonical = normalise(execution.entry.execution_count, &execution.events, &mut Hits::new());
    let mut fields = serde_json::to_value(canonical).unwrap_or_default();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("cosmetic");
    }
    fields
}

fn differences_of(verdict: &Verdict) -> &[Difference] {
    match verdict {
        Verdict::Mismatch { differences, .. } => differences,
        _ => &[],
    }
}

/// The places in which two runs of one source differ; nothing where it is not their results alone that differ.
fn varied(differences: &[Difference]) -> Option<Varied> {
    let mut out = Varied::new();
    for difference in differences {
        if !difference.path.starts_with("outputs") && difference.path != "end.error" {
            return None;
        }
        out.extend(places(difference));
    }
    Some(out)
}

fn places(difference: &Difference) -> Vec<(String, Kind)> {
    let path = &difference.path;
    let whole = || vec![(format!("{path}~"), Kind::Shape)];
    match (&difference.legacy, &difference.registry) {
        (Some(Value::Number(_)), Some(Value::Number(_))) | (Some(Value::Bool(_)), Some(Value::Bool(_))) => {
            vec![(path.clone(), Kind::Figure)]
        }
        (Some(Value::String(left)), Some(Value::String(right))) => match differing_words(left, right) {
            Some(words) => words.into_iter().map(|(at, kind)| (format!("{path}#{at}"), kind)).collect(),
            None => whole(),
        },
        _ => whole(),
    }
}

/// Which words differ, by number, and in what; nothing where the texts differ in more than words.
fn differing_words(left: &str, right: &str) -> Option<Vec<(usize, Kind)>> {
    if left.len().max(right.len()) > MAX_TEXT_BYTES {
        return None;
    }
    let (left, right) = (pieces(left), pieces(right));
    if left.len() != right.len() {
        return None;
    }
    let differing = left.iter().zip(&right).enumerate().filter(|(_, (left, right))| left != right);
    let kinds = differing.map(|(at, (left, right))| {
        let are_words = is_word(left) && is_word(right);
        are_words.then(|| (at, Kind::of(left).max(Kind::of(right))))
    });
    kinds.collect()
}

/// A text cut into words and what is between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_other = |character: char| character.is_alphanumeric() != first.is_alphanumeric();
        let (piece, next) = rest.split_at(rest.find(is_other).unwrap_or(rest.len()));
        out.push(piece);
        rest = next;
    }
    out
}

fn is_word(piece: &str) -> bool {
    piece.starts_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests;
