//! A store as LiveStore is one: tables that every event changes without a question, and commits that can fail.

use registry::{Answer, Event, Failure, NotebookState, Reply};

use super::action::{Fault, Target};
use super::oracle::{By, Oracle};

/// The tables, the log, and whoever watches what reaches them.
pub(super) struct Store {
    pub(super) tables: NotebookState,
    pub(super) oracle: Oracle,
    /// The commits, each with who made it.
    commits: Vec<(By, Vec<Event>)>,
    fault: Option<(Target, Fault)>,
    /// True once something was committed that the live query has not told.
    pub(super) has_news: bool,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            tables: NotebookState::new(),
            oracle: Oracle::default(),
            commits: Vec::new(),
            fault: None,
            has_news: false,
        }
    }

    /// The next commit of ours with such events fails so.
    pub(super) fn fail_next(&mut self, fault: Option<(Target, Fault)>) {
        self.fault = fault;
    }

    pub(super) fn commit(&mut self, by: By, events: Vec<Event>) -> Answer {
        let fault = self.fault.take_if(|(target, _)| by.is_ours() && events.iter().any(|event| target.is_of(event)));
        self.oracle.saw_fault |= fault.is_some();
        if let Some((_, Fault::Refused)) = fault {
            return Err(Failure::new("refused"));
        }
        self.apply(by, &events);
        self.commits.push((by, events));
        self.has_news = true;
        match fault {
            Some(_) => Err(Failure::new("a subscriber threw")),
            None => Ok(Reply::Done),
        }
    }

    fn apply(&mut self, by: By, events: &[Event]) {
        for event in events {
            self.oracle.sees(by, event, &self.tables);
            self.tables.apply(event);
        }
        self.oracle.commit_ended(by, events, &self.tables);
    }

    /// The last commits of the process that crashes were never handed on: nobody has ever seen them.
    pub(super) fn lose(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let kept = self.commits.len().saturating_sub(count);
        let kept = kept.max(self.commits.iter().rposition(|(by, _)| !by.is_local()).map_or(0, |last| last + 1));
        self.commits.truncate(kept);
        self.tables = NotebookState::new();
        self.oracle.forget_log();
        self.oracle.is_told_again = true;
        for (by, events) in std::mem::take(&mut self.commits) {
            self.apply(by, &events);
            self.commits.push((by, events));
        }
        self.oracle.is_told_again = false;
    }

    /// Every event, in order.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.commits.iter().flat_map(|(_, events)| events)
    }
}

impl Target {
    fn is_of(self, event: &Event) -> bool {
        match self {
            Self::Anything => true,
            Self::Session => matches!(
                event,
                Event::RuntimeSessionStarted(_)
                    | Event::RuntimeSessionStatusChanged(_)
                    | Event::RuntimeSessionTerminated(_)
            ),
            Self::Claim => matches!(event, Event::ExecutionAssigned(_)),
            Self::Output => matches!(event, Event::MultimediaResultOutputAdded(_)),
            Self::Terminal => matches!(event, Event::ExecutionCompleted(_)),
        }
    }
}
