//! The session's life: announced in one commit, ended by a stop, a displacement or a hand-over.

use super::execution::Work;
use super::{Agent, Standing, unexpected};
use crate::{
    Answer, Effect, Event, Failure, Phase, Query, Reply, RuntimeSessionStarted, RuntimeSessionStatusChanged,
    RuntimeSessionTerminated, SessionId, SessionIdentity, SessionStatus, TerminationReason,
};

/// A session event under way.
#[derive(Clone, Debug)]
pub(super) enum SessionStep {
    /// Reading which sessions to displace.
    Displacing,
    /// The announcement is being committed.
    Announcing,
    /// The announcement failed: reading whether it took effect all the same, as when a subscriber threw behind it.
    Verifying(Failure),
    /// Reading what is queued already.
    Seeding,
    /// The termination is being committed.
    Terminating,
}

impl Agent {
    pub(super) fn on_start(&mut self, identity: SessionIdentity) {
        if !matches!(self.standing, Standing::Idle | Standing::Broken(_)) {
            let failure = Failure::new("the agent has a session already");
            return self.effects.push(Effect::Phase(Phase::StartFailed(failure)));
        }
        self.forget_waiting();
        self.standing = Standing::Announcing(identity);
        self.query(Work::Session(SessionStep::Displacing), Query::ActiveSessions);
    }

    /// Whoever announced the session has told the host of it.
    pub(super) fn on_resume(&mut self, identity: SessionIdentity) {
        self.forget_waiting();
        self.work = None;
        self.run(identity);
    }

    pub(super) fn on_stop(&mut self, reason: TerminationReason) {
        match &self.standing {
            Standing::Announcing(identity) | Standing::Running(identity) => {
                self.standing = Standing::Ending(identity.clone(), reason);
                self.forget_waiting();
                self.next();
            }
            Standing::Ending(..) => {}
            Standing::Broken(identity) => {
                let session = identity.session_id.clone();
                self.terminate(session, reason);
            }
            Standing::Idle => self.stopped(None),
        }
    }

    /// Ends silently: whoever takes over speaks for the session.
    pub(super) fn on_release(&mut self) {
        self.standing = Standing::Idle;
        self.work = None;
        self.forget_waiting();
    }

    pub(super) fn on_active_sessions(&mut self, active: &[SessionId]) {
        let (Standing::Running(identity) | Standing::Broken(identity)) = &self.standing else { return };
        if !active.contains(&identity.session_id) {
            self.standing = Standing::Idle;
            self.forget_waiting();
            self.effects.push(Effect::Phase(Phase::Displaced));
        }
    }

    /// The store shows the session as over before anybody has told of it: nothing of what was claimed has been committed.
    pub(super) fn ended_elsewhere(&mut self) {
        self.on_active_sessions(&[]);
        self.next();
    }

    pub(super) fn resume_session(&mut self, step: SessionStep, answer: Answer) {
        match (step, answer) {
            (SessionStep::Displacing, Ok(Reply::Sessions(active))) => self.announce(active),
            (SessionStep::Announcing, Ok(_)) => self.announced(),
            (SessionStep::Seeding, Ok(Reply::Entries(entries))) => self.on_queued(entries),
            (SessionStep::Terminating, Ok(_)) => self.stopped(None),
            (SessionStep::Terminating, Err(failure)) => self.stopped(Some(failure)),
            (SessionStep::Announcing, Err(failure)) => {
                self.query(Work::Session(SessionStep::Verifying(failure)), Query::ActiveSessions);
            }
            (SessionStep::Verifying(failure), Ok(Reply::Sessions(active))) => self.verified(&active, failure),
            (SessionStep::Displacing, Err(failure)) | (SessionStep::Verifying(failure), _) => {
                self.start_failed(failure);
            }
            (SessionStep::Displacing, Ok(other)) => self.start_failed(unexpected(&other)),
            (SessionStep::Seeding, Ok(other)) => self.break_down(unexpected(&other)),
            (SessionStep::Seeding, Err(failure)) => self.break_down(failure),
        }
    }

    /// One commit announces the session, so that there are never two active ones and never a half-started one.
    fn announce(&mut self, active: Vec<SessionId>) {
        let Some(identity) = self.identity().cloned() else { return };
        let runtime_type = self.runtime_type.name.clone();
        let events = session_events(active, &identity, runtime_type);
        self.ask(Work::Session(SessionStep::Announcing), |ticket| Effect::Commit { ticket, events });
    }

    fn announced(&mut self) {
        match self.standing.clone() {
            Standing::Announcing(identity) => {
                self.effects.push(Effect::Phase(Phase::Ready));
                self.run(identity);
            }
            _ => self.next(),
        }
    }

    fn verified(&mut self, active: &[SessionId], failure: Failure) {
        if self.session_id().is_some_and(|session| active.contains(session)) {
            self.announced();
        } else {
            self.start_failed(failure);
        }
    }

    fn run(&mut self, identity: SessionIdentity) {
        self.standing = Standing::Running(identity);
        self.query(Work::Session(SessionStep::Seeding), Query::OpenEntries);
    }

    pub(super) fn terminate(&mut self, session_id: SessionId, reason: TerminationReason) {
        let events = vec![Event::RuntimeSessionTerminated(RuntimeSessionTerminated { session_id, reason })];
        self.ask(Work::Session(SessionStep::Terminating), |ticket| Effect::Commit { ticket, events });
    }

    fn start_failed(&mut self, failure: Failure) {
        self.standing = Standing::Idle;
        self.effects.push(Effect::Phase(Phase::StartFailed(failure)));
    }

    fn stopped(&mut self, failure: Option<Failure>) {
        self.standing = Standing::Idle;
        self.effects.push(Effect::Phase(Phase::Stopped(failure)));
    }
}

/// The events with which a session takes a notebook over: the others displaced in table order, itself started and ready.
pub fn session_events(displaced: Vec<SessionId>, identity: &SessionIdentity, runtime_type: String) -> Vec<Event> {
    let mut events: Vec<Event> = displaced
        .into_iter()
        .map(|session_id| {
            let reason = TerminationReason::Displaced;
            Event::RuntimeSessionTerminated(RuntimeSessionTerminated { session_id, reason })
        })
        .collect();
    events.push(Event::RuntimeSessionStarted(RuntimeSessionStarted {
        session_id: identity.session_id.clone(),
        runtime_id: identity.runtime_id.clone(),
        runtime_type,
        capabilities: identity.capabilities.clone(),
    }));
    events.push(Event::RuntimeSessionStatusChanged(RuntimeSessionStatusChanged {
        session_id: identity.session_id.clone(),
        status: SessionStatus::Ready,
    }));
    events
}
