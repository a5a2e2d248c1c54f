//! `BaseRuntime`: the lifecycle that host classes extend.
//!
//! The subscriber set, `metadata`, `capabilities` and `configuration` belong to the performer, where they keep their
//! identity; `state` and `notebookId` belong to this core. Behaviour: recorded traces `base__*`; oddities: [`crate::Quirk`].

use registry::{Answer, Failure, Now, Reply, Ticket, Timestamp};

use crate::tasks::Tasks;
use crate::{CallId, Effect, Hook, LegacyStatus, RuntimeState, StatePatch};

/// How long `restart` waits between its stop and its start.
const RESTART_PAUSE_MS: u64 = 100;

/// What happens to a runtime.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `start(notebookId, config)`.
    Start(CallId, String),
    /// `stop()`.
    Stop(CallId),
    /// `restart(config)`.
    Restart(CallId),
    /// `updateState(partial)`.
    Update(StatePatch),
    /// A subclass assigned members of the protected field `state`: no callback, no heartbeat.
    Assign(StatePatch),
    /// `setBusy()`.
    SetBusy,
    /// `setReady()`.
    SetReady,
    /// `setError(error)`, with the error's message.
    SetError(String),
    /// The performer's answer to an effect.
    Answer(Ticket, Answer),
    /// A subclass assigned the protected field `notebookId`.
    SetNotebookId(Option<String>),
    /// The route of a running session was flipped: one `ready` with the new ids. No old code did this.
    Adopt {
        /// The new runtime id.
        runtime_id: String,
        /// The new session id.
        session_id: String,
    },
}

/// One runtime object's lifecycle.
#[derive(Clone, Debug)]
pub struct BaseRuntime {
    /// `metadata.id`, which appears in messages.
    id: String,
    state: RuntimeState,
    notebook_id: Option<String>,
    tasks: Tasks<Task>,
    effects: Vec<Effect>,
}

/// A suspended call and where in the old method it stands.
#[derive(Clone, Debug)]
enum Task {
    /// A state callback behind which nothing follows.
    Notified,
    StartAnnounced {
        call: CallId,
        notebook_id: String,
    },
    StartNamed {
        call: CallId,
        notebook_id: String,
    },
    StartIdentified {
        call: CallId,
        notebook_id: String,
        runtime_id: String,
    },
    StartShown {
        call: CallId,
        notebook_id: String,
    },
    StartHooked {
        call: CallId,
    },
    StopAnnounced {
        call: CallId,
    },
    StopHooked {
        call: CallId,
    },
    StopShown {
        call: CallId,
    },
    RestartStopped {
        call: CallId,
    },
    RestartPaused {
        call: CallId,
    },
    RestartStarted {
        call: CallId,
    },
    /// The last callback of a call, then its promise settles.
    Settling {
        call: CallId,
        outcome: Result<(), Failure>,
    },
}

