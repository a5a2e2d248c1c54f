//! One notebook with its store and its host: it performs effects as an environment with a store does, on virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bridge_core::{Ability, Change, Decision, Lease, Path, Verdict, decide, judge};
use bridge_host::step::{Effect, Input, LegacyKind, Mechanism, Method, Notebook, RuntimeKey, SessionIds};
use flags::{Context, LiveFlags};
use legacy_compat::{BaseInput, CallId, Effect as BaseEffect, Hook};
use registry::{
    Answer, Capabilities, CellId, Event, Failure, IdSource, NotebookId, Now, QueueEntry, QueueId, QueueRow,
    QueueStatus, Reply, SessionId, Ticket, TimerId,
};

use super::action::{Blow, Boundary, Kind, Nested};
use super::oracle::{By, Invariant};
use super::runtime::Runtime;
use super::store::Store;

/// Effects that one input may bring; a step that asks for more goes round in circles.
const MAX_EFFECTS: u32 = 20_000;

/// What a drain may take where a document does not say so, and what comes on top: see [`bridge_host::step`].
const DRAIN_MS: u64 = 30_000;
const GRACE_MS: u64 = 2_000;

const ABILITY: Ability = Ability { is_built_in: true, has_live_query: true };

/// Nested calls from callbacks; deeper is a recursion.
const MAX_DEPTH: u32 = 40;

pub(super) struct Site {
    pub(super) number: usize,
    pub(super) now: Now,
    pub(super) flags: Arc<LiveFlags>,
    pub(super) store: Store,
    pub(super) runtimes: Vec<Runtime>,
    /// What the next state callback does.
    pub(super) nested: Option<Nested>,
    pub(super) ids: IdSource,
    /// The session of another process.
    pub(super) foreign: Option<SessionId>,
    /// Executions requested so far, repeated ones included.
    pub(super) requested: usize,
    /// Edits made so far.
    pub(super) edits: usize,
    pub(super) hangs: bool,
    /// Code of `legacy-compat`'s that hangs.
    held: Vec<Held>,
    /// The running sessions that are to move, and until when.
    due: BTreeMap<SessionId, Due>,
    /// What is to happen in the midst of a step, and after how many effects.
    strike: Option<(usize, Blow)>,
    /// The process has ended in the midst of a step: nothing more of it reaches anybody.
    is_down: bool,
    /// The flags have changed in the midst of a step.
    is_to_wake: bool,
    pub(super) struck: u64,
    /// The generation of the flags at the last step: of a later one nobody has told the notebook.
    noticed: u64,
    /// Flips of running sessions.
    pub(super) flips: u64,
    pub(super) steps: u64,
    pub(super) compared: u64,
    notebook: Notebook,
    mechanism: Option<Mechanism>,
    life: u32,
    is_enforced: bool,
    next_key: u32,
    next_call: u32,
    callers: BTreeMap<CallId, Caller>,
    microtasks: VecDeque<Microtask>,
    turns: VecDeque<Ticket>,
    sleeps: Vec<(u64, Sleeper)>,
    timers: Vec<(TimerId, u64, u64)>,
    watch: Option<Watch>,
    is_news_queued: bool,
    delays_news: bool,
    /// The commits of the host's code that are being judged, by the names under which it offers them, and the verdicts.
    pub(super) offered: BTreeMap<u32, Event>,
    pub(super) judged: BTreeMap<u32, (bool, Answer)>,
    pub(super) last_offer: u32,
    admitted: Option<SessionIds>,
    adopted: Vec<SessionId>,
    effects: u32,
    depth: u32,
}

/// Who waits for a call of the notebook's or of a runtime object's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The host.
    Host(RuntimeKey),
    /// The host, for code outside the queue.
    DirectCode(RuntimeKey),
    /// The object's lifecycle.
    Base(RuntimeKey, Ticket),
    /// The notebook.
    Notebook(Ticket),
}

impl Caller {
    fn is_of(self, key: RuntimeKey) -> bool {
        match self {
            Self::Host(of) | Self::DirectCode(of) | Self::Base(of, _) => of == key,
            Self::Notebook(_) => false,
        }
    }
}

