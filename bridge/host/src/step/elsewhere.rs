//! Agents elsewhere: on the route `shadow` of their sessions, what they execute is followed in the tables and handed out for
//! comparison. Nothing is claimed, committed or assigned for them; no seat knows of them.

use std::collections::BTreeMap;

use bridge_core::{Ability, Decision, Route, SeenExecution};
use flags::Context;
use registry::{Answer, Capabilities, Now, Query, QueueEntry, QueueId, QueueStatus, Reply, SessionId, SessionIdentity};
use serde_json::{Map, Value};

use super::protocol::SessionElsewhere;
use super::{Asked, Asker, Effect, Notebook};

/// The runtime type that both paths execute: its sessions are shadowed where they are served.
const TYPE_OF_PATHS: &str = "html";

/// Sessions of agents elsewhere that are followed in one notebook. Each displaces the one before it: more than one is a crowd.
const MAX_SESSIONS: usize = 8;

/// Executions that are followed at a time in one notebook. What is requested beyond is not looked at.
const MAX_EXECUTIONS: usize = 256;

/// What a notebook knows of agents elsewhere.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// The host's attributes of the notebook, while its store is attached.
    attributes: Option<Map<String, Value>>,
    sessions: BTreeMap<SessionId, Session>,
    executions: BTreeMap<QueueId, SeenExecution>,
    next_rank: u64,
    /// What the owner has been asked to watch: sessions, or entries too.
    watched: Option<bool>,
}

struct Session {
    runtime_type: String,
    identity: SessionIdentity,
    decision: Decision,
}

impl Elsewhere {
    /// Executions that are followed.
    pub(super) fn following(&self) -> usize {
        self.executions.len()
    }
}

impl Session {
    fn is_followed(&self) -> bool {
        self.decision.route == Route::Shadow
    }
}

impl Notebook {
    /// The store is attached from now on, or not any more.
    pub(super) fn on_attached(&mut self, attributes: Option<Map<String, Value>>) {
        self.elsewhere.attributes = attributes;
        if self.elsewhere.attributes.is_none() {
            self.elsewhere.sessions.clear();
        }
    }

    /// The sessions that are active, and the entries that are not over.
    pub(super) fn on_elsewhere(&mut self, now: Now, sessions: Vec<SessionElsewhere>, entries: Option<&[QueueEntry]>) {
        // What has ended together with its session is looked at first.
        if let Some(entries) = entries.filter(|_| self.follows_elsewhere()) {
            self.see_entries(entries);
        }
        self.see_sessions(now, sessions);
    }

    fn follows_elsewhere(&self) -> bool {
        self.elsewhere.sessions.values().any(Session::is_followed)
    }

    fn see_sessions(&mut self, now: Now, mut seen: Vec<SessionElsewhere>) {
        let leases = || self.seats.values().filter_map(|seat| seat.lease.as_ref());
        let is_ours = |id: &SessionId| leases().any(|lease| lease.session_id == *id);
        seen.retain(|session| session.runtime_type != TYPE_OF_PATHS && !is_ours(&session.session_id));
        seen.truncate(MAX_SESSIONS);
        self.elsewhere.sessions.retain(|id, _| seen.iter().any(|session| session.session_id == *id));
        for SessionElsewhere { session_id, runtime_id, runtime_type } in seen {
            if !self.elsewhere.sessions.contains_key(&session_id) {
                let decision = self.decide_elsewhere(now, &runtime_type);
                let capabilities = Capabilities::default();
                let identity = SessionIdentity { runtime_id, session_id: session_id.clone(), capabilities };
                self.elsewhere.sessions.insert(session_id, Session { runtime_type, identity, decision });
            }
        }
    }

    fn decide_elsewhere(&self, now: Now, runtime_type: &str) -> Decision {
        let attributes = self.elsewhere.attributes.iter().flatten();
        let context = Context::new(self.id.as_str()).with("runtimeType", runtime_type);
        let context = attributes.fold(context, |context, (name, value)| context.with(name.clone(), value.clone()));
        self.decide(now, &context, Ability { is_built_in: true, has_live_query: true })
    }

