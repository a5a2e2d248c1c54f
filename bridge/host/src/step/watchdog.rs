//! The watchdog: what the new path does while it serves and must never do, told to the guard.
//!
//! It begins executions in the order in which they were requested, and none while another one is under way.
//!
//! An execution that it has started and not ended in time is lost. Only the store knows whether it is: a row that is still
//! executing has no end. html ends within its step, so that hardly anything is ever watched over and no timer runs.

use bridge_core::{Diagnostic, Incident, Level, Pass, Path, Refusal, Standing, Token};
use registry::{Answer, Event, Now, Query, QueueEntry, QueueId, QueueStatus, Reply};

use super::fence::Timer;
use super::flip::{DEFAULT_DRAIN_MS, GRACE_MS};
use super::{Asked, Asker, Effect, Notebook, RuntimeKey};

/// How long an execution of the new path may be under way, in milliseconds: as long as a drain would wait for it. A handler that
/// may take longer brings a deadline of its own.
const LOST_AFTER_MS: u64 = DEFAULT_DRAIN_MS + GRACE_MS;

impl Notebook {
    /// Takes in what a commit has done to these executions, where it was one of the new path.
    pub(super) fn watch_over(&mut self, now: Now, asker: &Asker, touched: impl Iterator<Item = QueueId>) {
        if let Asker::Agent(runtime, _) = asker {
            self.keep_watch(now, *runtime, touched);
        }
    }

    fn keep_watch(&mut self, now: Now, runtime: RuntimeKey, touched: impl Iterator<Item = QueueId>) {
        let Some(seat) = self.seats.get_mut(&runtime) else { return };
        let ledger = &self.ledger;
        let is_started = |id: &QueueId| matches!(ledger.standing(id), Standing::Started(Path::Registry, token) if *token == seat.agent_token);
        for id in touched {
            if !is_waiting(ledger.standing(&id), seat.agent_token) {
                seat.line.leave(&id);
            }
            if is_started(&id) {
                seat.started.entry(id).or_insert(now.mono_ms);
            }
        }
        seat.started.retain(|id, _| is_started(id));
        match (seat.started.is_empty(), seat.watchdog) {
            (false, None) => {
                let timer = self.set_timer(Timer::Watchdog(runtime), LOST_AFTER_MS);
                self.seat(runtime).watchdog = Some(timer);
            }
            (true, Some(_)) => self.end_watch(runtime),
            _ => {}
        }
    }

    pub(super) fn end_watch(&mut self, runtime: RuntimeKey) {
        let timer = self.seats.get_mut(&runtime).and_then(|seat| seat.watchdog.take());
        timer.into_iter().for_each(|timer| self.clear_timer(timer));
    }

    /// Asks the store about what should be over by now.
    pub(super) fn look_after(&mut self, now: Now, runtime: RuntimeKey) {
        self.keep_watch(now, runtime, std::iter::empty());
        let Some(seat) = self.seats.get(&runtime) else { return };
        let is_due = |since: &u64| now.mono_ms.saturating_sub(*since) >= LOST_AFTER_MS;
        let due: Vec<QueueId> =
            seat.started.iter().filter(|(_, since)| is_due(since)).map(|(id, _)| id.clone()).collect();
        if !due.is_empty() {
            let ticket = self.ask(Asked::question(Asker::Watchdog(runtime)));
            self.effects.push(Effect::Query { ticket, query: Query::Entries(due) });
        }
    }

    /// Each lost execution is told once. It stays started: whoever takes the notebook over ends it.
    pub(super) fn looked(&mut self, runtime: RuntimeKey, answer: Answer) {
        let Ok(Reply::Entries(rows)) = answer else { return };
        let lost: Vec<QueueId> =
            rows.into_iter().filter(|row| row.status == QueueStatus::Executing).map(|row| row.id).collect();
        for id in lost {
            let was_watched = self.seats.get_mut(&runtime).is_some_and(|seat| seat.started.remove(&id).is_some());
            if was_watched {
                self.tell_incident(Incident::LostExecution, "EXECUTION_LOST", &id, "has been started and never ended");
            }
        }
        if self.seats.get(&runtime).is_some_and(|seat| seat.started.is_empty()) {
            self.end_watch(runtime);
        }
    }

