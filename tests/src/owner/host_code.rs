//! A host's own old code, as far as the bridge meets it: it claims in one poll, starts in the next and ends in the one after, so
//! that a flip finds executions in every standing.

use bridge_core::Token;
use bridge_host::step::{Facade, HostEvent, Input};
use registry::{
    Answer, Container, Event, ExecutionAssigned, ExecutionCompleted, ExecutionStarted, ExecutionStatus, Failure,
    MultimediaResultOutputAdded, OutputId, QueueRow, QueueStatus, Reply, RuntimeType, SessionIdentity,
    TerminationReason, TimerId, session_events,
};

use super::{MemoryOwner, RUNTIME};

/// The interval of the host's poll, which is no timer of the bridge's.
pub(super) const POLL: TimerId = TimerId(u32::MAX);
const POLL_EVERY_MS: u64 = 50;

/// What the code keeps.
#[derive(Default)]
pub(super) struct HostCode {
    /// The token of its facade.
    token: Token,
    facade: Facade,
    /// Ends nothing that it has started.
    hangs: bool,
    /// Started and not ended.
    running: Vec<QueueRow>,
    /// The commit that is being judged.
    offered: Option<Event>,
}

impl HostCode {
    pub(super) fn grant(&mut self, facade: Facade) {
        self.facade = facade;
        if let Facade::Open(token) | Facade::Draining(token) = facade {
            self.token = token;
        }
    }

    /// What waits is shown by an open facade only, what is claimed until it closes.
    fn shows(&self, status: QueueStatus) -> bool {
        match status {
            QueueStatus::Pending => matches!(self.facade, Facade::Open(_)),
            QueueStatus::Assigned => self.facade != Facade::Closed,
            _ => true,
        }
    }
}

impl MemoryOwner {
    /// `doStart`: displaces, announces, polls. The first refusal is its failure.
    pub(super) fn host_start(&mut self) -> Answer {
        let Some(ids) = self.session.clone() else { return Err(Failure::new("no session")) };
        let capabilities = registry::Capabilities::default();
        let identity = SessionIdentity { runtime_id: ids.runtime_id, session_id: ids.session_id, capabilities };
        let active = self.state.active_sessions().map(|row| row.session_id.clone()).collect();
        for event in session_events(active, &identity, RuntimeType::html().name) {
            self.host_commit(event)?;
        }
        self.timers.push((POLL, self.now.mono_ms + POLL_EVERY_MS, POLL_EVERY_MS));
        Ok(Reply::Done)
    }

    /// `doStop`, after what it has begun: work that a stop strands is stranded on the old system too.
    pub(super) fn host_stop(&mut self) -> Answer {
        self.timers.retain(|(timer, ..)| *timer != POLL);
        self.host_end();
        self.host_begin();
        self.host_end();
        let Some(ids) = self.session.clone() else { return Ok(Reply::Done) };
        self.host_commit(Event::RuntimeSessionTerminated(registry::RuntimeSessionTerminated {
            session_id: ids.session_id,
            reason: TerminationReason::Shutdown,
        }))
    }

    /// One poll. What a store refuses is left as it is: this host never wedges.
    pub(super) fn host_poll(&mut self) {
        self.host_end();
        self.host_begin();
        let pending = self.visible_rows(QueueStatus::Pending).next().cloned();
        if let (Some(row), Some(ids)) = (pending, self.session.clone()) {
            let claim = ExecutionAssigned { queue_id: row.id, runtime_session_id: ids.session_id };
            let _ = self.host_commit(Event::ExecutionAssigned(claim));
        }
    }

    /// From now on the host's code ends nothing.
    pub fn hang(&mut self) {
        self.host_code.hangs = true;
    }

    /// What hangs goes on.
    pub fn wake_hanging(&mut self) {
        self.host_code.hangs = false;
    }

    /// Ends what it has started.
    fn host_end(&mut self) {
        if self.host_code.hangs {
            return;
        }
        for row in std::mem::take(&mut self.host_code.running) {
            let source = self.state.cell(&row.cell_id).map(|cell| cell.source.clone()).unwrap_or_default();
            let _ = self.host_commit(output(&row, source));
            let _ = self.host_commit(completed(&row, self.now));
        }
    }

    /// Starts what is assigned to its session.
    fn host_begin(&mut self) {
        let Some(session) = self.session.clone().map(|ids| ids.session_id) else { return };
        let is_mine = |row: &&QueueRow| row.assigned_runtime_session.as_ref() == Some(&session);
        let mine: Vec<QueueRow> = self.visible_rows(QueueStatus::Assigned).filter(is_mine).cloned().collect();
        for row in mine {
            let started = ExecutionStarted {
                queue_id: row.id.clone(),
                cell_id: row.cell_id.clone(),
                runtime_session_id: session.clone(),
                started_at: self.now.timestamp(),
            };
            if self.host_commit(Event::ExecutionStarted(started)).is_ok() {
                self.host_code.running.push(row);
            }
        }
    }

    /// The rows of this status as the facade shows them.
    fn visible_rows(&self, status: QueueStatus) -> impl Iterator<Item = &QueueRow> {
        self.state.queue().filter(move |row| row.status == status && self.host_code.shows(status))
    }

    /// Commits through the facade.
    fn host_commit(&mut self, event: Event) -> Answer {
        let offered: HostEvent = serde_json::to_value(&event)
            .and_then(serde_json::from_value)
            .map_err(|error| Failure::new(error.to_string()))?;
        self.host_code.offered = Some(event);
        self.host_answer = Ok(Reply::Done);
        let token = self.host_code.token;
        self.step(Input::HostCommit { runtime: RUNTIME, offer: 1, token, events: vec![offered] });
        std::mem::replace(&mut self.host_answer, Ok(Reply::Done))
    }

    /// The verdict on that commit: its one event passed, or did not.
    pub(super) fn host_commit_judged(&mut self, passed: &[usize]) -> Answer {
        let event = self.host_code.offered.take().filter(|_| !passed.is_empty());
        let answer = event.map_or(Ok(Reply::Done), |event| self.commit_all(vec![event]));
        self.host_answer.clone_from(&answer);
        answer
    }
}

pub(crate) fn output(row: &QueueRow, source: String) -> Event {
    let content = Container::Inline { data: source.into(), metadata: Some(serde_json::Map::new()) };
    Event::MultimediaResultOutputAdded(MultimediaResultOutputAdded {
        id: OutputId::from(format!("out-{}", row.id)),
        cell_id: row.cell_id.clone(),
        position: 0.into(),
        representations: [("text/html".to_owned(), content)].into_iter().collect(),
        execution_count: 1,
    })
}

pub(crate) fn completed(row: &QueueRow, now: registry::Now) -> Event {
    Event::ExecutionCompleted(ExecutionCompleted {
        queue_id: row.id.clone(),
        cell_id: row.cell_id.clone(),
        status: ExecutionStatus::Success,
        error: None,
        completed_at: now.timestamp(),
        execution_duration_ms: 1_u64.into(),
    })
}
