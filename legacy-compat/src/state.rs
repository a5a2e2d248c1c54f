//! The state shapes of the old classes.

use registry::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `RuntimeStatus` of the old code; the event log's own session status is [`registry::SessionStatus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LegacyStatus {
    /// Never started, or stopped.
    Inactive,
    /// Between `start()` and its end.
    Starting,
    /// Started and idle.
    Ready,
    /// Executing.
    Busy,
    /// Between `stop()` and its end.
    Stopping,
    /// Something failed; `isActive` tells whether the runtime still counts as started.
    Error,
}

/// `RuntimeState` of the old code: the snapshot that callbacks and `getState()` hand out. Its three booleans are the old
/// surface; nothing outside this module reads them as a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeState {
    /// Started; stays true while stopping, and after a failed stop.
    pub is_active: bool,
    /// A start is under way.
    pub is_starting: bool,
    /// A stop is under way.
    pub is_stopping: bool,
    /// The status shown to people.
    pub status: LegacyStatus,
    /// The last error's text; `setReady` does not clear it.
    pub error: Option<String>,
    /// Kept after a failed start.
    pub runtime_id: Option<String>,
    /// Kept after a failed start.
    pub session_id: Option<String>,
    /// Absent until the first change of `status` or `isActive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_heartbeat: Option<Timestamp>,
    /// Members that a host's subclass added through `updateState`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Default for RuntimeState {
    fn default() -> Self {
        Self {
            is_active: false,
            is_starting: false,
            is_stopping: false,
            status: LegacyStatus::Inactive,
            error: None,
            runtime_id: None,
            session_id: None,
            last_heartbeat: None,
            extra: Map::new(),
        }
    }
}

/// `HtmlRuntimeState` of the old React component, as a render shows it. Its three booleans are the old surface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HtmlRuntimeState {
    /// Started.
    pub is_active: bool,
    /// Never seen true: what sets it also clears it before the next render.
    pub is_starting: bool,
    /// Never seen true, for the same reason.
    pub is_stopping: bool,
    /// The last failure's text, until the next start or stop.
    pub error: Option<String>,
    /// The active session's runtime.
    pub runtime_id: Option<String>,
    /// The active session.
    pub session_id: Option<String>,
}

/// `Partial<RuntimeState>`: what `updateState` takes. An absent member leaves the state as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatePatch {
    /// See [`RuntimeState::is_active`].
    pub is_active: Option<bool>,
    /// See [`RuntimeState::is_starting`].
    pub is_starting: Option<bool>,
    /// See [`RuntimeState::is_stopping`].
    pub is_stopping: Option<bool>,
    /// See [`RuntimeState::status`].
    pub status: Option<LegacyStatus>,
    /// `Some(None)` clears it.
    #[serde(deserialize_with = "present")]
    pub error: Option<Option<String>>,
    /// `Some(None)` clears it.
    #[serde(deserialize_with = "present")]
    pub runtime_id: Option<Option<String>>,
    /// `Some(None)` clears it.
    #[serde(deserialize_with = "present")]
    pub session_id: Option<Option<String>>,
    /// A host may set it itself; a patch with `status` or `isActive` overwrites it with the present time.
    pub last_heartbeat: Option<Timestamp>,
    /// Any other member.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Tells `null` (present, cleared) from absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl StatePatch {
    /// A patch of `status` alone.
    pub fn status(status: LegacyStatus) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// The old error patch: status `error` with this text.
    pub fn error(message: &str) -> Self {
        Self { error: Some(Some(message.to_owned())), ..Self::status(LegacyStatus::Error) }
    }
}

impl RuntimeState {
    /// Merges a patch as the old `updateState` did and tells whether anything changed. A patch with `status` or `isActive`
    /// moves the heartbeat, so that an unchanged status still counts as a change once the clock has moved
    /// ([`crate::Quirk::HeartbeatCountsAsChange`]).
    pub fn merge(&mut self, patch: StatePatch, now: Timestamp) -> bool {
        let before = self.clone();
        let beats = patch.status.is_some() || patch.is_active.is_some();
        self.assign(patch);
        if beats {
            self.last_heartbeat = Some(now);
        }
        *self != before
    }

    /// Sets the members that a patch names, and nothing else.
    pub fn assign(&mut self, patch: StatePatch) {
        self.is_active = patch.is_active.unwrap_or(self.is_active);
        self.is_starting = patch.is_starting.unwrap_or(self.is_starting);
        self.is_stopping = patch.is_stopping.unwrap_or(self.is_stopping);
        self.status = patch.status.unwrap_or(self.status);
        if let Some(error) = patch.error {
            self.error = error;
        }
        if let Some(runtime_id) = patch.runtime_id {
            self.runtime_id = runtime_id;
        }
        if let Some(session_id) = patch.session_id {
            self.session_id = session_id;
        }
        self.last_heartbeat = patch.last_heartbeat.or(self.last_heartbeat);
        self.extra.extend(patch.extra);
    }
}
