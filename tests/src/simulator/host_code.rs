//! A host's own old code, as far as the bridge meets it: it claims in one poll, starts in the next and ends in the one after, so
//! that a flip finds executions in every standing. Its sessions are a facade each, and old ones are kept.

use bridge_core::{Path, Token};
use bridge_host::step::{Facade, HostEvent, Input, RuntimeKey};
use registry::{
    Answer, Event, ExecutionAssigned, ExecutionStarted, Failure, QueueRow, QueueStatus, Reply,
    RuntimeSessionTerminated, RuntimeType, SessionIdentity, TerminationReason, session_events,
};

use super::action::Misdeed;
use super::oracle::Invariant;
use super::site::Site;
use crate::owner::host_code::{completed, output};

const POLL_EVERY_MS: u64 = 50;

/// What the code of one runtime object keeps.
#[derive(Default)]
pub(super) struct HostCode {
    /// What the bridge allows it now.
    facade: Facade,
    sessions: Vec<Session>,
    /// The place of the session whose facade is kept up to date.
    current: Option<usize>,
    /// When it polls next, and through which facade.
    poll: Option<(u64, usize)>,
    /// Started and not ended.
    running: Vec<Run>,
}

/// An execution that the host's code has begun.
struct Run {
    row: QueueRow,
    /// The source as it was then.
    source: String,
    /// The place of the session through which it commits.
    session: usize,
    has_hung: bool,
}

/// Outputs of an execution that has hung.
const OUTPUTS_OF_LATE_CODE: usize = 3;

/// The facade of a session, as it was last.
#[derive(Clone, Copy, Default)]
struct Session {
    facade: Facade,
    /// Its last token; code that is not told to end goes on under it.
    token: Token,
}

impl Session {
    fn grant(&mut self, facade: Facade) {
        self.facade = facade;
        self.token = token_of(facade).unwrap_or(self.token);
    }

    /// What waits is shown by an open facade only, what is claimed until it closes.
    fn shows(&self, status: QueueStatus) -> bool {
        match status {
            QueueStatus::Pending => matches!(self.facade, Facade::Open(_)),
            QueueStatus::Assigned => self.facade != Facade::Closed,
            _ => false,
        }
    }
}

fn token_of(facade: Facade) -> Option<Token> {
    match facade {
        Facade::Open(token) | Facade::Draining(token) => Some(token),
        Facade::Closed => None,
    }
}

impl HostCode {
    pub(super) fn grant(&mut self, facade: Facade) {
        self.facade = facade;
        if let Some(session) = self.current.and_then(|at| self.sessions.get_mut(at)) {
            session.grant(facade);
        }
    }

    /// A session is about to start, with a facade of its own.
    pub(super) fn leave_facade(&mut self) {
        self.current = None;
    }

    pub(super) fn poll_due(&self) -> Option<u64> {
        self.poll.map(|(due, _)| due)
    }
}

impl Site {
    fn code(&mut self, key: RuntimeKey) -> Option<&mut HostCode> {
        self.runtimes.iter_mut().find(|runtime| runtime.key == key).map(|runtime| &mut runtime.code)
    }

    /// `doStart`: displaces, announces, polls. The first refusal is its failure.
    pub(super) fn host_start(&mut self, key: RuntimeKey) -> Answer {
        let ids = self.runtimes.iter().find(|runtime| runtime.key == key).and_then(super::runtime::Runtime::ids);
        let Some(ids) = ids else { return Err(Failure::new("no session")) };
        let active = self.store.tables.active_sessions().map(|row| row.session_id.clone()).collect();
        let due = self.now.mono_ms + POLL_EVERY_MS;
        let Some(code) = self.code(key) else { return Ok(Reply::Done) };
        let mut opened = Session::default();
        opened.grant(code.facade);
        code.sessions.push(opened);
        let at = code.sessions.len() - 1;
        code.current = Some(at);
        code.running.retain(|run| run.has_hung);
        let capabilities = registry::Capabilities::default();
        let identity = SessionIdentity { runtime_id: ids.runtime_id, session_id: ids.session_id, capabilities };
        for event in session_events(active, &identity, RuntimeType::html().name) {
            self.host_commit(key, at, event)?;
        }
        if let Some(code) = self.code(key) {
            code.poll = Some((due, at));
        }
        Ok(Reply::Done)
    }

    /// `doStop`. What it has begun it ends; what it has claimed it leaves behind, as the old code did.
    pub(super) fn host_stop(&mut self, key: RuntimeKey) -> Answer {
        let Some(code) = self.code(key) else { return Ok(Reply::Done) };
        let poll = code.poll.take();
        let session =
            self.runtimes.iter().find(|runtime| runtime.key == key).and_then(super::runtime::Runtime::session);
        let (Some((_, at)), Some(session_id)) = (poll, session) else { return Ok(Reply::Done) };
        self.host_end(key);
        let reason = TerminationReason::Shutdown;
        let event = RuntimeSessionTerminated { session_id, reason };
        self.host_commit(key, at, Event::RuntimeSessionTerminated(event))
    }