enum Microtask {
    Answer(Ticket, Answer),
    Base(RuntimeKey, Ticket, Answer),
    Compared(Box<Input>),
    News,
}

#[derive(Clone, Copy)]
enum Sleeper {
    Notebook(Ticket),
    Base(RuntimeKey, Ticket),
}

/// A call of `executeCode` that waits for the code itself.
struct Held {
    key: RuntimeKey,
    ticket: Ticket,
    /// The execution that it belongs to.
    id: Option<QueueId>,
    cell: CellId,
    code: String,
}

/// A running session that is to move.
#[derive(Clone, Copy)]
struct Due {
    since_ms: u64,
    /// The longest drain that any document has granted it since.
    drain_ms: u64,
}

/// What a live query has told.
#[derive(Default)]
struct Watch {
    seen: BTreeMap<QueueId, (QueueStatus, Option<SessionId>)>,
    sessions: Option<Vec<SessionId>>,
}

impl Site {
    pub(super) fn new(number: usize, flags: &Arc<LiveFlags>, mechanism: Option<Mechanism>, cast: &[Kind]) -> Self {
        let seed = [u8::try_from(number).unwrap_or(u8::MAX); 32];
        let mut site = Self {
            number,
            now: Now { wall_ms: 1_700_000_000_000, mono_ms: 0 },
            flags: Arc::clone(flags),
            store: Store::new(),
            runtimes: Vec::new(),
            nested: None,
            ids: IdSource::new(seed),
            foreign: None,
            requested: 0,
            edits: 0,
            hangs: false,
            held: Vec::new(),
            due: BTreeMap::new(),
            strike: None,
            is_down: false,
            is_to_wake: false,
            struck: 0,
            noticed: 0,
            flips: 0,
            steps: 0,
            compared: 0,
            notebook: Notebook::new(name(number), Arc::clone(flags), seed),
            mechanism,
            life: 0,
            is_enforced: false,
            next_key: 0,
            next_call: 0,
            callers: BTreeMap::new(),
            microtasks: VecDeque::new(),
            turns: VecDeque::new(),
            sleeps: Vec::new(),
            timers: Vec::new(),
            watch: None,
            is_news_queued: false,
            delays_news: false,
            offered: BTreeMap::new(),
            judged: BTreeMap::new(),
            last_offer: 0,
            admitted: None,
            adopted: Vec::new(),
            effects: 0,
            depth: 0,
        };
        site.open(cast);
        site
    }

    /// A process starts on what the store holds.
    fn open(&mut self, cast: &[Kind]) {
        self.life += 1;
        self.is_enforced = false;
        let seed = self.ids.seed();
        let notebook = Notebook::new(name(self.number), Arc::clone(&self.flags), seed);
        self.notebook = match self.mechanism {
            Some(mechanism) => notebook.without(mechanism),
            None => notebook,
        };
        self.runtimes = cast.iter().map(|kind| self.object(*kind)).collect();
    }

    pub(super) fn object(&mut self, kind: Kind) -> Runtime {
        self.next_key += 1;
        Runtime::new(RuntimeKey(self.next_key), kind)
    }

    /// The process ends and another one starts; of the old one nothing is left but what the store holds.
    pub(super) fn crash(&mut self, lost: usize) {
        let cast: Vec<Kind> = self.runtimes.iter().map(|runtime| runtime.kind).collect();
        self.callers.clear();
        self.held.clear();
        self.due.clear();
        self.microtasks.clear();
        self.turns.clear();
        self.sleeps.clear();
        self.timers.clear();
        self.watch = None;
        self.offered.clear();
        (self.is_news_queued, self.nested) = (false, None);
        self.store.oracle.direct_code = false;
        self.store.lose(lost);
        self.open(&cast);
    }

    pub(super) fn strike_after(&mut self, after: usize, blow: Blow) {
        self.strike = Some((after, blow));
    }

    pub(super) fn is_up(&self) -> bool {
        !self.is_down
    }

    pub(super) fn strike_nothing(&mut self) {
        self.strike = None;
    }

