//! `RuntimeFactory`: the default runtimes as data, and which of them are set up.
//!
//! The objects belong to the performer, as do the store and the user that the html runtime is given, and the singleton
//! registry into which they go. Behaviour: recorded traces `factory__*`; oddities: [`crate::Quirk`].

use registry::Failure;
use serde::Serialize;

/// A runtime that the factory makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultRuntime {
    /// Shows html cells; the only one that executes.
    Html,
    /// Keeps a place for Python in the browser; its start fails.
    Pyodide,
    /// Stands for a runtime that people start elsewhere; its start and stop are local ([`crate::Quirk::ExternalIsLocal`]).
    External,
}

/// What a default runtime shows, in the old shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultDescription {
    /// `metadata`.
    pub metadata: DefaultMetadata,
    /// `capabilities`.
    pub capabilities: DefaultCapabilities,
    /// `getSetupInstructions()`.
    pub setup_instructions: Option<&'static str>,
    /// The message with which `doStart` fails.
    pub start_failure: Option<&'static str>,
}

/// `RuntimeMetadata` of a default runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultMetadata {
    /// The id under which it is registered.
    pub id: &'static str,
    /// The name shown to people.
    pub name: &'static str,
    /// One phrase for people.
    pub description: &'static str,
    /// An emoji.
    pub icon: &'static str,
    /// `RuntimeType` of the old code.
    pub r#type: &'static str,
    /// The same for all.
    pub version: &'static str,
    /// Whether it runs in the application itself.
    pub is_local: bool,
    /// Whether lists of available runtimes have it.
    pub is_available: bool,
    /// Higher comes first in lists.
    pub priority: i32,
}

/// `RuntimeCapabilities` of a default runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultCapabilities {
    /// Runs code cells.
    pub can_execute_code: bool,
    /// Runs SQL cells.
    pub can_execute_sql: bool,
    /// Runs AI cells.
    pub can_execute_ai: bool,
    /// What code cells may hold.
    pub supported_languages: &'static [&'static str],
    /// Whether an execution can be interrupted.
    pub supports_interruption: bool,
    /// Whether it can be restarted.
    pub supports_restart: bool,
}

const HTML: DefaultDescription = DefaultDescription {
    metadata: DefaultMetadata {
        id: "html-runtime",
        name: "HTML Agent",
        description: "Browser-based HTML rendering",
        icon: "🌐",
        r#type: "html",
        version: "1.0.0",
        is_local: true,
        is_available: true,
        priority: 100,
    },
    capabilities: DefaultCapabilities {
        can_execute_code: true,
        can_execute_sql: false,
        can_execute_ai: false,
        supported_languages: &["html"],
        supports_interruption: false,
        supports_restart: true,
    },
    setup_instructions: None,
    start_failure: None,
};

const PYODIDE: DefaultDescription = DefaultDescription {
    metadata: DefaultMetadata {
        id: "pyodide-runtime",
        name: "Pyodide Agent",
        description: "Python in the browser (coming soon)",
        icon: "🐍",
        r#type: "pyodide",
        version: "1.0.0",
        is_local: true,
        is_available: false,
        priority: 90,
    },
    capabilities: DefaultCapabilities {
        can_execute_code: true,
        can_execute_sql: false,
        can_execute_ai: false,
        supported_languages: &["python"],
        supports_interruption: true,
        supports_restart: true,
    },
    setup_instructions: Some("Pyodide Agent is coming soon!"),
    start_failure: Some("Pyodide Agent is not yet implemented"),
};

const EXTERNAL: DefaultDescription = DefaultDescription {
    metadata: DefaultMetadata {
        id: "external-runtime",
        name: "External Agent",
        description: "Full Python + AI capabilities",
        icon: "🔌",
        r#type: "external",
        version: "1.0.0",
        is_local: false,
        is_available: true,
        priority: 80,
    },
    capabilities: DefaultCapabilities {
        can_execute_code: true,
        can_execute_sql: true,
        can_execute_ai: true,
        supported_languages: &["python", "sql"],
        supports_interruption: true,
        supports_restart: true,
    },
    setup_instructions: Some(
        "NOTEBOOK_ID=<notebook-id> RUNT_API_KEY=<your-key> deno run --allow-all jsr:@runt/pyodide-runtime-agent/src/mod.ts",
    ),
    start_failure: None,
};

impl DefaultRuntime {
    /// Every default runtime, in the order in which `setupDefaultRuntimes()` registers them: the first that the registry
    /// refuses ends it ([`crate::Quirk::DefaultsStopHalfWay`]).
    pub const ALL: &[Self] = &[Self::Html, Self::Pyodide, Self::External];

    /// The runtime that `createRuntime(type)` makes.
    ///
    /// # Errors
    /// A message for a type that the factory does not know. No recording has one.
    pub fn of_type(runtime_type: &str) -> Result<Self, Failure> {
        let found = Self::ALL.iter().copied().find(|default| default.runtime_type() == runtime_type);
        found.ok_or_else(|| Failure::new(format!("Unsupported runtime type: {runtime_type}")))
    }

    /// What `createWithDefaults()` registers, given how many runtimes call themselves available: all, or none
    /// ([`crate::Quirk::AnyRuntimeSkipsDefaults`]).
    pub fn missing_beside(available: usize) -> &'static [Self] {
        if available == 0 { Self::ALL } else { &[] }
    }

    /// `metadata.type`.
    pub fn runtime_type(self) -> &'static str {
        self.description().metadata.r#type
    }

    /// What it shows.
    pub fn description(self) -> &'static DefaultDescription {
        match self {
            Self::Html => &HTML,
            Self::Pyodide => &PYODIDE,
            Self::External => &EXTERNAL,
        }
    }

    /// `doStart` of a placeholder.
    ///
    /// # Errors
    /// The message of one that cannot be started.
    pub fn start(self) -> Result<(), Failure> {
        self.description().start_failure.map_or(Ok(()), |message| Err(Failure::new(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_finds_its_own_runtime() {
        for default in DefaultRuntime::ALL {
            assert_eq!(DefaultRuntime::of_type(default.runtime_type()), Ok(*default));
        }
        let unknown = DefaultRuntime::of_type("julia").unwrap_err();
        assert_eq!(unknown.message, "Unsupported runtime type: julia");
    }

    #[test]
    fn one_available_runtime_of_any_kind_leaves_all_defaults_out() {
        assert_eq!(DefaultRuntime::missing_beside(0), DefaultRuntime::ALL);
        assert_eq!(DefaultRuntime::missing_beside(1), []);
    }

    #[test]
    fn only_the_pyodide_placeholder_refuses_to_start() {
        let refused: Vec<_> = DefaultRuntime::ALL.iter().filter(|default| default.start().is_err()).collect();
        assert_eq!(refused, [&DefaultRuntime::Pyodide]);
    }
}
