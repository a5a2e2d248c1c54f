//! The old path of a seat: one of the old cores, or the host's own code behind a commit facade, behind what a notebook does with
//! any of them.

use legacy_compat::{Effect, HtmlInput, HtmlRuntime, HtmlRuntimeManager, HtmlRuntimeState, ManagerInput, Server};
use registry::{Answer, Now, SessionIdentity, Ticket, TimerId};
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

/// What serves a seat on the old path.
pub(super) enum LegacyCore {
    /// The class: `HtmlRuntime`.
    Html(Box<HtmlRuntime>),
    /// The React component: `HtmlRuntimeManager`.
    Manager(Box<HtmlRuntimeManager>),
    /// The host's own class.
    Host(HostCode),
}

impl LegacyCore {
    /// An input of the class; nothing for the component.
    pub(super) fn html(&mut self, now: Now, input: HtmlInput) -> Vec<Effect> {
        match self {
            Self::Html(core) => core.handle(now, input),
            Self::Host(code) => code.handle(input),
            Self::Manager(_) => Vec::new(),
        }
    }

    /// An input of the component; nothing for a class.
    pub(super) fn manager(&mut self, now: Now, input: ManagerInput) -> Vec<Effect> {
        match self {
            Self::Html(_) | Self::Host(_) => Vec::new(),
            Self::Manager(core) => core.handle(now, input),
        }
    }

    pub(super) fn answer(&mut self, now: Now, ticket: Ticket, answer: Answer) -> Vec<Effect> {
        match self {
            Self::Html(_) | Self::Host(_) => self.html(now, HtmlInput::Answer(ticket, answer)),
            Self::Manager(core) => core.handle(now, ManagerInput::Answer(ticket, answer)),
        }
    }

    pub(super) fn timer(&mut self, now: Now, timer: TimerId) -> Vec<Effect> {
        self.html(now, HtmlInput::Timer(timer))
    }

    /// Serves a session that is already announced in the log.
    pub(super) fn resume(&mut self, now: Now, identity: SessionIdentity) -> Vec<Effect> {
        match self {
            Self::Html(_) | Self::Host(_) => self.html(now, HtmlInput::Resume(identity)),
            Self::Manager(core) => {
                core.hold_claims(false);
                core.handle(now, ManagerInput::Serve(Server::Here, identity))
            }
        }
    }

    /// Lets go of the session, silently.
    pub(super) fn release(&mut self, now: Now) -> Vec<Effect> {
        match self {
            Self::Html(_) | Self::Host(_) => self.html(now, HtmlInput::Release),
            Self::Manager(core) => core.handle(now, ManagerInput::Release),
        }
    }

    /// Claims nothing more while a flip waits for what is under way. A class claims between calls only, where no flip waits.
    pub(super) fn hold_claims(&mut self, now: Now, holds: bool) -> Vec<Effect> {
        match self {
            Self::Html(_) | Self::Host(_) => Vec::new(),
            Self::Manager(core) => {
                core.hold_claims(holds);
                core.handle(now, ManagerInput::StoreChanged)
            }
        }
    }

    pub(super) fn has_session(&self) -> bool {
        match self {
            Self::Html(core) => core.has_session(),
            Self::Manager(core) => core.has_session(),
            Self::Host(code) => code.has_session(),
        }
    }

    /// True while a call or an execution is under way.
    pub(super) fn is_working(&self) -> bool {
        match self {
            Self::Html(core) => core.is_working(),
            Self::Manager(core) => core.is_working(),
            Self::Host(code) => code.is_working(),
        }
    }

    pub(super) fn is_manager(&self) -> bool {
        matches!(self, Self::Manager(_))
    }

    pub(super) fn is_host(&self) -> bool {
        matches!(self, Self::Host(_))
    }

    pub(super) fn host_code(&mut self) -> Option<&mut HostCode> {
        match self {
            Self::Html(_) | Self::Manager(_) => None,
            Self::Host(code) => Some(code),
        }
    }

    /// True for a core that reads the store through live queries of its own.
    pub(super) fn watches(&self) -> bool {
        matches!(self, Self::Manager(core) if core.is_mounted())
    }

    /// What a component shows.
    pub(super) fn shown(&self) -> HtmlRuntimeState {
        match self {
            Self::Html(_) | Self::Host(_) => HtmlRuntimeState::default(),
            Self::Manager(core) => core.state().clone(),
        }
    }
}
