//! The ledger: one row per execution, from pending to its one terminal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use registry::{QueueEntry, QueueId, QueueStatus, SessionId};
use serde::Serialize;

use crate::{Path, Token};

/// Finished rows that a notebook's ledger remembers. A finished entry is refused by its store status too; this memory only
/// has to outlast events still under way, and 10,000 rows are about 1 MB.
pub const MAX_FINISHED_ROWS: usize = 10_000;

/// Where an execution stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Requested; nobody has it.
    Pending,
    /// Claimed on this path under this token; no user code has been entered.
    Claimed(Path, Token),
    /// Started on this path under this token; it is never started again.
    Started(Path, Token),
    /// Claimed or started by a session that is not ours.
    Foreign(SessionId),
    /// Over, in this way.
    Terminal(Terminal),
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Terminal {
    /// Completed with success.
    Success,
    /// Completed with an error.
    Error,
    /// Cancelled.
    Cancelled,
}

/// Counts for accounting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Entries that nobody has claimed.
    pub pending: u64,
    /// Entries claimed or started on a path of ours.
    pub under_way: u64,
    /// Entries of sessions that are not ours.
    pub foreign: u64,
    /// Entries seen to end, forgotten rows included.
    pub terminal: u64,
}

/// All executions of a notebook that the bridge knows.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    rows: BTreeMap<QueueId, Standing>,
    /// The finished rows whose end went through here, and not only through the store.
    ended_here: BTreeSet<QueueId>,
    finished: VecDeque<QueueId>,
    forgotten: u64,
}

impl Ledger {
    /// What is known of an entry; an unknown one is pending.
    pub fn standing(&self, id: &QueueId) -> &Standing {
        self.rows.get(id).unwrap_or(&Standing::Pending)
    }

    /// Takes in a row as the store has it. The store is the authority for what other parties did: cancels, foreign claims
    /// and terminals; what this bridge has under way itself is known better here.
    pub fn observe(&mut self, entry: &QueueEntry, is_ours: impl Fn(&SessionId) -> bool) {
        match (entry.status, self.standing(&entry.id)) {
            (_, Standing::Terminal(_)) => {}
            (QueueStatus::Completed, _) => self.finish(&entry.id, Terminal::Success),
            (QueueStatus::Failed, _) => self.finish(&entry.id, Terminal::Error),
            (QueueStatus::Cancelled, _) => self.finish(&entry.id, Terminal::Cancelled),
            (QueueStatus::Pending, Standing::Claimed(..) | Standing::Started(..)) => {}
            (QueueStatus::Pending, _) => self.set(&entry.id, Standing::Pending),
            (QueueStatus::Assigned | QueueStatus::Executing, Standing::Claimed(..) | Standing::Started(..)) => {}
            (QueueStatus::Assigned | QueueStatus::Executing, _) => {
                if let Some(session) = entry.assigned_runtime_session.as_ref().filter(|session| !is_ours(session)) {
                    self.set(&entry.id, Standing::Foreign(session.clone()));
                }
            }
        }
    }

    /// Claims a pending entry: compare and set. An entry already claimed under this very token is granted again.
    pub fn claim(&mut self, id: &QueueId, path: Path, token: Token) -> bool {
        let granted = match self.standing(id) {
            Standing::Pending => true,
            Standing::Claimed(_, holder) => *holder == token,
            _ => false,
        };
        if granted {
            self.set(id, Standing::Claimed(path, token));
        }
        granted
    }

    /// Moves a claimed entry to started; false unless it is claimed under this token.
    pub fn start(&mut self, id: &QueueId, path: Path, token: Token) -> bool {
        let granted = matches!(self.standing(id), Standing::Claimed(_, holder) if *holder == token);
        if granted {
            self.set(id, Standing::Started(path, token));
        }
        granted
    }

    /// Ends an entry that this token holds; false where it is over already or held by somebody else.
    pub fn end(&mut self, id: &QueueId, token: Token, terminal: Terminal) -> bool {
        let held = matches!(
            self.standing(id),
            Standing::Claimed(_, holder) | Standing::Started(_, holder) if *holder == token
        );
        if held {
            self.finish(id, terminal);
            self.ended_here.insert(id.clone());
        }
        held
    }

    /// Whether [`Ledger::end`] has ended this entry. Ends that the store shows are those of other parties.
    pub fn has_ended(&self, id: &QueueId) -> bool {
        self.ended_here.contains(id)
    }

    /// Forgets who ended this entry: it was ended in somebody's place, who may still say so himself.
    pub fn excuse(&mut self, id: &QueueId) {
        self.ended_here.remove(id);
    }

    /// What this token has started and not ended, in queue id order.
    pub fn started(&self, token: Token) -> Vec<QueueId> {
        let is_started = |standing: &Standing| matches!(standing, Standing::Started(_, holder) if *holder == token);
        self.rows.iter().filter(|(_, standing)| is_started(standing)).map(|(id, _)| id.clone()).collect()
    }