    /// An effect is about to be performed; false where the process ends before it.
    fn survives(&mut self) -> bool {
        match self.strike {
            Some((0, blow)) => {
                self.strike = None;
                self.struck += 1;
                match blow {
                    Blow::Crash => self.is_down = true,
                    Blow::Flip(route) => {
                        super::put_in_force(&self.flags, route, Boundary::BriefDrain);
                        self.is_to_wake = true;
                    }
                }
            }
            Some((left, blow)) => self.strike = Some((left - 1, blow)),
            None => {}
        }
        !self.is_down
    }

    /// What a blow has brought takes its course, once the task that it struck is over.
    pub(super) fn rise(&mut self) {
        if std::mem::take(&mut self.is_down) {
            self.crash(0);
        }
        if std::mem::take(&mut self.is_to_wake) {
            self.wake();
        }
    }

    pub(super) fn by(&self, path: Path) -> By {
        By::Ours { life: self.life, path, is_enforced: self.is_enforced }
    }

    pub(super) fn is_enforced(&self) -> bool {
        self.is_enforced
    }

    /// Commits as somebody else than the bridge.
    pub(super) fn commit_as(&mut self, by: By, events: Vec<Event>) {
        if !events.is_empty() {
            let _ = self.store.commit(by, events);
            self.queue_news();
        }
    }

    /// Commits what passed the gate.
    pub(super) fn commit(&mut self, path: Path, events: Vec<Event>) -> Answer {
        if self.is_down {
            return Err(Failure::new("the process has ended"));
        }
        let starts = events.iter().find_map(|event| match event {
            Event::RuntimeSessionStarted(e) => Some(e.runtime_id.is_registry()),
            _ => None,
        });
        self.is_enforced |= starts == Some(true);
        self.store.oracle.is_starting = self.runtimes.iter().any(Runtime::is_starting);
        if starts.is_some() && !self.store.oracle.is_starting {
            self.flips += 1;
            let ended = events.iter().filter_map(|event| match event {
                Event::RuntimeSessionTerminated(e) => Some(e.session_id.clone()),
                _ => None,
            });
            let ended: Vec<SessionId> = ended.collect();
            self.expect_handed_over(&ended);
        }
        let by = self.by(path);
        let answer = self.store.commit(by, events);
        self.queue_news();
        answer
    }

    pub(super) fn delay_news(&mut self, delays: bool) {
        self.delays_news = delays;
        self.queue_news();
    }

    /// Time brings even late news.
    fn bring_news(&mut self) {
        let delays = std::mem::replace(&mut self.delays_news, false);
        self.queue_news();
        self.settle();
        self.delays_news = delays;
    }

    fn queue_news(&mut self) {
        if self.store.has_news && self.watch.is_some() && !self.is_news_queued && !self.delays_news {
            self.is_news_queued = true;
            self.microtasks.push_back(Microtask::News);
        }
    }

    fn tell_news(&mut self) {
        self.is_news_queued = false;
        self.store.has_news = false;
        let Some(watch) = &mut self.watch else { return };
        let (sessions, entries) = watch.news(&self.store);
        if let Some(sessions) = sessions {
            self.step(Input::ActiveSessions { sessions });
        }
        if !entries.is_empty() {
            self.step(Input::Queued { entries });
        }
    }

    /// Runs what waits for the end of the present task: microtasks, then the turns of the event loop.
    pub(super) fn settle(&mut self) {
        self.effects = 0;
        while !self.is_down {
            if let Some(microtask) = self.microtasks.pop_front() {
                match microtask {
                    Microtask::Answer(ticket, answer) => self.step(Input::Answer { ticket, answer }),
                    Microtask::Base(runtime, ticket, answer) => {
                        self.step_base(runtime, BaseInput::Answer(ticket, answer));
                    }
                    Microtask::Compared(input) => self.step(*input),
                    Microtask::News => self.tell_news(),
                }
            } else if let Some(ticket) = self.turns.pop_front() {
                self.step(Input::Answer { ticket, answer: Ok(Reply::Done) });
            } else {
                return;
            }
            if self.effects > MAX_EFFECTS {
                self.microtasks.clear();
                self.turns.clear();
                return self.store.oracle.violate(Invariant::StepsEnd, format!("notebook {}", self.number));
            }
        }
    }

