//! What a log says of the work that sessions did, gathered as a shadow gathers it while the work is done: of html that one of the
//! paths served, and of whatever an agent elsewhere did.
//!
//! A log names no commit that the store refused. On the old path three of them leave a mark: that of an output an error output,
//! that of both an end in error behind nothing, and that of a start an end without one.

use std::collections::BTreeMap;

use registry::{
    CellId, Container, ErrorOutputAdded, Event, ExecutionAssigned, ExecutionCompleted, ExecutionRequested,
    ExecutionStarted, ExecutionStatus, Failure, MultimediaResultOutputAdded, Now, OutputId, QueueEntry, QueueId,
    QueueStatus, Representations, RuntimeId, RuntimeSessionStarted, SessionId, SessionIdentity,
};
use serde_json::Value;

use crate::Path;
use crate::audit::{Place, Served};
use crate::shadow::{Observation, Shadow, Source, TYPE_OF_PATHS};

/// Follows a log. It holds the present sources, one small row per execution, and the events of what is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    sources: BTreeMap<CellId, String>,
    entries: BTreeMap<QueueId, Entry>,
    sessions: BTreeMap<SessionId, Session>,
    /// The execution that was started last of each cell: outputs name their cell only.
    runs: BTreeMap<CellId, QueueId>,
    /// The last time that the log names.
    now: Now,
}

/// An execution that was requested.
#[derive(Clone, Debug)]
struct Entry {
    row: QueueEntry,
    place: Place,
    holder: Option<SessionId>,
    is_started: bool,
    has_shown: bool,
    is_over: bool,
    is_observed: bool,
}

#[derive(Clone, Debug)]
struct Session {
    is_active: bool,
    follower: Box<Shadow>,
}

impl Facts {
    /// Takes in the next event; gives the stretches of work that are complete with it.
    pub(super) fn take(&mut self, place: Place, event: &Event) -> Vec<Observation> {
        let mut due = self.due_before(event);
        match event {
            Event::CellCreated(e) => self.create(&e.id),
            Event::CellCreatedV1(e) => self.create(&e.id),
            Event::CellSourceChanged(e) => {
                self.sources.entry(e.id.clone()).and_modify(|source| source.clone_from(&e.source));
            }
            Event::CellDeleted(e) => {
                self.sources.remove(&e.id);
            }
            Event::RuntimeSessionStarted(e) => self.session_started(e),
            Event::RuntimeSessionTerminated(e) => self.session_terminated(&e.session_id),
            Event::ExecutionRequested(e) => self.requested(place, e),
            Event::ExecutionAssigned(e) => self.assigned(e),
            Event::ExecutionStarted(e) => self.started(e),
            Event::ExecutionCompleted(e) => {
                self.now.wall_ms = e.completed_at.as_ms();
                self.commit(&e.queue_id, event);
                self.ended(&e.queue_id);
            }
            Event::ExecutionCancelled(e) => {
                if self.follower_of(&e.queue_id).is_some_and(Shadow::is_external) {
                    self.commit(&e.queue_id, event);
                }
                self.ended(&e.queue_id);
            }
            other => self.shown(other),
        }
        due.extend(self.followers().filter(|shadow| !shadow.is_external()).filter_map(Shadow::due));
        self.observed(due)
    }

    /// An agent elsewhere may show something behind the end: what it did is looked at once something else comes.
    fn due_before(&mut self, event: &Event) -> Vec<Observation> {
        let is_shown = event.is_output() && !matches!(event, Event::CellOutputsCleared(_));
        if is_shown || matches!(event, Event::MultimediaDisplayOutputUpdated(_)) {
            return Vec::new();
        }
        self.followers().filter(|shadow| shadow.is_external()).filter_map(Shadow::due).collect()
    }

    /// The log is at its end: the rest of what has ended, and why the other executions are not replayed.
    pub(super) fn finish(&mut self) -> (Vec<Observation>, BTreeMap<String, u64>) {
        let left = self.followers().filter_map(|shadow| shadow.clone().leave()).collect();
        let left = self.observed(left);
        let mut not_replayed = BTreeMap::new();
        for entry in self.entries.values().filter(|entry| !entry.is_observed) {
            *not_replayed.entry(self.reason(entry)).or_default() += 1;
        }
        (left, not_replayed)
    }

    /// Where an execution was requested.
    pub(super) fn place(&self, id: &QueueId) -> Option<Place> {
        self.entries.get(id).map(|entry| entry.place)
    }

    /// How many executions were requested.
    pub(super) fn requests(&self) -> usize {
        self.entries.len()
    }

    fn followers(&mut self) -> impl Iterator<Item = &mut Shadow> {
        self.sessions.values_mut().map(|session| &mut *session.follower)
    }

