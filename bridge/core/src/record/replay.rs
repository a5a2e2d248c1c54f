//! Replay: both cores on the facts of a record, and whether they differ as it says.

use registry::Event;
use serde_json::Value;

use super::{Located, RECORD_SCHEMA, Record, find, public};
use crate::compare::{judge_showing, with_events};
use crate::{Comparison, Difference, Fault, Observation, Verdict, run_path};

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is no JSON, or not that of a record.
    #[error("line {line}, column {column}: {reason}")]
    Unreadable {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Another build has written it.
    #[error("`schema`: this build reads version {RECORD_SCHEMA}, not `{0}`")]
    Schema(u64),
    /// It was too large to hold its facts.
    #[error("`facts`: there are none")]
    WithoutFacts,
    /// It names a fault that this build does not have.
    #[error("`seededFault`: no fault is called `{0}`")]
    UnknownFault(String),
}

impl RecordError {
    /// A stable name in capitals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "RECORD_UNREADABLE",
            Self::Schema(_) => "RECORD_SCHEMA",
            Self::WithoutFacts => "RECORD_WITHOUT_FACTS",
            Self::UnknownFault(_) => "UNKNOWN_FAULT",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file of the folder that configure({ mismatches: { folder } }) names",
            Self::Schema(_) => "use the build that wrote the record, or record the mismatch anew",
            Self::WithoutFacts => {
                "the facts were larger than a record may be: look for another record of this signature"
            }
            Self::UnknownFault(_) => "use the build that wrote the record",
        }
    }
}

/// What became of running a record again.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The comparison.
    pub comparison: Comparison,
    /// The candidate's events.
    pub candidate: Vec<Event>,
    /// What differs where the record says that something does; empty where nothing does any more.
    pub differences: Vec<Located>,
    /// Whether the same places differ.
    pub is_reproduced: bool,
}

impl Replay {
    /// What became of each execution and of their order, a line each, with the places that differ. Known differences agree.
    pub fn verdicts(&self) -> String {
        self.lines(|verdict| match verdict {
            Verdict::Match | Verdict::Known { .. } | Verdict::Noise { .. } => "agrees".to_owned(),
            Verdict::Inconclusive { .. } => "nothing can be said".to_owned(),
            Verdict::Mismatch { differences, .. } => format!("differs{}", listed(differences)),
        })
    }

    /// The same as it is once nothing differs that is not known.
    pub fn wanted_verdicts(&self) -> String {
        self.lines(|verdict| match verdict {
            Verdict::Inconclusive { .. } => "nothing can be said".to_owned(),
            _ => "agrees".to_owned(),
        })
    }

    fn lines(&self, says: impl Fn(&Verdict) -> String) -> String {
        let executions = self.comparison.executions.iter().map(|one| (one.queue_id.to_string(), &one.verdict));
        let all = executions.chain([("order".to_owned(), &self.comparison.order)]);
        let lines: Vec<String> = all.map(|(name, verdict)| format!("{name}: {}", says(verdict))).collect();
        lines.join("\n")
    }
}

/// Differences, each on a line of its own.
fn listed(differences: &[Difference]) -> String {
    let side = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    let line = |one: &Difference| format!("\n  {}: {} | {}", one.path, side(&one.legacy), side(&one.registry));
    differences.iter().map(line).collect()
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError::Unreadable`] and [`RecordError::Schema`].
    pub fn from_json(text: &str) -> Result<Self, RecordError> {
        let unreadable = |error: &serde_json::Error| RecordError::Unreadable {
            line: error.line(),
            column: error.column(),
            reason: reason(error),
        };
        let schema = |value: &Value| value.get("schema").and_then(Value::as_u64);
        let value: Value = registry::json::from_str(text).map_err(|error| unreadable(&error))?;
        if let Some(other) = schema(&value).filter(|schema| *schema != u64::from(RECORD_SCHEMA)) {
            return Err(RecordError::Schema(other));
        }
        registry::json::from_str(text).map_err(|error| unreadable(&error))
    }

    /// The facts.
    ///
    /// # Errors
    /// [`RecordError::WithoutFacts`].
    pub fn facts(&self) -> Result<&Observation, RecordError> {
        self.facts.as_ref().ok_or(RecordError::WithoutFacts)
    }

    /// The fault that the candidate was spoiled with.
    ///
    /// # Errors
    /// [`RecordError::UnknownFault`].
    pub fn fault(&self) -> Result<Option<Fault>, RecordError> {
        let parse = |name: &String| Fault::parse(name).ok_or_else(|| RecordError::UnknownFault(name.clone()));
        self.seeded_fault.as_ref().map(parse).transpose()
    }

    /// Runs the candidate on the facts, spoiled by this fault, and compares.
    ///
    /// # Errors
    /// [`RecordError::WithoutFacts`].
    pub fn replay(&self, fault: Option<Fault>) -> Result<Replay, RecordError> {
        let (comparison, candidate) = judge_showing(self.facts()?, fault);
        Ok(self.look_at(comparison, candidate))
    }

    /// The same where the candidate panicked.
    ///
    /// # Errors
    /// [`RecordError::WithoutFacts`].
    pub fn replay_panicked(&self) -> Result<Replay, RecordError> {
        Ok(self.look_at(Comparison::panicked(self.facts()?), Vec::new()))
    }

    fn look_at(&self, comparison: Comparison, candidate: Vec<Event>) -> Replay {
        let found = find(&comparison, self.execution.as_ref());
        let is_reproduced = found.is_some_and(|found| self.is_same(found.signature));
        let differences = found.iter().flat_map(|found| found.differences).cloned().map(Located::whole).collect();
        Replay { comparison, candidate, differences, is_reproduced }
    }

    /// Where the core of the path that served does otherwise than was recorded, as `execution: place`. The host's own code may.
    ///
    /// # Errors
    /// [`RecordError::WithoutFacts`].
    pub fn control_deviations(&self) -> Result<Vec<String>, RecordError> {
        let facts = self.facts()?;
        let again = rerun(facts);
        let pairs = facts.executions.iter().zip(&again.executions);
        let deviations = pairs.flat_map(|(recorded, replayed)| {
            let count = recorded.entry.execution_count;
            let deviations = crate::compare::deviations(count, &recorded.events, &replayed.events);
            deviations.into_iter().map(|(place, ..)| format!("{}: {place}", recorded.entry.id))
        });
        Ok(deviations.collect())
    }

    /// Whether a signature is this record's.
    pub(super) fn is_same(&self, signature: &str) -> bool {
        signature == self.signature || self.reproduces != Some(true) && public(signature) == self.signature
    }
}

/// The same facts with what the core of the serving path makes of them.
pub(super) fn rerun(facts: &Observation) -> Observation {
    // An agent elsewhere has no core here: it did what it did.
    if facts.is_external() {
        return facts.clone();
    }
    with_events(facts, &run_path(facts.serving, facts).events)
}

/// What is wrong, without the place, which stands before it.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}