    /// Lets time pass, firing what is due.
    pub(super) fn advance(&mut self, ms: u64) {
        self.bring_news();
        let end = self.now.mono_ms + ms;
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.set_time(due);
            self.fire();
            self.settle();
            self.rise();
            self.bring_news();
        }
        self.set_time(end);
        self.rise();
    }

    /// A flip leaves nothing behind with the session that it ends: what it had started has ended, what it had claimed waits.
    fn expect_handed_over(&mut self, ended: &[SessionId]) {
        let is_theirs = |row: &&QueueRow| row.assigned_runtime_session.as_ref().is_some_and(|id| ended.contains(id));
        let is_held = |row: &&QueueRow| match row.status {
            QueueStatus::Assigned => *self.notebook.standing(&row.id) != bridge_core::Standing::Pending,
            status => status == QueueStatus::Executing,
        };
        let held: Vec<_> =
            self.store.tables.queue().filter(is_theirs).filter(is_held).map(|row| row.id.clone()).collect();
        if !held.is_empty() {
            self.store.oracle.are_left_behind(&held);
        }
    }

    /// Looks for running sessions that are to move, and judges those that should have.
    fn expect_flips_to_end(&mut self) {
        if self.noticed != self.flags.generation() {
            return;
        }
        let decision = self.decision();
        let leases = self.notebook.status().leases;
        let is_to_move = |lease: &Lease| lease.change(&decision) != Change::Keep;
        let moving: Vec<SessionId> = leases.into_iter().filter(is_to_move).map(|lease| lease.session_id).collect();
        self.due.retain(|session, _| moving.contains(session));
        let granted_ms = match decision.effective_boundary() {
            bridge_core::Boundary::Now => 0,
            _ => decision.drain_ms.unwrap_or(DRAIN_MS),
        };
        for session in moving {
            let since_ms = self.now.mono_ms;
            let due = self.due.entry(session.clone()).or_insert(Due { since_ms, drain_ms: 0 });
            due.drain_ms = due.drain_ms.max(granted_ms);
            if self.now.mono_ms > due.since_ms + due.drain_ms + GRACE_MS {
                let waited_ms = self.now.mono_ms - due.since_ms;
                // Told once.
                due.since_ms = u64::MAX - due.drain_ms - GRACE_MS;
                let detail = format!("{session} still runs {waited_ms} ms after it was to move");
                self.store.oracle.flip_never_ends(detail);
            }
        }
    }

    pub(super) fn is_to_move(&self) -> bool {
        !self.due.is_empty()
    }

    fn decision(&self) -> Decision {
        let context = Context::new(name(self.number).as_str()).at(self.now.wall_ms);
        decide(&self.flags.load(), true, &context, ABILITY)
    }

    fn set_time(&mut self, mono_ms: u64) {
        self.expect_flips_to_end();
        let passed = mono_ms.saturating_sub(self.now.mono_ms);
        self.now.mono_ms += passed;
        self.now.wall_ms += i64::try_from(passed).unwrap_or(i64::MAX);
    }

    fn next_due(&self) -> Option<u64> {
        let timers = self.timers.iter().map(|(_, due, _)| *due);
        let sleeps = self.sleeps.iter().map(|(due, _)| *due);
        let polls = self.runtimes.iter().filter_map(|runtime| runtime.code.poll_due());
        timers.chain(sleeps).chain(polls).min()
    }

    /// Fires the first thing that is due.
    fn fire(&mut self) {
        let now = self.now.mono_ms;
        if let Some(at) = self.sleeps.iter().position(|(due, _)| *due <= now) {
            match self.sleeps.remove(at).1 {
                Sleeper::Notebook(ticket) => self.step(Input::Answer { ticket, answer: Ok(Reply::Done) }),
                Sleeper::Base(runtime, ticket) => {
                    self.step_base(runtime, BaseInput::Answer(ticket, Ok(Reply::Done)));
                }
            }
        } else if let Some((timer, due, every)) = self.timers.iter_mut().find(|(_, due, _)| *due <= now) {
            let timer = *timer;
            *due += *every;
            self.step(Input::Timer { timer });
        } else if let Some(at) = self.runtimes.iter().position(|r| r.code.poll_due().is_some_and(|due| due <= now)) {
            self.poll(at);
        }
    }

    /// The flags may have changed.
    pub(super) fn wake(&mut self) {
        self.step(Input::Wake);
        self.settle();
        self.rise();
    }

    /// The host calls a method of a manager's, or executes code.
    pub(super) fn call_as_host(&mut self, runtime: RuntimeKey, method: Method) {
        let is_code = matches!(method, Method::ExecuteCode { .. });
        let caller = if is_code { Caller::DirectCode(runtime) } else { Caller::Host(runtime) };
        if is_code {
            self.store.oracle.runs_direct_code();
        }
        self.call(runtime, method, caller);
    }

    /// The host calls `start`, `stop` or `restart` of an object.
    pub(super) fn call_base(&mut self, runtime: RuntimeKey, input: impl FnOnce(CallId) -> BaseInput) {
        let call = self.name_call(Caller::Host(runtime));
        self.step_base(runtime, input(call));
    }

    fn name_call(&mut self, caller: Caller) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        self.callers.insert(call, caller);
        call
    }

    fn call(&mut self, runtime: RuntimeKey, method: Method, caller: Caller) {
        let call = self.name_call(caller);
        self.step(Input::Call { runtime, call, method });
    }

    /// Calls that have not settled.
    pub(super) fn open_calls(&self) -> usize {
        self.callers.len()
    }

    pub(super) fn step(&mut self, input: Input) {
        if self.is_down {
            return;
        }
        self.steps += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.store.oracle.violate(Invariant::StepsEnd, "the calls nest for ever".to_owned());
        } else {
            let mut stack: Vec<Effect> = self.notebook.step(self.now, input).into_iter().rev().collect();
            while let Some(effect) = stack.pop() {
                self.effects += 1;
                if self.effects > MAX_EFFECTS || !self.survives() {
                    break;
                }
                if let Some((ticket, answer)) = self.perform(effect) {
                    self.steps += 1;
                    stack.extend(self.notebook.step(self.now, Input::Answer { ticket, answer }).into_iter().rev());
                }
            }
        }
        self.depth -= 1;
        let generation = self.flags.generation();
        if std::mem::replace(&mut self.noticed, generation) != generation {
            self.expect_flips_to_end();
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<(Ticket, Answer)> {
        match effect {
            Effect::Admitted { ids, .. } => {
                self.is_enforced |= ids.is_some();
                self.admitted = ids;
                None
            }
            Effect::Commit { ticket, path, events } => Some((ticket, self.commit(path, events))),
            Effect::HostCommit { ticket, offer, passed } => Some((ticket, self.host_commit_judged(offer, &passed))),
            Effect::Query { ticket, query } => Some((ticket, Ok(self.store.tables.answer(&query)))),
            Effect::Hook { ticket, runtime, hook } => self.hook(ticket, runtime, hook),
            Effect::Continue { ticket } => Some((ticket, Ok(Reply::Done))),
            Effect::Fail { ticket, failure } => Some((ticket, Err(failure))),
            Effect::Show { ticket, runtime, state } => {
                self.show(runtime, state);
                Some((ticket, Ok(Reply::Done)))
            }
            Effect::Compare { observation, .. } => {
                self.compare(&observation);
                None
            }
            other => {
                self.perform_unanswered(other);
                None
            }
        }
    }

    fn perform_unanswered(&mut self, effect: Effect) {
        match effect {
            Effect::Facade { runtime, facade } => {
                if let Some(runtime) = self.known(runtime, "is given a facade") {
                    runtime.code.grant(facade);
                }
            }
            Effect::Sleep { ticket, ms } => self.sleeps.push((self.now.mono_ms + ms, Sleeper::Notebook(ticket))),
            Effect::Yield { ticket } => self.turns.push_back(ticket),
            Effect::Raise { runtime, .. } => {
                if let Some(runtime) = self.known(runtime, "is told of a failure") {
                    runtime.unmount();
                }
            }
            Effect::SetInterval { timer, every_ms } => {
                self.timers.push((timer, self.now.mono_ms + every_ms, every_ms));
            }
            Effect::ClearInterval { timer } => self.timers.retain(|(known, ..)| *known != timer),
            Effect::Settle { call, outcome } => self.call_settled(call, outcome),
            Effect::Watch => {
                self.watch = Some(Watch::default());
                self.store.has_news = true;
                self.queue_news();
            }
            Effect::Unwatch => self.watch = None,
            Effect::Adopt { runtime, ids } => self.adopt(runtime, &ids),
            Effect::Incident { incident } => {
                self.store.oracle.violate(Invariant::NoIncident, format!("{incident:?} in notebook {}", self.number));
            }
            _ => {}
        }
    }

    fn call_settled(&mut self, call: CallId, outcome: Result<(), Failure>) {
        // The calls of an object that the host let go of are gone with it.
        let Some(caller) = self.callers.remove(&call) else { return };
        let answer = outcome.map(|()| Reply::Done);
        match caller {
            Caller::Host(_) => {}
            Caller::DirectCode(_) => {
                let is_code = |caller: &Caller| matches!(caller, Caller::DirectCode(_));
                self.store.oracle.direct_code = self.callers.values().any(is_code);
            }
            Caller::Base(runtime, ticket) => self.microtasks.push_back(Microtask::Base(runtime, ticket, answer)),
            Caller::Notebook(ticket) => self.microtasks.push_back(Microtask::Answer(ticket, answer)),
        }
    }

    /// The object of this key. One that the host let go of must not be met again.
    fn known(&mut self, key: RuntimeKey, what: &str) -> Option<&mut Runtime> {
        let found = self.runtimes.iter_mut().find(|runtime| runtime.key == key);
        if found.is_none() {
            self.store.oracle.violate(Invariant::SilentWhenForgotten, format!("{key:?} {what}"));
        }
        found
    }

    fn hook(&mut self, ticket: Ticket, key: RuntimeKey, hook: Hook) -> Option<(Ticket, Answer)> {
        let runtime = self.known(key, "is called")?;
        let answer = match hook {
            Hook::IsActiveAndReady => Ok(Reply::Flag(runtime.base.is_active_and_ready())),
            Hook::ValidateStarted => runtime.base.validate_started().map(|()| Reply::Done),
            Hook::SetBusy => self.told(key, BaseInput::SetBusy),
            Hook::SetReady => self.told(key, BaseInput::SetReady),
            Hook::SetError { message } => self.told(key, BaseInput::SetError(message)),
            Hook::DoStart { .. } => return self.later(ticket, |site| site.host_start(key)),
            Hook::DoStop => return self.later(ticket, |site| site.host_stop(key)),
            Hook::Stop => {
                self.expect_over(key);
                let call = self.name_call(Caller::Notebook(ticket));
                self.step_base(key, BaseInput::Stop(call));
                return None;
            }
            Hook::ExecuteCode { cell_id, code } if self.hangs => {
                self.hold(key, ticket, cell_id, code);
                return None;
            }
            Hook::ExecuteCode { cell_id, code } => {
                self.call(key, Method::ExecuteCode { cell_id, code }, Caller::Notebook(ticket));
                return None;
            }
            _ => Ok(Reply::Done),
        };
        Some((ticket, answer))
    }

    fn hold(&mut self, key: RuntimeKey, ticket: Ticket, cell: CellId, code: String) {
        let session = self.runtimes.iter().find(|runtime| runtime.key == key).and_then(Runtime::session);
        let is_it = |row: &&QueueRow| {
            row.status == QueueStatus::Executing && row.cell_id == cell && row.assigned_runtime_session == session
        };
        let id = self.store.tables.queue().find(is_it).map(|row| row.id.clone());
        self.held.push(Held { key, ticket, id, cell, code });
    }

    /// The code that hangs goes on: nothing of what was fenced may show.
    pub(super) fn release_held(&mut self) {
        for Held { key, ticket, id, cell, code } in std::mem::take(&mut self.held) {
            self.store.oracle.late_code = Some((id, cell.clone()));
            self.call(key, Method::ExecuteCode { cell_id: cell, code }, Caller::Notebook(ticket));
            self.store.oracle.late_code = None;
            self.settle();
        }
    }

    fn told(&mut self, key: RuntimeKey, input: BaseInput) -> Answer {
        self.step_base(key, input);
        Ok(Reply::Done)
    }

    /// A method that is awaited runs at once and answers in a microtask.
    fn later(&mut self, ticket: Ticket, method: impl FnOnce(&mut Self) -> Answer) -> Option<(Ticket, Answer)> {
        let answer = method(self);
        self.microtasks.push_back(Microtask::Answer(ticket, answer));
        None
    }

    /// The bridge stops an object by itself where its session is over, and nowhere else.
    fn expect_over(&mut self, key: RuntimeKey) {
        let Some(session) = self.known(key, "is stopped").and_then(|runtime| runtime.session()) else { return };
        if self.store.tables.session(&session).is_some_and(|row| row.is_active) {
            let detail = format!("{key:?} is stopped while {session} is active");
            self.store.oracle.violate(Invariant::StaysActive, detail);
        }
    }

    fn adopt(&mut self, key: RuntimeKey, ids: &SessionIds) {
        let is_active = self.store.tables.session(&ids.session_id).is_some_and(|row| row.is_active);
        if !is_active || self.adopted.contains(&ids.session_id) {
            let detail = format!("{key:?} hears of {}, active: {is_active}", ids.session_id);
            self.store.oracle.violate(Invariant::ReadyOncePerFlip, detail);
        }
        self.adopted.push(ids.session_id.clone());
        let (runtime_id, session_id) = (ids.runtime_id.to_string(), ids.session_id.to_string());
        self.step_base(key, BaseInput::Adopt { runtime_id, session_id });
    }

    fn compare(&mut self, observation: &bridge_core::Observation) {
        let comparison = judge(observation, None);
        self.compared += comparison.executions.len() as u64;
        let mut verdicts =
            comparison.executions.iter().map(|one| &one.verdict).chain(std::iter::once(&comparison.order));
        let mismatch = verdicts.find_map(|verdict| match verdict {
            Verdict::Mismatch { signature, .. } => Some((signature.clone(), format!("{verdict:?}"))),
            _ => None,
        });
        if let Some((signature, detail)) = mismatch {
            self.store.oracle.differs(&signature, detail);
        }
        self.microtasks.push_back(Microtask::Compared(Box::new(Input::Compared(Ok(comparison)))));
    }

    pub(super) fn step_base(&mut self, key: RuntimeKey, input: BaseInput) {
        let now = self.now;
        let Some(runtime) = self.runtimes.iter_mut().find(|runtime| runtime.key == key) else { return };
        let mut stack: Vec<BaseEffect> = runtime.base.handle(now, input).into_iter().rev().collect();
        while let Some(effect) = stack.pop() {
            let answered = self.perform_base(key, effect);
            let Some(runtime) = self.runtimes.iter_mut().find(|runtime| runtime.key == key) else { return };
            if let Some((ticket, answer)) = answered {
                stack.extend(runtime.base.handle(now, BaseInput::Answer(ticket, answer)).into_iter().rev());
            }
        }
    }

    fn perform_base(&mut self, key: RuntimeKey, effect: BaseEffect) -> Option<(Ticket, Answer)> {
        match effect {
            BaseEffect::StateCallback(ticket) => {
                self.state_shown(key);
                Some((ticket, Ok(Reply::Done)))
            }
            BaseEffect::Hook(ticket, hook) => self.base_hook(key, ticket, hook),
            BaseEffect::Sleep(ticket, ms) => {
                self.sleeps.push((self.now.mono_ms + ms, Sleeper::Base(key, ticket)));
                None
            }
            BaseEffect::Settle(call, outcome) => {
                self.call_settled(call, outcome);
                None
            }
            _ => None,
        }
    }

    fn base_hook(&mut self, key: RuntimeKey, ticket: Ticket, hook: Hook) -> Option<(Ticket, Answer)> {
        match hook {
            Hook::GenerateRuntimeId => {
                let text = self.admit(key);
                Some((ticket, Ok(Reply::Text(text))))
            }
            Hook::GenerateSessionId { runtime_id } => {
                let generated = || legacy_compat::session_id(&runtime_id, self.now);
                let text = self.admitted.as_ref().map_or_else(generated, |ids| ids.session_id.to_string());
                Some((ticket, Ok(Reply::Text(text))))
            }
            Hook::DoStart { .. } => {
                let ids = self.known(key, "starts")?.ids()?;
                let capabilities = Capabilities { can_execute_code: true, ..Capabilities::default() };
                self.known(key, "starts")?.code.leave_facade();
                self.call(key, Method::Start { ids, capabilities }, Caller::Base(key, ticket));
                None
            }
            Hook::DoStop => {
                self.call(key, Method::Stop, Caller::Base(key, ticket));
                None
            }
            Hook::Start { notebook_id, .. } => {
                let call = self.name_call(Caller::Base(key, ticket));
                self.step_base(key, BaseInput::Start(call, notebook_id));
                None
            }
            Hook::Stop => {
                let call = self.name_call(Caller::Base(key, ticket));
                self.step_base(key, BaseInput::Stop(call));
                None
            }
            _ => Some((ticket, Ok(Reply::Done))),
        }
    }

    /// Asks the router; gives the runtime id to start under.
    pub(super) fn admit(&mut self, runtime: RuntimeKey) -> String {
        let is_host = self.runtimes.iter().any(|one| one.key == runtime && one.kind == Kind::Host);
        let legacy = if is_host { LegacyKind::Host } else { LegacyKind::Compat };
        self.admitted = None;
        self.step(Input::Admit { runtime, attributes: serde_json::Map::new(), ability: ABILITY, legacy });
        match &self.admitted {
            Some(ids) => ids.runtime_id.to_string(),
            None => legacy_compat::runtime_id("html", &self.ids.nanoid()),
        }
    }

    /// The host lets go of an object: nothing of it is met any more.
    pub(super) fn forget(&mut self, at: usize) {
        let Some(runtime) = self.runtimes.get(at) else { return };
        let (key, kind) = (runtime.key, runtime.kind);
        let object = self.object(kind);
        self.runtimes[at] = object;
        self.callers.retain(|_, caller| !caller.is_of(key));
        self.held.retain(|held| held.key != key);
        self.step(Input::Forget { runtime: key });
        self.settle();
    }
}

impl Watch {
    /// What has changed since it told the last time.
    fn news(&mut self, store: &Store) -> (Option<Vec<SessionId>>, Vec<QueueEntry>) {
        let mut entries = Vec::new();
        for row in store.tables.queue() {
            let is_watched =
                matches!(row.status, QueueStatus::Pending | QueueStatus::Assigned | QueueStatus::Cancelled);
            if !is_watched {
                self.seen.remove(&row.id);
                continue;
            }
            let standing = (row.status, row.assigned_runtime_session.clone());
            if self.seen.get(&row.id) != Some(&standing) {
                self.seen.insert(row.id.clone(), standing);
                entries.push(QueueEntry {
                    id: row.id.clone(),
                    cell_id: row.cell_id.clone(),
                    execution_count: row.execution_count,
                    status: row.status,
                    assigned_runtime_session: row.assigned_runtime_session.clone(),
                });
            }
        }
        let active: Vec<SessionId> = store.tables.active_sessions().map(|row| row.session_id.clone()).collect();
        let changed = (self.sessions.as_ref() != Some(&active)).then(|| active.clone());
        self.sessions = Some(active);
        (changed, entries)
    }
}

fn name(number: usize) -> NotebookId {
    NotebookId::from(format!("nb-{number}"))
}
