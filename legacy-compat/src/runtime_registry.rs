//! `RuntimeRegistry`: which runtimes there are, how many of them may run at once, and who hears of it.
//!
//! The runtime objects and the callbacks stay with the performer. This core knows an object by its key, and learns what its
//! metadata and its state are at the time of each input from the [`Facts`] that come in with it. Behaviour: recorded traces
//! `registry__*`; oddities: [`crate::Quirk`].

use std::cmp::Ordering;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use registry::{Answer, Failure, Ticket, TimerId};

use crate::tasks::Tasks;
use crate::{CallId, RuntimeState};

/// How often each runtime's state is looked at.
const MONITOR_EVERY_MS: u64 = 1000;

/// Names a runtime object of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey(pub u32);

/// What a runtime object shows when it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeFacts {
    /// `metadata.id`.
    pub id: String,
    /// `metadata.type`.
    pub runtime_type: String,
    /// `metadata.priority`, any number.
    pub priority: f64,
    /// `metadata.isAvailable`.
    pub is_available: bool,
    /// `getState()`.
    pub state: RuntimeState,
}

/// Every registered object, and the one that an input is about, as the performer sees them now.
pub type Facts = BTreeMap<ObjectKey, RuntimeFacts>;

/// The configuration that the core decides by; the object that `getStats()` shows stays with the performer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// `maxConcurrentRuntimes`, any number; `None` where a host set it to undefined, which counts as 1 but displaces nobody.
    pub max_concurrent: Option<f64>,
    /// `allowMultipleRuntimesOfSameType`.
    pub allows_same_type: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_concurrent: Some(1.0), allows_same_type: false }
    }
}

/// What happens to a registry.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `register(runtime)`. Synchronous: its settling is its return, or what it throws.
    Register(CallId, ObjectKey),
    /// `unregister(runtimeId)`. Synchronous.
    Unregister(CallId, String),
    /// `startRuntime(runtimeId, …)`; the other arguments stay with the performer, under the call.
    StartRuntime(CallId, String),
    /// `stopAllRuntimes()`.
    StopAll(CallId),
    /// An interval fired.
    Timer(TimerId),
    /// The performer's answer to an effect.
    Answer(Ticket, Answer),
}

/// What a registry asks of its performer; see [`crate::Effect`] for the order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call the `onEvent` callbacks; what they throw is logged and goes no further.
    Event(Ticket, Event),
    /// Call the `onRuntimeStateChanged` callbacks; what they throw is logged and goes no further.
    StateChanged(Ticket, ObjectKey, RuntimeState),
    /// Call the `onRuntimeRegistered` callbacks; the first that throws ends the round, and its failure is the answer.
    Registered(Ticket, ObjectKey),
    /// Call the `onRuntimeUnregistered` callbacks; as [`Effect::Registered`].
    Unregistered(Ticket, String),
    /// Call `start` of an object with the arguments of this call. Awaited.
    Start(Ticket, ObjectKey, CallId),
    /// Call `stop` of an object. Awaited.
    Stop(Ticket, ObjectKey),
    /// Answer at once: it only keeps what comes next behind what is being performed.
    Continue(Ticket),
    /// Fire this timer every so many milliseconds until it is cleared.
    SetInterval(TimerId, u64),
    /// Clear a timer.
    ClearInterval(TimerId),
    /// Settle a call.
    Settle(CallId, Result<(), Failure>),
}

/// `RuntimeEvent` of the old code.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `registered`, with the object.
    Registered(ObjectKey),
    /// `unregistered`, with the id.
    Unregistered(String),
    /// `state-changed`, with the id and the state.
    StateChanged(String, RuntimeState),
    /// `error`, with the id and the text: a runtime that is not active shows an error.
    Error(String, String),
}

/// `getStats()`, without the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// How many are registered.
    pub total: usize,
    /// How many are active.
    pub active: usize,
    /// How many call themselves available.
    pub available: usize,
    /// How many there are of each type, in order of registration.
    pub by_type: IndexMap<String, usize>,
}

