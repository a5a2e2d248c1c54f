//! Plays a trace on virtual time: the performer of the cores in the tests, as the TypeScript facade is in production.
//!
//! It owns what the performer owns: runtime objects with their metadata, configuration and subscribers, stores, timers and
//! promises. It decides nothing that a core decides.

mod clock;
mod config;
mod factory;
mod manager;
mod registry;
mod runtime;
mod store;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ::registry::{Answer, Failure, IdSource, Reply, Ticket};
use bridge_core::{Comparison, Observation};
use flags::LiveFlags;
use legacy_compat::{CallId, Effect as BaseEffect, RegistryEffect, RegistryInput};
use serde_json::{Map, Value, json};

use crate::host::document;
use crate::trace::{Action, Op, Trace, TraceError};
use clock::{Clock, Due};
use factory::Factory;
use manager::Manager;
use registry::{RegistryObject, Round};
use runtime::{RuntimeObject, Subscription};
use store::Store;

/// Seeds every id that a run draws, so that two runs of a trace are equal to the byte.
const SEED: [u8; 32] = [7; 32];

/// How long a waited call may take: a hanging hook beside a polling session would fire timers for ever.
const PATIENCE_MS: u64 = 60_000;

/// What recordings write for undefined.
const UNDEFINED: &str = "<undefined>";

/// What a player saw, with real ids, dates and numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// In order, as a trace has them, without `seq`.
    pub observations: Vec<Value>,
    /// The rows of the store at the end; empty without a store.
    pub tables: Value,
    /// What was compared, on a route that compares.
    pub compared: Vec<(Observation, Comparison)>,
}

/// Plays a trace of the suites base, html, manager, registry, factory and config.
///
/// # Errors
/// [`TraceError::Step`] for an operation the player does not know, [`TraceError::Unnamed`] for an object that is not there.
pub fn play(trace: &Trace) -> Result<Played, TraceError> {
    play_with(trace, LiveFlags::new())
}

/// The same on a route, to the end of every session: what is compared is compared before the last one is let go.
///
/// # Errors
/// As [`play`].
pub fn play_on(trace: &Trace, route: &str) -> Result<Played, TraceError> {
    let flags = LiveFlags::new();
    flags.expect();
    let applied = flags.apply(&document(route), "play");
    assert!(applied.is_ok(), "{applied:?}");
    play_with(trace, flags)
}

fn play_with(trace: &Trace, flags: LiveFlags) -> Result<Played, TraceError> {
    let steps = trace.typed_steps()?;
    let mut player = Player::new(trace, flags);
    for (at, step) in steps.into_iter().enumerate() {
        player.at = at;
        player.step(step)?;
    }
    player.let_go();
    let tables = player.stores.first().map_or_else(|| json!({}), Store::tables);
    Ok(Played { observations: player.observations, tables, compared: player.compared })
}

/// A run under way.
struct Player {
    scenario: String,
    at: usize,
    observations: Vec<Value>,
    clock: Clock,
    ids: IdSource,
    runtimes: Vec<RuntimeObject>,
    runtime_names: BTreeMap<String, usize>,
    subscriptions: BTreeMap<String, Subscription>,
    flags: Arc<LiveFlags>,
    stores: Vec<Store>,
    registries: Vec<RegistryObject>,
    registry_names: BTreeMap<String, usize>,
    singleton: Option<usize>,
    factories: Vec<Factory>,
    factory_names: BTreeMap<String, usize>,
    managers: Vec<Manager>,
    /// Renders of managers that are due, which come behind all microtasks.
    renders: VecDeque<Ask>,
    calls: BTreeMap<CallId, Call>,
    next_call: u32,
    /// How a synchronous call of the facade's own ended.
    returned: Option<Result<(), Failure>>,
    /// How many waited calls of this step are not settled yet.
    waited: usize,
    /// What is still to be performed before control goes back to whoever called; the last is next.
    stack: Vec<Work>,
    compared: Vec<(Observation, Comparison)>,
}

