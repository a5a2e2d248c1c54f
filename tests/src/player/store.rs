//! Stores: tables in memory, commits with injected faults, and the effects of the notebook that a store is.

use std::sync::Arc;

use bridge_core::judge;
use bridge_host::step::{Effect, Input, Notebook, RuntimeKey};
use flags::LiveFlags;
use legacy_compat::BaseInput;
use registry::{Answer, Event, Failure, IdSource, NotebookId, NotebookState, Now, Reply, Ticket};
use serde_json::{Map, Value, json};

use super::clock::Due;
use super::runtime::to_json;
use super::{Ask, Asker, Player, Waiter, Work, thrown};
use crate::trace::{Setup, SetupCell, SetupEntry, SetupSession, TraceError, expand_source};
use crate::watch;

/// The store that a trace's setup prepares.
pub(super) const MAIN: &str = "main";

/// What the hosts' schema keeps of the capabilities that a session announces.
const KEPT_CAPABILITIES: [&str; 4] = ["canExecuteCode", "canExecuteSql", "canExecuteAi", "availableAiModels"];

/// An event by name, with its arguments.
pub(super) type Named = (String, Value);

/// A store and its notebook.
pub(super) struct Store {
    state: NotebookState,
    notebook: Notebook,
    is_watched: bool,
    /// Whether the live query has something to show.
    has_news: bool,
    faults: Vec<Fault>,
}

/// The next runtime commits that throw before they are stored.
pub(super) struct Fault {
    /// Which event; any if none.
    pub(super) event: Option<String>,
    pub(super) message: String,
    /// How many throw.
    pub(super) times: u32,
    /// How many pass before.
    pub(super) skip: u32,
    /// Throws a string instead of an `Error`.
    pub(super) non_error: bool,
}

impl Store {
    /// A store as a trace's setup leaves it.
    pub(super) fn prepared(name: &str, setup: &Setup, flags: Arc<LiveFlags>, mut ids: IdSource) -> Self {
        let seed: Vec<u8> = ids.base36(32).into_bytes();
        let seed = seed.try_into().unwrap_or([0; 32]);
        let notebook = Notebook::new(NotebookId::from(name), flags, seed);
        let mut store =
            Self { state: NotebookState::new(), notebook, is_watched: false, has_news: false, faults: Vec::new() };
        let cells = setup.cells.iter().flat_map(prepared_cell);
        let sessions = setup.sessions.iter().flat_map(prepared_session);
        let entries = setup.queue.iter().flat_map(prepared_entry);
        let events = setup.events.iter().map(|event| (event.name.clone(), event.args.clone()));
        for (name, args) in cells.chain(sessions).chain(entries).chain(events) {
            if let Ok(event) = Event::from_parts(&name, args) {
                store.state.apply(&event);
            }
        }
        store
    }

    pub(super) fn name(&self) -> &str {
        self.notebook.id().as_str()
    }

    pub(super) fn tables(&self) -> Value {
        to_json(&self.state.tables())
    }

    pub(super) fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.notebook.step(now, input)
    }

    /// What the live query shows, if it runs and something has changed.
    pub(super) fn take_news(&mut self) -> Vec<Input> {
        let has_news = std::mem::take(&mut self.has_news);
        if has_news && self.is_watched { watch::news(&self.state) } else { Vec::new() }
    }

    /// The fault that hits this commit, if any.
    fn fault(&mut self, events: &[Event]) -> Option<Failure> {
        let hits =
            |fault: &Fault| events.iter().any(|event| fault.event.as_deref().is_none_or(|name| name == event.name()));
        let at = self.faults.iter().position(|fault| fault.times > 0 && hits(fault))?;
        let fault = &mut self.faults[at];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        Some(thrown(fault.message.clone(), !fault.non_error))
    }
}

fn named(name: &str, args: Value) -> Named {
    (name.to_owned(), args)
}

fn prepared_cell(cell: &SetupCell) -> [Named; 2] {
    let cell_type = cell.cell_type.as_deref().unwrap_or("code");
    let created = json!({ "id": cell.id, "fractionalIndex": "a0", "cellType": cell_type, "createdBy": "user-1" });
    [named("v2.CellCreated", created), edit(&cell.id, &cell.source)]
}