/// One registry; the singleton is the performer's.
#[derive(Clone, Debug, Default)]
pub struct RuntimeRegistry {
    limits: Limits,
    /// By the id under which they were registered.
    runtimes: IndexMap<String, ObjectKey>,
    monitors: BTreeMap<TimerId, Monitor>,
    next_timer: u32,
    /// How many stops each `stopAllRuntimes()` still waits for.
    stopping: BTreeMap<CallId, usize>,
    tasks: Tasks<Task>,
    effects: Vec<Effect>,
}

/// Looks at one runtime's state.
#[derive(Clone, Debug)]
struct Monitor {
    key: ObjectKey,
    last: RuntimeState,
}

/// A suspended call and where in the old method it stands.
#[derive(Clone, Debug)]
enum Task {
    /// Nothing follows, whatever the answer.
    Ignored,
    RegisterAnnounced {
        call: CallId,
        key: ObjectKey,
    },
    UnregisterStopped {
        call: CallId,
        id: String,
    },
    UnregisterAnnounced {
        call: CallId,
        id: String,
    },
    /// The last step of a call, whose outcome is its answer.
    Last {
        call: CallId,
    },
    MadeRoom {
        call: CallId,
        key: ObjectKey,
    },
    StoppedOne {
        call: CallId,
    },
    ChangeAnnounced {
        key: ObjectKey,
        id: String,
        state: RuntimeState,
    },
    ChangeTold {
        id: String,
        state: RuntimeState,
    },
}

impl RuntimeRegistry {
    /// A registry without runtimes.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes one input with what the objects show now, and gives the effects to perform, in order.
    pub fn handle(&mut self, facts: &Facts, input: Input) -> Vec<Effect> {
        match input {
            Input::Register(call, key) => self.on_register(facts, call, key),
            Input::Unregister(call, id) => self.on_unregister(facts, call, id),
            Input::StartRuntime(call, id) => self.on_start(facts, call, &id),
            Input::StopAll(call) => self.on_stop_all(facts, call),
            Input::Timer(timer) => self.on_timer(facts, timer),
            Input::Answer(ticket, answer) => self.on_answer(ticket, answer),
        }
        std::mem::take(&mut self.effects)
    }

    /// `getRuntime(runtimeId)`.
    pub fn runtime(&self, id: &str) -> Option<ObjectKey> {
        self.runtimes.get(id).copied()
    }

    /// `getAvailableRuntimes()`: the highest priority first, equal ones in order of registration.
    pub fn available(&self, facts: &Facts) -> Vec<ObjectKey> {
        by_priority(self.those(facts, |seen| seen.is_available), facts)
    }

    /// `getRuntimesByType(type)`.
    pub fn of_type(&self, facts: &Facts, runtime_type: &str) -> Vec<ObjectKey> {
        self.those(facts, |seen| seen.runtime_type == runtime_type)
    }

    /// `getActiveRuntimes()`, in order of registration.
    pub fn active(&self, facts: &Facts) -> Vec<ObjectKey> {
        self.those(facts, |seen| seen.state.is_active)
    }

    /// `getActiveRuntime()`: the one of the highest priority.
    pub fn active_runtime(&self, facts: &Facts) -> Option<ObjectKey> {
        by_priority(self.active(facts), facts).into_iter().next()
    }

    /// `getActiveRuntimeOfType(type)`: the first one registered.
    pub fn active_of_type(&self, facts: &Facts, runtime_type: &str) -> Option<ObjectKey> {
        self.those(facts, |seen| seen.state.is_active && seen.runtime_type == runtime_type).into_iter().next()
    }

    /// `canStartRuntime()`.
    pub fn can_start(&self, facts: &Facts) -> bool {
        let active = u32::try_from(self.active(facts).len()).unwrap_or(u32::MAX);
        f64::from(active) < self.limits.max_concurrent.unwrap_or(1.0)
    }

