//! The one step function of a notebook.
//!
//! Whoever owns the notebook's store steps it, from one thread: the JavaScript thread for a LiveStore store, a tokio task for
//! the other stores, the simulator in tests. An owner hands in an [`Input`] with the time, performs the [`Effect`]s in order,
//! and answers those that carry a ticket before it goes on to the next; what an answer brings is performed first.

mod displacing;
mod elsewhere;
mod fence;
mod flip;
mod host;
mod host_code;
mod journalling;
mod legacy_core;
mod line;
mod manager;
mod paths;
mod protocol;
mod sabotage;
mod seat;
mod shadowing;
mod sweep;
mod watchdog;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bridge_core::{
    Ability, ComparisonTally, Decision, Diagnostic, Gate, GateCounts, Known, Latch, Ledger, Level, Mode, Notes, Pass,
    Path, Reason, Ruling, Standing, Tally, Token, decide,
};
use flags::{Context, LiveFlags};
use legacy_compat::{CallId, Hook};
use registry::{
    Answer, CellId, Event, Failure, IdSource, NotebookId, Now, Query, QueueId, QueueStatus, Reply, RuntimeType,
    SessionId, Ticket, TimerId,
};
use serde::Serialize;

use crate::journal::SharedJournal;
use crate::kill::KillSwitch;
use elsewhere::Elsewhere;
use fence::Timer;
pub use host::Facade;
use host_code::Mark;
pub use legacy_core::LegacyKind;
pub use protocol::{Effect, HostEvent, Input, Method, RuntimeKey, SessionElsewhere, SessionIds, Shed};
#[cfg(feature = "sabotage")]
pub use sabotage::Mechanism;
#[cfg(not(feature = "sabotage"))]
use sabotage::Mechanism;
use seat::Seat;

/// A notebook as its owner steps it: the seats of its runtimes, the ledger of its executions, the gate on its commits.
pub struct Notebook {
    id: NotebookId,
    flags: Arc<LiveFlags>,
    generation_seen: u64,
    latch: Arc<Latch>,
    has_new_latch: bool,
    kill: Arc<KillSwitch>,
    kills_seen: u64,
    journal: Option<SharedJournal>,
    /// Executions that an earlier process has noted as entered.
    entered_before: BTreeSet<QueueId>,
    /// What its sessions on the new path run.
    runtime_type: RuntimeType,
    ledger: Ledger,
    gate: Gate,
    /// Claims that a session lost in a flip before it started them.
    handed_on: BTreeSet<QueueId>,
    token: Token,
    seats: BTreeMap<RuntimeKey, Seat>,
    asked: BTreeMap<Ticket, Asked>,
    next_ticket: u32,
    comparisons: ComparisonTally,
    /// Observations handed out and not compared yet.
    comparing: u64,
    timers: BTreeMap<TimerId, Timer>,
    next_timer: u32,
    is_watching: bool,
    elsewhere: Elsewhere,
    ids: IdSource,
    effects: Vec<Effect>,
    #[cfg(feature = "sabotage")]
    lacking: Option<Mechanism>,
}

/// What a ticket was given out for.
#[derive(Debug)]
struct Asked {
    by: Asker,
    /// The ledger's rows as they were before this commit, put back should it fail.
    undo: Vec<(QueueId, Standing)>,
    /// What a shadow that follows has taken down of this commit.
    observed: Notes,
}

impl Asked {
    /// A question that changes nothing.
    fn question(by: Asker) -> Self {
        Self { by, undo: Vec::new(), observed: Notes::default() }
    }
}

/// Who waits for an answer.
#[derive(Debug)]
enum Asker {
    Legacy(RuntimeKey, Ticket),
    Agent(RuntimeKey, Ticket),
    /// The announcement of a flipped session.
    Flip(RuntimeKey),
    /// A flip that is about to begin, for the active sessions.
    Check(RuntimeKey),
    /// `executeCode` on the registry path.
    Code(CallId),
    /// The host's own code, and what it is about to begin or end.
    Host(RuntimeKey, Vec<Mark>),
    /// The shadow, for the sources of these cells.
    Shadow(RuntimeKey, Vec<CellId>),
    /// The end of what did not end in time.
    Fence(RuntimeKey),
    /// The end of what a session that is gone has left.
    Sweep,
    /// The ledger, for what a failed commit has left behind; then its asker hears of this failure.
    Undo(Box<Asker>, Failure),
    /// The watchdog, for what has become of executions that were started long ago.
    Watchdog(RuntimeKey),
    /// Whoever follows agents elsewhere, for an execution of theirs, and whether it is over.
    Elsewhere(QueueId, bool),
}

