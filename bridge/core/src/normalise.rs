//! Normalisation: what two runs of one execution must have in common, without what may innocently differ.
//!
//! One pure function serves both sides. Each rule has a name and counts how often it was applied. The canonical form holds
//! what a user can see and what the log must keep: the order of the lifecycle, the visible outputs, the end.

use std::collections::BTreeMap;

use registry::{Container, Event, ExecutionStatus, Representations};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Changes whenever a rule does: verdicts under different versions are not to be mixed.
pub const RULES_VERSION: u32 = 1;

/// How often each rule was applied, by its name.
pub type Hits = BTreeMap<&'static str, u64>;

/// One execution in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Canonical {
    /// The kinds of its events in order, runs of outputs folded into one: `assigned started output completed`.
    pub lifecycle: String,
    /// Whether it takes away what the cell showed before.
    pub replaces: bool,
    /// The outputs that stay visible, by position.
    pub outputs: Vec<Value>,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// How often it cleared the cell; cosmetic.
    pub clears: usize,
}

/// The end of an execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct End {
    /// `success`, `error` or `cancelled`.
    pub status: &'static str,
    /// The error as the log has it.
    pub error: Option<String>,
}

/// Normalises the events of one execution whose entry carries this execution count.
pub fn normalise(execution_count: i64, events: &[Event], hits: &mut Hits) -> Canonical {
    let mut scribe = Scribe { execution_count, aliases: BTreeMap::new(), hits, phases: Vec::new(), shown: Vec::new() };
    let mut canonical = Canonical::default();
    events.iter().for_each(|event| scribe.take(event, &mut canonical));
    canonical.lifecycle = scribe.phases.join(" ");
    canonical.outputs = scribe.outputs();
    canonical
}

/// An output with its place.
struct Shown {
    position: f64,
    output: Value,
}

struct Scribe<'h> {
    execution_count: i64,
    /// Ids by kind, in the order of their first appearance.
    aliases: BTreeMap<(&'static str, String), usize>,
    hits: &'h mut Hits,
    phases: Vec<&'static str>,
    shown: Vec<Shown>,
}

impl Scribe<'_> {
    fn take(&mut self, event: &Event, canonical: &mut Canonical) {
        match event {
            Event::ExecutionAssigned(_) => self.phase("assigned"),
            Event::ExecutionStarted(_) => {
                self.hit("times");
                self.phase("started");
            }
            Event::ExecutionCompleted(completed) => {
                self.hit("times");
                self.hit("durations");
                self.phase("completed");
                let status = match completed.status {
                    ExecutionStatus::Success => "success",
                    ExecutionStatus::Error => "error",
                    ExecutionStatus::Cancelled => "cancelled",
                };
                canonical.end.get_or_insert(End { status, error: completed.error.clone() });
            }
            Event::ExecutionCancelled(_) => {
                self.phase("cancelled");
                canonical.end.get_or_insert(End { status: "cancelled", error: None });
            }
            Event::CellOutputsCleared(_) => {
                self.hit("clears");
                canonical.clears += 1;
                canonical.replaces = true;
                self.shown.clear();
            }
            other => self.take_output(other),
        }
    }

    fn take_output(&mut self, event: &Event) {
        let (position, output) = match event {
            Event::MultimediaResultOutputAdded(e) => {
                self.hit("execution-count");
                let offset = e.execution_count - self.execution_count;
                let representations = self.bundle(&e.representations);
                let id = self.alias("output", e.id.as_str());
                (
                    &e.position,
                    json!({ "kind": "result", "id": id, "executionCount": offset, "representations": representations }),
                )
            }
            Event::MultimediaDisplayOutputAdded(e) => {
                let representations = self.bundle(&e.representations);
                let id = self.alias("output", e.id.as_str());
                let display = e.display_id.as_ref().map(|display| self.alias("display", display.as_str()));
                (
                    &e.position,
                    json!({ "kind": "display", "id": id, "displayId": display, "representations": representations }),
                )
            }
            Event::ErrorOutputAdded(e) => {
                let id = self.alias("output", e.id.as_str());
                (&e.position, json!({ "kind": "error", "id": id, "content": container(&e.content) }))
            }
            Event::TerminalOutputAdded(e) => {
                let id = self.alias("output", e.id.as_str());
                (
                    &e.position,
                    json!({ "kind": "terminal", "id": id, "stream": e.stream_name, "content": container(&e.content) }),
                )
            }
            Event::MarkdownOutputAdded(e) => {
                let id = self.alias("output", e.id.as_str());
                (&e.position, json!({ "kind": "markdown", "id": id, "content": container(&e.content) }))
            }
            // What no html path writes is kept as it is: a difference in it is a difference.
            other => {
                self.phase("other");
                return self
                    .shown
                    .push(Shown { position: f64::MAX, output: serde_json::to_value(other).unwrap_or_default() });
            }
        };
        self.hit("positions");
        self.phase("output");
        self.shown.push(Shown { position: position.as_f64().unwrap_or(0.0), output });
    }

    /// Folds runs of outputs: how many there are is seen in the outputs.
    fn phase(&mut self, phase: &'static str) {
        if phase != "output" || self.phases.last() != Some(&"output") {
            self.phases.push(phase);
        }
    }

    fn hit(&mut self, rule: &'static str) {
        *self.hits.entry(rule).or_default() += 1;
    }

    /// An id by its kind and the order of its first appearance; the same id has the same alias.
    fn alias(&mut self, kind: &'static str, id: &str) -> String {
        self.hit("ids");
        let next = self.aliases.keys().filter(|(known, _)| *known == kind).count() + 1;
        let number = *self.aliases.entry((kind, id.to_owned())).or_insert(next);
        format!("{kind}#{number}")
    }

    /// A bundle is a map: the order of its MIME types says nothing.
    fn bundle(&mut self, representations: &Representations) -> Value {
        self.hit("mime-bundles");
        let mut types: Vec<&String> = representations.keys().collect();
        types.sort_unstable();
        types.into_iter().map(|mime| (mime.clone(), container(&representations[mime]))).collect::<Map<_, _>>().into()
    }

    /// The outputs by rank of their position; those of one position in the order in which they came.
    fn outputs(&mut self) -> Vec<Value> {
        let mut shown = std::mem::take(&mut self.shown);
        shown.sort_by(|a, b| a.position.total_cmp(&b.position));
        shown.into_iter().map(|shown| shown.output).collect()
    }
}

fn container(container: &Container) -> Value {
    let mut out = Map::new();
    match container {
        Container::Inline { data, .. } => out.insert("inline".to_owned(), sorted(data)),
        Container::Artifact { artifact_id, .. } => out.insert("artifact".to_owned(), artifact_id.as_str().into()),
    };
    if let Some(metadata) = container.metadata() {
        out.insert("metadata".to_owned(), sorted(&Value::Object(metadata.clone())));
    }
    out.into()
}

/// JSON with the keys of its objects in order; numbers stay as they are written.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            names.into_iter().map(|name| (name.clone(), sorted(&fields[name]))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}