    /// `getStats()`.
    pub fn stats(&self, facts: &Facts) -> Stats {
        let mut by_type = IndexMap::new();
        for seen in self.runtimes.values().filter_map(|key| facts.get(key)) {
            *by_type.entry(seen.runtime_type.clone()).or_insert(0) += 1;
        }
        Stats {
            total: self.runtimes.len(),
            active: self.active(facts).len(),
            available: self.those(facts, |seen| seen.is_available).len(),
            by_type,
        }
    }

    fn on_register(&mut self, facts: &Facts, call: CallId, key: ObjectKey) {
        let Some(seen) = facts.get(&key) else { return self.settle(call, Ok(())) };
        if self.runtimes.contains_key(&seen.id) {
            return self.settle(call, Ok(()));
        }
        if !self.limits.allows_same_type && !self.of_type(facts, &seen.runtime_type).is_empty() {
            return self.settle(call, Err(type_taken(&seen.runtime_type)));
        }
        self.runtimes.insert(seen.id.clone(), key);
        self.monitor(key, seen.state.clone());
        let ticket = self.tasks.park(Task::RegisterAnnounced { call, key });
        self.effects.push(Effect::Event(ticket, Event::Registered(key)));
    }

    fn monitor(&mut self, key: ObjectKey, last: RuntimeState) {
        self.next_timer += 1;
        let timer = TimerId(self.next_timer);
        self.monitors.insert(timer, Monitor { key, last });
        self.effects.push(Effect::SetInterval(timer, MONITOR_EVERY_MS));
    }

    /// The stop of an active runtime is begun and not awaited.
    fn on_unregister(&mut self, facts: &Facts, call: CallId, id: String) {
        self.stop_monitoring(facts, &id);
        let Some(key) = self.runtime(&id) else { return self.settle(call, Ok(())) };
        if is_active(facts, key) {
            let ticket = self.tasks.park(Task::Ignored);
            self.effects.push(Effect::Stop(ticket, key));
        }
        let ticket = self.tasks.park(Task::UnregisterStopped { call, id });
        self.effects.push(Effect::Continue(ticket));
    }

    fn stop_monitoring(&mut self, facts: &Facts, id: &str) {
        let is_of_id = |monitor: &Monitor| facts.get(&monitor.key).is_some_and(|seen| seen.id == id);
        let timers: Vec<_> =
            self.monitors.iter().filter(|(_, monitor)| is_of_id(monitor)).map(|(timer, _)| *timer).collect();
        for timer in timers {
            self.monitors.remove(&timer);
            self.effects.push(Effect::ClearInterval(timer));
        }
    }

    fn on_start(&mut self, facts: &Facts, call: CallId, id: &str) {
        let Some(key) = self.runtime(id) else {
            return self.settle(call, Err(Failure::new(format!("Runtime not found: {id}"))));
        };
        if is_active(facts, key) {
            self.settle(call, Ok(()));
        } else if self.can_start(facts) {
            self.start(call, key);
        } else {
            self.make_room(facts, call, key);
        }
    }

    /// A limit of exactly 1 stops the active runtime that was registered first, any other limit refuses
    /// ([`crate::Quirk::OneStopMakesRoom`]).
    fn make_room(&mut self, facts: &Facts, call: CallId, key: ObjectKey) {
        let limit = self.limits.max_concurrent;
        match self.active(facts).first() {
            Some(active) if limit == Some(1.0) => {
                let ticket = self.tasks.park(Task::MadeRoom { call, key });
                self.effects.push(Effect::Stop(ticket, *active));
            }
            _ => self.settle(call, Err(limit_reached(limit))),
        }
    }

    fn start(&mut self, call: CallId, key: ObjectKey) {
        let ticket = self.tasks.park(Task::Last { call });
        self.effects.push(Effect::Start(ticket, key, call));
    }