impl Asker {
    /// The runtime object whose session asks.
    fn session_of(&self) -> Option<RuntimeKey> {
        match self {
            Self::Legacy(runtime, _) | Self::Agent(runtime, _) | Self::Host(runtime, _) => Some(*runtime),
            Self::Flip(_)
            | Self::Check(_)
            | Self::Code(_)
            | Self::Shadow(..)
            | Self::Fence(_)
            | Self::Sweep
            | Self::Undo(..)
            | Self::Watchdog(_)
            | Self::Elsewhere(..) => None,
        }
    }
}

/// What an operator sees of a notebook.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The notebook.
    pub notebook: NotebookId,
    /// The lease of each runtime that has a session.
    pub leases: Vec<bridge_core::Lease>,
    /// Whether the gate acts on what it sees.
    pub gate: Mode,
    /// What the gate has seen.
    pub gate_counts: GateCounts,
    /// The executions by standing.
    pub executions: Tally,
    /// What the comparisons have come to.
    pub comparisons: ComparisonTally,
    /// Observations that are being compared.
    pub comparing: u64,
    /// Executions that are followed because an agent elsewhere may run them.
    pub following: usize,
}

impl Notebook {
    /// A notebook without sessions. `seed` comes from the operating system's randomness; `flags` is shared by all notebooks.
    pub fn new(id: NotebookId, flags: Arc<LiveFlags>, seed: [u8; 32]) -> Self {
        Self {
            id,
            generation_seen: flags.generation(),
            flags,
            latch: Arc::default(),
            has_new_latch: false,
            kill: Arc::default(),
            kills_seen: 0,
            journal: None,
            entered_before: BTreeSet::new(),
            runtime_type: RuntimeType::html(),
            ledger: Ledger::default(),
            gate: Gate::default(),
            handed_on: BTreeSet::new(),
            token: Token::default(),
            seats: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_ticket: 0,
            comparisons: ComparisonTally::default(),
            comparing: 0,
            timers: BTreeMap::new(),
            next_timer: 0,
            is_watching: false,
            elsewhere: Elsewhere::default(),
            ids: IdSource::new(seed),
            effects: Vec::new(),
            #[cfg(feature = "sabotage")]
            lacking: None,
        }
    }

    /// The notebook's id, which is the key of its flags.
    pub fn id(&self) -> &NotebookId {
        &self.id
    }

    /// Heeds these rollbacks from the next step on, whatever the flags say.
    pub fn heed(&mut self, latch: Arc<Latch>) {
        self.latch = latch;
        self.has_new_latch = true;
    }

    /// Obeys this kill switch from the next step on.
    pub fn obey(&mut self, kill: Arc<KillSwitch>) {
        self.kill = kill;
    }

    /// What the gate has seen.
    pub fn gate_counts(&self) -> GateCounts {
        self.gate.counts()
    }

    /// What an operator sees.
    pub fn status(&self) -> Status {
        Status {
            notebook: self.id.clone(),
            leases: self.seats.values().filter_map(|seat| seat.lease.clone()).collect(),
            gate: self.gate.mode(),
            gate_counts: self.gate.counts(),
            executions: self.ledger.tally(),
            comparisons: self.comparisons.clone(),
            comparing: self.comparing,
            following: self.elsewhere.following(),
        }
    }

    /// What a plan needs to know of the sessions that have been admitted here. The old path of html is always there.
    pub fn known(&self) -> impl Iterator<Item = Known> {
        self.seats.values().filter(|seat| seat.lease.is_some()).filter_map(|seat| seat.admitted.as_ref()).map(
            |admission| Known { context: admission.context.clone(), ability: admission.ability, has_old_path: true },
        )
    }