    /// One poll: ends what is started, starts what is claimed, claims the first that waits. What a store refuses is left as it
    /// is: this host never wedges.
    pub(super) fn poll(&mut self, runtime: usize) {
        let key = self.runtimes[runtime].key;
        let Some((due, at)) = self.runtimes[runtime].code.poll else { return };
        self.runtimes[runtime].code.poll = Some((due + POLL_EVERY_MS, at));
        self.host_end(key);
        let Some(session) = self.runtimes[runtime].session() else { return };
        let is_mine = |row: &QueueRow| {
            row.status == QueueStatus::Assigned && row.assigned_runtime_session.as_ref() == Some(&session)
        };
        for row in self.visible_rows(key, at).into_iter().filter(is_mine) {
            let started = ExecutionStarted {
                queue_id: row.id.clone(),
                cell_id: row.cell_id.clone(),
                runtime_session_id: session.clone(),
                started_at: self.now.timestamp(),
            };
            let outcome = self.host_commit(key, at, Event::ExecutionStarted(started));
            let source = self.store.tables.cell(&row.cell_id).map(|cell| cell.source.clone()).unwrap_or_default();
            if let (Ok(_), Some(code)) = (outcome, self.code(key)) {
                code.running.push(Run { row, source, session: at, has_hung: false });
            }
        }
        let pending = self.visible_rows(key, at).into_iter().find(|row| row.status == QueueStatus::Pending);
        if let Some(row) = pending {
            let claim = ExecutionAssigned { queue_id: row.id, runtime_session_id: session };
            let _ = self.host_commit(key, at, Event::ExecutionAssigned(claim));
        }
    }

    /// Ends what runs, unless it hangs.
    fn host_end(&mut self, key: RuntimeKey) {
        let hangs = self.hangs;
        let Some(code) = self.code(key) else { return };
        if hangs {
            return code.running.iter_mut().for_each(|run| run.has_hung = true);
        }
        for Run { row, source, session, has_hung } in std::mem::take(&mut code.running) {
            for _ in 0..if has_hung { OUTPUTS_OF_LATE_CODE } else { 1 } {
                let _ = self.host_commit(key, session, output(&row, source.clone()));
            }
            let _ = self.host_commit(key, session, completed(&row, self.now));
        }
    }

    /// What hangs returns, whatever has become of its session.
    pub(super) fn return_late(&mut self) {
        self.hangs = false;
        let keys: Vec<RuntimeKey> = self.runtimes.iter().map(|runtime| runtime.key).collect();
        for key in keys {
            self.host_end(key);
            self.settle();
        }
        self.release_held();
    }

    /// The queue as a facade shows it.
    fn visible_rows(&mut self, key: RuntimeKey, at: usize) -> Vec<QueueRow> {
        let session = self.code(key).and_then(|code| code.sessions.get(at)).copied().unwrap_or_default();
        self.store.tables.queue().filter(|row| session.shows(row.status)).cloned().collect()
    }

    /// Commits through a facade. What was made under another token than the one in force must not pass.
    fn host_commit(&mut self, key: RuntimeKey, at: usize, event: Event) -> Answer {
        let Some(code) = self.code(key) else { return Ok(Reply::Done) };
        let Session { token, .. } = code.sessions[at];
        let is_stale = token_of(code.facade) != Some(token) && self.is_enforced();
        let name = event.name().to_owned();
        let Ok(offered) = serde_json::to_value(&event).and_then(serde_json::from_value::<HostEvent>) else {
            return Err(Failure::new("no event"));
        };
        self.last_offer += 1;
        let (offer, commits) = (self.last_offer, self.steps);
        self.offered.insert(offer, event);
        self.step(Input::HostCommit { runtime: key, offer, token, events: vec![offered] });
        self.offered.remove(&offer);
        let (passed, answer) = self.judged.remove(&offer).unwrap_or((false, Ok(Reply::Done)));
        if is_stale && passed {
            let detail = format!("{name} of {key:?} passes under {token:?} (step {commits})");
            self.store.oracle.violate(Invariant::Fenced, detail);
        }
        answer
    }

    /// The verdict on a commit: its one event passed, or did not.
    pub(super) fn host_commit_judged(&mut self, offer: u32, passed: &[usize]) -> Answer {
        let event = self.offered.remove(&offer).filter(|_| !passed.is_empty());
        let has_passed = event.is_some();
        let answer = event.map_or(Ok(Reply::Done), |event| self.commit(Path::Legacy, vec![event]));
        self.judged.insert(offer, (has_passed, answer.clone()));
        answer
    }

    /// Code of a session that may be long over, or that looked at the queue long ago, commits.
    pub(super) fn misbehave(&mut self, facade: usize, entry: usize, how: Misdeed) {
        let hosts = |runtime: &&super::runtime::Runtime| !runtime.code.sessions.is_empty();
        let Some(runtime) = self.runtimes.iter().find(hosts) else { return };
        let (key, sessions) = (runtime.key, runtime.code.sessions.len());
        let Some(session) = runtime.session() else { return };
        let count = self.store.tables.queue().count();
        let Some(row) = self.store.tables.queue().nth(entry % count.max(1)).cloned() else { return };
        let event = match how {
            Misdeed::Claim => {
                Event::ExecutionAssigned(ExecutionAssigned { queue_id: row.id, runtime_session_id: session })
            }
            Misdeed::Start => Event::ExecutionStarted(ExecutionStarted {
                queue_id: row.id,
                cell_id: row.cell_id,
                runtime_session_id: session,
                started_at: self.now.timestamp(),
            }),
            Misdeed::Complete => completed(&row, self.now),
        };
        self.store.oracle.saw_misdeed = true;
        if let Some(id) = event.queue_id().filter(|_| how == Misdeed::Start) {
            self.store.oracle.never_ends(id);
        }
        let _ = self.host_commit(key, facade % sessions, event);
        self.settle();
    }
}
