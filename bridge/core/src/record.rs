//! Mismatch records: what it takes to look at a mismatch, and to make it happen again, long after and anywhere.
//!
//! A record holds the facts on which both paths were run, as far as they fit, and says where the sides differ. Unless a policy
//! asks for the sources, what users have written is redacted; redaction keeps the shape of every text, so that the paths differ
//! on redacted facts as they did on the real ones. Whether they do is tried before the record is given out.

mod excerpt;
mod keeper;
mod minimise;
mod redact;
mod replay;

use std::collections::BTreeMap;

use registry::{Event, NotebookId, QueueId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use excerpt::{Excerpt, MAX_EXCERPT_BYTES};
pub use keeper::{
    FIRST_RECORDS, Keeper, MAX_RECORDED_SIGNATURES, MAX_STORE_BYTES, RESERVOIR, RecordTotals, Seen as SignatureSeen,
    Sighting,
};
pub use minimise::{Minimised, minimise};
pub use redact::Secret;
pub use replay::{RecordError, Replay};

use crate::compare::judge_showing;
use crate::{Comparison, Decision, Difference, Fault, Observation, RULES_VERSION, Source, Verdict};

/// Changes whenever the form of a record does.
pub const RECORD_SCHEMA: u32 = 1;

/// Bytes of the facts that a record holds, as JSON. An execution of a cell of 64 KiB fits with all that both paths make of it.
pub const MAX_FACTS_BYTES: usize = 256 * 1024;

/// Characters of a value that a difference shows on each side.
const MAX_VALUE_CHARS: usize = 2000;

/// Whether records may hold what users have written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sources {
    /// Other characters of the same shape.
    #[default]
    Redacted,
    /// As they are.
    Full,
}

/// A mismatch, self-contained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`RECORD_SCHEMA`] of the build that wrote it.
    pub schema: u32,
    /// Names it within its folder: the digest of the signature, and a place.
    pub id: String,
    /// When the serving path had done the work.
    pub at: Timestamp,
    /// Whether it holds what users have written.
    pub sources: Sources,
    /// The digest of the notebook's id.
    pub notebook: String,
    /// The cell's source, measured; absent where the order of executions differs, or the cell had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<Measure>,
    /// The runtime type.
    pub runtime_type: String,
    /// Both paths' cores and the rules by which they were compared.
    pub versions: Versions,
    /// Why the notebook was on this route.
    pub route: RecordedRoute,
    /// The fault with which the candidate was spoiled, to see that it is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeded_fault: Option<String>,
    /// What differs: an execution, by its id in the facts; absent for the order of executions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<QueueId>,
    /// The places that differ, and the version of the rules.
    pub signature: String,
    /// How often, and when, this signature had been seen when this was written.
    pub seen: SignatureSeen,
    /// What differs, and from where on.
    pub differences: Vec<Located>,
    /// How often each rule of normalisation was applied.
    pub rules: BTreeMap<String, u64>,
    /// How long it took.
    pub latencies: Latencies,
    /// The events of the path that served, one a line.
    pub control: Excerpt,
    /// Those of the other path.
    pub candidate: Excerpt,
    /// Whether the paths differed in the same places when they were run on these very facts; unknown where they were not run,
    /// because the candidate had failed.
    pub reproduces: Option<bool>,
    /// What both paths need to be run again; absent where it is too large.
    pub facts: Option<Observation>,
}

/// A text that is not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Its bytes.
    pub bytes: usize,
    /// Its lines.
    pub lines: usize,
    /// Equal texts have equal digests.
    pub sha256: String,
}

/// What was compared with what, and how. Both cores are parts of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The build of the bridge.
    pub build: String,
    /// The rules of normalisation.
    pub rules: u32,
}

/// The route decision, without the notebook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedRoute {
    /// `shadow` or `live`.
    pub route: Value,
    /// Which kind of rule decided.
    pub reason: Value,
    /// The flag's variant.
    pub variant: Option<String>,
    /// The notebook's place in the flag's hash space.
    pub bucket: Option<u32>,
    /// The generation of the flag set.
    pub generation: u64,
}

/// How long both sides took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latencies {
    /// What the serving path has written down as the durations of the executions in the facts, in milliseconds.
    pub control_ms: f64,
    /// The candidate's run on all that was observed, and its comparison, in milliseconds.
    pub comparison_ms: f64,
}

/// A difference, and where in a text it begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Located {
    /// What differs.
    #[serde(flatten)]
    pub difference: Difference,
    /// From where on, where both sides are texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Spot>,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// Characters before it.
    pub offset: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1, in characters.
    pub column: usize,
}

/// All that is known of a comparison with mismatches.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The notebook.
    pub notebook: &'a NotebookId,
    /// What the serving path did.
    pub observation: &'a Observation,
    /// What came of comparing it.
    pub comparison: &'a Comparison,
    /// Why the notebook was on a route that compares.
    pub decision: &'a Decision,
    /// The fault that the candidate was spoiled with.
    pub fault: Option<Fault>,
    /// The build.
    pub build: &'a str,
    /// How long the comparison took, in milliseconds.
    pub comparison_ms: f64,
}

