//! Leases: which path serves a session, and since when.

use registry::{RuntimeId, SessionId};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Boundary, Decision, Path};

/// Orders the leases of a notebook: a later lease has a higher token, and an effect with a lower one is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Token(u64);

impl Token {
    /// The capability of a shadow: what is committed under it has come out of a candidate. No lease has it; the largest number
    /// that JavaScript holds exactly.
    pub const SHADOW: Self = Self((1 << 53) - 1);

    /// The next higher token.
    #[must_use]
    pub fn raised(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// The right of one path to run one session of a notebook.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The path that serves.
    pub path: Path,
    /// Fences every effect of the session.
    pub token: Token,
    /// The runtime id in the log.
    pub runtime_id: RuntimeId,
    /// The session id in the log.
    pub session_id: SessionId,
    /// Why this path.
    pub decision: Decision,
}

/// What a new decision means for a running session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The session stays where it is; the next one may go elsewhere.
    Keep,
    /// Move once nothing is under way.
    Drain,
    /// Move at once; what is under way is fenced.
    Now,
}

impl Lease {
    /// When a new decision reaches this session. Without a boundary in the flag, the way to the registry waits for the next
    /// session, the way back drains, and a kill switch acts now.
    pub fn change(&self, decision: &Decision) -> Change {
        if decision.route.serving() == self.path {
            return Change::Keep;
        }
        match decision.effective_boundary() {
            Boundary::NextSession => Change::Keep,
            Boundary::Drain => Change::Drain,
            Boundary::Now => Change::Now,
        }
    }
}