/// A piece of synchronous work.
enum Work {
    Base(usize, BaseEffect),
    Notebook(usize, bridge_host::step::Effect),
    Registry(usize, RegistryEffect),
    /// The state callbacks of a runtime that come behind the given one.
    StateCallbacks {
        runtime: usize,
        behind: Option<u32>,
        ticket: Ticket,
    },
    /// The callbacks of a registry that come behind the given one.
    RegistryCallbacks {
        registry: usize,
        round: Round,
        behind: Option<usize>,
        ticket: Ticket,
    },
    /// Answer now.
    Answer(Ask, Answer),
    /// Drop all state callbacks of a runtime.
    DropCallbacks(usize),
}

/// A core's question that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Ask {
    by: Asker,
    ticket: Ticket,
}

#[derive(Clone, Copy, Debug)]
enum Asker {
    Runtime(usize),
    Notebook(usize),
    Registry(usize),
}

/// A call whose promise is pending, with the arguments that only the performer knows.
struct Call {
    waiter: Waiter,
    notebook_id: String,
    config: Option<Map<String, Value>>,
}

/// Who waits for a promise.
#[derive(Clone, Debug)]
enum Waiter {
    /// The player; a call left running has a name.
    Player(Option<String>),
    /// The player, in a synchronous call.
    Returning,
    /// The facade, in a synchronous call of its own.
    Caller,
    /// A core that awaits it.
    Core(Ask),
    Nobody,
}

impl Player {
    fn new(trace: &Trace, flags: LiveFlags) -> Self {
        let mut ids = IdSource::new(SEED);
        let flags = Arc::new(flags);
        let stores = match trace.setup.store {
            Some(false) => vec![],
            _ => vec![Store::prepared(store::MAIN, &trace.setup, Arc::clone(&flags), ids.split())],
        };
        Self {
            scenario: trace.scenario.clone(),
            at: 0,
            observations: Vec::new(),
            clock: Clock::default(),
            ids,
            runtimes: Vec::new(),
            runtime_names: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            flags,
            stores,
            registries: Vec::new(),
            registry_names: BTreeMap::new(),
            singleton: None,
            factories: Vec::new(),
            factory_names: BTreeMap::new(),
            managers: Vec::new(),
            renders: VecDeque::new(),
            calls: BTreeMap::new(),
            next_call: 0,
            returned: None,
            waited: 0,
            stack: Vec::new(),
            compared: Vec::new(),
        }
    }

    /// One step, then what follows of it without time passing.
    fn step(&mut self, op: Op) -> Result<(), TraceError> {
        let (waits, waited) = (op.waits, self.waited);
        self.act(op)?;
        self.settle();
        if waits && self.waited > waited {
            self.wait_for_calls();
        }
        Ok(())
    }

