//! An owner of a notebook in memory: it performs effects as an environment with a store does, on virtual time.

pub(crate) mod host_code;

use std::collections::VecDeque;
use std::sync::Arc;

use bridge_core::{Ability, Comparison, Decision, Fault, Incident, Latch, Observation, judge};
use bridge_host::journal::SharedJournal;
use bridge_host::step::{Effect, Input, LegacyKind, Method, Notebook, RuntimeKey, SessionIds};
use flags::LiveFlags;
use legacy_compat::{CallId, Hook, HtmlRuntimeState};
use registry::{
    Answer, Capabilities, Event, Failure, NotebookId, NotebookState, Now, Reply, RuntimeId, RuntimeType, SessionId,
    Ticket, TimerId,
};

use crate::watch;
use host_code::HostCode;

/// The only runtime object of this owner.
const RUNTIME: RuntimeKey = RuntimeKey(1);

/// A notebook with its store and one html runtime object that is always active while a session is.
pub struct MemoryOwner {
    notebook: Notebook,
    /// The notebook's flags.
    pub flags: Arc<LiveFlags>,
    /// The tables.
    pub state: NotebookState,
    /// Every event committed, by whomever.
    pub log: Vec<Event>,
    /// The ids that sessions took over with while running, in order.
    pub adopted: Vec<SessionIds>,
    /// The last decision.
    pub decision: Option<Decision>,
    /// The registry's ids of the session that is about to start.
    admitted: Option<SessionIds>,
    /// Says of an event whether the store refuses the commit that holds it.
    pub refuses: fn(&Event) -> bool,
    /// Spoils the candidates of comparisons.
    pub fault: Option<Fault>,
    /// What was compared, and what came of it.
    pub compared: Vec<(Observation, Comparison)>,
    /// What the guard would have been told that the new path has done while it served.
    pub incidents: Vec<Incident>,
    /// What a manager showed, in order.
    pub shown: Vec<HtmlRuntimeState>,
    /// What a manager had its host throw.
    pub raised: Vec<Failure>,
    /// How calls ended.
    pub settled: Vec<Result<(), Failure>>,
    now: Now,
    /// The status of the runtime object: an error ends the old path's claiming until the next start.
    is_ready: bool,
    is_watching: bool,
    has_news: bool,
    /// Whether agents elsewhere are watched, and whether their entries are.
    follows: Option<bool>,
    has_news_elsewhere: bool,
    timers: Vec<(TimerId, u64, u64)>,
    microtasks: VecDeque<Input>,
    renders: VecDeque<Input>,
    sleeps: Vec<(Ticket, u64)>,
    awaited: Vec<(CallId, Ticket)>,
    next_call: u32,
    kind: LegacyKind,
    /// The ids in the state of the runtime object.
    session: Option<SessionIds>,
    host_code: HostCode,
    host_answer: Answer,
}

impl MemoryOwner {
    /// A notebook without cells whose old path is `legacy-compat`.
    pub fn new() -> Self {
        Self::with_legacy(LegacyKind::Compat)
    }

    /// A notebook without cells, and who serves its old path.
    pub fn with_legacy(kind: LegacyKind) -> Self {
        let flags = Arc::new(LiveFlags::new());
        flags.expect();
        Self {
            notebook: Notebook::new(NotebookId::from("nb"), Arc::clone(&flags), [7; 32]),
            flags,
            state: NotebookState::new(),
            log: Vec::new(),
            adopted: Vec::new(),
            decision: None,
            admitted: None,
            refuses: |_| false,
            fault: None,
            compared: Vec::new(),
            incidents: Vec::new(),
            shown: Vec::new(),
            raised: Vec::new(),
            settled: Vec::new(),
            now: Now { wall_ms: 1_700_000_000_000, mono_ms: 0 },
            is_ready: false,
            is_watching: false,
            has_news: false,
            follows: None,
            has_news_elsewhere: false,
            timers: Vec::new(),
            microtasks: VecDeque::new(),
            renders: VecDeque::new(),
            sleeps: Vec::new(),
            awaited: Vec::new(),
            next_call: 0,
            kind,
            session: None,
            host_code: HostCode::default(),
            host_answer: Ok(Reply::Done),
        }
    }

    /// Runs cells of this type on the new path.
    pub fn serve(&mut self, runtime_type: RuntimeType) {
        self.notebook.serve(runtime_type);
    }

