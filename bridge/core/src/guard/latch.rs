//! The latch: what keeps a rollback in force until a person re-arms it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use registry::{NotebookId, Now};
use serde::{Deserialize, Serialize};

use crate::Kill;

/// Notebooks that are latched one by one. Beyond this they are no longer single cases, and the latch closes everywhere.
pub const MAX_LATCHED_NOTEBOOKS: usize = 1000;

/// Re-armings that are remembered: more than an operator reads, and a few kilobytes.
const MAX_REARMED: usize = 100;

/// The longest reason that is kept, in characters: a paragraph.
const MAX_REASON_CHARS: usize = 2000;

/// How far a rollback reaches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every notebook.
    Everywhere,
    /// This one.
    Notebook(NotebookId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("every notebook"),
            Self::Notebook(id) => write!(f, "notebook `{id}`"),
        }
    }
}

/// Which kind of evidence rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// One event that must never happen.
    ZeroTolerance,
    /// Failures of the candidate.
    Errors,
    /// Different results.
    Mismatches,
    /// A slower candidate.
    Latency,
    /// Nothing is known: the latch's own state could not be read.
    Unreadable,
}

/// A latch that is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// How far it reaches.
    pub scope: Scope,
    /// What closed it.
    pub tier: Tier,
    /// Why, for people.
    pub grounds: String,
    /// When, in milliseconds since 1970.
    pub since_wall_ms: i64,
    /// The candidate's build of which the evidence is.
    pub build: String,
    /// The generation of the flags then.
    pub generation: u64,
}

/// A latch that a person has opened again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rearmed {
    /// What was opened.
    pub scope: Scope,
    /// The reason given.
    pub reason: String,
    /// Who gave it, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_wall_ms: i64,
}

/// Why a latch is not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RearmError {
    /// The reason is empty.
    #[error("re-arming needs a reason")]
    NoReason,
    /// It is open.
    #[error("nothing is latched for {0}")]
    NotLatched(Scope),
}

impl RearmError {
    /// The cause as a stable name in capitals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoReason => "REARM_WITHOUT_REASON",
            Self::NotLatched(_) => "NOT_LATCHED",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoReason => "say what has been found and why the new path may serve again",
            Self::NotLatched(_) => "look at what status shows as latched",
        }
    }
}

/// Why a kill is not ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnkillError {
    /// The reason is empty.
    #[error("ending a kill needs a reason")]
    NoReason,
    /// No call has killed.
    #[error("no call has thrown the kill switch")]
    NotKilled,
}

impl UnkillError {
    /// The cause as a stable name in capitals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoReason => "UNKILL_WITHOUT_REASON",
            Self::NotKilled => "NOT_KILLED",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoReason => "say what has been found and why the new path may serve again",
            Self::NotKilled => "look at what status shows as kills: a flag, a variable or a file is ended where it is",
        }
    }
}

/// All rollbacks in force. Closing is idempotent and never moves what is closed; only [`Latch::rearm`] opens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latch {
    everywhere: Option<Closed>,
    notebooks: BTreeMap<NotebookId, Closed>,
    rearmed: VecDeque<Rearmed>,
    /// The kill by a call. It is no rollback: re-arming does not end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    killed: Option<Kill>,
}

impl Latch {
    /// What keeps this notebook on the old path, if anything does.
    pub fn holds(&self, notebook: &str) -> Option<&Closed> {
        let own = || if self.notebooks.is_empty() { None } else { self.notebooks.get(&NotebookId::from(notebook)) };
        self.everywhere.as_ref().or_else(own)
    }

    /// True while nothing is latched.
    pub fn is_open(&self) -> bool {
        self.everywhere.is_none() && self.notebooks.is_empty()
    }

    /// Everything that is closed, the widest first.
    pub fn closed(&self) -> impl Iterator<Item = &Closed> {
        self.everywhere.iter().chain(self.notebooks.values())
    }

    /// The re-armings, oldest first.
    pub fn rearmed(&self) -> impl Iterator<Item = &Rearmed> {
        self.rearmed.iter()
    }

    /// Whether it is closed for every notebook.
    pub fn is_everywhere(&self) -> bool {
        self.everywhere.is_some()
    }

    /// Closes; false where that scope was closed before, by itself or by a wider one.
    pub fn close(&mut self, closed: Closed) -> bool {
        match &closed.scope {
            _ if self.is_everywhere() => false,
            Scope::Notebook(id) if self.notebooks.contains_key(id) => false,
            Scope::Notebook(id) if self.notebooks.len() < MAX_LATCHED_NOTEBOOKS => {
                self.notebooks.insert(id.clone(), closed);
                true
            }
            Scope::Everywhere | Scope::Notebook(_) => {
                self.everywhere = Some(Closed { scope: Scope::Everywhere, ..closed });
                true
            }
        }
    }

