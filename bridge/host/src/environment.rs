//! What one environment holds (a Node process's main thread, one of its workers, a test): flags, notebooks, runtime objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use bridge_core::{Ability, Decision, Known, Plan, ROUTE_FLAG, decide};
use flags::{Context, DocumentError, Explanation, LiveFlags};
use legacy_compat::{BaseRuntime, Limits, RuntimeRegistry};
use registry::{DEFAULT_MAX_CONCURRENT_AGENTS, IdSource, NotebookId, Now, Registry, RuntimeConfig, SessionId};

use crate::step::{Notebook, RuntimeKey, Status};

/// Names an open notebook within its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotebookKey(pub u32);

/// Everything that one thread owns and steps.
pub struct Environment {
    flags: Arc<LiveFlags>,
    notebooks: BTreeMap<NotebookKey, Notebook>,
    runtimes: BTreeMap<RuntimeKey, BaseRuntime>,
    registries: BTreeMap<u32, RuntimeRegistry>,
    agents: Registry,
    last_key: u32,
    ids: IdSource,
}

impl Environment {
    /// An empty environment; `seed` comes from the operating system's randomness.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            flags: Arc::new(LiveFlags::new()),
            notebooks: BTreeMap::new(),
            runtimes: BTreeMap::new(),
            registries: BTreeMap::new(),
            agents: Registry::new(DEFAULT_MAX_CONCURRENT_AGENTS),
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
        self.notebooks.insert(key, Notebook::new(id, Arc::clone(&self.flags), seed));
        key
    }

    /// An open notebook.
    pub fn notebook(&mut self, key: NotebookKey) -> Option<&mut Notebook> {
        self.notebooks.get_mut(&key)
    }

    /// Closes a notebook.
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
    pub fn route(&self, now: Now, context: Context) -> Decision {
        let ability = Ability { is_built_in: true, has_live_query: true };
        decide(&self.flags.load(), self.flags.is_expected(), &context.at(now.wall_ms), ability)
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
        Ok(bridge_core::plan(&self.flags.load(), self.flags.is_expected(), &next.load(), &known))
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