    /// The old path may have done so all its life; what the new one ends twice is a fault of ours.
    pub(super) fn tell_if_second_terminal(&mut self, pass: Pass, event: &Event, refusal: Refusal) {
        if let (Path::Registry, Refusal::SecondTerminal, Some(id)) = (pass.path, refusal, event.queue_id()) {
            self.tell_incident(Incident::SecondTerminal, "SECOND_TERMINAL", id, "was about to be ended twice");
        }
    }

    /// What the new path is about to be told of the queue.
    pub(super) fn show_line(&mut self, runtime: RuntimeKey, entries: &[QueueEntry]) {
        let Some(seat) = self.seats.get_mut(&runtime) else { return };
        if let Some(lease) = &seat.lease {
            seat.line.shows(entries, &lease.session_id);
        }
    }

    /// Looks at an execution that is begun: nobody is passed over, and nothing else is under way.
    pub(super) fn tell_if_out_of_turn(&mut self, pass: Pass, event: &Event) {
        let (Path::Registry, Event::ExecutionStarted(started)) = (pass.path, event) else { return };
        let id = &started.queue_id;
        let Some(seat) = self.seats.values_mut().find(|seat| seat.agent_token == pass.token) else { return };
        let ledger = &self.ledger;
        let is_passed_over = |other: &&QueueId| is_waiting(ledger.standing(other), pass.token);
        let is_under_way =
            |other: &QueueId| other != id && *ledger.standing(other) == Standing::Started(Path::Registry, pass.token);
        let passed_over = seat.line.before(id).find(is_passed_over).map(|other| format!("was begun before `{other}`"));
        let overlapped = seat.begun_last.replace(id.clone()).filter(is_under_way);
        let overlapped = overlapped.map(|other| format!("was begun while `{other}` was under way"));
        if let Some(what) = passed_over.or(overlapped) {
            self.tell_incident(Incident::OrderViolation, "ORDER_VIOLATED", id, &what);
        }
    }

    fn tell_incident(&mut self, incident: Incident, code: &'static str, id: &QueueId, what: &str) {
        let diagnostic = Diagnostic {
            level: Level::Error,
            code,
            message: format!("notebook `{}`: execution `{id}` {what}", self.id),
            help: "this is a fault of the bridge; the guard takes the notebook back".to_owned(),
        };
        self.effects.push(Effect::Diagnostic { diagnostic });
        self.effects.push(Effect::Incident { incident });
    }
}