    /// Another document, a rollback or a kill: what was followed may be followed no longer, and the other way round.
    pub(super) fn decide_elsewhere_again(&mut self, now: Now) {
        let sessions = self.elsewhere.sessions.iter();
        let types: Vec<(SessionId, String)> =
            sessions.map(|(id, session)| (id.clone(), session.runtime_type.clone())).collect();
        for (id, runtime_type) in types {
            let decision = self.decide_elsewhere(now, &runtime_type);
            if let Some(session) = self.elsewhere.sessions.get_mut(&id) {
                session.decision = decision;
            }
        }
    }

    fn see_entries(&mut self, entries: &[QueueEntry]) {
        let mut questions = Vec::new();
        for entry in entries {
            if self.may_run_elsewhere(entry) && self.is_to_be_pinned(entry) {
                questions.push((entry.id.clone(), false));
            }
        }
        let is_open = |id: &QueueId| entries.iter().any(|entry| entry.id == *id);
        let over = self.elsewhere.executions.keys().filter(|id| !is_open(id));
        questions.extend(over.map(|id| (id.clone(), true)));
        for (id, is_over) in questions {
            let ticket = self.ask(Asked::question(Asker::Elsewhere(id.clone(), is_over)));
            self.effects.push(Effect::Query { ticket, query: Query::Execution(id) });
        }
    }

    /// An execution is looked at when it is seen first, and again when it has begun.
    fn is_to_be_pinned(&mut self, entry: &QueueEntry) -> bool {
        let Elsewhere { executions, next_rank, .. } = &mut self.elsewhere;
        if let Some(execution) = executions.get_mut(&entry.id) {
            return execution.saw(entry.status);
        }
        let has_room = executions.len() < MAX_EXECUTIONS;
        if has_room {
            *next_rank += 1;
            executions.insert(entry.id.clone(), SeenExecution::new(entry, *next_rank));
        }
        has_room
    }

    /// Anybody may claim what is pending; what is claimed is of the session that it names.
    fn may_run_elsewhere(&self, entry: &QueueEntry) -> bool {
        match &entry.assigned_runtime_session {
            _ if entry.status == QueueStatus::Pending => true,
            Some(session) => self.elsewhere.sessions.get(session).is_some_and(Session::is_followed),
            None => false,
        }
    }

    /// The tables have said what there is of an execution. One that cannot be read is not followed any longer.
    pub(super) fn looked_elsewhere(&mut self, now: Now, id: &QueueId, is_over: bool, answer: Answer) {
        let Ok(Reply::Execution(Some(rows))) = answer else {
            self.elsewhere.executions.remove(id);
            return;
        };
        if !is_over {
            if let Some(execution) = self.elsewhere.executions.get_mut(id) {
                execution.pin(&rows);
            }
            return;
        }
        let Some(execution) = self.elsewhere.executions.remove(id) else { return };
        let session = rows.entry.assigned_runtime_session.as_ref().and_then(|id| self.elsewhere.sessions.get(id));
        let Some(session) = session.filter(|session| session.is_followed()) else { return };
        let decision = session.decision.clone();
        if let Some(observation) = execution.end(&session.runtime_type, &session.identity, &rows, now) {
            self.compare(observation, decision);
        }
    }

    /// Sessions are watched while flags may route them, entries while one is followed.
    pub(super) fn watch_elsewhere_as_needed(&mut self) {
        let follows = self.follows_elsewhere();
        if !follows {
            self.elsewhere.executions.clear();
        }
        let needed = (self.elsewhere.attributes.is_some() && self.flags.is_expected()).then_some(follows);
        if needed != self.elsewhere.watched {
            self.elsewhere.watched = needed;
            self.effects.push(match needed {
                Some(entries) => Effect::Follow { entries },
                None => Effect::Unfollow,
            });
        }
    }
}