fn prepared_session(session: &SetupSession) -> [Named; 2] {
    let id = &session.session_id;
    let started = json!({
        "sessionId": id,
        "runtimeId": session.runtime_id.clone().unwrap_or_else(|| format!("rt-{id}")),
        "runtimeType": session.runtime_type.as_deref().unwrap_or("python3"),
        "capabilities": { "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false },
    });
    let status = session.status.as_deref().unwrap_or("ready");
    [
        named("v1.RuntimeSessionStarted", started),
        named("v1.RuntimeSessionStatusChanged", json!({ "sessionId": id, "status": status })),
    ]
}

fn prepared_entry(entry: &SetupEntry) -> Vec<Named> {
    let requested = json!({
        "queueId": entry.queue_id, "cellId": entry.cell_id, "executionCount": entry.execution_count.unwrap_or(1),
        "requestedBy": entry.requested_by.as_deref().unwrap_or("user-1"),
    });
    let assigned =
        |session| named("v1.ExecutionAssigned", json!({ "queueId": entry.queue_id, "runtimeSessionId": session }));
    std::iter::once(named("v1.ExecutionRequested", requested)).chain(entry.assign_to.as_ref().map(assigned)).collect()
}

/// A user asks for an execution.
pub(super) fn request(queue_id: &str, cell_id: &str, execution_count: i64) -> Named {
    let args = json!({
        "queueId": queue_id, "cellId": cell_id, "executionCount": execution_count, "requestedBy": "user-1",
    });
    named("v1.ExecutionRequested", args)
}

/// A user cancels an execution.
pub(super) fn cancel(queue_id: &str, cell_id: &str, reason: Option<&str>) -> Named {
    let reason = reason.unwrap_or("user requested");
    let args = json!({ "queueId": queue_id, "cellId": cell_id, "cancelledBy": "user-1", "reason": reason });
    named("v1.ExecutionCancelled", args)
}

/// A user edits a cell.
pub(super) fn edit(cell_id: &str, source: &Value) -> Named {
    let args = json!({ "id": cell_id, "source": expand_source(source), "modifiedBy": "user-1" });
    named("v1.CellSourceChanged", args)
}

/// The arguments as the log keeps them, and what the schema strips of them.
fn encoded(event: &Event) -> (Value, Option<Value>) {
    let mut args = to_json(event)["args"].take();
    let Some(capabilities) = args.get_mut("capabilities").and_then(Value::as_object_mut) else { return (args, None) };
    let (kept, dropped): (Map<_, _>, Map<_, _>) =
        std::mem::take(capabilities).into_iter().partition(|(name, _)| KEPT_CAPABILITIES.contains(&name.as_str()));
    *capabilities = kept;
    let dropped = (!dropped.is_empty()).then(|| json!({ "capabilities": dropped }));
    (args, dropped)
}

impl Player {
    /// The main store, where the trace has one.
    pub(super) fn main_store(&self) -> Result<usize, TraceError> {
        if self.stores.is_empty() { Err(self.unnamed("store", MAIN)) } else { Ok(0) }
    }

    pub(super) fn new_store(&mut self, name: &str) {
        let store = Store::prepared(name, &Setup::default(), Arc::clone(&self.flags), self.ids.split());
        self.stores.push(store);
    }

    pub(super) fn inject(&mut self, fault: Fault) -> Result<(), TraceError> {
        let store = self.main_store()?;
        self.stores[store].faults.push(fault);
        Ok(())
    }

    pub(super) fn dump_tables(&mut self) -> Result<(), TraceError> {
        let tables = self.stores[self.main_store()?].tables();
        self.record(json!({ "kind": "tables", "tables": tables }));
        Ok(())
    }

    pub(super) fn request_many(
        &mut self,
        count: i64,
        cell_ids: &[String],
        in_one_commit: bool,
    ) -> Result<(), TraceError> {
        let cells = cell_ids.iter().cycle();
        let events: Vec<_> = (1..=count).zip(cells).map(|(n, cell)| request(&format!("q{n:03}"), cell, n)).collect();
        let in_each = if in_one_commit { events.len().max(1) } else { 1 };
        events.chunks(in_each).try_for_each(|events| self.commit(events))
    }

    /// A commit of the player's own.
    pub(super) fn commit(&mut self, events: &[Named]) -> Result<(), TraceError> {
        let store = self.main_store()?;
        let parsed: Result<Vec<_>, _> =
            events.iter().map(|(name, args)| Event::from_parts(name, args.clone())).collect();
        match parsed {
            Ok(events) => self.store_events(store, "player", &events),
            Err(error) => self.record(json!({ "kind": "commit-error", "message": error.to_string() })),
        }
        Ok(())
    }

    fn store_events(&mut self, store: usize, by: &str, events: &[Event]) {
        for event in events {
            let (args, dropped) = encoded(event);
            let mut seen = json!({ "kind": "event", "name": event.name(), "by": by, "args": args });
            if let Some(dropped) = dropped {
                seen["dropped"] = dropped;
            }
            self.record(seen);
            self.stores[store].state.apply(event);
        }
        self.stores[store].has_news = true;
    }

    /// A commit of a runtime's, which may be made to fail.
    fn commit_for_runtime(&mut self, store: usize, events: &[Event]) -> Answer {
        match self.stores[store].fault(events) {
            Some(failure) => {
                for event in events {
                    let (args, _) = encoded(event);
                    let (name, message) = (event.name(), &failure.message);
                    self.record(json!({ "kind": "event-fault", "name": name, "message": message, "args": args }));
                }
                Err(failure)
            }
            None => {
                self.store_events(store, "runtime", events);
                Ok(Reply::Done)
            }
        }
    }

    /// Puts session ids in place of `{"$session": runtime}`.
    pub(super) fn with_sessions(&self, value: Value) -> Result<Value, TraceError> {
        match value {
            Value::Object(fields) => match fields.get("$session").and_then(Value::as_str) {
                Some(name) => match self.runtime_names.get(name) {
                    Some(&runtime) => Ok(self.runtimes[runtime].raw_state().session_id.clone().into()),
                    None => self.shown_session(name),
                },
                None => {
                    let fields = fields.into_iter().map(|(name, value)| Ok((name, self.with_sessions(value)?)));
                    fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
                }
            },
            Value::Array(items) => items.into_iter().map(|item| self.with_sessions(item)).collect(),
            other => Ok(other),
        }
    }

    pub(super) fn step_notebook(&mut self, store: usize, input: Input) {
        let effects = self.stores[store].step(self.clock.now(), input);
        self.push(effects.into_iter().map(|effect| Work::Notebook(store, effect)));
    }

    pub(super) fn perform_notebook(&mut self, store: usize, effect: Effect) {
        let ask = |ticket: Ticket| Ask { by: Asker::Notebook(store), ticket };
        match effect {
            Effect::Commit { ticket, events, .. } => {
                let answer = self.commit_for_runtime(store, &events);
                self.answer(ask(ticket), answer);
            }
            Effect::Query { ticket, query } => {
                let reply = self.stores[store].state.answer(&query);
                self.answer(ask(ticket), Ok(reply));
            }
            Effect::Hook { ticket, runtime, hook } => self.perform_hook(index(runtime), ask(ticket), hook),
            Effect::Adopt { runtime, ids } => {
                let (runtime_id, session_id) = (ids.runtime_id.to_string(), ids.session_id.to_string());
                self.step_runtime(index(runtime), BaseInput::Adopt { runtime_id, session_id });
            }
            Effect::Continue { ticket } => self.answer(ask(ticket), Ok(Reply::Done)),
            Effect::Fail { ticket, failure } => self.answer(ask(ticket), Err(failure)),
            Effect::Sleep { ticket, ms } => self.clock.after(ms, Waiter::Core(ask(ticket)), Ok(Reply::Done)),
            Effect::Yield { ticket } => self.renders.push_back(ask(ticket)),
            Effect::Show { ticket, runtime, state } => self.show_manager(ask(ticket), runtime, &state),
            Effect::Raise { failure, .. } => self.raise(&failure),
            Effect::SetInterval { timer, every_ms } => self.clock.every(every_ms, Due::Notebook(store, timer)),
            Effect::ClearInterval { timer } => self.clock.clear_notebook(store, timer),
            Effect::Settle { call, outcome } => self.settle_call(call, outcome),
            Effect::Watch => (self.stores[store].is_watched, self.stores[store].has_news) = (true, true),
            Effect::Unwatch => self.stores[store].is_watched = false,
            Effect::Compare { observation, .. } => {
                let comparison = judge(&observation, None);
                self.compared.push((*observation, comparison.clone()));
                self.step_notebook(store, Input::Compared(Ok(comparison)));
            }
            // No recording has the new path do what must never be done.
            Effect::Incident { incident } => unreachable!("{incident:?}"),
            // Recordings know neither decisions nor diagnostics, and the reproduction of the old code has no facade.
            Effect::Comparing
            | Effect::Compared { .. }
            | Effect::RolledBack { .. }
            | Effect::Admitted { .. }
            | Effect::Facade { .. }
            | Effect::Follow { .. }
            | Effect::Unfollow
            | Effect::HostCommit { .. }
            | Effect::Diagnostic { .. } => {}
        }
    }
}

fn index(runtime: RuntimeKey) -> usize {
    runtime.0 as usize
}
