//! What an audit finds, and where.

use std::fmt;

use registry::{QueueId, SessionId};
use serde::{Serialize, Serializer};

/// Where an event stands in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a text file, from 1.
    Line(u64),
    /// An event of a database, by its number there.
    Event(u64),
    /// An event of a LiveStore client's own, which is never synced: the number that it follows, and its own.
    Local(u64, u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Event(event) => write!(f, "event {event}"),
            Self::Local(event, own) => write!(f, "event {event}+{own}"),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What kinds of findings have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Requested and never ended.
    Lost,
    /// Started, ended or claimed once more than there is work.
    Doubled,
    /// Two at once where there must be one.
    Interleaved,
    /// Out of turn on the registry.
    Reordered,
    /// Two sessions were active at once.
    TwoActiveSessions,
    /// Done by a host or another client: no fault.
    Theirs,
}

impl Group {
    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Interleaved => "interleaved",
            Self::Reordered => "reordered",
            Self::TwoActiveSessions => "two active sessions",
            Self::Theirs => "theirs",
        }
    }

    /// Every group of faults.
    pub const FAULTS: [Self; 5] =
        [Self::Lost, Self::Doubled, Self::Interleaved, Self::Reordered, Self::TwoActiveSessions];
}

/// Declares the kinds of findings, each with its group and its sentence.
macro_rules! kinds {
    ($($name:ident, $group:ident, $says:literal;)*) => {
        /// One kind of finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum FindingKind {
            $(#[doc = $says] $name,)*
        }

        impl FindingKind {
            /// What it belongs to.
            pub fn group(self) -> Group {
                match self {
                    $(Self::$name => Group::$group,)*
                }
            }

            /// What has happened.
            pub fn says(self) -> &'static str {
                match self {
                    $(Self::$name => $says,)*
                }
            }
        }
    };
}

kinds! {
    NeverClaimed, Lost, "never claimed: still pending at the end of the log";
    Stranded, Lost, "claimed and never started by a session that is gone";
    LeftExecuting, Lost, "started and never ended by a session that is gone";
    UnderWay, Lost, "not ended; its session is active at the end of the log";
    StartedTwice, Doubled, "started a second time";
    EndedTwice, Doubled, "ended a second time";
    Resurrected, Doubled, "claimed or started after its end";
    MixedOutputs, Interleaved, "outputs of two sessions in one execution";
    RanAtOnce, Interleaved, "started while another execution was under way";
    Reordered, Reordered, "started after an execution that was requested later";
    TwoActiveSessions, TwoActiveSessions, "a session was announced while another was active";
    Cancelled, Theirs, "cancelled";
    CancelledAfterEnd, Theirs, "cancelled after its end";
    CompletedAfterCancel, Theirs, "went on to its end after it was cancelled";
    RequestedAgain, Theirs, "requested a second time under its id, which the tables ignore";
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where it shows; of a lost execution, where it was requested.
    pub place: Place,
    /// The execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<QueueId>,
    /// The session that did it, or that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The other place that matters: the first start, the first end; of a lost execution, its last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Place>,
}

impl Finding {
    pub(super) fn of(kind: FindingKind, place: Place) -> Self {
        Self { kind, place, queue_id: None, session_id: None, other: None }
    }

    pub(super) fn about(mut self, id: &QueueId) -> Self {
        self.queue_id = Some(id.clone());
        self
    }

    pub(super) fn under(mut self, session: Option<&SessionId>) -> Self {
        self.session_id = session.cloned();
        self
    }

    pub(super) fn since(self, other: Place) -> Self {
        self.since_some(Some(other))
    }

    pub(super) fn since_some(mut self, other: Option<Place>) -> Self {
        self.other = other.filter(|other| *other != self.place);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(id) = &self.queue_id {
            write!(f, "execution `{id}` ")?;
        }
        f.write_str(self.kind.says())?;
        if let Some(session) = &self.session_id {
            write!(f, " (session `{session}`)")?;
        }
        match self.other {
            Some(other) => write!(f, "; see {other}"),
            None => Ok(()),
        }
    }
}