impl BaseRuntime {
    /// A runtime that was never started; `id` is its `metadata.id`.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            state: RuntimeState::default(),
            notebook_id: None,
            tasks: Tasks::default(),
            effects: Vec::new(),
        }
    }

    /// The state that `getState()` copies.
    pub fn state(&self) -> &RuntimeState {
        &self.state
    }

    /// The protected field `notebookId`.
    pub fn notebook_id(&self) -> Option<&str> {
        self.notebook_id.as_deref()
    }

    /// `getCurrentNotebookId()`: an empty id counts as none.
    ///
    /// # Errors
    /// The message that the old code threw where there is no id.
    pub fn current_notebook_id(&self) -> Result<&str, Failure> {
        self.usable_notebook_id().ok_or_else(|| Failure::new("No notebook ID available - runtime may not be started"))
    }

    /// `isActiveAndReady()`.
    pub fn is_active_and_ready(&self) -> bool {
        self.state.is_active && self.state.status == LegacyStatus::Ready
    }

    /// `validateStarted()`.
    ///
    /// # Errors
    /// The message that the old code threw for a runtime that is not active.
    pub fn validate_started(&self) -> Result<(), Failure> {
        if self.state.is_active { Ok(()) } else { Err(Failure::new(format!("Runtime {} is not active", self.id))) }
    }

    /// Takes one input and gives the effects to perform, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        match input {
            Input::Start(call, notebook_id) => self.on_start(now, call, notebook_id),
            Input::Stop(call) => self.on_stop(now, call),
            Input::Restart(call) => self.on_restart(call),
            Input::Update(patch) => self.update(now, patch, Task::Notified),
            Input::Assign(patch) => self.state.assign(patch),
            Input::SetBusy => self.set_status(now, LegacyStatus::Busy),
            Input::SetReady => self.set_status(now, LegacyStatus::Ready),
            Input::SetError(message) => self.update(now, StatePatch::error(&message), Task::Notified),
            Input::Answer(ticket, answer) => self.on_answer(now, ticket, answer),
            Input::SetNotebookId(id) => self.notebook_id = id,
            Input::Adopt { runtime_id, session_id } => self.on_adopt(now, runtime_id, session_id),
        }
        std::mem::take(&mut self.effects)
    }

    fn on_start(&mut self, now: Now, call: CallId, notebook_id: String) {
        if self.state.is_active || self.state.is_starting {
            return self.settle(call, Ok(()));
        }
        let ticket = self.tasks.park(Task::Notified);
        self.effects.push(Effect::Hook(ticket, Hook::Configure { call }));
        self.notebook_id = Some(notebook_id.clone());
        let starting =
            StatePatch { is_starting: Some(true), error: Some(None), ..StatePatch::status(LegacyStatus::Starting) };
        self.update(now, starting, Task::StartAnnounced { call, notebook_id });
    }

    fn on_stop(&mut self, now: Now, call: CallId) {
        if !self.state.is_active || self.state.is_stopping {
            return self.settle(call, Ok(()));
        }
        let stopping = StatePatch { is_stopping: Some(true), ..StatePatch::status(LegacyStatus::Stopping) };
        self.update(now, stopping, Task::StopAnnounced { call });
    }

    fn on_restart(&mut self, call: CallId) {
        if self.state.is_active {
            self.hook(Task::RestartStopped { call }, Hook::Stop);
        } else {
            self.pause(call);
        }
    }

    fn on_adopt(&mut self, now: Now, runtime_id: String, session_id: String) {
        let adopted = StatePatch {
            runtime_id: Some(Some(runtime_id)),
            session_id: Some(Some(session_id)),
            ..StatePatch::status(LegacyStatus::Ready)
        };
        self.update(now, adopted, Task::Notified);
    }

    fn on_answer(&mut self, now: Now, ticket: Ticket, answer: Answer) {
        if let Some(task) = self.tasks.wake(ticket) {
            self.resume(now, task, answer);
        }
    }

    fn resume(&mut self, now: Now, task: Task, answer: Answer) {
        match task {
            Task::Notified => {}
            Task::StartAnnounced { call, notebook_id } => {
                self.hook(Task::StartNamed { call, notebook_id }, Hook::GenerateRuntimeId);
            }
            Task::StartNamed { call, notebook_id } => match text(answer) {
                Ok(runtime_id) => self.hook(
                    Task::StartIdentified { call, notebook_id, runtime_id: runtime_id.clone() },
                    Hook::GenerateSessionId { runtime_id },
                ),
                Err(failure) => self.start_failed(now, call, failure),
            },
            Task::StartIdentified { call, notebook_id, runtime_id } => match text(answer) {
                Ok(session_id) => self.identify(now, call, notebook_id, runtime_id, session_id),
                Err(failure) => self.start_failed(now, call, failure),
            },
            Task::StartShown { call, notebook_id } => {
                self.hook(Task::StartHooked { call }, Hook::DoStart { notebook_id });
            }
            Task::StartHooked { call } => match answer {
                Ok(_) => self.started(now, call),
                Err(failure) => self.start_failed(now, call, failure),
            },
            Task::StopAnnounced { call } => self.hook(Task::StopHooked { call }, Hook::DoStop),
            Task::StopHooked { call } => match answer {
                Ok(_) => self.stopped(now, call),
                Err(failure) => self.stop_failed(now, call, failure),
            },
            Task::StopShown { call } => {
                self.notebook_id = None;
                self.settle(call, Ok(()));
            }
            Task::RestartStopped { call } => match answer {
                Ok(_) => self.pause(call),
                Err(failure) => self.settle(call, Err(failure)),
            },
            Task::RestartPaused { call } => self.start_again(call),
            Task::RestartStarted { call } => self.settle(call, answer.map(drop)),
            Task::Settling { call, outcome } => self.settle(call, outcome),
        }
    }

    fn identify(&mut self, now: Now, call: CallId, notebook_id: String, runtime_id: String, session_id: String) {
        let ids = StatePatch {
            runtime_id: Some(Some(runtime_id)),
            session_id: Some(Some(session_id)),
            ..StatePatch::default()
        };
        self.update(now, ids, Task::StartShown { call, notebook_id });
    }

    fn started(&mut self, now: Now, call: CallId) {
        let ready =
            StatePatch { is_active: Some(true), is_starting: Some(false), ..StatePatch::status(LegacyStatus::Ready) };
        self.update(now, ready, Task::Settling { call, outcome: Ok(()) });
    }

    fn start_failed(&mut self, now: Now, call: CallId, failure: Failure) {
        let failed =
            StatePatch { is_starting: Some(false), is_active: Some(false), ..StatePatch::error(&failure.message) };
        self.update(now, failed, Task::Settling { call, outcome: Err(failure) });
    }

    fn stopped(&mut self, now: Now, call: CallId) {
        let inactive = StatePatch {
            is_active: Some(false),
            is_stopping: Some(false),
            error: Some(None),
            runtime_id: Some(None),
            session_id: Some(None),
            ..StatePatch::status(LegacyStatus::Inactive)
        };
        self.update(now, inactive, Task::StopShown { call });
    }

    fn stop_failed(&mut self, now: Now, call: CallId, failure: Failure) {
        let failed = StatePatch { is_stopping: Some(false), ..StatePatch::error(&failure.message) };
        self.update(now, failed, Task::Settling { call, outcome: Err(failure) });
    }

    fn pause(&mut self, call: CallId) {
        let ticket = self.tasks.park(Task::RestartPaused { call });
        self.effects.push(Effect::Sleep(ticket, RESTART_PAUSE_MS));
    }

    fn start_again(&mut self, call: CallId) {
        match self.usable_notebook_id().map(str::to_owned) {
            Some(notebook_id) => self.hook(Task::RestartStarted { call }, Hook::Start { call, notebook_id }),
            None => self.settle(call, Err(Failure::new("Cannot restart runtime: no notebook ID available"))),
        }
    }

    fn set_status(&mut self, now: Now, status: LegacyStatus) {
        if self.state.is_active {
            self.update(now, StatePatch::status(status), Task::Notified);
        }
    }

    /// Merges a patch; `then` goes on once the callbacks, if any are due, have run.
    fn update(&mut self, now: Now, patch: StatePatch, then: Task) {
        if self.state.merge(patch, Timestamp::from_ms(now.wall_ms)) {
            let ticket = self.tasks.park(then);
            self.effects.push(Effect::StateCallback(ticket));
        } else {
            self.resume(now, then, Ok(Reply::Done));
        }
    }

    fn hook(&mut self, then: Task, hook: Hook) {
        let ticket = self.tasks.park(then);
        self.effects.push(Effect::Hook(ticket, hook));
    }

    fn settle(&mut self, call: CallId, outcome: Result<(), Failure>) {
        self.effects.push(Effect::Settle(call, outcome));
    }

    fn usable_notebook_id(&self) -> Option<&str> {
        self.notebook_id.as_deref().filter(|id| !id.is_empty())
    }
}

