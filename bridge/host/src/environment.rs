//! What one environment holds (a Node process's main thread, one of its workers, a test): flags, notebooks, runtime objects.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bridge_core::{
    Ability, Decision, Diagnostic, Evidence, Fault, GuardSettings, GuardStatus, Incident, Known, Observation, Plan,
    ROUTE_FLAG, RearmError, Scope, decide_in,
};
use flags::{Context, DocumentError, Explanation, LiveFlags, Session};
use legacy_compat::{BaseRuntime, Limits, RuntimeRegistry};
use registry::{DEFAULT_MAX_CONCURRENT_AGENTS, IdSource, NotebookId, Now, Registry, RuntimeConfig, SessionId};

use crate::guarding::Guarding;
use crate::lane::Lane;
use crate::latch::Durability;
use crate::shared::Offer;
use crate::step::{Effect, Input, Notebook, RuntimeKey, Shed, Status};

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
    lane: Option<Lane>,
    candidate_fault: Option<Fault>,
    guarding: Guarding,
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
            lane: None,
            candidate_fault: None,
            guarding: Guarding::default(),
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
        self.notebooks.insert(key, notebook);
        key
    }

    /// Compares from now on what routes ask to be compared; without a lane all of it is shed.
    pub fn open_lane(&mut self, lane: Lane) {
        self.lane = Some(lane);
    }

    /// Spoils the candidates of comparisons, to test that it is noticed; nothing that serves is touched.
    pub fn seed_candidate_fault(&mut self, fault: Option<Fault>) {
        self.candidate_fault = fault;
    }

    /// Steps a notebook: first what the lane has done for it, then the input. Comparisons go to the lane; all other effects are
    /// the owner's to perform. Nothing where no notebook has this key.
    pub fn step_notebook(&mut self, key: NotebookKey, now: Now, input: Input) -> Option<Vec<Effect>> {
        let mut asked = self.take_in_comparisons(key, now)?;
        let notebook = self.notebooks.get_mut(&key)?;
        asked.extend(notebook.step(now, input));
        let mut effects = Vec::with_capacity(asked.len());
        let mut incidents = Vec::new();
        for effect in asked {
            match effect {
                Effect::Incident { incident } => incidents.push(incident),
                Effect::Compare { observation } => {
                    match submit(self.lane.as_ref(), key, *observation, self.candidate_fault) {
                        Ok(()) => effects.push(Effect::Comparing),
                        Err(shed) => effects.extend(notebook.step(now, Input::Compared(Err(shed)))),
                    }
                }
                effect => effects.push(effect),
            }
        }
        effects.extend(self.answer_incidents(key, now, &incidents));
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
        let notebook = self.notebooks.get_mut(&key)?;
        let mut effects = Vec::new();
        let latch = Arc::clone(self.guarding.latch());
        for comparison in self.lane.iter().flat_map(|lane| lane.take_done(key)) {
            let verdict = self.guarding.weigh(now, notebook.id(), self.flags.generation(), &comparison);
            effects.extend(notebook.step(now, Input::Compared(Ok(comparison))));
            effects.extend(verdict);
        }
        if !Arc::ptr_eq(&latch, self.guarding.latch()) {
            self.heed_latch();
        }
        Some(effects)
    }

    fn heed_latch(&mut self) {
        for notebook in self.notebooks.values_mut() {
            notebook.heed(Arc::clone(self.guarding.latch()));
        }
    }

    /// Configures the guard; see [`Guarding::configure`].
    pub fn configure_guard(&mut self, now: Now, settings: GuardSettings, file: Option<&Path>) -> Vec<Diagnostic> {
        let news = self.guarding.configure(now, settings, file);
        self.heed_latch();
        news
    }

    /// Shares the guard's latch with other processes; see [`Guarding::share`].
    pub fn share_guard(&mut self, now: Now) {
        self.guarding.share(now);
        self.heed_latch();
    }

    /// Takes in what the shared store holds; see [`Guarding::take_in`]. Every notebook is to be woken.
    pub fn take_in_guard(&mut self, now: Now, state: Option<&str>) -> Vec<Diagnostic> {
        let news = self.guarding.take_in(now, state);
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
        self.heed_latch();
        Ok(news)
    }

    /// Writes the guard's state, where it has a file.
    pub fn save_guard(&mut self, now: Now) -> Option<Diagnostic> {
        self.guarding.save(now, Durability::Machine)
    }

    /// What an operator sees of the guard.
    pub fn guard_status(&self) -> GuardStatus {
        self.guarding.status()
    }

    /// Closes a notebook. What the lane has done for it by now nobody will fetch.
    pub fn close_notebook(&mut self, key: NotebookKey) {
        self.notebooks.remove(&key);
        if let Some(lane) = &self.lane {
            lane.take_done(key);
        }
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
        let ability = Ability { is_built_in: true, has_live_query: true };
        let (flags, is_configured) = (self.flags.load(), self.flags.is_expected());
        let decision = decide_in(&mut self.evaluations, &flags, is_configured, context, ability);
        decision.under(self.guarding.latch())
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

fn submit(lane: Option<&Lane>, key: NotebookKey, observation: Observation, fault: Option<Fault>) -> Result<(), Shed> {
    let executions = observation.executions.len() as u64;
    let is_taken = lane.is_some_and(|lane| lane.submit(key, observation, fault));
    if is_taken { Ok(()) } else { Err(Shed { executions }) }
}

#[cfg(test)]
mod tests {
    use bridge_core::{Reason, Tier};

    use super::*;

    const DOCUMENT: &str = r#"{ "flags": { "runtime-route": { "state": "ENABLED", "variants": { "v": "registry" },
        "defaultVariant": "v", "targeting": {} } } }"#;

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
}
