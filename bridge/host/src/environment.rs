//! What one environment holds (a Node process's main thread, one of its workers, a test): flags, notebooks, runtime objects.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bridge_core::{
    Ability, Choice, ComparisonMode, Decision, Diagnostic, Evidence, GuardSettings, GuardStatus, Incident, Kill,
    KillWay, Known, Level, Plan, ROUTE_FLAG, RearmError, Scope, Secret, Sources, UnkillError, choose_in,
};
use flags::{Context, DocumentError, Explanation, LiveFlags, Session};
use legacy_compat::{BaseRuntime, Limits, RuntimeRegistry};
use registry::{DEFAULT_MAX_CONCURRENT_AGENTS, IdSource, NotebookId, Now, Registry, RuntimeConfig, SessionId};

use crate::guarding::{BUILD, Guarding};
use crate::kill::KillSwitch;
use crate::lane::{Books, Done};
use crate::latch::Durability;
use crate::records::RecordsStatus;
use crate::shadowing::Shadowing;
use crate::shared::Offer;
use crate::step::{Effect, Input, Notebook, RuntimeKey, Status};

/// Names an open notebook within its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotebookKey(pub u32);

/// Everything that one thread owns and steps.
pub struct Environment {
    flags: Arc<LiveFlags>,
    evaluations: Session,
    notebooks: BTreeMap<NotebookKey, Notebook>,
    runtimes: BTreeMap<RuntimeKey, BaseRuntime>,
    registries: BTreeMap<u32, RuntimeRegistry>,
    agents: Registry,
    shadowing: Shadowing,
    guarding: Guarding,
    kill: Arc<KillSwitch>,
    /// What is to be told with the next step of whichever notebook.
    untold: Vec<Effect>,
    books: Books,
    last_key: u32,
    ids: IdSource,
}

