//! Normalisation: what two runs of one execution must have in common, without what may innocently differ.
//!
//! One pure function serves both sides. Each rule has a name and counts how often it was applied. The canonical form holds
//! what a user can see and what the log must keep: the order of the lifecycle, the visible outputs, the end.

mod address;
mod screen;

use std::collections::{BTreeMap, BTreeSet};

use registry::{Container, DisplayId, Event, ExecutionStatus, OutputId, Representations, StreamName};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// Changes whenever a rule does: verdicts under different versions are not to be mixed.
pub const RULES_VERSION: u32 = 4;

/// How often each rule was applied, by its name.
pub type Hits = BTreeMap<&'static str, u64>;

/// The names of the rules.
const RULES: [&str; 11] = [
    "addresses",
    "chunks",
    "clears",
    "display-updates",
    "durations",
    "execution-count",
    "ids",
    "mime-bundles",
    "positions",
    "screens",
    "times",
];

/// Reads what was applied: the rules are those of this build, or refused.
pub(crate) fn hits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hits, D::Error> {
    let named = |(name, count): (String, u64)| {
        let rule = RULES.into_iter().find(|rule| *rule == name);
        rule.map(|rule| (rule, count)).ok_or_else(|| D::Error::custom(format_args!("no rule is called `{name}`")))
    };
    BTreeMap::deserialize(deserializer)?.into_iter().map(named).collect()
}

/// One execution in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Canonical {
    /// The kinds of its events in order, runs of outputs folded into one: `assigned started output completed`.
    pub lifecycle: String,
    /// Its events that name another session than the one that was observed. Whoever knows that session fills it in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<String>,
    /// Whether it takes away what the cell showed before.
    pub replaces: bool,
    /// The outputs that stay visible, by position.
    pub outputs: Vec<Value>,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// What differs for nobody, and is reported all the same.
    pub cosmetic: Cosmetic,
}

/// What a comparison reports without letting it decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cosmetic {
    /// How often the cell was cleared.
    pub clears: usize,
    /// How often a display was updated.
    #[serde(skip_serializing_if = "is_zero")]
    pub updates: usize,
    /// The streams in the order in which they were written to, runs folded into one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interleaving: Vec<StreamName>,
    /// Where text is styled: `line:column+length style`, stream by stream.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub styles: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
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
    let mut scribe = Scribe {
        execution_count,
        aliases: BTreeMap::new(),
        hits,
        phases: Vec::new(),
        shown: Vec::new(),
        added: BTreeSet::new(),
        deltas: BTreeSet::new(),
        is_clear_pending: false,
        canonical: Canonical::default(),
    };
    events.iter().for_each(|event| scribe.take(event));
    scribe.finish()
}

/// An output with its place.
struct Shown {
    position: f64,
    id: OutputId,
    body: Body,
}

/// What an output holds, before text is shown as a terminal shows it.
enum Body {
    Terminal(StreamName, Text),
    Markdown(Text),
    Bundle {
        kind: &'static str,
        display: Option<DisplayId>,
        representations: Representations,
        count: Option<i64>,
    },
    Error(Container),
    /// What a display shows now that was shown elsewhere.
    Updated(DisplayId, Representations),
    Other(Value),
}

/// A text with what was appended to it.
struct Text {
    /// What holds it, unless that is nothing but the text.
    held: Option<Container>,
    text: String,
    /// In the order in which they came.
    deltas: Vec<(i64, String)>,
}

impl Text {
    fn of(content: &Container) -> Self {
        let is_plain = content.data().is_some() && content.metadata().is_none();
        let held = (!is_plain).then(|| match content {
            Container::Inline { metadata, .. } => Container::Inline { data: Value::Null, metadata: metadata.clone() },
            artifact @ Container::Artifact { .. } => artifact.clone(),
        });
        Self { held, text: text_of(content), deltas: Vec::new() }
    }