    fn follower_of(&self, id: &QueueId) -> Option<&Shadow> {
        let holder = self.entries.get(id)?.holder.as_ref()?;
        self.sessions.get(holder).map(|session| &*session.follower)
    }

    fn observed(&mut self, observations: Vec<Observation>) -> Vec<Observation> {
        for execution in observations.iter().flat_map(|observation| &observation.executions) {
            if let Some(entry) = self.entries.get_mut(&execution.entry.id) {
                entry.is_observed = true;
            }
        }
        observations
    }

    fn reason(&self, entry: &Entry) -> String {
        match entry.holder.as_ref().map(|holder| self.sessions.get(holder)) {
            None if entry.is_over => "cancelled before anybody claimed it".to_owned(),
            None => "never claimed".to_owned(),
            Some(None) => "its session is not in this log".to_owned(),
            Some(Some(_)) => "never ended".to_owned(),
        }
    }

    fn create(&mut self, cell: &CellId) {
        self.sources.entry(cell.clone()).or_default();
    }

    /// A session announced again under its ids goes on.
    fn session_started(&mut self, started: &RuntimeSessionStarted) {
        let session = self
            .sessions
            .entry(started.session_id.clone())
            .or_insert_with(|| Session { is_active: true, follower: Box::new(follower(started)) });
        session.is_active = true;
        let waiting: Vec<QueueEntry> = self.waiting().cloned().collect();
        self.show_to(&started.session_id, &waiting);
    }

    /// What waits is no longer the session's; what it has begun it may still end.
    fn session_terminated(&mut self, id: &SessionId) {
        let waiting: Vec<QueueEntry> = self.waiting().map(taken_by_others).collect();
        self.show_to(id, &waiting);
        if let Some(session) = self.sessions.get_mut(id) {
            session.is_active = false;
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &QueueEntry> {
        self.entries.values().filter(|entry| entry.holder.is_none() && !entry.is_over).map(|entry| &entry.row)
    }

    fn show_to(&mut self, id: &SessionId, entries: &[QueueEntry]) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.follower.saw(entries);
        }
    }

    /// An id that is there already is left alone, as the tables do.
    fn requested(&mut self, place: Place, requested: &ExecutionRequested) {
        if self.entries.contains_key(&requested.queue_id) {
            return;
        }
        let row = QueueEntry {
            id: requested.queue_id.clone(),
            cell_id: requested.cell_id.clone(),
            execution_count: requested.execution_count,
            status: QueueStatus::Pending,
            assigned_runtime_session: None,
        };
        for session in self.sessions.values_mut().filter(|session| session.is_active) {
            session.follower.saw(std::slice::from_ref(&row));
        }
        let entry =
            Entry { row, place, holder: None, is_started: false, has_shown: false, is_over: false, is_observed: false };
        self.entries.insert(requested.queue_id.clone(), entry);
    }

    fn assigned(&mut self, assigned: &ExecutionAssigned) {
        self.hold(&assigned.queue_id, &assigned.runtime_session_id);
        self.commit(&assigned.queue_id, &Event::from(assigned.clone()));
    }

    fn started(&mut self, started: &ExecutionStarted) {
        self.now.wall_ms = started.started_at.as_ms();
        self.hold(&started.queue_id, &started.runtime_session_id);
        self.runs.insert(started.cell_id.clone(), started.queue_id.clone());
        self.commit(&started.queue_id, &Event::from(started.clone()));
    }

    /// An entry belongs to this session from here on, and waits for no other. An agent elsewhere may run what was cancelled before
    /// it was claimed, which is the audit's.
    fn hold(&mut self, id: &QueueId, session: &SessionId) {
        let is_elsewhere = self.sessions.get(session).is_some_and(|session| session.follower.is_external());
        let Some(entry) = self.entries.get_mut(id).filter(|entry| !entry.is_observed) else { return };
        if is_elsewhere && entry.is_over && entry.holder.is_none() {
            return;
        }
        entry.holder = Some(session.clone());
        // A session that goes on after its end was not shown what was requested since.
        let row = entry.row.clone();
        self.show_to(session, std::slice::from_ref(&row));
        let gone = taken_by_others(&row);
        for (_, other) in self.sessions.iter_mut().filter(|(other, _)| *other != session) {
            other.follower.saw(std::slice::from_ref(&gone));
        }
    }