impl Environment {
    /// An empty environment; `seed` comes from the operating system's randomness.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            flags: Arc::new(LiveFlags::new()),
            evaluations: Session::new(),
            notebooks: BTreeMap::new(),
            runtimes: BTreeMap::new(),
            registries: BTreeMap::new(),
            agents: Registry::new(DEFAULT_MAX_CONCURRENT_AGENTS),
            shadowing: Shadowing::default(),
            guarding: Guarding::default(),
            kill: Arc::default(),
            untold: Vec::new(),
            books: Books::default(),
            last_key: 0,
            ids: IdSource::new(seed),
        }
    }

    /// The flags of all notebooks here.
    pub fn flags(&self) -> &Arc<LiveFlags> {
        &self.flags
    }

    /// The registry of agents and runtime types.
    pub fn agents(&mut self) -> &mut Registry {
        &mut self.agents
    }

    /// Begins anew with an empty registry of agents.
    pub fn reset_agents(&mut self, max_concurrent_agents: usize) {
        self.agents = Registry::new(max_concurrent_agents);
    }

    /// Registers a runtime object; `id` is its `metadata.id`.
    pub fn create_runtime(&mut self, id: String) -> RuntimeKey {
        let key = RuntimeKey(self.next_key());
        self.runtimes.insert(key, BaseRuntime::new(id));
        key
    }

    /// Names a manager: its state belongs to its notebook, so there is nothing else to keep of it.
    pub fn create_manager(&mut self) -> RuntimeKey {
        RuntimeKey(self.next_key())
    }

    /// The lifecycle of a runtime object.
    pub fn runtime(&mut self, key: RuntimeKey) -> Option<&mut BaseRuntime> {
        self.runtimes.get_mut(&key)
    }

    /// Forgets a runtime object.
    pub fn drop_runtime(&mut self, key: RuntimeKey) {
        self.runtimes.remove(&key);
    }

    /// Creates a registry of runtimes, the old kind.
    pub fn create_registry(&mut self, limits: Limits) -> u32 {
        let key = self.next_key();
        self.registries.insert(key, RuntimeRegistry::new(limits));
        key
    }

    /// A registry of runtimes.
    pub fn registry(&mut self, key: u32) -> Option<&mut RuntimeRegistry> {
        self.registries.get_mut(&key)
    }

    /// Forgets a registry of runtimes.
    pub fn drop_registry(&mut self, key: u32) {
        self.registries.remove(&key);
    }

    /// Opens a notebook.
    pub fn open_notebook(&mut self, id: NotebookId) -> NotebookKey {
        let key = NotebookKey(self.next_key());
        let seed = self.ids.seed();
        let mut notebook = Notebook::new(id, Arc::clone(&self.flags), seed);
        notebook.heed(Arc::clone(self.guarding.latch()));
        notebook.obey(Arc::clone(&self.kill));
        self.notebooks.insert(key, notebook);
        key
    }

    /// The shadow of all notebooks here.
    pub fn shadowing(&mut self) -> &mut Shadowing {
        &mut self.shadowing
    }

    /// Steps a notebook: first what the lane has done for it, then the input. Comparisons go to the lane; all other effects are
    /// the owner's to perform. Nothing where no notebook has this key.
    pub fn step_notebook(&mut self, key: NotebookKey, now: Now, input: Input) -> Option<Vec<Effect>> {
        let mut asked = self.take_in_comparisons(key, now)?;
        let notebook = self.notebooks.get_mut(&key)?;
        let breaches = notebook.gate_counts().breaches;
        asked.extend(notebook.step(now, input));
        let mut effects = std::mem::take(&mut self.untold);
        let mut incidents = Vec::new();
        for effect in asked {
            match effect {
                Effect::Incident { incident } => incidents.push(incident),
                Effect::Compare { observation, decision } => {
                    match self.shadowing.submit(key, notebook.id(), *observation, *decision) {
                        Ok(()) => effects.push(Effect::Comparing),
                        Err(shed) => effects.extend(notebook.step(now, Input::Compared(Err(shed)))),
                    }
                }
                effect => effects.push(effect),
            }
        }
        let breaches = notebook.gate_counts().breaches - breaches;
        if breaches > 0 {
            self.shadowing.breached(breaches);
            incidents.push(Incident::IsolationBreach);
        }
        effects.extend(self.answer_incidents(key, now, &incidents));
        // Several steps stand here in one list. What the owner performs of the first may bring an answer that ends a timer of the
        // last, which must have been set by then.
        effects.sort_by_key(|effect| !effect.is_for_owner());
        Some(effects)
    }

    /// Hands the guard what must never happen. A rollback is in force at the next step of each notebook.
    fn answer_incidents(&mut self, key: NotebookKey, now: Now, incidents: &[Incident]) -> Vec<Effect> {
        let Some(notebook) = self.notebooks.get(&key).filter(|_| !incidents.is_empty()) else { return Vec::new() };
        let latch = Arc::clone(self.guarding.latch());
        let (id, generation) = (notebook.id().clone(), self.flags.generation());
        let evidence: Vec<Evidence> = incidents.iter().copied().map(Evidence::Incident).collect();
        let effects = self.guarding.take(now, &id, generation, &evidence);
        if !Arc::ptr_eq(&latch, self.guarding.latch()) {
            self.heed_latch();
        }
        effects
    }

    /// Hands the notebook what the lane has done for it, and the guard what that says. A rollback is in force for the step that
    /// follows, and for the next one of every other notebook.
    fn take_in_comparisons(&mut self, key: NotebookKey, now: Now) -> Option<Vec<Effect>> {
        self.notebooks.get(&key)?;
        let mut effects: Vec<Effect> =
            self.books.news().into_iter().map(|diagnostic| Effect::Diagnostic { diagnostic }).collect();
        let latch = Arc::clone(self.guarding.latch());
        for done in self.shadowing.take_done(|of| of == key) {
            let verdict = self.weigh(now, &done);
            let news = self.shadowing.news_of(&done.notebook, &done.comparison);
            let notebook = self.notebooks.get_mut(&key)?;
            effects.extend(notebook.step(now, Input::Compared(Ok(done.comparison))));
            effects.extend(verdict);
            effects.extend(news.map(|diagnostic| Effect::Diagnostic { diagnostic }));
        }
        // What was compared of a notebook that has been closed since: nobody but the guard waits for it.
        let notebooks = &self.notebooks;
        for done in self.shadowing.take_done(|of| !notebooks.contains_key(&of)) {
            effects.extend(self.weigh(now, &done));
        }
        effects.extend(self.shadowing.news_of_lane().map(|diagnostic| Effect::Diagnostic { diagnostic }));
        if !Arc::ptr_eq(&latch, self.guarding.latch()) {
            self.heed_latch();
        }
        Some(effects)
    }

    /// What a comparison is evidence of, by the decision that it was made under. What was handed in before somebody re-armed
    /// the guard belongs to what that has forgotten; of a path against itself nothing is said of the other one.
    fn weigh(&mut self, now: Now, done: &Done) -> Vec<Effect> {
        if done.comparison.mode == ComparisonMode::Aa || done.age != self.shadowing.age() {
            return Vec::new();
        }
        let generation = self.flags.generation();
        match done.generation == generation {
            true => self.guarding.weigh(now, &done.notebook, generation, &done.comparison),
            false => self.guarding.weigh_late(now, &done.notebook, &done.comparison),
        }
    }

    fn heed_latch(&mut self) {
        for notebook in self.notebooks.values_mut() {
            notebook.heed(Arc::clone(self.guarding.latch()));
        }
    }

    /// Configures the guard; see [`Guarding::configure`]. With a file, candidates are marked beside it while they run on a thread
    /// of this process, and what processes that are gone have left marked is evidence.
    pub fn configure_guard(&mut self, now: Now, settings: GuardSettings, file: Option<&Path>) -> Vec<Diagnostic> {
        let mut news = self.guarding.configure(now, settings, file);
        if let Some(latch) = file.filter(|latch| !self.shadowing.marks_beside(latch)) {
            let (told, rollbacks) = self.guarding.heed_marks(now, latch);
            news.extend(told);
            self.untold.extend(rollbacks);
            news.extend(self.books.noise.keep_beside(latch));
            news.extend(self.shadowing.mark_beside(latch, BUILD).err().map(|error| unmarked(latch, &error)));
        }
        news.extend(self.heed_kept_kill());
        self.heed_latch();
        news
    }

    /// A kill by a call is in force as long as the latch keeps it, whoever called.
    fn heed_kept_kill(&mut self) -> Option<Diagnostic> {
        let Some(kill) = self.guarding.latch().killed() else {
            return self.kill.release(KillWay::Call).as_ref().map(unkilled_elsewhere);
        };
        self.kill.throw(kill.clone()).then(|| killed(kill))
    }

    /// The switch that all notebooks here obey.
    pub fn kill_switch(&self) -> &Arc<KillSwitch> {
        &self.kill
    }

    /// Throws the switch by a call, until [`Environment::unkill`]. It is in force when this returns, and kept with the guard's
    /// state; what cannot be kept of it is told.
    pub fn kill(&mut self, now: Now, reason: &str, by: Option<&str>) -> Vec<Diagnostic> {
        let kill = Kill::meant(KillWay::Call, reason, by, now.wall_ms);
        if self.kill.kills().iter().any(|known| known.way == KillWay::Call) {
            return Vec::new();
        }
        self.kill.throw(kill.clone());
        let mut news = vec![killed(&kill)];
        news.extend(self.guarding.kill(now, kill));
        news
    }

    /// Ends the kill by a call: the flags decide again, unless something else holds the switch.
    ///
    /// # Errors
    /// Without a reason, or where no call has thrown it.
    pub fn unkill(&mut self, now: Now, reason: &str) -> Result<Vec<Diagnostic>, UnkillError> {
        let mut news: Vec<Diagnostic> = self.guarding.unkill(now, reason)?.into_iter().collect();
        self.kill.release(KillWay::Call);
        news.extend(self.kill.kills().first().map(still_killed));
        Ok(news)
    }

    /// Throws the switch if this variable of the environment says so, or says something doubtful.
    pub fn kill_by_variable(&mut self, now: Now, name: &str, value: Option<&str>) -> Option<Diagnostic> {
        let kill = Kill::by_variable(name, value, now.wall_ms)?;
        self.kill.throw(kill.clone());
        Some(killed(&kill))
    }

    /// Shares the guard's latch with other processes; see [`Guarding::share`].
    pub fn share_guard(&mut self, now: Now) {
        self.guarding.share(now);
        self.heed_latch();
    }

    /// Takes in what the shared store holds; see [`Guarding::take_in`]. Every notebook is to be woken.
    pub fn take_in_guard(&mut self, now: Now, state: Option<&str>) -> Vec<Diagnostic> {
        let before = Arc::clone(self.guarding.latch());
        let mut news = self.guarding.take_in(now, state);
        news.extend(self.heed_kept_kill());
        let after = self.guarding.latch();
        if before.closed().any(|closed| !after.closed().any(|left| left.scope == closed.scope)) {
            self.shadowing.begin_anew();
        }
        self.heed_latch();
        news
    }

    /// What the shared store has to be told; see [`Guarding::offer`].
    pub fn offer_guard(&self) -> Option<Offer> {
        self.guarding.offer()
    }

    /// The shared store has taken an offer.
    pub fn guard_sent(&mut self, changes: usize) {
        self.guarding.sent(changes);
    }

    /// Ends rollbacks: the flags decide again from the next step of each notebook on.
    ///
    /// # Errors
    /// Without a reason, or where this scope is not rolled back.
    pub fn rearm(
        &mut self,
        now: Now,
        scope: &Scope,
        by: Option<&str>,
        reason: &str,
    ) -> Result<Option<Diagnostic>, RearmError> {
        let news = self.guarding.rearm(now, scope, by, reason)?;
        self.shadowing.begin_anew();
        self.heed_latch();
        Ok(news)
    }

    /// Writes the guard's state and what is known of noise, where they have files.
    pub fn save_guard(&mut self, now: Now) -> Vec<Diagnostic> {
        self.guarding.save(now, Durability::Machine).into_iter().chain(self.books.noise.save()).collect()
    }

    /// What an operator sees of the guard.
    pub fn guard_status(&self) -> GuardStatus {
        self.guarding.status()
    }

    /// What the lane is to keep.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Writes mismatches to this folder from now on; see [`crate::records::Records::configure`].
    pub fn configure_records(&mut self, folder: &Path, sources: Sources) -> Vec<Diagnostic> {
        self.books.records.configure(folder, sources, Secret(self.ids.seed()))
    }

    /// What an operator sees of the records; nothing where no folder is configured.
    pub fn records_status(&self) -> Option<RecordsStatus> {
        self.books.records.status()
    }

    /// Closes a notebook. What is still compared of it goes to the guard.
    pub fn close_notebook(&mut self, key: NotebookKey) {
        self.notebooks.remove(&key);
    }

    /// A new nanoid.
    pub fn nanoid(&mut self) -> String {
        self.ids.nanoid()
    }

    /// A new session id for an agent of this configuration.
    pub fn agent_session_id(&mut self, config: &RuntimeConfig, now: Now) -> SessionId {
        config.session_id(now, &mut self.ids)
    }

    /// The route that a notebook's next session would take, if its runtime is a built-in one on a store with a live query.
    pub fn route(&mut self, context: &Context) -> Decision {
        self.choice(context, |choice| choice.of(context.targeting_key()))
    }

    /// [`Environment::route`] for who takes no decision away from it: it takes no memory.
    pub fn choice<T>(&mut self, context: &Context, read: impl FnOnce(Choice<'_>) -> T) -> T {
        let ability = Ability { is_built_in: true, has_live_query: true };
        let (flags, is_configured) = (self.flags.load(), self.flags.is_expected());
        let choice = choose_in(&mut self.evaluations, &flags, is_configured, context, ability);
        let choice = choice.under(self.guarding.latch(), context.targeting_key());
        read(if self.kill.is_on() { choice.killed() } else { choice })
    }

    /// What keeps a notebook on the old path whatever the flags say, for people; the widest first.
    pub fn overruled_by(&self, notebook: &str) -> Vec<String> {
        let kills = self.kill.kills().into_iter().map(|kill| kill.to_string());
        let closed = self.guarding.latch().holds(notebook);
        kills
            .chain(closed.map(|closed| format!("the guard has rolled back {}: {}", closed.scope, closed.grounds)))
            .collect()
    }

    /// Which rule of the flag document decides for a notebook, and how; nothing where there is no document.
    pub fn explain(&self, now: Now, context: Context) -> Option<Explanation> {
        self.flags.load().set().map(|set| set.explain(ROUTE_FLAG, &context.at(now.wall_ms)))
    }

    /// What a flag document would do to the notebooks that have sessions here.
    ///
    /// # Errors
    /// Those of the document.
    pub fn plan(&self, now: Now, document: &str) -> Result<Plan, DocumentError> {
        let next = LiveFlags::new();
        next.apply(document, "plan")?;
        let known: Vec<Known> = self
            .notebooks
            .values()
            .flat_map(Notebook::known)
            .map(|known| Known { context: known.context.at(now.wall_ms), ..known })
            .collect();
        if self.kill.is_on() {
            return Ok(Plan::none(known.len()));
        }
        let latch = self.guarding.latch();
        Ok(bridge_core::plan(&self.flags.load(), self.flags.is_expected(), &next.load(), latch, &known))
    }

    /// What an operator sees of every open notebook.
    pub fn status(&self) -> Vec<Status> {
        self.notebooks.values().map(Notebook::status).collect()
    }

    fn next_key(&mut self) -> u32 {
        self.last_key += 1;
        self.last_key
    }
}