    /// Takes over an entry whose session is gone, to be claimed anew or ended under this token.
    pub fn inherit(&mut self, id: &QueueId, is_started: bool, path: Path, token: Token) {
        let standing = if is_started { Standing::Started(path, token) } else { Standing::Pending };
        self.set(id, standing);
    }

    /// Records what the old path did, allowed or not: used while the gate only observes.
    pub fn record(&mut self, id: &QueueId, standing: Standing) {
        match standing {
            Standing::Terminal(terminal) => self.finish(id, terminal),
            other => self.set(id, other),
        }
    }

    /// What is known of this entry now, to be put back with [`Ledger::restore`] should the commit that changes it fail.
    pub fn remember(&self, id: &QueueId) -> Standing {
        self.standing(id).clone()
    }

    /// Puts back what was remembered: the store refused the change.
    pub fn restore(&mut self, id: &QueueId, standing: Standing) {
        self.finished.retain(|finished| finished != id);
        if !matches!(standing, Standing::Terminal(_)) {
            self.ended_here.remove(id);
        }
        self.record(id, standing);
    }

    /// Gives back what this token has claimed but not started, in queue id order.
    pub fn release_claims(&mut self, token: Token) -> Vec<QueueId> {
        let is_claim = |standing: &Standing| matches!(standing, Standing::Claimed(_, holder) if *holder == token);
        let claimed: Vec<QueueId> =
            self.rows.iter().filter(|(_, standing)| is_claim(standing)).map(|(id, _)| id.clone()).collect();
        for id in &claimed {
            self.set(id, Standing::Pending);
        }
        claimed
    }

    /// What one token holds, another one holds from now on: the session that has it goes on under that one.
    pub fn renew(&mut self, old: Token, new: Token) {
        for standing in self.rows.values_mut() {
            if let Standing::Claimed(_, holder) | Standing::Started(_, holder) = standing
                && *holder == old
            {
                *holder = new;
            }
        }
    }

    /// Counts by standing.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally { terminal: self.forgotten, ..Tally::default() };
        for standing in self.rows.values() {
            match standing {
                Standing::Pending => tally.pending += 1,
                Standing::Claimed(..) | Standing::Started(..) => tally.under_way += 1,
                Standing::Foreign(_) => tally.foreign += 1,
                Standing::Terminal(_) => tally.terminal += 1,
            }
        }
        tally
    }

    fn set(&mut self, id: &QueueId, standing: Standing) {
        self.rows.insert(id.clone(), standing);
    }

    fn finish(&mut self, id: &QueueId, terminal: Terminal) {
        if !matches!(self.standing(id), Standing::Terminal(_)) {
            self.finished.push_back(id.clone());
        }
        self.set(id, Standing::Terminal(terminal));
        while self.finished.len() > MAX_FINISHED_ROWS {
            if let Some(oldest) = self.finished.pop_front() {
                self.rows.remove(&oldest);
                self.ended_here.remove(&oldest);
                self.forgotten += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> QueueId {
        QueueId::from("q1")
    }

    #[test]
    fn of_two_claims_one_wins() {
        let mut ledger = Ledger::default();
        let (first, second) = (Token::default().raised(), Token::default().raised().raised());
        assert!(ledger.claim(&id(), Path::Legacy, first));
        assert!(!ledger.claim(&id(), Path::Registry, second));
        assert!(ledger.start(&id(), Path::Legacy, first));
        assert!(!ledger.claim(&id(), Path::Legacy, first));
    }

    #[test]
    fn a_finished_entry_is_never_resurrected() {
        let mut ledger = Ledger::default();
        let token = Token::default().raised();
        ledger.claim(&id(), Path::Legacy, token);
        assert!(ledger.end(&id(), token, Terminal::Success));
        assert!(!ledger.end(&id(), token, Terminal::Success));
        assert!(!ledger.claim(&id(), Path::Legacy, token));
    }

    #[test]
    fn a_released_claim_can_be_claimed_by_the_next_lease() {
        let mut ledger = Ledger::default();
        let (old, new) = (Token::default().raised(), Token::default().raised().raised());
        ledger.claim(&id(), Path::Legacy, old);
        assert_eq!(ledger.release_claims(old), vec![id()]);
        assert!(!ledger.start(&id(), Path::Legacy, old));
        assert!(ledger.claim(&id(), Path::Registry, new));
    }

    #[test]
    fn the_memory_of_finished_rows_is_bounded_and_still_counted() {
        let mut ledger = Ledger::default();
        for n in 0..MAX_FINISHED_ROWS + 5 {
            ledger.record(&QueueId::from(format!("q{n}")), Standing::Terminal(Terminal::Success));
        }
        assert_eq!(ledger.rows.len(), MAX_FINISHED_ROWS);
        assert!(ledger.ended_here.len() <= MAX_FINISHED_ROWS);
        assert_eq!(ledger.tally().terminal, MAX_FINISHED_ROWS as u64 + 5);
    }
}
