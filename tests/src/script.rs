//! The handlers of the recordings of the TypeScript `RuntimeAgent`: scripts, read as what a handler does. And an owner that has
//! the registry's agent do the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use registry::{
    Agent, Appended, Capabilities, CellCreated, CellSourceChanged, CellType, Container, Delta, Effect, Event,
    ExecutionRequested, HandlerTrace, HandlerTraces, IdSource, Input, NotebookState, Now, Operation, Outcome, QueueId,
    Reply, Representations, RuntimeType, SessionIdentity, StreamName, UserId, session_events,
};
use serde_json::{Map, Value, json};

use crate::trace::{Trace, expand_source};

/// Stands for what the recorded agent says when its handler resolves to null.
const NULL_RESULT: &str = "Cannot read properties of null (reading 'success')";

/// An execution that was requested in a recording, and what its handler did.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// The execution.
    pub requested: ExecutionRequested,
    /// Its cell's source; none where there is no such cell.
    pub source: Option<String>,
    /// What the handler did.
    pub done: HandlerTrace,
}

/// The executions that were requested in a recording, in order.
pub fn scripted(trace: &Trace) -> Vec<Scripted> {
    let sources: BTreeMap<&str, String> =
        trace.setup.cells.iter().map(|cell| (cell.id.as_str(), expand_source(&cell.source))).collect();
    let mut requests: Vec<(Value, Value)> = Vec::new();
    for entry in &trace.setup.queue {
        let (queue, cell, count) = (&entry.queue_id, &entry.cell_id, entry.execution_count.unwrap_or(1));
        requests.push((json!({ "queueId": queue, "cellId": cell, "executionCount": count }), Value::Null));
    }
    let mut handler = Value::Null;
    trace.steps.iter().for_each(|step| walk(step, &mut handler, &mut requests));
    let is_cancelled = trace.steps.iter().any(|step| step["op"] == "cancel-execution");
    let read = |(request, handler): (Value, Value)| {
        let source = sources.get(request["cellId"].as_str()?).cloned();
        let script = script_for(&handler, request["cellId"].as_str()?);
        let done = read(&script, source.as_deref().unwrap_or_default(), is_cancelled);
        let mut args = request;
        args["requestedBy"] = "user-1".into();
        Some(Scripted { requested: serde_json::from_value(args).ok()?, source, done })
    };
    requests.into_iter().filter_map(read).collect()
}

/// Follows which handler is in place when something is requested.
fn walk(step: &Value, handler: &mut Value, requests: &mut Vec<(Value, Value)>) {
    let args = &step["args"];
    match step["op"].as_str() {
        Some("new-agent" | "set-handler") => *handler = args["handler"].clone(),
        Some("request-execution") => requests.push((args.clone(), handler.clone())),
        Some("request-many") => {
            let cells = args["cellIds"].as_array().map_or(&[][..], Vec::as_slice);
            for (at, cell) in (1..=args["count"].as_u64().unwrap_or(0)).zip(cells.iter().cycle()) {
                let id = format!("q{at:03}");
                requests.push((json!({ "queueId": id, "cellId": cell, "executionCount": at }), handler.clone()));
            }
        }
        Some("same-tick") => {
            args["ops"].as_array().into_iter().flatten().for_each(|step| walk(step, handler, requests));
        }
        _ => {}
    }
}

/// Without a handler the recorded agent shows the source as a text.
fn script_for(handler: &Value, cell: &str) -> Vec<Value> {
    let script = handler.get(cell).or_else(|| handler.get("default")).and_then(Value::as_array);
    script.cloned().unwrap_or_else(|| vec![json!({ "do": "return-source", "mime": "text/plain" })])
}

/// Reads a script to its end, or to where it stops.
fn read(script: &[Value], source: &str, is_cancelled: bool) -> HandlerTrace {
    let mut reader = Reader { source, operations: Vec::new(), added: 0, names: BTreeMap::new() };
    let mut outcome = Outcome::Success;
    for line in script {
        match line["do"].as_str() {
            // What is thrown once it is cancelled is taken as the cancellation.
            Some("checkCancellation" | "throw") if is_cancelled => {
                outcome = Outcome::Cancelled;
                break;
            }
            Some("throw") => {
                outcome = Outcome::Error(line["message"].as_str().map(str::to_owned));
                break;
            }
            Some("return") => {
                outcome = reader.returned(&line["result"]);
                break;
            }
            _ => reader.perform(line),
        }
    }
    HandlerTrace { operations: reader.operations, outcome }
}

struct Reader<'a> {
    source: &'a str,
    operations: Vec<Operation>,
    /// Outputs added so far.
    added: usize,
    /// Outputs that the script has given a name.
    names: BTreeMap<String, usize>,
}