/// `generateRuntimeId()`: `<type>-runtime-<nanoid>`.
pub fn runtime_id(runtime_type: &str, nanoid: &str) -> String {
    format!("{runtime_type}-runtime-{nanoid}")
}

/// `generateSessionId(runtimeId)`: `<runtimeId>-<epoch ms>`.
pub fn session_id(runtime_id: &str, now: Now) -> String {
    format!("{runtime_id}-{}", now.wall_ms)
}

/// The text that a hook answered with.
fn text(answer: Answer) -> Result<String, Failure> {
    match answer? {
        Reply::Text(text) => Ok(text),
        other => Err(Failure::new(format!("expected a text from the hook, got `{other:?}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };

    #[test]
    fn a_state_callback_comes_before_the_next_thing_the_old_code_did() {
        let mut runtime = BaseRuntime::new("r");
        let effects = runtime.handle(NOW, Input::Start(CallId(1), "nb".into()));
        assert!(matches!(effects[..], [Effect::Hook(_, Hook::Configure { .. }), Effect::StateCallback(..)]));
        let Effect::StateCallback(ticket) = effects[1] else { panic!("{effects:?}") };
        let effects = runtime.handle(NOW, Input::Answer(ticket, Ok(Reply::Done)));
        assert!(matches!(effects[..], [Effect::Hook(_, Hook::GenerateRuntimeId)]));
    }

    #[test]
    fn an_answer_that_comes_twice_wakes_nothing() {
        let mut runtime = BaseRuntime::new("r");
        let effects = runtime.handle(NOW, Input::Start(CallId(1), "nb".into()));
        let Effect::StateCallback(ticket) = effects[1] else { panic!("{effects:?}") };
        assert_eq!(runtime.handle(NOW, Input::Answer(ticket, Ok(Reply::Done))).len(), 1);
        assert_eq!(runtime.handle(NOW, Input::Answer(ticket, Ok(Reply::Done))), vec![]);
    }
}