    /// Deltas stand in the order of their numbers.
    fn whole(mut self) -> String {
        self.deltas.sort_by_key(|(number, _)| *number);
        self.deltas.iter().for_each(|(_, delta)| self.text.push_str(delta));
        self.text
    }
}

struct Scribe<'h> {
    execution_count: i64,
    /// Ids by kind, in the order of their first appearance.
    aliases: BTreeMap<&'static str, BTreeMap<String, usize>>,
    hits: &'h mut Hits,
    phases: Vec<&'static str>,
    shown: Vec<Shown>,
    /// The ids of what was added, and of what was appended: of those a store keeps the last of an id, of these the first.
    added: BTreeSet<OutputId>,
    deltas: BTreeSet<OutputId>,
    is_clear_pending: bool,
    canonical: Canonical,
}

impl Scribe<'_> {
    fn take(&mut self, event: &Event) {
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
                self.canonical.end.get_or_insert(End { status, error: completed.error.clone() });
            }
            Event::ExecutionCancelled(_) => {
                self.phase("cancelled");
                self.canonical.end.get_or_insert(End { status: "cancelled", error: None });
            }
            Event::CellOutputsCleared(cleared) => {
                self.hit("clears");
                self.canonical.cosmetic.clears += 1;
                if cleared.wait { self.is_clear_pending = true } else { self.clear() }
            }
            other => self.take_output(other),
        }
    }

    /// Takes away what is shown, of this execution and of those before.
    fn clear(&mut self) {
        self.is_clear_pending = false;
        self.canonical.replaces = true;
        self.shown.retain(|shown| matches!(shown.body, Body::Updated(..)));
    }

    fn take_output(&mut self, event: &Event) {
        let (position, id, body) = match event {
            Event::MultimediaResultOutputAdded(e) => {
                let count = Some(e.execution_count.wrapping_sub(self.execution_count));
                let representations = e.representations.clone();
                self.hit("execution-count");
                (&e.position, &e.id, Body::Bundle { kind: "result", display: None, representations, count })
            }
            Event::MultimediaDisplayOutputAdded(e) => {
                let (display, representations) = (e.display_id.clone(), e.representations.clone());
                self.supersede(display.as_ref(), &representations);
                (&e.position, &e.id, Body::Bundle { kind: "display", display, representations, count: None })
            }
            Event::ErrorOutputAdded(e) => (&e.position, &e.id, Body::Error(e.content.clone())),
            Event::TerminalOutputAdded(e) => (&e.position, &e.id, Body::Terminal(e.stream_name, Text::of(&e.content))),
            Event::MarkdownOutputAdded(e) => (&e.position, &e.id, Body::Markdown(Text::of(&e.content))),
            other => return self.take_change(other),
        };
        if self.is_clear_pending {
            self.clear();
        }
        self.hit("positions");
        self.phase("output");
        // A store keeps one row of an id.
        if !self.added.insert(id.clone()) {
            self.shown.retain(|shown| shown.id != *id || matches!(shown.body, Body::Updated(..) | Body::Other(_)));
        }
        self.shown.push(Shown { position: position.as_f64().unwrap_or(0.0), id: id.clone(), body });
    }

    /// What changes an output that is shown already.
    fn take_change(&mut self, event: &Event) {
        match event {
            Event::TerminalOutputAppended(e) => self.append_once(&e.id, &e.output_id, e.sequence_number, &e.delta),
            Event::TerminalOutputAppendedV1(e) => self.append(&e.output_id, None, &text_of(&e.content)),
            Event::MarkdownOutputAppended(e) => self.append_once(&e.id, &e.output_id, e.sequence_number, &e.delta),
            Event::MarkdownOutputAppendedV1(e) => self.append(&e.output_id, None, &text_of(&e.content)),
            Event::MultimediaDisplayOutputUpdated(e) => {
                self.hit("display-updates");
                self.canonical.cosmetic.updates += 1;
                self.update(&e.display_id, &e.representations);
            }
            // What is no event of an execution's is kept as it is: a difference in it is a difference.
            other => {
                self.phase("other");
                let body = Body::Other(serde_json::to_value(other).unwrap_or_default());
                self.shown.push(Shown { position: f64::MAX, id: OutputId::from(""), body });
            }
        }
        if !matches!(self.phases.last(), Some(&"other")) {
            self.phase("output");
        }
    }

    /// A display of a name changes what was shown under it before, wherever it was.
    fn supersede(&mut self, display: Option<&DisplayId>, new: &Representations) {
        let Some(id) = display else { return };
        self.shown.retain(|shown| !matches!(&shown.body, Body::Updated(known, _) if known == id));
        for shown in &mut self.shown {
            if let Body::Bundle { display: Some(display), representations, .. } = &mut shown.body
                && display == id
            {
                representations.clone_from(new);
            }
        }
    }

    /// Folds an update into what it changes. What is shown in another execution is kept as it is last.
    fn update(&mut self, id: &DisplayId, new: &Representations) {
        let mut is_kept = false;
        for shown in &mut self.shown {
            let (display, representations) = match &mut shown.body {
                Body::Bundle { display: Some(display), representations, .. } => (display, representations),
                Body::Updated(display, representations) => (display, representations),
                _ => continue,
            };
            if display == id {
                representations.clone_from(new);
                is_kept = true;
            }
        }
        if !is_kept {
            let body = Body::Updated(id.clone(), new.clone());
            self.shown.push(Shown { position: f64::MAX, id: OutputId::from(""), body });
        }
    }

    fn append_once(&mut self, delta: &OutputId, id: &OutputId, number: i64, more: &str) {
        if self.deltas.insert(delta.clone()) {
            self.append(id, Some(number), more);
        }
    }

    /// A numbered delta stands behind the text in the order of its number; the deprecated one becomes part of the text.
    fn append(&mut self, id: &OutputId, number: Option<i64>, more: &str) {
        self.hit("chunks");
        for shown in self.shown.iter_mut().filter(|shown| shown.id == *id) {
            if let Body::Terminal(_, text) | Body::Markdown(text) = &mut shown.body {
                match number {
                    Some(number) => text.deltas.push((number, more.to_owned())),
                    None => text.text.push_str(more),
                }
            }
        }
    }

    /// Folds runs of outputs: how many there are is seen in the outputs.
    fn phase(&mut self, phase: &'static str) {
        if phase != "output" || self.phases.last() != Some(&"output") {
            self.phases.push(phase);
        }
    }

    fn hit(&mut self, rule: &'static str) {
        debug_assert!(RULES.contains(&rule), "`{rule}` is missing from the names of the rules");
        *self.hits.entry(rule).or_default() += 1;
    }

    /// An id by its kind and the order of its first appearance; the same id has the same alias.
    fn alias(&mut self, kind: &'static str, id: &str) -> String {
        self.hit("ids");
        let aliases = self.aliases.entry(kind).or_default();
        let next = aliases.len() + 1;
        let number = *aliases.entry(id.to_owned()).or_insert(next);
        format!("{kind}#{number}")
    }

    /// The outputs by rank of their position; those of one position in the order in which they came.
    fn finish(mut self) -> Canonical {
        let mut shown = std::mem::take(&mut self.shown);
        shown.sort_by(|a, b| a.position.total_cmp(&b.position));
        let mut outputs = Vec::with_capacity(shown.len());
        let mut streams: Vec<(StreamName, String)> = Vec::new();
        for Shown { id, body, .. } in shown {
            match body {
                Body::Terminal(stream, text) if text.held.is_none() => self.join(&mut streams, stream, &text.whole()),
                other => {
                    self.flush(&mut streams, &mut outputs);
                    let output = self.output(&id, other);
                    outputs.push(output);
                }
            }
        }
        self.flush(&mut streams, &mut outputs);
        self.canonical.lifecycle = self.phases.join(" ");
        self.canonical.outputs = outputs;
        self.canonical
    }

    /// Chunks of one stream with no other output between them are one text, however the other stream falls in between.
    fn join(&mut self, streams: &mut Vec<(StreamName, String)>, stream: StreamName, text: &str) {
        self.hit("chunks");
        if self.canonical.cosmetic.interleaving.last() != Some(&stream) {
            self.canonical.cosmetic.interleaving.push(stream);
        }
        match streams.iter_mut().find(|(known, _)| *known == stream) {
            Some((_, joined)) => joined.push_str(text),
            None => streams.push((stream, text.to_owned())),
        }
    }

    fn flush(&mut self, streams: &mut Vec<(StreamName, String)>, outputs: &mut Vec<Value>) {
        streams.sort_by_key(|(stream, _)| *stream == StreamName::Stderr);
        for (stream, text) in streams.drain(..) {
            let text = self.text(&text);
            outputs.push(json!({ "kind": "terminal", "stream": stream, "text": text }));
        }
    }

    fn output(&mut self, id: &OutputId, body: Body) -> Value {
        let alias = self.alias("output", id.as_str());
        match body {
            Body::Bundle { kind, display, representations, count } => {
                let mut output = Map::new();
                output.insert("kind".to_owned(), kind.into());
                output.insert("id".to_owned(), alias.into());
                if let Some(display) = display {
                    output.insert("displayId".to_owned(), self.alias("display", display.as_str()).into());
                }
                if let Some(count) = count {
                    output.insert("executionCount".to_owned(), count.into());
                }
                output.insert("representations".to_owned(), self.bundle(&representations));
                output.into()
            }
            Body::Error(content) => json!({ "kind": "error", "id": alias, "content": self.error(&content) }),
            Body::Markdown(text) => self.held(json!({ "kind": "markdown", "id": alias }), text),
            Body::Terminal(stream, text) => self.held(json!({ "kind": "terminal", "stream": stream }), text),
            Body::Updated(display, representations) => {
                let display = self.alias("display", display.as_str());
                json!({ "kind": "update", "displayId": display, "representations": self.bundle(&representations) })
            }
            Body::Other(event) => event,
        }
    }

    /// A text with what holds it, where that says more than the text.
    fn held(&mut self, mut output: Value, text: Text) -> Value {
        if let Some(held) = &text.held {
            output["container"] = container(held);
        }
        let is_prose = output["kind"] == "markdown";
        let text = text.whole();
        output["text"] = if is_prose { text } else { self.text(&text) }.into();
        output
    }

    /// A bundle is a map: the order of its MIME types says nothing.
    fn bundle(&mut self, representations: &Representations) -> Value {
        self.hit("mime-bundles");
        let mut types: Vec<&String> = representations.keys().collect();
        types.sort_unstable();
        let mut bundle = Map::new();
        for mime in types {
            let mut content = container(&representations[mime]);
            if let Some(Value::String(text)) = content.get_mut("inline").filter(|_| mime == "text/plain") {
                *text = self.text(text);
            }
            bundle.insert(mime.clone(), content);
        }
        bundle.into()
    }

    /// An error's texts are shown like a terminal's; a name is exact either way.
    fn error(&mut self, content: &Container) -> Value {
        let mut content = container(content);
        if let Some(inline) = content.get_mut("inline") {
            self.show_texts(inline);
        }
        content
    }

    fn show_texts(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.show_texts(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.show_texts(field)),
            _ => {}
        }
    }

    /// A text as a terminal shows it, styles apart, memory addresses aliased.
    fn text(&mut self, text: &str) -> String {
        let shown = screen::show(text);
        if shown.text != text {
            self.hit("screens");
        }
        self.canonical.cosmetic.styles.extend(shown.styles);
        address::replace_addresses(&shown.text, |address| {
            self.hit("addresses");
            self.alias("0x", address)
        })
    }
}

/// The text that a terminal or markdown output holds inline.
fn text_of(content: &Container) -> String {
    content.data().map(registry::json::js_string).unwrap_or_default()
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