/// One mismatch of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mismatch<'a> {
    /// The execution; none for the order of executions.
    pub execution: Option<&'a QueueId>,
    /// Its signature.
    pub signature: &'a str,
    /// What differs.
    pub differences: &'a [Difference],
}

/// The mismatches of a comparison.
pub fn mismatches(comparison: &Comparison) -> impl Iterator<Item = Mismatch<'_>> {
    let executions = comparison.executions.iter().map(|one| (Some(&one.queue_id), &one.verdict));
    executions.chain([(None, &comparison.order)]).filter_map(|(execution, verdict)| match verdict {
        Verdict::Mismatch { signature, differences } => Some(Mismatch { execution, signature, differences }),
        _ => None,
    })
}

impl Case<'_> {
    /// Writes a mismatch of this case down under this id. It runs the candidate again, so it belongs where candidates run.
    pub fn record(
        &self,
        mismatch: Mismatch<'_>,
        id: String,
        seen: SignatureSeen,
        sources: Sources,
        secret: &Secret,
    ) -> Record {
        let observed = self.observed(mismatch);
        let told = match sources {
            Sources::Redacted => redact::redact(secret, &observed),
            Sources::Full => redact::strip(&observed),
        };
        let side = Side::of(self, mismatch, &observed, told.as_ref());
        let digest = |text: &str| match sources {
            Sources::Redacted => secret.digest(text),
            Sources::Full => redact::hex(&Sha256::digest(text), 64),
        };
        let excerpt = |text: String| {
            let sha256 = digest(&text);
            Excerpt::of(text, sha256)
        };
        let executions = || told.iter().flat_map(|facts| &facts.executions);
        Record {
            schema: RECORD_SCHEMA,
            id,
            at: Timestamp::from_ms(self.at_ms()),
            sources,
            notebook: digest(self.notebook.as_str()),
            cell: mismatch.execution.and_then(|id| self.measure(id, digest)),
            runtime_type: self.observation.runtime_type().to_owned(),
            versions: Versions { build: self.build.to_owned(), rules: RULES_VERSION },
            route: RecordedRoute::of(self.decision),
            seeded_fault: self.fault.map(|fault| fault.name().to_owned()),
            execution: side.execution,
            signature: side.signature,
            seen,
            differences: side.differences.into_iter().map(Located::new).collect(),
            rules: self.comparison.rules.iter().map(|(rule, hits)| ((*rule).to_owned(), *hits)).collect(),
            latencies: Latencies {
                control_ms: executions().flat_map(|execution| &execution.events).filter_map(duration_ms).sum(),
                comparison_ms: self.comparison_ms,
            },
            control: excerpt(lines(executions().flat_map(|execution| &execution.events))),
            candidate: excerpt(lines(&side.candidate)),
            reproduces: side.reproduces,
            facts: told.filter(|facts| serde_json::to_string(facts).is_ok_and(|text| text.len() <= MAX_FACTS_BYTES)),
        }
    }

    /// The least that shows the mismatch: its execution alone, or else all that was observed with it.
    fn observed(&self, mismatch: Mismatch<'_>) -> Observation {
        let alone = mismatch.execution.map(|id| only(self.observation, id));
        let shows = |observation: &Observation| {
            self.comparison.candidate_failure().is_none()
                && find(&judge_showing(observation, self.fault).0, mismatch.execution)
                    .is_some_and(|found| found.signature == mismatch.signature)
        };
        alone.filter(shows).unwrap_or_else(|| self.observation.clone())
    }

    fn at_ms(&self) -> i64 {
        let ends = self.observation.executions.iter().flat_map(|execution| &execution.events);
        let ends = ends.filter_map(|event| match event {
            Event::ExecutionCompleted(completed) => Some(completed.completed_at.as_ms()),
            _ => None,
        });
        ends.max().unwrap_or(self.observation.began.wall_ms)
    }

    fn measure(&self, id: &QueueId, digest: impl Fn(&str) -> String) -> Option<Measure> {
        let execution = self.observation.executions.iter().find(|execution| execution.entry.id == *id)?;
        let Source::Text(text) = &execution.source else { return None };
        Some(Measure { bytes: text.len(), lines: text.lines().count(), sha256: digest(text) })
    }
}

/// What a record says of the run on the facts that it holds.
struct Side {
    execution: Option<QueueId>,
    signature: String,
    differences: Vec<Difference>,
    candidate: Vec<Event>,
    reproduces: Option<bool>,
}