    /// Gives the notebook a journal of starts.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn keep_journal(&mut self, journal: SharedJournal) {
        let read = self.notebook.keep_journal(journal);
        assert!(read.is_ok(), "{read:?}");
    }

    /// The process ends without a word and another one opens the store: what is in it is all that is left.
    pub fn crash(&mut self) {
        let flags = Arc::clone(&self.flags);
        let reopened = Self { flags, state: self.state.clone(), log: self.log.clone(), ..Self::with_legacy(self.kind) };
        let notebook = Notebook::new(NotebookId::from("nb"), Arc::clone(&self.flags), [8; 32]);
        *self = Self { notebook, now: self.now, ..reopened };
        self.has_news = true;
    }

    /// The notebook's status.
    pub fn status(&self) -> bridge_host::step::Status {
        self.notebook.status()
    }

    /// Attaches the store, or detaches it.
    pub fn attach(&mut self, is_attached: bool) {
        self.step(Input::Attached { attributes: is_attached.then(serde_json::Map::new), is_blind: false });
        self.settle();
    }

    /// What it watches of agents elsewhere: nothing, sessions, or entries too.
    pub fn follows(&self) -> Option<bool> {
        self.follows
    }

    /// Starts a session, as `HtmlRuntime.start` does.
    pub fn start(&mut self) {
        let ability = Ability { is_built_in: true, has_live_query: true };
        self.step(Input::Admit { runtime: RUNTIME, attributes: serde_json::Map::new(), ability, legacy: self.kind });
        let ids = self.admitted.take().unwrap_or_else(|| SessionIds {
            runtime_id: RuntimeId::from("html-runtime-x"),
            session_id: SessionId::from(format!("html-runtime-x-{}", self.now.wall_ms)),
        });
        self.session = Some(ids.clone());
        let capabilities = Capabilities { can_execute_code: true, ..Capabilities::default() };
        self.is_ready = true;
        self.call(Method::Start { ids, capabilities });
        self.settle();
    }

    /// Mounts a manager, as its package class does.
    pub fn mount(&mut self) {
        let ids = SessionIds {
            runtime_id: RuntimeId::from("html-runtime-x"),
            session_id: SessionId::from(format!("html-runtime-x-{}", self.now.wall_ms)),
        };
        self.call_and_settle(Method::Mount { ids, is_authenticated: true });
    }

    /// Makes one of a manager's calls: `startRuntime` and `restartRuntime` are admitted first, as its package class does.
    pub fn call_manager(&mut self, methods: impl IntoIterator<Item = Method>) {
        for method in methods {
            if matches!(method, Method::StartRuntime | Method::RestartRuntime) {
                let ability = Ability { is_built_in: true, has_live_query: true };
                self.step(Input::Admit {
                    runtime: RUNTIME,
                    attributes: serde_json::Map::new(),
                    ability,
                    legacy: LegacyKind::Compat,
                });
            }
            self.call(method);
        }
        self.settle();
    }

    fn call_and_settle(&mut self, method: Method) {
        self.call(method);
        self.settle();
    }

    /// Stops the session.
    pub fn stop(&mut self) {
        self.call(Method::Stop);
        self.settle();
    }

    /// Commits events of the host's.
    pub fn commit(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.store(event);
        }
        self.settle();
    }

    /// Puts these rollbacks in force.
    pub fn roll_back(&mut self, latch: Latch) {
        self.notebook.heed(Arc::new(latch));
        self.step(Input::Wake);
        self.settle();
    }

    /// Tells the notebook that its flags may have changed.
    pub fn flags_changed(&mut self) {
        self.step(Input::Wake);
        self.settle();
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Lets time pass, firing intervals when they are due.
    pub fn advance(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some((timer, due)) = self.next_due(end) {
            self.pass(due - self.now.mono_ms);
            match timer {
                host_code::POLL => self.host_poll(),
                _ => self.step(Input::Timer { timer }),
            }
            self.settle();
        }
        self.pass(end - self.now.mono_ms);
        while let Some(at) = self.sleeps.iter().position(|(_, due)| *due <= end) {
            let (ticket, _) = self.sleeps.remove(at);
            self.step(Input::Answer { ticket, answer: Ok(Reply::Done) });
            self.settle();
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += i64::try_from(ms).unwrap_or(i64::MAX);
    }

    fn next_due(&mut self, end: u64) -> Option<(TimerId, u64)> {
        let next = self.timers.iter_mut().filter(|(_, due, _)| *due <= end).min_by_key(|(_, due, _)| *due)?;
        let (timer, due, every) = *next;
        next.1 = due + every;
        Some((timer, due))
    }

    fn call(&mut self, method: Method) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        self.step(Input::Call { runtime: RUNTIME, call, method });
        call
    }

    /// Runs what waits for the end of the present task, then the news of the live query, until nothing is left.
    fn settle(&mut self) {
        loop {
            if let Some(input) = self.microtasks.pop_front() {
                self.step(input);
            } else if std::mem::take(&mut self.has_news) && self.is_watching {
                watch::news(&self.state).into_iter().for_each(|news| self.step(news));
            } else if let Some(entries) = self.follows.filter(|_| std::mem::take(&mut self.has_news_elsewhere)) {
                self.step(watch::elsewhere(&self.state, entries));
            } else if let Some(input) = self.renders.pop_front() {
                self.step(input);
            } else {
                return;
            }
        }
    }

    fn step(&mut self, input: Input) {
        let mut stack: Vec<Effect> = self.notebook.step(self.now, input).into_iter().rev().collect();
        while let Some(effect) = stack.pop() {
            if let Some((ticket, answer)) = self.perform(effect) {
                stack.extend(self.notebook.step(self.now, Input::Answer { ticket, answer }).into_iter().rev());
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<(Ticket, Answer)> {
        match effect {
            Effect::Admitted { ids, decision, .. } => {
                self.admitted = ids;
                self.decision = Some(decision);
                None
            }
            Effect::Commit { ticket, events, .. } => Some((ticket, self.commit_all(events))),
            Effect::Query { ticket, query } => Some((ticket, Ok(self.state.answer(&query)))),
            Effect::Hook { ticket, hook, .. } => self.hook(ticket, hook),
            Effect::Continue { ticket } => Some((ticket, Ok(Reply::Done))),
            Effect::Fail { ticket, failure } => Some((ticket, Err(failure))),
            Effect::SetInterval { timer, every_ms } => {
                self.timers.push((timer, self.now.mono_ms + every_ms, every_ms));
                None
            }
            Effect::ClearInterval { timer } => {
                self.timers.retain(|(known, ..)| *known != timer);
                None
            }
            Effect::Settle { call, outcome } => {
                self.call_settled(call, outcome);
                None
            }
            Effect::Watch => {
                (self.is_watching, self.has_news) = (true, true);
                None
            }
            Effect::Unwatch => {
                self.is_watching = false;
                None
            }
            Effect::Follow { entries } => {
                (self.follows, self.has_news_elsewhere) = (Some(entries), true);
                None
            }
            Effect::Unfollow => {
                self.follows = None;
                None
            }
            Effect::Adopt { ids, .. } => {
                self.session = Some(ids.clone());
                self.adopted.push(ids);
                self.is_ready = true;
                None
            }
            Effect::Compare { observation, .. } => {
                let comparison = judge(&observation, self.fault);
                self.compared.push((*observation, comparison.clone()));
                self.microtasks.push_back(Input::Compared(Ok(comparison)));
                None
            }
            Effect::Incident { incident } => {
                self.incidents.push(incident);
                None
            }
            Effect::Comparing | Effect::Compared { .. } | Effect::RolledBack { .. } | Effect::Diagnostic { .. } => None,
            Effect::HostCommit { ticket, passed, .. } => Some((ticket, self.host_commit_judged(&passed))),
            Effect::Facade { facade, .. } => {
                self.host_code.grant(facade);
                None
            }
            Effect::Yield { ticket } => {
                self.renders.push_back(Input::Answer { ticket, answer: Ok(Reply::Done) });
                None
            }
            Effect::Sleep { ticket, ms } => {
                self.sleeps.push((ticket, self.now.mono_ms + ms));
                None
            }
            Effect::Show { ticket, state, .. } => {
                self.shown.push(state);
                Some((ticket, Ok(Reply::Done)))
            }
            Effect::Raise { failure, .. } => {
                self.raised.push(failure);
                None
            }
        }
    }

    fn hook(&mut self, ticket: Ticket, hook: Hook) -> Option<(Ticket, Answer)> {
        match hook {
            Hook::DoStart { .. } => Some((ticket, self.host_start())),
            Hook::DoStop => Some((ticket, self.host_stop())),
            Hook::IsActiveAndReady => Some((ticket, Ok(Reply::Flag(self.is_ready)))),
            Hook::SetReady | Hook::SetBusy | Hook::SetError { .. } => {
                self.is_ready = hook == Hook::SetReady;
                Some((ticket, Ok(Reply::Done)))
            }
            Hook::ExecuteCode { cell_id, code } => {
                self.awaited.push((CallId(self.next_call + 1), ticket));
                self.call(Method::ExecuteCode { cell_id, code });
                None
            }
            _ => Some((ticket, Ok(Reply::Done))),
        }
    }

    /// A call that a hook awaits answers it in a later microtask.
    fn call_settled(&mut self, call: CallId, outcome: Result<(), Failure>) {
        match self.awaited.iter().position(|(awaited, _)| *awaited == call) {
            Some(place) => {
                let (_, ticket) = self.awaited.remove(place);
                let answer = outcome.map(|()| Reply::Done);
                self.microtasks.push_back(Input::Answer { ticket, answer });
            }
            None => self.settled.push(outcome),
        }
    }

    fn commit_all(&mut self, events: Vec<Event>) -> Answer {
        if events.iter().any(self.refuses) {
            return Err(Failure::new("refused"));
        }
        for event in events {
            self.store(event);
        }
        Ok(Reply::Done)
    }

    fn store(&mut self, event: Event) {
        self.state.apply(&event);
        self.log.push(event);
        (self.has_news, self.has_news_elsewhere) = (true, true);
    }
}

impl Default for MemoryOwner {
    fn default() -> Self {
        Self::new()
    }
}