    /// The kill that is kept here.
    pub fn killed(&self) -> Option<&Kill> {
        self.killed.as_ref()
    }

    /// Keeps a kill; the first one stays.
    pub fn kill(&mut self, kill: Kill) {
        self.killed.get_or_insert(kill);
    }

    /// Lets go of the kill.
    ///
    /// # Errors
    /// Without a reason, or where none is kept.
    pub fn unkill(&mut self, reason: &str) -> Result<Kill, UnkillError> {
        if reason.trim().is_empty() {
            return Err(UnkillError::NoReason);
        }
        self.killed.take().ok_or(UnkillError::NotKilled)
    }

    /// The scopes that are closed here and open in the other.
    pub(super) fn closed_beyond(&self, other: &Self) -> Vec<Scope> {
        let is_open = |closed: &&Closed| match &closed.scope {
            Scope::Everywhere => !other.is_everywhere(),
            Scope::Notebook(id) => other.holds(id.as_str()).is_none(),
        };
        self.closed().filter(is_open).map(|closed| closed.scope.clone()).collect()
    }

    /// Opens: everywhere means every notebook too.
    ///
    /// # Errors
    /// Without a reason, or where this scope is not closed.
    pub fn rearm(&mut self, now: Now, scope: &Scope, by: Option<&str>, reason: &str) -> Result<(), RearmError> {
        let kept = |text: &str| text.trim().chars().take(MAX_REASON_CHARS).collect::<String>();
        let reason = kept(reason);
        if reason.is_empty() {
            return Err(RearmError::NoReason);
        }
        if !self.opens(scope) {
            return Err(RearmError::NotLatched(scope.clone()));
        }
        let by = by.map(kept).filter(|by| !by.is_empty());
        self.rearmed.push_back(Rearmed { scope: scope.clone(), reason, by, at_wall_ms: now.wall_ms });
        while self.rearmed.len() > MAX_REARMED {
            self.rearmed.pop_front();
        }
        Ok(())
    }

    fn opens(&mut self, scope: &Scope) -> bool {
        match scope {
            Scope::Notebook(id) => self.notebooks.remove(id).is_some(),
            Scope::Everywhere => {
                let was_closed = !self.is_open();
                self.everywhere = None;
                self.notebooks.clear();
                was_closed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { wall_ms: 5, mono_ms: 0 };

    fn closed(scope: Scope) -> Closed {
        let (build, grounds) = ("b".to_owned(), "g".to_owned());
        Closed { scope, tier: Tier::Errors, grounds, since_wall_ms: 1, build, generation: 0 }
    }

    fn notebook(n: usize) -> Scope {
        Scope::Notebook(NotebookId::from(format!("n{n}")))
    }

    #[test]
    fn it_holds_its_scope_and_closing_again_changes_nothing() {
        let mut latch = Latch::default();
        assert!(latch.close(closed(notebook(1))));
        assert!(!latch.close(Closed { since_wall_ms: 2, ..closed(notebook(1)) }));
        assert_eq!(latch.holds("n1").map(|closed| closed.since_wall_ms), Some(1));
        assert_eq!(latch.holds("n2"), None);
        assert!(latch.close(closed(Scope::Everywhere)) && !latch.close(closed(Scope::Everywhere)));
        assert!(latch.holds("n2").is_some());
    }

    #[test]
    fn opening_needs_a_reason_and_remembers_it() {
        let mut latch = Latch::default();
        assert_eq!(
            latch.rearm(NOW, &Scope::Everywhere, None, "why not"),
            Err(RearmError::NotLatched(Scope::Everywhere))
        );
        latch.close(closed(notebook(1)));
        latch.close(closed(notebook(2)));
        assert_eq!(latch.rearm(NOW, &notebook(1), None, " \n "), Err(RearmError::NoReason));
        latch.rearm(NOW, &notebook(1), Some("an operator"), " fixed in 1.2 ").unwrap();
        assert!(latch.holds("n1").is_none() && latch.holds("n2").is_some());
        let told: Vec<_> =
            latch.rearmed().map(|one| (one.reason.as_str(), one.by.as_deref(), one.at_wall_ms)).collect();
        assert_eq!(told, [("fixed in 1.2", Some("an operator"), 5)]);
        latch.rearm(NOW, &Scope::Everywhere, None, "all of it").unwrap();
        assert!(latch.is_open());
    }

    #[test]
    fn too_many_single_cases_are_the_world() {
        let mut latch = Latch::default();
        (0..=MAX_LATCHED_NOTEBOOKS).for_each(|n| assert!(latch.close(closed(notebook(n)))));
        assert!(latch.holds("another").is_some());
        assert!(!latch.close(closed(notebook(MAX_LATCHED_NOTEBOOKS + 7))));
    }
}