/// Whether the new path has yet to begin it, as the ledger knows it.
fn is_waiting(standing: &Standing, token: Token) -> bool {
    match standing {
        Standing::Pending => true,
        Standing::Claimed(path, holder) => (*path, *holder) == (Path::Registry, token),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bridge_core::Ability;
    use flags::LiveFlags;
    use legacy_compat::CallId;
    use registry::{
        Capabilities, CellId, ExecutionAssigned, ExecutionCompleted, ExecutionStarted, ExecutionStatus, NotebookId,
        RuntimeId, SessionId, Ticket, Timestamp,
    };

    use super::*;
    use crate::step::{Input, LegacyKind, Method, SessionIds};

    const RUNTIME: RuntimeKey = RuntimeKey(1);
    const DOCUMENT: &str = r#"{ "flags": { "runtime-route": { "state": "ENABLED", "variants": { "v": "registry" },
        "defaultVariant": "v", "targeting": {} } } }"#;

    /// A notebook that the new path serves, whose store does as it is told and shows these rows.
    struct Case {
        notebook: Notebook,
        now: Now,
        rows: Vec<QueueEntry>,
        incidents: Vec<Incident>,
        timers: Vec<registry::TimerId>,
    }

    impl Case {
        fn new() -> Self {
            let flags = Arc::new(LiveFlags::new());
            flags.expect();
            flags.apply(DOCUMENT, "test").unwrap();
            let notebook = Notebook::new(NotebookId::from("nb"), flags, [1; 32]);
            let now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };
            let mut case = Self { notebook, now, rows: Vec::new(), incidents: Vec::new(), timers: Vec::new() };
            let ability = Ability { is_built_in: true, has_live_query: true };
            let (runtime, attributes) = (RUNTIME, serde_json::Map::new());
            case.step(Input::Admit { runtime, attributes, ability, legacy: LegacyKind::Compat });
            let ids = SessionIds { runtime_id: RuntimeId::from("r"), session_id: SessionId::from("s") };
            let method = Method::Start { ids, capabilities: Capabilities::default() };
            case.step(Input::Call { runtime, call: CallId(1), method });
            case
        }

        fn step(&mut self, input: Input) {
            let effects = self.notebook.step(self.now, input);
            self.perform(effects);
        }

        fn perform(&mut self, effects: Vec<Effect>) {
            for effect in effects {
                match effect {
                    Effect::Commit { ticket, .. } | Effect::Continue { ticket } => self.answer(ticket, Reply::Done),
                    Effect::Query { ticket, query: Query::Entries(_) } => {
                        let rows = self.rows.clone();
                        self.answer(ticket, Reply::Entries(rows));
                    }
                    Effect::Query { ticket, query: Query::ActiveSessions } => {
                        self.answer(ticket, Reply::Sessions(Vec::new()));
                    }
                    Effect::Query { ticket, .. } => self.answer(ticket, Reply::Entries(Vec::new())),
                    Effect::SetInterval { timer, .. } => self.timers.push(timer),
                    Effect::ClearInterval { timer } => self.timers.retain(|known| *known != timer),
                    Effect::Incident { incident } => self.incidents.push(incident),
                    _ => {}
                }
            }
        }

        fn answer(&mut self, ticket: Ticket, reply: Reply) {
            self.step(Input::Answer { ticket, answer: Ok(reply) });
        }

        /// What a handler of the new path commits that does not end within its step.
        fn commits(&mut self, events: Vec<Event>) {
            let token = self.notebook.seat(RUNTIME).agent_token;
            self.notebook.commit(Asker::Agent(RUNTIME, Ticket(999)), Path::Registry, token, events);
            let effects = std::mem::take(&mut self.notebook.effects);
            self.perform(effects);
        }

        /// What the live query tells, where the path itself does nothing about it.
        fn sees(&mut self, rows: &[QueueEntry]) {
            self.notebook.observe(rows);
            self.notebook.show_line(RUNTIME, rows);
        }

        fn pass(&mut self, ms: u64) {
            self.now.mono_ms += ms;
            // A clock that jumps is no reason to lose patience.
            self.now.wall_ms -= 3_600_000;
            for timer in self.timers.clone() {
                self.step(Input::Timer { timer });
            }
        }

        fn shows(&mut self, status: QueueStatus) {
            let (id, cell_id) = (QueueId::from("q"), CellId::from("c"));
            let session = Some(SessionId::from("s"));
            self.rows = vec![QueueEntry { id, cell_id, execution_count: 1, status, assigned_runtime_session: session }];
        }
    }

    fn pending(id: &str, session: Option<SessionId>) -> QueueEntry {
        let (id, cell_id, status) = (QueueId::from(id), CellId::from("c"), QueueStatus::Pending);
        QueueEntry { id, cell_id, execution_count: 1, status, assigned_runtime_session: session }
    }

    fn begun() -> Vec<Event> {
        begun_by("q")
    }

    fn begun_by(id: &str) -> Vec<Event> {
        let (queue_id, runtime_session_id) = (QueueId::from(id), SessionId::from("s"));
        let (cell_id, started_at) = (CellId::from("c"), Timestamp::from_ms(0));
        let assigned = ExecutionAssigned { queue_id: queue_id.clone(), runtime_session_id: runtime_session_id.clone() };
        vec![assigned.into(), ExecutionStarted { queue_id, cell_id, runtime_session_id, started_at }.into()]
    }

    fn ended() -> Vec<Event> {
        ended_by("q")
    }

    fn ended_by(id: &str) -> Vec<Event> {
        let (queue_id, cell_id, completed_at) = (QueueId::from(id), CellId::from("c"), Timestamp::from_ms(0));
        let (status, error, execution_duration_ms) = (ExecutionStatus::Success, None, 0.into());
        vec![ExecutionCompleted { queue_id, cell_id, status, error, completed_at, execution_duration_ms }.into()]
    }

    #[test]
    fn what_is_started_and_never_ends_is_lost_once() {
        let mut case = Case::new();
        case.commits(begun());
        case.shows(QueueStatus::Executing);
        case.pass(LOST_AFTER_MS - 1);
        assert_eq!(case.incidents, []);
        case.pass(1);
        assert_eq!(case.incidents, [Incident::LostExecution]);
        case.pass(LOST_AFTER_MS);
        assert_eq!((case.incidents.len(), case.timers.len()), (1, 0), "told once, and no timer is left");
    }

    #[test]
    fn what_ends_in_time_or_was_ended_by_others_is_not_lost() {
        let mut in_time = Case::new();
        in_time.commits(begun());
        assert_eq!(in_time.timers.len(), 1);
        in_time.commits(ended());
        assert_eq!(in_time.timers.len(), 0, "nothing is left to look after");

        let mut cancelled = Case::new();
        cancelled.commits(begun());
        cancelled.shows(QueueStatus::Cancelled);
        cancelled.pass(LOST_AFTER_MS);
        assert_eq!((cancelled.incidents.len(), in_time.incidents.len()), (0, 0));
    }

    #[test]
    fn a_runtime_that_is_let_go_takes_its_watchdog_along() {
        let mut case = Case::new();
        case.commits(begun());
        case.step(Input::Forget { runtime: RUNTIME });
        assert_eq!(case.timers.len(), 0);
    }

    #[test]
    fn a_second_end_of_the_new_path_is_told_and_dropped() {
        let mut case = Case::new();
        case.commits(begun());
        case.commits(ended());
        assert_eq!(case.incidents, []);
        case.commits(ended());
        assert_eq!(case.incidents, [Incident::SecondTerminal]);
        assert_eq!(case.notebook.status().gate_counts.dropped_entry, 1);
    }

    #[test]
    fn what_is_begun_while_another_one_is_under_way_is_told_once() {
        let mut in_turn = Case::new();
        in_turn.commits([begun_by("a"), ended_by("a"), begun_by("b")].concat());
        assert_eq!(in_turn.incidents, []);

        let mut overlapping = Case::new();
        overlapping.commits([begun_by("a"), begun_by("b"), ended_by("a"), ended_by("b")].concat());
        overlapping.commits([begun_by("c"), ended_by("c")].concat());
        assert_eq!(overlapping.incidents, [Incident::OrderViolation]);
    }

    #[test]
    fn what_is_begun_before_what_was_requested_first_is_told() {
        let run = |id: &str| [begun_by(id), ended_by(id)].concat();
        let line = ["b", "a", "c"].map(|id| pending(id, None));
        let mut in_turn = Case::new();
        in_turn.sees(&line);
        in_turn.commits([run("b"), run("a")].concat());
        in_turn.commits(run("c"));
        assert_eq!(in_turn.incidents, []);

        let mut passed_over = Case::new();
        passed_over.sees(&line);
        passed_over.commits(run("b"));
        passed_over.commits(run("c"));
        assert_eq!(passed_over.incidents, [Incident::OrderViolation]);
    }

    #[test]
    fn who_was_cancelled_or_claimed_by_others_or_has_waited_anew_is_not_passed_over() {
        let run = |id: &str| [begun_by(id), ended_by(id)].concat();
        let elsewhere = Some(SessionId::from("elsewhere"));
        let mut case = Case::new();
        case.sees(&["a", "b", "c", "d"].map(|id| pending(id, None)));
        let assigned = QueueEntry { status: QueueStatus::Assigned, ..pending("a", elsewhere) };
        let cancelled = QueueEntry { status: QueueStatus::Cancelled, ..pending("b", None) };
        case.sees(&[assigned, cancelled]);
        case.commits(run("c"));
        case.sees(&[pending("a", None)]);
        case.commits(run("d"));
        case.commits(run("a"));
        assert_eq!(case.incidents, []);
    }
}