    fn on_stop_all(&mut self, facts: &Facts, call: CallId) {
        let active = self.active(facts);
        if active.is_empty() {
            return self.settle(call, Ok(()));
        }
        self.stopping.insert(call, active.len());
        for key in active {
            let ticket = self.tasks.park(Task::StoppedOne { call });
            self.effects.push(Effect::Stop(ticket, key));
        }
    }

    /// The state is compared with the one seen at the last change; what came and went in between is not seen
    /// ([`crate::Quirk::MonitorSeesOnceASecond`]).
    fn on_timer(&mut self, facts: &Facts, timer: TimerId) {
        let Some(monitor) = self.monitors.get_mut(&timer) else { return };
        let Some(seen) = facts.get(&monitor.key).filter(|seen| seen.state != monitor.last) else { return };
        monitor.last = seen.state.clone();
        let (key, id, state) = (monitor.key, seen.id.clone(), seen.state.clone());
        let event = Event::StateChanged(id.clone(), state.clone());
        let ticket = self.tasks.park(Task::ChangeAnnounced { key, id, state });
        self.effects.push(Effect::Event(ticket, event));
    }

    fn on_answer(&mut self, ticket: Ticket, answer: Answer) {
        match self.tasks.wake(ticket) {
            None | Some(Task::Ignored) => {}
            Some(Task::RegisterAnnounced { call, key }) => {
                let ticket = self.tasks.park(Task::Last { call });
                self.effects.push(Effect::Registered(ticket, key));
            }
            Some(Task::UnregisterStopped { call, id }) => {
                self.runtimes.shift_remove(&id);
                let ticket = self.tasks.park(Task::UnregisterAnnounced { call, id: id.clone() });
                self.effects.push(Effect::Event(ticket, Event::Unregistered(id)));
            }
            Some(Task::UnregisterAnnounced { call, id }) => {
                let ticket = self.tasks.park(Task::Last { call });
                self.effects.push(Effect::Unregistered(ticket, id));
            }
            Some(Task::Last { call }) => self.settle(call, answer.map(drop)),
            Some(Task::MadeRoom { call, key }) => match answer {
                Ok(_) => self.start(call, key),
                Err(failure) => self.settle(call, Err(failure)),
            },
            Some(Task::StoppedOne { call }) => self.stopped_one(call),
            Some(Task::ChangeAnnounced { key, id, state }) => {
                let ticket = self.tasks.park(Task::ChangeTold { id, state: state.clone() });
                self.effects.push(Effect::StateChanged(ticket, key, state));
            }
            Some(Task::ChangeTold { id, state }) => self.report_error(id, state),
        }
    }

    /// A stop that failed counts as done: it is only logged.
    fn stopped_one(&mut self, call: CallId) {
        let Some(left) = self.stopping.get_mut(&call) else { return };
        *left -= 1;
        if *left == 0 {
            self.stopping.remove(&call);
            self.settle(call, Ok(()));
        }
    }

    /// An active runtime's error is no `error` event ([`crate::Quirk::ErrorEventOnlyWhenInactive`]).
    fn report_error(&mut self, id: String, state: RuntimeState) {
        let error = state.error.filter(|error| !state.is_active && !error.is_empty());
        if let Some(error) = error {
            let ticket = self.tasks.park(Task::Ignored);
            self.effects.push(Effect::Event(ticket, Event::Error(id, error)));
        }
    }

    fn settle(&mut self, call: CallId, outcome: Result<(), Failure>) {
        self.effects.push(Effect::Settle(call, outcome));
    }

    fn those(&self, facts: &Facts, wanted: impl Fn(&RuntimeFacts) -> bool) -> Vec<ObjectKey> {
        self.runtimes.values().copied().filter(|key| facts.get(key).is_some_and(&wanted)).collect()
    }
}

fn is_active(facts: &Facts, key: ObjectKey) -> bool {
    facts.get(&key).is_some_and(|seen| seen.state.is_active)
}