    /// Shows an event to the follower of the session that holds its execution. What comes after an execution has been
    /// handed out is the audit's.
    fn commit(&mut self, id: &QueueId, event: &Event) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| !entry.is_observed) else { return };
        let holder = entry.holder.as_ref().and_then(|holder| self.sessions.get_mut(holder));
        let Some(Session { follower: shadow, .. }) = holder else { return };
        let source = |cell: CellId| match self.sources.get(&cell) {
            Some(text) => (cell, shadow.source(text)),
            None => (cell, Source::Missing),
        };
        let events = std::slice::from_ref(event);
        let pins: Vec<_> = shadow.cells_to_pin(events).into_iter().map(source).collect();
        shadow.pin(pins);
        if shadow.serving() == Path::Legacy && !shadow.is_external() {
            let refusals = entry.refusals(event);
            for (refused, failure) in &refusals {
                let notes = shadow.take_down(std::slice::from_ref(refused));
                shadow.refused(&notes, failure);
            }
        }
        entry.is_started |= matches!(event, Event::ExecutionStarted(_));
        entry.has_shown |= event.is_output();
        let notes = shadow.take_down(events);
        shadow.committed(self.now, &notes);
    }

    fn ended(&mut self, id: &QueueId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.is_over = true;
        if entry.holder.is_none() {
            let gone = taken_by_others(&entry.row);
            self.followers().for_each(|shadow| shadow.saw(std::slice::from_ref(&gone)));
        }
    }

    /// The old path never clears, so that a clear under it is a user's; so is one when nothing runs. Of what runs elsewhere both
    /// may clear.
    fn shown(&mut self, event: &Event) {
        let run = event.cell_id().and_then(|cell| self.runs.get(cell)).cloned();
        let Some(id) = run.or_else(|| self.changed_elsewhere(event)) else { return };
        let Some(entry) = self.entries.get(&id) else { return };
        if matches!(event, Event::CellOutputsCleared(_)) {
            let is_of_the_old_path = |shadow: &Shadow| shadow.serving() == Path::Legacy && !shadow.is_external();
            if entry.is_over || self.follower_of(&id).is_some_and(is_of_the_old_path) {
                return;
            }
        }
        self.commit(&id, event);
    }

    /// The execution of an agent elsewhere that changes an output: the event names no cell.
    fn changed_elsewhere(&self, event: &Event) -> Option<QueueId> {
        let elsewhere = self.sessions.values().map(|session| &session.follower).filter(|shadow| shadow.is_external());
        elsewhere.filter(|_| event.cell_id().is_none()).find_map(|shadow| shadow.owner(event))
    }
}

/// A row as a session sees it whose turn is past.
fn taken_by_others(row: &QueueEntry) -> QueueEntry {
    QueueEntry { status: QueueStatus::Executing, ..row.clone() }
}

/// The shadow of a session: of a path, whose work both can do, or of an agent elsewhere.
fn follower(started: &RuntimeSessionStarted) -> Shadow {
    let identity = SessionIdentity {
        runtime_id: started.runtime_id.clone(),
        session_id: started.session_id.clone(),
        capabilities: started.capabilities.clone(),
    };
    match path_of(&started.runtime_id).filter(|_| started.runtime_type == TYPE_OF_PATHS) {
        Some(path) => Shadow::new(path, identity),
        None => Shadow::external(&started.runtime_type, identity),
    }
}

fn path_of(runtime: &RuntimeId) -> Option<Path> {
    match Served::of(runtime) {
        Served::Legacy => Some(Path::Legacy),
        Served::Registry => Some(Path::Registry),
        Served::Foreign | Served::Nobody => None,
    }
}

impl Entry {
    /// What the store must have refused for the old path to go on with this event.
    fn refusals(&self, event: &Event) -> Vec<(Event, Failure)> {
        match event {
            Event::ErrorOutputAdded(output) => {
                let text = output.content.data().and_then(Value::as_str);
                let message = text.and_then(|text| text.strip_prefix("Error: "));
                message.map(|message| (self.result(), Failure::new(message))).into_iter().collect()
            }
            Event::ExecutionCompleted(end) if end.status == ExecutionStatus::Error && end.error.is_none() => {
                match (self.is_started, self.has_shown) {
                    (false, _) => vec![(self.start(end), unsaid())],
                    (true, false) => vec![(self.result(), unsaid()), (self.error_output(), unsaid())],
                    (true, true) => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, end: &ExecutionCompleted) -> Event {
        let started = ExecutionStarted {
            queue_id: self.row.id.clone(),
            cell_id: self.row.cell_id.clone(),
            runtime_session_id: self.holder.clone().unwrap_or_else(|| SessionId::from("")),
            started_at: end.completed_at,
        };
        started.into()
    }

    fn result(&self) -> Event {
        let output = MultimediaResultOutputAdded {
            id: OutputId::from(""),
            cell_id: self.row.cell_id.clone(),
            position: 0.into(),
            representations: Representations::new(),
            execution_count: self.row.execution_count,
        };
        output.into()
    }

    fn error_output(&self) -> Event {
        let content = Container::inline("");
        let cell_id = self.row.cell_id.clone();
        ErrorOutputAdded { id: OutputId::from(""), cell_id, position: 0.into(), content }.into()
    }
}

/// The store's message, which the log does not have.
fn unsaid() -> Failure {
    Failure::new("")
}