    /// Takes one input and gives the effects to perform, in order.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        // An object that the host has let go of is not even told of a flag.
        if let Input::Forget { runtime } = input {
            self.on_forget(now, runtime);
        }
        self.notice_flags(now);
        match input {
            Input::Admit { runtime, attributes, ability, legacy } => {
                self.seat(runtime).use_legacy(legacy);
                self.on_admit(now, runtime, attributes, ability);
            }
            Input::Call { runtime, call, method } => self.on_call(now, runtime, call, method),
            Input::Queued { entries } => self.on_queued(now, entries),
            Input::ActiveSessions { sessions } => self.on_active_sessions(now, &sessions),
            Input::Answer { ticket, answer } => self.on_answer(now, ticket, answer),
            Input::HostCommit { runtime, offer, token, events } => self.on_host_commit(runtime, offer, token, events),
            Input::Timer { timer } => self.on_timer(now, timer),
            Input::Attached { attributes, is_blind } => {
                if attributes.is_none() {
                    self.lose_live_query(now, is_blind);
                }
                self.on_attached(attributes);
            }
            Input::Elsewhere { sessions, entries } => self.on_elsewhere(now, sessions, entries.as_deref()),
            Input::Wake | Input::Forget { .. } => {}
            Input::Compared(outcome) => self.on_compared(outcome),
        }
        self.drop_leases_of_managers();
        self.end_what_is_displaced(now);
        self.flip_what_is_due();
        self.shadow_as_needed();
        self.watch_as_needed();
        self.watch_elsewhere_as_needed();
        let mut effects = std::mem::take(&mut self.effects);
        effects.sort_by_key(|effect| !effect.is_for_owner());
        effects
    }

    /// Decides the route of a session that is about to start, and names it on the registry path.
    fn on_admit(
        &mut self,
        now: Now,
        runtime: RuntimeKey,
        attributes: serde_json::Map<String, serde_json::Value>,
        ability: Ability,
    ) {
        let context = attributes
            .into_iter()
            .fold(Context::new(self.id.as_str()), |context, (name, value)| context.with(name, value));
        let decision = self.decide(now, &context, ability);
        self.report(&decision);
        let ids = (decision.route.serving() == Path::Registry).then(|| self.registry_ids(now));
        if decision.route.serving() == Path::Registry {
            self.gate.enforce();
        }
        let seat = self.seat(runtime);
        seat.admitted = Some(seat::Admission { decision: decision.clone(), context, ability });
        self.effects.push(Effect::Admitted { runtime, ids, decision });
    }

    fn decide(&self, now: Now, context: &Context, ability: Ability) -> Decision {
        let is_configured = self.flags.is_expected();
        let decision = decide(&self.flags.load(), is_configured, &context.clone().at(now.wall_ms), ability);
        self.kill.over(decision.under(&self.latch))
    }

    fn registry_ids(&mut self, now: Now) -> SessionIds {
        let runtime_id = registry::RuntimeId::for_agent(&mut self.ids);
        let session_id = SessionId::for_agent(&self.runtime_type.name, &runtime_id, now, &mut self.ids);
        SessionIds { runtime_id, session_id }
    }

    fn on_queued(&mut self, now: Now, entries: Vec<registry::QueueEntry>) {
        let entries = self.with_claims_handed_on(entries);
        let entries = self.swept(now, entries);
        self.observe(&entries);
        self.show_to_shadows(&entries);
        for runtime in self.seats_on(Path::Registry) {
            self.show_line(runtime, &entries);
            self.step_agent(now, runtime, registry::Input::Queued(self.in_order(entries.clone())));
        }
        self.tell_managers(now);
    }

    fn on_active_sessions(&mut self, now: Now, sessions: &[SessionId]) {
        for runtime in self.seats_on(Path::Registry) {
            self.step_agent(now, runtime, registry::Input::ActiveSessions(sessions.to_vec()));
        }
        self.displace_host_code(sessions);
        self.tell_managers(now);
    }

    fn on_answer(&mut self, now: Now, ticket: Ticket, answer: Answer) {
        let Some(asked) = self.asked.remove(&ticket) else { return };
        if let Asker::Legacy(runtime, _) = asked.by
            && let Some(seat) = self.seats.get_mut(&runtime)
        {
            seat.code_returned(ticket);
        }
        self.follow(now, &asked, &answer);
        let answer = answer.map(|reply| match reply {
            Reply::Entries(entries) => {
                let entries = self.with_claims_handed_on(entries);
                let is_agents = matches!(asked.by, Asker::Agent(..));
                Reply::Entries(if is_agents { self.swept(now, entries) } else { entries })
            }
            other => other,
        });
        match answer {
            Ok(Reply::Entries(entries)) => {
                self.observe(&entries);
                self.show_to_shadows(&entries);
                let entries = match asked.by {
                    Asker::Agent(runtime, _) => {
                        self.show_line(runtime, &entries);
                        self.in_order(entries)
                    }
                    _ => entries,
                };
                self.deliver(now, asked.by, Ok(Reply::Entries(entries)));
            }
            Err(failure) if !asked.undo.is_empty() => self.undo(now, asked, failure),
            answer => {
                self.watch_over(now, &asked.by, asked.undo.into_iter().map(|(id, _)| id));
                self.deliver(now, asked.by, answer);
            }
        }
    }

    /// Gives an answer to who has waited for it.
    fn deliver(&mut self, now: Now, asker: Asker, answer: Answer) {
        match asker {
            Asker::Legacy(runtime, ticket) => self.step_legacy(now, runtime, |core| core.answer(now, ticket, answer)),
            Asker::Agent(runtime, ticket) => self.step_agent(now, runtime, registry::Input::Answer(ticket, answer)),
            Asker::Flip(runtime) => self.flip_announced(now, runtime, answer),
            Asker::Check(runtime) => self.flip_checked(now, runtime, answer),
            Asker::Host(runtime, marks) => {
                self.host_committed(runtime, if answer.is_ok() { marks } else { Vec::new() });
            }
            Asker::Code(call) => self.effects.push(Effect::Settle { call, outcome: answer.map(drop) }),
            Asker::Shadow(runtime, cells) => self.pinned(runtime, cells, answer),
            Asker::Fence(runtime) => self.fenced(now, runtime, answer),
            // What the store refuses here stays as it was, for the next sweep.
            Asker::Sweep => {}
            Asker::Watchdog(runtime) => self.looked(runtime, answer),
            Asker::Elsewhere(id, is_over) => self.looked_elsewhere(now, &id, is_over, answer),
            Asker::Undo(asker, failure) => {
                if let Ok(Reply::Entries(entries)) = answer {
                    self.record_what_is_ours(&entries);
                    self.watch_over(now, &asker, entries.into_iter().map(|entry| entry.id));
                }
                self.deliver(now, *asker, Err(failure));
            }
        }
    }

    /// Puts the ledger back before a commit that failed. Only the store knows what became of it, for a subscriber may have thrown
    /// behind it: who asked for it hears of the failure once that is known.
    fn undo(&mut self, now: Now, asked: Asked, failure: Failure) {
        let ids: Vec<QueueId> = asked.undo.iter().map(|(id, _)| id.clone()).collect();
        asked.undo.into_iter().for_each(|(id, standing)| self.ledger.restore(&id, standing));
        if self.gate.mode() == Mode::Observe {
            return self.deliver(now, asked.by, Err(failure));
        }
        let ticket = self.ask(Asked::question(Asker::Undo(Box::new(asked.by), failure)));
        self.effects.push(Effect::Query { ticket, query: Query::Entries(ids) });
    }

    /// A claim or a start that took effect, though its commit failed, is held by the session that it names.
    fn record_what_is_ours(&mut self, entries: &[registry::QueueEntry]) {
        for entry in entries {
            let session = entry.assigned_runtime_session.as_ref();
            let mut leases = self.seats.values().filter_map(|seat| seat.lease.as_ref());
            let Some(lease) = leases.find(|lease| session == Some(&lease.session_id)) else { continue };
            let standing = match (self.ledger.standing(&entry.id), entry.status) {
                (Standing::Pending, QueueStatus::Assigned) => Standing::Claimed(lease.path, lease.token),
                (Standing::Pending | Standing::Claimed(..), QueueStatus::Executing) => {
                    Standing::Started(lease.path, lease.token)
                }
                _ => continue,
            };
            self.ledger.record(&entry.id, standing);
        }
    }

    fn on_timer(&mut self, now: Now, timer: TimerId) {
        match self.timers.get(&timer).copied() {
            Some(Timer::Legacy(runtime, inner)) => self.step_legacy(now, runtime, |core| core.timer(now, inner)),
            Some(Timer::Deadline(runtime)) => {
                self.clear_timer(timer);
                self.fence(runtime, timer);
            }
            Some(Timer::Watchdog(runtime)) => self.look_after(now, runtime),
            None => {}
        }
    }

    /// The host let go of a runtime object without stopping it: its session ends for us, and nothing is committed for it.
    fn on_forget(&mut self, now: Now, runtime: RuntimeKey) {
        if self.seats.contains_key(&runtime) {
            self.end_shadow(runtime);
            self.call_off_flip(runtime);
            self.end_watch(runtime);
            self.step_legacy(now, runtime, |core| core.release(now));
            self.step_agent(now, runtime, registry::Input::Release);
            self.seats.remove(&runtime);
        }
    }

    /// Passes events through the gate and asks for what is left of them to be committed, in one commit.
    fn commit(&mut self, by: Asker, path: Path, token: Token, events: Vec<Event>) {
        let pass = self.pass(path, token);
        let mut undo = Vec::new();
        let mut passed = events;
        passed.retain(|event| self.passes(pass, event, &mut undo));
        if matches!(by, Asker::Fence(_) | Asker::Sweep) {
            passed.iter().filter_map(Event::queue_id).for_each(|id| self.ledger.excuse(id));
        }
        // The first remembered standing of an entry is the one to go back to.
        undo.reverse();
        let observed = by.session_of().map(|runtime| self.pin_sources(runtime, &passed)).unwrap_or_default();
        let ticket = self.ask(Asked { by, undo, observed });
        self.effects.push(match passed.is_empty() {
            true => Effect::Continue { ticket },
            false => Effect::Commit { ticket, path, events: passed },
        });
    }

    fn pass(&self, path: Path, token: Token) -> Pass {
        Pass { path, token, is_current: token == self.token || self.lacks(Mechanism::TokenCheck) }
    }

    /// Judges one event, and remembers how its entry stood, should the commit fail.
    fn passes(&mut self, pass: Pass, event: &Event, undo: &mut Vec<(QueueId, Standing)>) -> bool {
        if let Some(id) = event.queue_id() {
            undo.push((id.clone(), self.ledger.remember(id)));
        }
        self.take_unchecked(pass.path, pass.token, event);
        match self.gate.judge(&mut self.ledger, pass, event) {
            Ruling::Pass => {
                self.tell_if_out_of_turn(pass, event);
                self.runs_anew(pass, event);
                true
            }
            Ruling::Drop(refusal) => {
                tracing::warn!(notebook = %self.id, event = event.name(), ?refusal, "the gate dropped an event");
                self.tell_if_second_terminal(pass, event, refusal);
                false
            }
        }
    }

    fn ask(&mut self, asked: Asked) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.asked.insert(ticket, asked);
        ticket
    }

    /// A hook whose answer nobody waits for. A manager has no methods to hook: its core shows the state.
    fn call_hook(&mut self, now: Now, runtime: RuntimeKey, hook: Hook) {
        if self.seat(runtime).legacy.is_manager() {
            return self.tell_manager(now, runtime, hook);
        }
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.effects.push(Effect::Hook { ticket, runtime, hook });
    }

    fn observe(&mut self, entries: &[registry::QueueEntry]) {
        let ours: Vec<&SessionId> =
            self.seats.values().filter_map(|seat| seat.lease.as_ref()).map(|lease| &lease.session_id).collect();
        for entry in entries {
            self.ledger.observe(entry, |session| ours.contains(&session));
        }
    }

    fn seats_on(&self, path: Path) -> Vec<RuntimeKey> {
        let on_path = |seat: &Seat| seat.lease.as_ref().is_some_and(|lease| lease.path == path);
        self.seats.iter().filter(|(_, seat)| on_path(seat)).map(|(runtime, _)| *runtime).collect()
    }

    fn seat(&mut self, runtime: RuntimeKey) -> &mut Seat {
        let ids = &mut self.ids;
        let runtime_type = &self.runtime_type;
        self.seats.entry(runtime).or_insert_with(|| Seat::new(runtime_type.clone(), ids.split(), ids.split()))
    }

    /// The live query runs while the registry serves or is compared with, has served and may be displaced, or a manager is
    /// mounted, and only then.
    fn watch_as_needed(&mut self) {
        let is_needed = !self.seats_on(Path::Registry).is_empty()
            || self.has_shadow()
            || self.has_leases_to_watch()
            || self.seats.values().any(|seat| seat.legacy.watches());
        if is_needed != self.is_watching {
            self.is_watching = is_needed;
            self.effects.push(if is_needed { Effect::Watch } else { Effect::Unwatch });
        }
    }

    /// Says aloud why a notebook stays on the old path although somebody may have meant otherwise.
    fn report(&mut self, decision: &Decision) {
        let (level, code, message, help) = match decision.reason {
            Reason::Doubt(doubt) => (
                Level::Error,
                "ROUTE_IN_DOUBT",
                format!("notebook `{}` is served by the old path: {doubt:?}", self.id),
                doubt.help().to_owned(),
            ),
            Reason::NotConfigured => (
                Level::Info,
                "FLAGS_NOT_CONFIGURED",
                "no flags are configured: every notebook is served by the old path".to_owned(),
                "call configure({ flags: FILE }) or set RUNTIME_BRIDGE_FLAGS".to_owned(),
            ),
            Reason::RolledBack(_) => (
                Level::Info,
                "ROUTE_ROLLED_BACK",
                format!("notebook `{}` is served by the old path: the guard has rolled it back", self.id),
                "bridge.status().guard says why; bridge.rearm(reason) ends it".to_owned(),
            ),
            _ => return,
        };
        self.effects.push(Effect::Diagnostic { diagnostic: Diagnostic { level, code, message, help } });
    }
}