    fn act(&mut self, op: Op) -> Result<(), TraceError> {
        let waiter = waiter(&op);
        match op.action {
            Action::Advance { ms } => self.advance(ms),
            Action::Settle {} => {}
            Action::Idle {} => self.idle(),
            Action::SameTick { ops } => ops.into_iter().try_for_each(|op| self.act(op))?,
            Action::RequestExecution { queue_id, cell_id, execution_count } => {
                self.commit(&[store::request(&queue_id, &cell_id, execution_count)])?;
            }
            Action::RequestMany { count, cell_ids, one_commit } => self.request_many(count, &cell_ids, one_commit)?,
            Action::CancelExecution { queue_id, cell_id, reason } => {
                self.commit(&[store::cancel(&queue_id, &cell_id, reason.as_deref())])?;
            }
            Action::Commit { name, args } => {
                let args = self.with_sessions(args)?;
                self.commit(&[(name, args)])?;
            }
            Action::EditSource { cell_id, source } => self.commit(&[store::edit(&cell_id, &source)])?,
            Action::DumpTables {} => self.dump_tables()?,
            Action::NewStore { r#as } => self.new_store(&r#as),
            Action::Fault { event, message, times, skip, non_error } => {
                self.inject(store::Fault { event, message, times, skip, non_error })?;
            }
            Action::NewRuntime { r#as, class, metadata, config, behaviour } => {
                self.new_runtime(r#as, class.as_deref(), metadata, config, behaviour);
            }
            Action::Mount { provider, is_authenticated, .. } => self.mount(provider, is_authenticated)?,
            Action::SetAuth { is_authenticated, .. } => self.set_auth(is_authenticated),
            Action::Unmount {} => self.unmount(),
            other => return self.act_with_promise(other, waiter),
        }
        self.run();
        Ok(())
    }

    /// The calls that give a promise.
    fn act_with_promise(&mut self, action: Action, waiter: Waiter) -> Result<(), TraceError> {
        match action {
            Action::Start { runtime, notebook_id, config } => {
                let runtime = self.runtime(&runtime)?;
                self.start(runtime, notebook_id, config, waiter);
            }
            Action::Stop { runtime } => {
                let runtime = self.runtime(&runtime)?;
                self.stop(runtime, waiter);
            }
            Action::Restart { runtime, config } => {
                let runtime = self.runtime(&runtime)?;
                self.restart(runtime, config, waiter);
            }
            Action::ExecuteCode { runtime, cell_id, code } => {
                let runtime = self.runtime(&runtime)?;
                self.execute_code(runtime, &cell_id, code, waiter);
            }
            Action::Ping { runtime } => self.ping(&runtime, waiter)?,
            Action::UiStart { times } => self.call_manager(manager::Call::Start, times, &waiter),
            Action::UiStop { times } => self.call_manager(manager::Call::Stop, times, &waiter),
            Action::UiRestart { times } => self.call_manager(manager::Call::Restart, times, &waiter),
            Action::StartRuntime { registry, runtime_id, notebook_id, config } => {
                let registry = self.registry(&registry)?;
                let call = self.open_call(waiter, &notebook_id, config);
                self.step_registry(registry, RegistryInput::StartRuntime(call, runtime_id));
            }
            Action::StopAll { registry } => {
                let registry = self.registry(&registry)?;
                let call = self.open_call(waiter, "", None);
                self.step_registry(registry, RegistryInput::StopAll(call));
            }
            other => return self.act_at_once(other),
        }
        self.run();
        Ok(())
    }

    /// The operations that return synchronously.
    fn act_at_once(&mut self, action: Action) -> Result<(), TraceError> {
        match action {
            Action::Destroy { runtime } => self.destroy(&runtime),
            Action::GetState { runtime } => self.show(&runtime, RuntimeObject::state),
            Action::GetConfig { runtime } => self.show(&runtime, RuntimeObject::shown_configuration),
            // What a host does to its own copies, and to a store that lives in memory, changes nothing here.
            Action::MutateStateCopy { runtime } | Action::MutateConfigCopy { runtime } => {
                self.runtime(&runtime).map(drop)
            }
            Action::StoreShutdown { .. } => Ok(()),
            Action::GetDebugInfo { runtime } => self.show(&runtime, RuntimeObject::debug_info),
            Action::GetMetadata { runtime } => self.show(&runtime, |runtime| runtime.metadata.clone().into()),
            Action::GetCapabilities { runtime } => self.show(&runtime, |runtime| runtime.capabilities.clone()),
            Action::ToString { runtime } => self.show(&runtime, RuntimeObject::text),
            Action::SetupInstructions { runtime } => self.show(&runtime, RuntimeObject::setup_instructions),
            Action::ConnectionInfo { runtime } => self.connection_info(&runtime),
            Action::ConfigStoreIs { runtime } => self.show(&runtime, RuntimeObject::shown_store),
            Action::HasMethod { runtime, methods } => self.show(&runtime, |runtime| runtime.has_methods(&methods)),
            Action::Protected { runtime, method, args } => self.protected(&runtime, &method, &args),
            Action::Subscribe { runtime, r#as, unsubscribe_self, stop_when, .. } => {
                self.subscribe(&runtime, r#as, unsubscribe_self, stop_when)
            }
            Action::SubscribeAgain { runtime, r#as } => self.subscribe_again(&runtime, r#as),
            Action::Unsubscribe { r#as } => self.unsubscribe(&r#as),
            Action::UiState {} => self.manager_state(),
            // What React rendered is nothing of a core's.
            Action::Dom {} => Ok(()),
            other => self.act_on_registry(other),
        }
    }

    fn open_call(&mut self, waiter: Waiter, notebook_id: &str, config: Option<Map<String, Value>>) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        self.waited += usize::from(matches!(waiter, Waiter::Player(None)));
        self.calls.insert(call, Call { waiter, notebook_id: notebook_id.to_owned(), config });
        call
    }

    /// A promise's reactions run in a later microtask; a synchronous call goes on at once.
    fn settle_call(&mut self, call: CallId, outcome: Result<(), Failure>) {
        let Some(Call { waiter, .. }) = self.calls.remove(&call) else { return };
        match waiter {
            Waiter::Returning => self.record_outcome(None, outcome.map(|()| Reply::Done)),
            Waiter::Caller => self.returned = Some(outcome),
            waiter => self.clock.microtask(waiter, outcome.map(|()| Reply::Done)),
        }
    }

    fn deliver(&mut self, waiter: Waiter, answer: Answer) {
        match waiter {
            Waiter::Player(name) => {
                // A call given up as never settled is waited for no more.
                self.waited = self.waited.saturating_sub(usize::from(name.is_none()));
                self.record_outcome(name, answer);
            }
            Waiter::Core(ask) => self.answer(ask, answer),
            Waiter::Returning | Waiter::Caller | Waiter::Nobody => {}
        }
    }

    fn answer(&mut self, ask: Ask, answer: Answer) {
        let Ask { by, ticket } = ask;
        match by {
            Asker::Runtime(runtime) => self.step_runtime(runtime, legacy_compat::BaseInput::Answer(ticket, answer)),
            Asker::Notebook(store) => self.step_notebook(store, bridge_host::step::Input::Answer { ticket, answer }),
            Asker::Registry(registry) => {
                self.step_registry(registry, RegistryInput::Answer(ticket, answer));
            }
        }
    }

    /// Performs what is on the stack: what a piece of work brings comes before what was waiting.
    fn run(&mut self) {
        while let Some(work) = self.stack.pop() {
            match work {
                Work::Base(runtime, effect) => self.perform_base(runtime, effect),
                Work::Notebook(store, effect) => self.perform_notebook(store, effect),
                Work::Registry(registry, effect) => self.perform_registry(registry, effect),
                Work::StateCallbacks { runtime, behind, ticket } => self.call_next(runtime, behind, ticket),
                Work::RegistryCallbacks { registry, round, behind, ticket } => {
                    self.call_next_of_registry(registry, round, behind, ticket);
                }
                Work::Answer(ask, answer) => self.answer(ask, answer),
                Work::DropCallbacks(runtime) => self.runtimes[runtime].subscribers.clear(),
            }
        }
    }

    fn push(&mut self, work: impl DoubleEndedIterator<Item = Work>) {
        self.stack.extend(work.rev());
    }

    /// Runs the microtasks, first in, first out, then tells the news of live queries, then renders, until nothing is left.
    fn settle(&mut self) {
        loop {
            if let Some((waiter, answer)) = self.clock.next_microtask() {
                self.deliver(waiter, answer);
                self.run();
            } else if self.tell_news() {
                continue;
            } else if let Some(ask) = self.renders.pop_front() {
                self.answer(ask, Ok(Reply::Done));
                self.run();
            } else {
                return;
            }
        }
    }

    fn tell_news(&mut self) -> bool {
        let mut had_news = false;
        for store in 0..self.stores.len() {
            for news in self.stores[store].take_news() {
                had_news = true;
                self.step_notebook(store, news);
                self.run();
            }
        }
        had_news
    }

    /// Forgets the runtime objects, as a host that ends does.
    fn let_go(&mut self) {
        for store in 0..self.stores.len() {
            for runtime in 0..self.runtimes.len() {
                self.step_notebook(store, bridge_host::step::Input::Forget { runtime: runtime::key(runtime) });
                self.run();
            }
        }
    }

    fn advance(&mut self, ms: u64) {
        self.settle();
        let until = self.clock.now().mono_ms + ms;
        while let Some(due) = self.clock.next_due(until) {
            self.fire(due);
        }
        self.clock.move_to(until);
    }

    fn fire(&mut self, due: Due) {
        match due {
            Due::Resolve(waiter, answer) => self.clock.microtask(waiter, answer),
            Due::Notebook(store, timer) => self.step_notebook(store, bridge_host::step::Input::Timer { timer }),
            Due::Registry(registry, timer) => {
                self.step_registry(registry, RegistryInput::Timer(timer));
            }
        }
        self.run();
        self.settle();
    }

    /// Fires one-shot timers until none is left.
    fn idle(&mut self) {
        let until = self.clock.now().mono_ms + PATIENCE_MS;
        self.settle();
        while self.clock.has_one_shot() {
            let Some(due) = self.clock.next_due(until) else { break };
            self.fire(due);
        }
    }

    /// Moves time as far as the waited calls need it.
    fn wait_for_calls(&mut self) {
        let until = self.clock.now().mono_ms + PATIENCE_MS;
        while self.waited > 0 {
            match self.clock.next_due(until) {
                Some(due) => self.fire(due),
                None => self.give_up(),
            }
        }
    }

    /// What settles later than the player waits is not heard.
    fn give_up(&mut self) {
        self.waited = 0;
        for call in self.calls.values_mut().filter(|call| matches!(call.waiter, Waiter::Player(None))) {
            call.waiter = Waiter::Nobody;
        }
        self.record(json!({ "kind": "never-settled" }));
    }

    fn record(&mut self, fields: Value) {
        let mut seen = Map::new();
        seen.insert("at".to_owned(), self.at.into());
        if let Value::Object(fields) = fields {
            seen.extend(fields);
        }
        self.observations.push(Value::Object(seen));
    }

    fn record_return(&mut self, value: impl Into<Value>) {
        let value: Value = value.into();
        self.record(json!({ "kind": "return", "value": value }));
    }

    fn record_outcome(&mut self, call: Option<String>, outcome: Answer) {
        let mut seen = Map::new();
        seen.insert("kind".to_owned(), if outcome.is_ok() { "return" } else { "throw" }.into());
        seen.extend(call.map(|call| ("call".to_owned(), call.into())));
        match outcome {
            Ok(Reply::Flag(flag)) => seen.extend([("value".to_owned(), flag.into())]),
            Ok(_) => seen.extend([("value".to_owned(), UNDEFINED.into())]),
            Err(failure) => {
                seen.extend([("message".to_owned(), failure.message.into())]);
                seen.extend(failure.thrown.map(|_| ("nonError".to_owned(), true.into())));
            }
        }
        self.record(seen.into());
    }

    fn unnamed(&self, what: &'static str, name: &str) -> TraceError {
        TraceError::Unnamed { scenario: self.scenario.clone(), step: self.at, what, name: name.to_owned() }
    }
}

/// What a call's promise is handed to: a call that the player waits for has no name.
fn waiter(op: &Op) -> Waiter {
    Waiter::Player(if op.waits { None } else { op.call.clone() })
}

/// The failure that a thrown value is: only a value that is no `Error` is told apart.
fn thrown(message: impl Into<String>, is_error: bool) -> Failure {
    Failure { message: message.into(), thrown: if is_error { None } else { Some(0) } }
}
