//! What serves the old path of a seat: our reproduction of the old class, or the host's own code behind a commit facade.

use legacy_compat::{Effect, HtmlInput, HtmlRuntime};
use registry::Now;
use serde::Deserialize;

use super::host_code::HostCode;

/// Who serves the old path of a runtime object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LegacyKind {
    /// `legacy-compat`.
    #[default]
    Compat,
    /// The host's own class.
    Host,
}

/// The old path of a seat.
pub(super) enum LegacyCore {
    Compat(Box<HtmlRuntime>),
    Host(HostCode),
}

impl LegacyCore {
    pub(super) fn has_session(&self) -> bool {
        match self {
            Self::Compat(runtime) => runtime.has_session(),
            Self::Host(code) => code.has_session(),
        }
    }

    /// True while a call or an execution is under way.
    pub(super) fn is_working(&self) -> bool {
        match self {
            Self::Compat(runtime) => runtime.is_working(),
            Self::Host(code) => code.is_working(),
        }
    }

    pub(super) fn handle(&mut self, now: Now, input: HtmlInput) -> Vec<Effect> {
        match self {
            Self::Compat(runtime) => runtime.handle(now, input),
            Self::Host(code) => code.handle(input),
        }
    }

    pub(super) fn host_code(&mut self) -> Option<&mut HostCode> {
        match self {
            Self::Compat(_) => None,
            Self::Host(code) => Some(code),
        }
    }
}
