//! What an auditor remembers of an execution and of a session.

use registry::{QueueId, RuntimeId, SessionId};
use serde::Serialize;

use super::Place;

/// Who served, as the id of the runtime tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Served {
    /// The old html runtime: `html-runtime-…`.
    Legacy,
    /// The registry: `registry-…`.
    Registry,
    /// An agent of somebody else's.
    Foreign,
    /// Nobody has claimed it.
    Nobody,
}

/// What the old code's runtime ids begin with; its session ids begin with the runtime id.
const LEGACY_PREFIX: &str = "html-runtime-";

impl Served {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Legacy, Self::Registry, Self::Foreign, Self::Nobody];

    /// Who has this runtime id.
    pub fn of(runtime: &RuntimeId) -> Self {
        match runtime.as_str() {
            _ if runtime.is_registry() => Self::Registry,
            text if text.starts_with(LEGACY_PREFIX) => Self::Legacy,
            _ => Self::Foreign,
        }
    }

    /// Who has this session, where the log does not announce it: its id holds the runtime's.
    pub(super) fn unannounced(session: &SessionId) -> Self {
        match session.as_str() {
            text if text.starts_with(LEGACY_PREFIX) => Self::Legacy,
            text => text.split_once('-').map_or(Self::Foreign, |(_, rest)| match RuntimeId::from(rest).is_registry() {
                true => Self::Registry,
                false => Self::Foreign,
            }),
        }
    }

    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Registry => "registry",
            Self::Foreign => "foreign",
            Self::Nobody => "nobody",
        }
    }
}

/// What became of the executions that one server took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// All of them.
    pub executions: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Ended badly.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Not ended.
    pub open: u64,
}

impl Tally {
    pub(super) fn add(&mut self, end: Option<End>) {
        self.executions += 1;
        *match end {
            Some(End::Success) => &mut self.succeeded,
            Some(End::Error) => &mut self.failed,
            Some(End::Cancelled) => &mut self.cancelled,
            None => &mut self.open,
        } += 1;
    }
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) served: Served,
    pub(super) is_active: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Pending,
    Assigned,
    Executing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Success,
    Error,
    Cancelled,
}

/// One execution.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: QueueId,
    /// Its place among the requests.
    pub(super) rank: u64,
    pub(super) requested: Option<Place>,
    /// How far it came before its first end.
    pub(super) standing: Standing,
    /// The session that claimed or started it last.
    pub(super) holder: Option<SessionId>,
    pub(super) started: Option<Place>,
    /// The last `v1.ExecutionCompleted`; a runtime's own, while a cancellation is a user's.
    pub(super) completed: Option<Place>,
    /// The first end, whoever made it.
    pub(super) end: Option<End>,
    pub(super) ended: Option<Place>,
    pub(super) is_resurrected: bool,
    /// The session under which it showed its last output, and where.
    pub(super) shown_under: Option<(Option<SessionId>, Place)>,
    /// The session that first started a later request while this one waited for it, and where.
    pub(super) passed: Option<(SessionId, Place)>,
    /// Its last event.
    pub(super) last: Place,
}

impl Record {
    pub(super) fn new(id: QueueId, rank: u64, place: Place) -> Self {
        Self {
            id,
            rank,
            requested: None,
            standing: Standing::Pending,
            holder: None,
            started: None,
            completed: None,
            end: None,
            ended: None,
            is_resurrected: false,
            shown_under: None,
            passed: None,
            last: place,
        }
    }

    /// Whether this session could have started it by now.
    pub(super) fn waits_for(&self, session: &SessionId) -> bool {
        match self.standing {
            Standing::Pending => true,
            Standing::Assigned => self.holder.as_ref() == Some(session),
            Standing::Executing => false,
        }
    }
}