impl Side {
    /// The run on the facts as they are told, if it shows the mismatch; else only the places where the real one did.
    fn of(case: &Case<'_>, mismatch: Mismatch<'_>, observed: &Observation, told: Option<&Observation>) -> Self {
        let execution = mismatch.execution.and_then(|id| {
            let at = observed.executions.iter().position(|execution| execution.entry.id == *id)?;
            Some(told?.executions.get(at)?.entry.id.clone())
        });
        let bare = |reproduces| Self {
            execution: execution.clone(),
            signature: public(mismatch.signature),
            differences: mismatch.differences.iter().map(without_values).collect(),
            candidate: Vec::new(),
            reproduces,
        };
        let Some(told) = told else { return bare(Some(false)) };
        if case.comparison.candidate_failure().is_some() {
            return Self { differences: mismatch.differences.to_vec(), ..bare(None) };
        }
        let (comparison, candidate) = judge_showing(told, case.fault);
        match find(&comparison, execution.as_ref()) {
            Some(found) if public(found.signature) == public(mismatch.signature) => Self {
                signature: found.signature.to_owned(),
                differences: found.differences.to_vec(),
                candidate,
                reproduces: Some(true),
                execution,
            },
            _ => bare(Some(false)),
        }
    }
}

/// The mismatch of this execution, or of the order.
fn find<'c>(comparison: &'c Comparison, execution: Option<&QueueId>) -> Option<Mismatch<'c>> {
    mismatches(comparison).find(|mismatch| mismatch.execution == execution)
}

fn only(observation: &Observation, id: &QueueId) -> Observation {
    let mut alone = observation.clone();
    alone.executions.retain(|execution| execution.entry.id == *id);
    alone
}

/// The places of a signature without keys of a user's JSON.
fn public(signature: &str) -> String {
    let places: Vec<&str> = signature.split('+').map(open_path).collect();
    places.join("+")
}

/// A path as far as we have laid it out: what is below a content are a user's keys.
fn open_path(path: &str) -> &str {
    let ends = [".inline", ".metadata"].iter().filter_map(|end| Some(path.find(end)? + end.len()));
    &path[..ends.min().unwrap_or(path.len())]
}

fn without_values(difference: &Difference) -> Difference {
    let kind = |value: &Value| match value {
        Value::String(text) => format!("a text of {} bytes", text.len()),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object of {}", fields.len()),
        _ => "another value".to_owned(),
    };
    Difference {
        path: open_path(&difference.path).to_owned(),
        legacy: difference.legacy.as_ref().map(|value| kind(value).into()),
        registry: difference.registry.as_ref().map(|value| kind(value).into()),
    }
}

fn duration_ms(event: &Event) -> Option<f64> {
    match event {
        Event::ExecutionCompleted(completed) => completed.execution_duration_ms.as_f64(),
        _ => None,
    }
}

fn lines<'e>(events: impl IntoIterator<Item = &'e Event>) -> String {
    let lines = events.into_iter().filter_map(|event| serde_json::to_string(event).ok());
    lines.map(|line| line + "\n").collect()
}

impl RecordedRoute {
    fn of(decision: &Decision) -> Self {
        Self {
            route: serde_json::to_value(decision.route).unwrap_or_default(),
            reason: serde_json::to_value(decision.reason).unwrap_or_default(),
            variant: decision.variant.clone(),
            bucket: decision.bucket,
            generation: decision.generation,
        }
    }
}

impl Located {
    /// The difference as it is.
    fn whole(difference: Difference) -> Self {
        let at = match (&difference.legacy, &difference.registry) {
            (Some(Value::String(legacy)), Some(Value::String(registry))) => Some(Spot::of(legacy, registry)),
            _ => None,
        };
        Self { difference, at }
    }

    /// The difference as it fits into a record.
    fn new(difference: Difference) -> Self {
        let Self { difference, at } = Self::whole(difference);
        let cut = |side: Option<Value>| side.map(|value| shortened(value, at.map_or(0, |at| at.offset)));
        let difference =
            Difference { legacy: cut(difference.legacy), registry: cut(difference.registry), ..difference };
        Self { difference, at }
    }
}

impl Spot {
    /// The first place in which two texts differ.
    fn of(one: &str, other: &str) -> Self {
        let common = one.chars().zip(other.chars()).take_while(|(left, right)| left == right);
        let (offset, line, column) = common.fold((0, 1, 1), |(offset, line, column), (character, _)| match character {
            '\n' => (offset + 1, line + 1, 1),
            _ => (offset + 1, line, column + 1),
        });
        Self { offset, line, column }
    }
}

/// A value that fits: of a long text what is around the place that matters, of anything else the beginning as JSON.
fn shortened(value: Value, offset: usize) -> Value {
    let is_text = value.is_string();
    let text = match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    if text.chars().count() <= MAX_VALUE_CHARS {
        return if is_text { text.into() } else { serde_json::from_str(&text).unwrap_or_default() };
    }
    let skipped = if is_text { offset.saturating_sub(MAX_VALUE_CHARS / 2) } else { 0 };
    let part: String = text.chars().skip(skipped).take(MAX_VALUE_CHARS).collect();
    format!("{}{part}…", if skipped > 0 { "…" } else { "" }).into()
}

#[cfg(test)]
mod tests;
