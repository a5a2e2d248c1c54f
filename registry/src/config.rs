//! The configuration of a runtime agent: what it must have, and what follows from it.
//!
//! Behaviour: recorded traces `config__*`.

use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use crate::{IdSource, NotebookId, Now, RuntimeId, SessionId};

/// Bytes of an image up to which it stays inline unless the host says otherwise: 6 KiB, as in the old agent, so that both
/// paths choose the same representation.
pub const DEFAULT_IMAGE_ARTIFACT_THRESHOLD_BYTES: u32 = 6 * 1024;

/// Where artifacts go when the sync URL cannot be read.
const FALLBACK_ARTIFACT_BASE_URL: &str = "https://api.runt.run";

/// The members of a configuration that an agent cannot do without, as a host gave them. An empty one counts as missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeConfig {
    /// What proves to the sync and artifact services who it is.
    pub auth_token: Option<String>,
    /// The notebook that it serves.
    pub notebook_id: Option<NotebookId>,
    /// The agent across its sessions.
    pub runtime_id: Option<RuntimeId>,
    /// The name of its runtime type.
    pub runtime_type: Option<String>,
}

/// A required member of a [`RuntimeConfig`], in the order in which an error lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequiredField {
    /// [`RuntimeConfig::auth_token`].
    AuthToken,
    /// [`RuntimeConfig::notebook_id`].
    NotebookId,
    /// [`RuntimeConfig::runtime_id`].
    RuntimeId,
    /// [`RuntimeConfig::runtime_type`].
    RuntimeType,
}

impl RequiredField {
    /// The name of the member in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthToken => "authToken",
            Self::NotebookId => "notebookId",
            Self::RuntimeId => "runtimeId",
            Self::RuntimeType => "runtimeType",
        }
    }

    /// Where a host commonly takes it from.
    pub fn suggestion(self) -> &'static str {
        match self {
            Self::AuthToken => "AUTH_TOKEN or RUNT_API_KEY environment variable",
            Self::NotebookId => "NOTEBOOK_ID environment variable",
            Self::RuntimeId => "RUNTIME_ID environment variable",
            Self::RuntimeType => "RUNTIME_TYPE environment variable",
        }
    }
}

/// A configuration lacks what an agent needs. Its text is the one that hosts know: every member with a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct IncompleteConfig {
    /// What is missing, never empty.
    pub missing: Vec<RequiredField>,
}

impl fmt::Display for IncompleteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Missing required configuration:\n\n")?;
        for field in &self.missing {
            writeln!(f, "  {}: {}", field.name(), field.suggestion())?;
        }
        f.write_str("\nConsult your runtime implementation for configuration details.")
    }
}

impl RuntimeConfig {
    /// Whether an agent can be made of it. The sync URL and the user are not looked at, as in the old agent, whose hosts
    /// start without them.
    ///
    /// # Errors
    /// [`IncompleteConfig`] with every member that is missing.
    pub fn validate(&self) -> Result<(), IncompleteConfig> {
        let given = [
            (RequiredField::AuthToken, self.auth_token.as_deref()),
            (RequiredField::NotebookId, self.notebook_id.as_ref().map(NotebookId::as_str)),
            (RequiredField::RuntimeId, self.runtime_id.as_ref().map(RuntimeId::as_str)),
            (RequiredField::RuntimeType, self.runtime_type.as_deref()),
        ];
        let is_missing = |value: Option<&str>| value.is_none_or(str::is_empty);
        let missing: Vec<_> =
            given.into_iter().filter(|(_, value)| is_missing(*value)).map(|(field, _)| field).collect();
        if missing.is_empty() { Ok(()) } else { Err(IncompleteConfig { missing }) }
    }

    /// A fresh id for the session that an agent of this configuration will start; see [`SessionId::for_agent`].
    pub fn session_id(&self, now: Now, ids: &mut IdSource) -> SessionId {
        let runtime_id = self.runtime_id.clone().unwrap_or_else(|| RuntimeId::from(""));
        SessionId::for_agent(self.runtime_type.as_deref().unwrap_or_default(), &runtime_id, now, ids)
    }
}

/// A sync URL, read: hosts have a parser of URLs, this crate has none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SyncUrl {
    /// With its colon, `wss:` for instance.
    pub protocol: String,
    /// With its port, unless that is the protocol's own.
    pub host: String,
}

/// The artifact service beside a sync service; `None` stands for a sync URL that cannot be read. Only `wss:` becomes
/// `https:`, so that an `https:` sync URL gives an `http:` service: the old agent's rule, which its services live with.
pub fn artifact_base_url(sync_url: Option<&SyncUrl>) -> String {
    let Some(SyncUrl { protocol, host }) = sync_url else { return FALLBACK_ARTIFACT_BASE_URL.to_owned() };
    let scheme = if protocol == "wss:" { "https" } else { "http" };
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> RuntimeConfig {
        RuntimeConfig {
            auth_token: Some("token".to_owned()),
            notebook_id: Some("nb".into()),
            runtime_id: Some("agent-1".into()),
            runtime_type: Some("html".to_owned()),
        }
    }

    #[test]
    fn one_error_lists_every_missing_member() {
        assert_eq!(complete().validate(), Ok(()));
        let config = RuntimeConfig { auth_token: Some(String::new()), runtime_id: None, ..complete() };
        let error = config.validate().unwrap_err();
        assert_eq!(error.missing, [RequiredField::AuthToken, RequiredField::RuntimeId]);
        assert_eq!(
            error.to_string(),
            "Missing required configuration:\n\n  authToken: AUTH_TOKEN or RUNT_API_KEY environment variable\n  \
             runtimeId: RUNTIME_ID environment variable\n\nConsult your runtime implementation for configuration details."
        );
    }

    #[test]
    fn a_session_id_names_type_runtime_and_time() {
        let now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };
        let id = complete().session_id(now, &mut IdSource::new([1; 32]));
        assert!(id.as_str().starts_with("html-agent-1-1700000000000-"), "{id}");
    }

    #[test]
    fn the_artifact_service_is_on_the_host_of_the_sync_service() {
        let check = |protocol: &str, expected: &str| {
            let url = SyncUrl { protocol: protocol.to_owned(), host: "h:8787".to_owned() };
            assert_eq!(artifact_base_url(Some(&url)), expected);
        };
        check("wss:", "https://h:8787");
        check("ws:", "http://h:8787");
        check("https:", "http://h:8787");
        assert_eq!(artifact_base_url(None), "https://api.runt.run");
    }
}
