//! The registry: the runtime types that exist, and the one agent of each notebook.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::{NotebookId, RuntimeType};

/// Agents that may exist at once unless the host says otherwise. An agent of the old layer took about 3 MB; ours take a few
/// kB, so this bounds mistakes (an agent per render, say) rather than memory.
pub const DEFAULT_MAX_CONCURRENT_AGENTS: usize = 1000;

/// Which agent each notebook has, and of which types agents can be.
#[derive(Clone, Debug)]
pub struct Registry {
    types: BTreeMap<String, RuntimeType>,
    agents: BTreeMap<NotebookId, String>,
    max_concurrent_agents: usize,
}

/// What asking for an agent came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The notebook had none of this type; there is a place for one now.
    Created,
    /// The notebook has one of this type.
    Existing,
}

/// Why there is no agent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// No such type has been registered.
    #[error("there is no runtime type `{0}`")]
    UnknownType(String),
    /// The type is registered and cannot be started here.
    #[error("the runtime type is not available here: `{0}`")]
    UnavailableType(String),
    /// The notebook has an agent of another type.
    #[error("notebook `{notebook}` has an agent of type `{existing}`")]
    OtherType {
        /// The notebook.
        notebook: NotebookId,
        /// The type of its agent.
        existing: String,
    },
    /// The limit is reached.
    #[error("there are {0} agents already, which is `maxConcurrentAgents`")]
    TooMany(usize),
    /// A type of that name is registered already.
    #[error("a runtime type is registered already: `{0}`")]
    DuplicateType(String),
    /// Nothing executes the cells of this type in this build.
    #[error("no handler executes cells of type `{0}`")]
    NoHandler(String),
}

impl RegistryError {
    /// A stable name in capitals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "UNKNOWN_RUNTIME_TYPE",
            Self::UnavailableType(_) => "RUNTIME_TYPE_UNAVAILABLE",
            Self::OtherType { .. } => "NOTEBOOK_HAS_AGENT",
            Self::TooMany(_) => "TOO_MANY_AGENTS",
            Self::DuplicateType(_) => "DUPLICATE_RUNTIME_TYPE",
            Self::NoHandler(_) => "NO_HANDLER",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "register the type first, or use one of getAvailableRuntimeTypes()",
            Self::UnavailableType(_) => "use one of getAvailableRuntimeTypes()",
            Self::OtherType { .. } => "shut that agent down first: a notebook has one agent",
            Self::TooMany(_) => "shut agents down, or raise maxConcurrentAgents",
            Self::DuplicateType(_) => "give the type another name",
            Self::NoHandler(_) => "this build executes html cells; other types run on the old path",
        }
    }
}

impl Registry {
    /// A registry with the built-in types.
    pub fn new(max_concurrent_agents: usize) -> Self {
        let html = RuntimeType::html();
        Self { types: BTreeMap::from([(html.name.clone(), html)]), agents: BTreeMap::new(), max_concurrent_agents }
    }

    /// Adds a type.
    ///
    /// # Errors
    /// [`RegistryError::DuplicateType`].
    pub fn register_type(&mut self, runtime_type: RuntimeType) -> Result<(), RegistryError> {
        if self.types.contains_key(&runtime_type.name) {
            return Err(RegistryError::DuplicateType(runtime_type.name));
        }
        self.types.insert(runtime_type.name.clone(), runtime_type);
        Ok(())
    }

    /// A type by its name.
    pub fn runtime_type(&self, name: &str) -> Option<&RuntimeType> {
        self.types.get(name)
    }

    /// The types that can be started, the highest priority first.
    pub fn available_types(&self) -> Vec<&RuntimeType> {
        let mut types: Vec<&RuntimeType> =
            self.types.values().filter(|runtime_type| runtime_type.is_available).collect();
        types.sort_by_key(|runtime_type| std::cmp::Reverse(runtime_type.priority));
        types
    }

    /// Makes sure that a notebook has an agent of this type.
    ///
    /// # Errors
    /// Those of [`RegistryError`]; the registry stays as it was.
    pub fn place(&mut self, notebook: &NotebookId, type_name: &str) -> Result<Placement, RegistryError> {
        let runtime_type = self.types.get(type_name).ok_or_else(|| RegistryError::UnknownType(type_name.to_owned()))?;
        match self.agents.get(notebook) {
            Some(existing) if existing == type_name => return Ok(Placement::Existing),
            Some(existing) => {
                return Err(RegistryError::OtherType { notebook: notebook.clone(), existing: existing.clone() });
            }
            None if !runtime_type.is_available => return Err(RegistryError::UnavailableType(type_name.to_owned())),
            None if runtime_type.handler.is_none() => return Err(RegistryError::NoHandler(type_name.to_owned())),
            None if self.agents.len() >= self.max_concurrent_agents => {
                return Err(RegistryError::TooMany(self.max_concurrent_agents));
            }
            None => {}
        }
        self.agents.insert(notebook.clone(), type_name.to_owned());
        Ok(Placement::Created)
    }

    /// The type of a notebook's agent.
    pub fn agent_type(&self, notebook: &NotebookId) -> Option<&str> {
        self.agents.get(notebook).map(String::as_str)
    }

    /// Takes a notebook's agent out; false where it has none.
    pub fn remove(&mut self, notebook: &NotebookId) -> bool {
        self.agents.remove(notebook).is_some()
    }

    /// Every notebook with an agent, and the agent's type.
    pub fn agents(&self) -> impl ExactSizeIterator<Item = (&NotebookId, &str)> {
        self.agents.iter().map(|(notebook, name)| (notebook, name.as_str()))
    }

    /// How many agents may exist at once.
    pub fn max_concurrent_agents(&self) -> usize {
        self.max_concurrent_agents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notebook(id: &str) -> NotebookId {
        NotebookId::from(id)
    }

    #[test]
    fn a_notebook_has_one_agent() {
        let mut registry = Registry::new(10);
        assert_eq!(registry.place(&notebook("a"), "html"), Ok(Placement::Created));
        assert_eq!(registry.place(&notebook("a"), "html"), Ok(Placement::Existing));
        let other = RuntimeType { name: "other".to_owned(), ..RuntimeType::html() };
        registry.register_type(other).unwrap();
        assert!(matches!(registry.place(&notebook("a"), "other"), Err(RegistryError::OtherType { .. })));
    }

    #[test]
    fn the_limit_counts_agents_and_frees_places() {
        let mut registry = Registry::new(1);
        registry.place(&notebook("a"), "html").unwrap();
        assert_eq!(registry.place(&notebook("b"), "html"), Err(RegistryError::TooMany(1)));
        assert!(registry.remove(&notebook("a")));
        assert_eq!(registry.place(&notebook("b"), "html"), Ok(Placement::Created));
    }

    #[test]
    fn types_are_listed_by_priority_and_unavailable_ones_are_left_out() {
        let mut registry = Registry::new(1);
        registry.register_type(RuntimeType { name: "low".into(), priority: 1, ..RuntimeType::html() }).unwrap();
        registry.register_type(RuntimeType { name: "off".into(), is_available: false, ..RuntimeType::html() }).unwrap();
        let names: Vec<&str> =
            registry.available_types().iter().map(|runtime_type| runtime_type.name.as_str()).collect();
        assert_eq!(names, ["html", "low"]);
        assert_eq!(registry.place(&notebook("a"), "off"), Err(RegistryError::UnavailableType("off".to_owned())));
        assert_eq!(registry.place(&notebook("a"), "none"), Err(RegistryError::UnknownType("none".to_owned())));
    }
}