/// Candidates run all the same: it is the next start that will not know of them.
fn unmarked(latch: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        code: "MARKS_UNAVAILABLE",
        message: format!("{}: runs of candidates cannot be marked beside it: {error}", latch.display()),
        help:
            "a candidate that brings this process down will not be noticed at the next start: make the folder writable"
                .to_owned(),
    }
}

fn killed(kill: &Kill) -> Diagnostic {
    let (code, help) = match (kill.way, kill.is_doubtful) {
        (_, true) => ("KILLED_IN_DOUBT", "write 1 to kill, 0 or nothing at all not to"),
        (KillWay::Call, _) => ("KILLED", "bridge.unkill(reason) ends it"),
        _ => ("KILLED", "bridge.status().kills shows what holds the switch"),
    };
    let message = format!("{kill}: every notebook is served by the old path");
    Diagnostic { level: Level::Error, code, message, help: help.to_owned() }
}

fn unkilled_elsewhere(kill: &Kill) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        code: "KILL_RELEASED",
        message: format!("ended, as the guard's sink says: {kill}"),
        help: "bridge.status().kills shows what else holds the switch".to_owned(),
    }
}

fn still_killed(kill: &Kill) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        code: "STILL_KILLED",
        message: format!("{kill}: every notebook stays on the old path"),
        help: "bridge.status().kills shows what holds the switch".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use bridge_core::{Reason, Route, Tier, Token};
    use legacy_compat::CallId;
    use registry::{Capabilities, Query, Reply, RuntimeId, TimerId};
    use serde_json::json;

    use super::*;
    use crate::lane::Lane;
    use crate::step::{LegacyKind, Method, SessionIds};

    const DOCUMENT: &str = r#"{ "flags": { "runtime-route": { "state": "ENABLED", "variants": { "v": "registry" },
        "defaultVariant": "v", "targeting": {} } } }"#;

    #[test]
    fn a_commit_of_a_candidate_is_dropped_counted_and_takes_everything_back() {
        let mut environment = Environment::new([7; 32]);
        environment.flags().apply(DOCUMENT, "test").unwrap();
        environment.configure_guard(Now::default(), GuardSettings::default(), None);
        let (key, other) = (environment.open_notebook(NotebookId::from("a")), Context::new("b"));
        let claim = json!({ "name": "v1.ExecutionAssigned", "args": { "queueId": "q", "runtimeSessionId": "s" } });
        let mut commit = |token| {
            let input = json!({ "type": "hostCommit", "runtime": 1, "offer": 1, "token": token, "events": [claim] });
            environment.step_notebook(key, Now::default(), serde_json::from_value(input).unwrap()).unwrap()
        };
        let passed = |effects: &[Effect]| {
            effects.iter().find_map(|effect| match effect {
                Effect::HostCommit { passed, .. } => Some(passed.len()),
                _ => None,
            })
        };
        assert_eq!(passed(&commit(json!(0))), Some(1));
        let effects = commit(json!(Token::SHADOW));
        assert_eq!(passed(&effects), Some(0));
        assert!(effects.iter().any(|effect| matches!(effect, Effect::RolledBack { .. })), "{effects:#?}");
        assert_eq!(environment.shadowing().status().tally.breaches, 1);
        assert_eq!(environment.route(&other).route, Route::Legacy);
    }

    #[test]
    fn what_must_never_happen_is_rolled_back_before_the_next_step_of_any_notebook() {
        for (incident, is_everywhere) in [(Incident::LostExecution, false), (Incident::SecondTerminal, true)] {
            let mut environment = Environment::new([1; 32]);
            environment.flags().expect();
            environment.flags().apply(DOCUMENT, "test").unwrap();
            let now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };
            environment.configure_guard(now, GuardSettings::default(), None);
            let key = environment.open_notebook(NotebookId::from("nb"));
            let effects = environment.answer_incidents(key, now, &[incident]);
            assert!(effects.iter().any(|effect| matches!(effect, Effect::RolledBack { .. })), "{effects:?}");
            let reason = |environment: &mut Environment, id| environment.route(&Context::new(id)).reason;
            assert_eq!(reason(&mut environment, "nb"), Reason::RolledBack(Tier::ZeroTolerance));
            let elsewhere = matches!(reason(&mut environment, "another"), Reason::RolledBack(_));
            assert_eq!(elsewhere, is_everywhere, "{incident:?}");
        }
    }

    const SHADOW: &str = r#"{ "flags": { "runtime-route": { "state": "ENABLED", "variants": { "v": "shadow" },
        "defaultVariant": "v", "targeting": {} } } }"#;
    const NOW: Now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };

    /// Two notebooks on the route `shadow`, whose lane has done what it was given and not been asked for it.
    struct Late {
        environment: Environment,
        woken: Receiver<()>,
        key: NotebookKey,
        other: NotebookKey,
    }

    impl Late {
        fn new() -> Self {
            let mut environment = Environment::new([1; 32]);
            environment.flags().expect();
            environment.flags().apply(SHADOW, "test").unwrap();
            environment.configure_guard(NOW, GuardSettings::default(), None);
            let (wake, woken) = channel();
            let lane = Lane::open(environment.books().clone(), move || {
                let _ = wake.send(());
            })
            .unwrap();
            environment.shadowing().open(lane);
            let [key, other] = ["nb", "other"].map(|id| environment.open_notebook(NotebookId::from(id)));
            Self { environment, woken, key, other }
        }

        /// A control that claimed and never ended: the candidate ends, and differs. Without executions nothing differs.
        fn compares(&mut self, executions: u32) {
            let observation = (0..executions).map(|number| {
                json!({ "entry": { "id": format!("q{number}"), "cellId": "c", "executionCount": 1, "status": "pending" },
                    "rank": number, "source": { "is": "text", "text": "<p>" }, "refused": [], "events": [] })
            });
            let observation = serde_json::from_value(json!({
                "serving": "legacy", "began": NOW, "sawRefusal": false, "executions": observation.collect::<Vec<_>>(),
                "identity": { "runtimeId": "r", "sessionId": "s",
                    "capabilities": { "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false } },
            }));
            let decision = self.environment.route(&Context::new("nb"));
            let id = NotebookId::from("nb");
            let submitted = self.environment.shadowing().submit(self.key, &id, observation.unwrap(), decision);
            assert!(submitted.is_ok());
            self.woken.recv_timeout(Duration::from_secs(60)).unwrap();
        }

        /// What the step of a notebook says of a rollback.
        fn rollbacks_at(&mut self, key: NotebookKey) -> usize {
            let effects = self.environment.step_notebook(key, NOW, Input::Wake).unwrap();
            effects.iter().filter(|effect| matches!(effect, Effect::RolledBack { .. })).count()
        }

        fn mismatches_of(&self, key: NotebookKey) -> u64 {
            self.environment.notebooks[&key].status().comparisons.mismatched
        }
    }

    #[test]
    fn test_24_a_result_that_comes_after_a_flip_speaks_of_the_build_and_not_of_the_next_stage() {
        let mut late = Late::new();
        late.compares(1);
        late.environment.flags().apply(DOCUMENT, "test").unwrap();
        assert_eq!(late.rollbacks_at(late.key), 0);
        let status = late.environment.guard_status();
        assert_eq!((status.totals.mismatched, status.promotion.hits), (1, 0), "it counts where it belongs");
        assert_eq!(late.mismatches_of(late.key), 1);

        let mut in_time = Late::new();
        in_time.compares(1);
        assert_eq!(in_time.rollbacks_at(in_time.key), 0);
        assert_eq!(in_time.environment.guard_status().promotion.hits, 1);
    }

    #[test]
    fn test_24_a_result_that_comes_after_a_rollback_is_counted_and_closes_nothing_again() {
        let mut late = Late::new();
        late.compares(2);
        assert_eq!(late.rollbacks_at(late.key), 1);
        late.compares(2);
        assert_eq!(late.rollbacks_at(late.key), 0);
        assert_eq!(late.environment.guard_status().totals.late, 2);

        late.compares(2);
        let scope = Scope::Notebook(NotebookId::from("nb"));
        late.environment.rearm(NOW, &scope, None, "mended").unwrap();
        assert_eq!(late.rollbacks_at(late.key), 0, "it was handed in before");
        assert_eq!(late.environment.guard_status().latched, []);
        assert_eq!(late.mismatches_of(late.key), 6);
        late.compares(2);
        assert_eq!(late.rollbacks_at(late.key), 1, "this was not");
    }

    #[test]
    fn test_24_a_result_that_comes_after_its_notebook_was_closed_is_its_own_and_nobody_else_s() {
        let mut late = Late::new();
        late.compares(2);
        late.environment.close_notebook(late.key);
        assert_eq!(late.rollbacks_at(late.other), 1, "the guard says so where somebody listens");
        assert_eq!(late.mismatches_of(late.other), 0);
        let latched = late.environment.guard_status().latched;
        assert_eq!(
            latched.iter().map(|closed| closed.scope.clone()).collect::<Vec<_>>(),
            [Scope::Notebook("nb".into())]
        );
        assert_eq!(late.environment.route(&Context::new("other")).route, Route::Shadow);
    }

    /// The intervals of a notebook's owner, who performs effects as the package does: what an answer brings comes before what
    /// was still waiting.
    #[derive(Default)]
    struct Owner {
        every_ms: BTreeMap<TimerId, u64>,
    }

    impl Owner {
        fn step(&mut self, late: &mut Late, input: Input) {
            for effect in late.environment.step_notebook(late.key, NOW, input).unwrap() {
                let (ticket, reply) = match effect {
                    Effect::Commit { ticket, .. } | Effect::Continue { ticket } => (ticket, Reply::Done),
                    Effect::Query { ticket, query: Query::ActiveSessions } => {
                        let leases = late.environment.notebooks[&late.key].status().leases;
                        let active = leases.into_iter().map(|lease| lease.session_id).collect();
                        (ticket, Reply::Sessions(active))
                    }
                    Effect::Query { ticket, .. } => (ticket, Reply::Entries(Vec::new())),
                    Effect::SetInterval { timer, every_ms } => {
                        self.every_ms.insert(timer, every_ms);
                        continue;
                    }
                    Effect::ClearInterval { timer } => {
                        self.every_ms.remove(&timer);
                        continue;
                    }
                    _ => continue,
                };
                self.step(late, Input::Answer { ticket, answer: Ok(reply) });
            }
        }
    }

    /// The comparison's step begins the drain that the flags ask for, and the step behind it the one that the guard does.
    #[test]
    fn a_rollback_in_the_step_of_a_flip_leaves_no_timer_behind() {
        let (mut late, mut owner, runtime) = (Late::new(), Owner::default(), RuntimeKey(1));
        let to = |route: &str| SHADOW.replace(r#""shadow""#, &format!("{route:?}"));
        late.environment.flags().apply(&to("live"), "test").unwrap();
        let ability = Ability { is_built_in: true, has_live_query: true };
        let attributes = serde_json::Map::new();
        owner.step(&mut late, Input::Admit { runtime, attributes, ability, legacy: LegacyKind::Compat });
        let ids = SessionIds { runtime_id: RuntimeId::from("r"), session_id: SessionId::from("s") };
        let method = Method::Start { ids, capabilities: Capabilities::default() };
        owner.step(&mut late, Input::Call { runtime, call: CallId(1), method });
        late.compares(2);
        late.environment.flags().apply(&to("legacy"), "test").unwrap();
        owner.step(&mut late, Input::Wake);
        assert_eq!(late.environment.guard_status().latched.len(), 1);
        assert!(owner.every_ms.values().all(|every_ms| *every_ms < 1000), "{:?}", owner.every_ms);
    }
}