impl Reader<'_> {
    fn perform(&mut self, line: &Value) {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let shown = || bundle(&line["data"], &line["metadata"]);
        let operation = match line["do"].as_str().unwrap_or_default() {
            "stdout" => Operation::write(StreamName::Stdout, &text("text")),
            "stderr" => Operation::write(StreamName::Stderr, &text("text")),
            "display" => Operation::Display {
                representations: shown(),
                display_id: line["displayId"].as_str().map(std::convert::Into::into),
            },
            "display-source" => Operation::Display { representations: self.source_as("text/html"), display_id: None },
            "updateDisplay" => {
                Operation::UpdateDisplay { display_id: text("displayId").into(), representations: shown() }
            }
            "result" => Operation::Result { representations: shown() },
            "return-source" => Operation::Result { representations: self.source_as(&text("mime")) },
            "error" => {
                let error = json!({ "ename": line["ename"], "evalue": line["evalue"], "traceback": line["traceback"] });
                Operation::Error { content: Container::inline(error) }
            }
            "clear" => Operation::Clear { wait: line["wait"] == true },
            "markdown" => {
                let metadata = line["metadata"].as_object().cloned();
                Operation::Markdown { content: Container::Inline { data: text("content").into(), metadata } }
            }
            "appendTerminal" => Operation::AppendTerminal(self.delta(line)),
            "appendMarkdown" => Operation::AppendMarkdown(self.delta(line)),
            _ => return,
        };
        if let Some(name) = line["save"].as_str() {
            self.names.insert(name.to_owned(), self.added);
        }
        let is_empty = matches!(line["do"].as_str(), Some("stdout" | "stderr")) && line["text"] == "";
        let adds = !matches!(
            operation,
            Operation::Clear { .. }
                | Operation::UpdateDisplay { .. }
                | Operation::AppendTerminal(_)
                | Operation::AppendMarkdown(_)
        );
        self.added += usize::from(adds && !is_empty);
        self.operations.push(operation);
    }

    fn source_as(&self, mime: &str) -> Representations {
        [(mime.to_owned(), Container::inline(self.source))].into_iter().collect()
    }

    fn delta(&self, line: &Value) -> Delta {
        let output = line["output"].as_str().unwrap_or_default();
        let output = match output.strip_prefix('$') {
            Some("last") => Appended::Own(self.added - 1),
            Some(name) => Appended::Own(self.names[name]),
            None => Appended::Other(output.into()),
        };
        let text = line["delta"].as_str().unwrap_or_default().to_owned();
        Delta { output, text, sequence_number: line["seq"].as_i64().unwrap_or_default() }
    }

    /// The data of a success is shown; what says nothing of success is an error without a message.
    fn returned(&mut self, result: &Value) -> Outcome {
        if result.is_null() {
            return Outcome::Error(Some(NULL_RESULT.to_owned()));
        }
        if result["success"] != true {
            return Outcome::Error(result["error"].as_str().map(str::to_owned));
        }
        if result["data"].is_object() {
            let representations = bundle(&result["data"], &result["metadata"]);
            self.operations.push(Operation::Result { representations });
        }
        Outcome::Success
    }
}

/// A bundle as a script has it, images by the names under which recordings keep them.
fn bundle(data: &Value, metadata: &Value) -> Representations {
    let none = Map::new();
    let types = data.as_object().unwrap_or(&none).iter();
    let container = |mime: &str, data: &Value| {
        let data = data["$png"].as_u64().map_or_else(|| data.clone(), |bytes| format!("<png:{bytes}>").into());
        Container::Inline { data, metadata: metadata[mime].as_object().cloned() }
    };
    types.map(|(mime, data)| (mime.clone(), container(mime, data))).collect()
}

/// What the registry's agent commits for these executions when their handlers do as scripted.
pub fn executed(executions: &[Scripted]) -> Vec<Event> {
    let mut state = NotebookState::new();
    let traces = executions.iter().map(|one| (one.requested.queue_id.clone(), one.done.clone()));
    let traces: HandlerTraces = Arc::new(traces.collect::<BTreeMap<QueueId, HandlerTrace>>());
    executions.iter().flat_map(facts).for_each(|event| state.apply(&event));
    let mut agent = Agent::new(RuntimeType::traced("html", traces), IdSource::new([5; 32]));
    let identity = SessionIdentity {
        runtime_id: "agent-1".into(),
        session_id: "html-agent-1-1700000000000-k3x9".into(),
        capabilities: Capabilities::default(),
    };
    session_events(Vec::new(), &identity, "html".to_owned()).iter().for_each(|event| state.apply(event));
    let now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };
    let mut effects: VecDeque<Effect> = agent.handle(now, Input::Resume(identity)).into();
    let mut log = Vec::new();
    while let Some(effect) = effects.pop_front() {
        let (ticket, reply) = match effect {
            Effect::Claim { ticket, entries } => (ticket, Reply::Claimed(entries)),
            Effect::Commit { ticket, events } => {
                events.iter().for_each(|event| state.apply(event));
                log.extend(events);
                (ticket, Reply::Done)
            }
            Effect::Query { ticket, query } => (ticket, state.answer(&query)),
            Effect::Phase(_) => continue,
        };
        for next in agent.handle(now, Input::Answer(ticket, Ok(reply))).into_iter().rev() {
            effects.push_front(next);
        }
    }
    log
}

/// What the host has written for an execution to be.
fn facts(one: &Scripted) -> Vec<Event> {
    let user = UserId::from("user-1");
    let cell = one.requested.cell_id.clone();
    let mut events = Vec::new();
    if let Some(source) = &one.source {
        let (cell_type, created_by) = (CellType::Code, user.clone());
        events.push(CellCreated { id: cell.clone(), fractional_index: "a0".to_owned(), cell_type, created_by }.into());
        events.push(CellSourceChanged { id: cell, source: source.clone(), modified_by: user }.into());
    }
    events.push(one.requested.clone().into());
    events
}