/// Stable, as the old sort; a priority that is not a number is equal to any.
fn by_priority(mut keys: Vec<ObjectKey>, facts: &Facts) -> Vec<ObjectKey> {
    let priority = |key: &ObjectKey| facts.get(key).map_or(f64::NAN, |seen| seen.priority);
    keys.sort_by(|a, b| priority(b).partial_cmp(&priority(a)).unwrap_or(Ordering::Equal));
    keys
}

fn type_taken(runtime_type: &str) -> Failure {
    Failure::new(format!(
        "Runtime of type '{runtime_type}' is already registered. Multiple runtimes of the same type are not allowed."
    ))
}

fn limit_reached(limit: Option<f64>) -> Failure {
    let limit = limit.map_or_else(|| "undefined".to_owned(), |limit| limit.to_string());
    Failure::new(format!("Cannot start runtime: would exceed maximum concurrent runtimes ({limit})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Reply;

    fn facts(priorities: &[f64]) -> Facts {
        let facts = |(key, priority): (u32, &f64)| {
            let seen = RuntimeFacts {
                id: format!("r{key}"),
                runtime_type: "html".to_owned(),
                priority: *priority,
                is_available: true,
                state: RuntimeState::default(),
            };
            (ObjectKey(key), seen)
        };
        (0..).zip(priorities).map(facts).collect()
    }

    fn registry(facts: &Facts) -> RuntimeRegistry {
        let mut registry = RuntimeRegistry::new(Limits { allows_same_type: true, ..Limits::default() });
        for key in facts.keys() {
            registry.handle(facts, Input::Register(CallId(key.0), *key));
        }
        registry
    }

    #[test]
    fn equal_priorities_stay_in_order_of_registration() {
        let facts = facts(&[1.0, 50.0, 50.0, -5.0, 100.0]);
        let available: Vec<_> = registry(&facts).available(&facts).into_iter().map(|key| key.0).collect();
        assert_eq!(available, [4, 1, 2, 0, 3]);
    }

    #[test]
    fn only_one_of_two_active_runtimes_is_stopped_to_make_room() {
        let mut facts = facts(&[1.0, 2.0, 3.0]);
        let mut registry = registry(&facts);
        for key in [1, 2] {
            facts.get_mut(&ObjectKey(key)).unwrap().state.is_active = true;
        }
        let effects = registry.handle(&facts, Input::StartRuntime(CallId(9), "r0".to_owned()));
        let [Effect::Stop(ticket, ObjectKey(1))] = effects[..] else { panic!("{effects:?}") };
        let effects = registry.handle(&facts, Input::Answer(ticket, Ok(Reply::Done)));
        assert!(matches!(effects[..], [Effect::Start(_, ObjectKey(0), CallId(9))]), "{effects:?}");
    }

    #[test]
    fn an_error_event_needs_an_inactive_runtime() {
        let mut facts = facts(&[1.0]);
        let mut registry = RuntimeRegistry::new(Limits::default());
        registry.handle(&facts, Input::Register(CallId(1), ObjectKey(0)));
        for (is_active, expected) in [(false, true), (true, false)] {
            let state = &mut facts.get_mut(&ObjectKey(0)).unwrap().state;
            (state.is_active, state.error) = (is_active, Some("oops".to_owned()));
            let effects = registry.handle(&facts, Input::Timer(TimerId(1)));
            let [Effect::Event(ticket, Event::StateChanged(..))] = effects[..] else { panic!("{effects:?}") };
            let effects = registry.handle(&facts, Input::Answer(ticket, Ok(Reply::Done)));
            let [Effect::StateChanged(ticket, ..)] = effects[..] else { panic!("{effects:?}") };
            let effects = registry.handle(&facts, Input::Answer(ticket, Ok(Reply::Done)));
            assert_eq!(matches!(effects[..], [Effect::Event(_, Event::Error(..))]), expected, "{effects:?}");
        }
    }
}
