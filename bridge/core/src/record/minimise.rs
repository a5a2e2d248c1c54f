//! Delta debugging of a record: fewer executions and shorter sources that still differ in the same places.

use registry::QueueId;

use super::replay::rerun;
use super::{Excerpt, Located, Record, RecordError, find, lines, only};
use crate::compare::judge_showing;
use crate::{Fault, Observation, Source};

/// Comparisons that a minimisation may take. One takes a millisecond; nobody waits for longer than some seconds.
const MAX_TRIALS: u32 = 5000;

/// What is left of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimised {
    /// The record with the smaller facts.
    pub record: Record,
    /// Comparisons that it took.
    pub trials: u32,
    /// Executions before and after.
    pub executions: (usize, usize),
    /// Bytes of all sources before and after.
    pub source_bytes: (usize, usize),
}

/// Makes the facts of a record smaller, as long as it shows the same difference with this fault. Sources are made shorter only
/// where the core of the serving path does what was recorded: it has to say what would have been served.
///
/// # Errors
/// [`RecordError::WithoutFacts`].
pub fn minimise(record: &Record, fault: Option<Fault>) -> Result<Minimised, RecordError> {
    let mut search = Search { record, fault, trials: 0 };
    let facts = record.facts()?.clone();
    let before = measure(&facts);
    let fewer = search.fewer_executions(&facts);
    let small = match rerun(&fewer) {
        again if search.shows(&again) => search.shorter_sources(again),
        _ => fewer,
    };
    let after = measure(&small);
    let trials = search.trials;
    let record = with_facts(record, small, fault)?;
    Ok(Minimised { record, trials, executions: (before.0, after.0), source_bytes: (before.1, after.1) })
}

/// The record with these facts, and with what both paths make of them.
fn with_facts(record: &Record, facts: Observation, fault: Option<Fault>) -> Result<Record, RecordError> {
    let control = lines(facts.executions.iter().flat_map(|execution| &execution.events));
    let mut record = Record { control: Excerpt::plain(control), facts: Some(facts), ..record.clone() };
    let replay = record.replay(fault)?;
    record.candidate = Excerpt::plain(lines(&replay.candidate));
    record.differences = replay.differences.into_iter().map(|one| Located::new(one.difference)).collect();
    Ok(record)
}

fn measure(facts: &Observation) -> (usize, usize) {
    let bytes = facts.executions.iter().map(|execution| match &execution.source {
        Source::Text(text) => text.len(),
        Source::Missing | Source::Unread | Source::Truncated => 0,
    });
    (facts.executions.len(), bytes.sum())
}

struct Search<'r> {
    record: &'r Record,
    fault: Option<Fault>,
    trials: u32,
}

impl Search<'_> {
    fn shows(&mut self, facts: &Observation) -> bool {
        if self.trials >= MAX_TRIALS {
            return false;
        }
        self.trials += 1;
        let comparison = judge_showing(facts, self.fault).0;
        find(&comparison, self.record.execution.as_ref()).is_some_and(|found| self.record.is_same(found.signature))
    }

    fn fewer_executions(&mut self, facts: &Observation) -> Observation {
        if let Some(alone) = self.record.execution.as_ref().map(|id| only(facts, id))
            && self.shows(&alone)
        {
            return alone;
        }
        let ids: Vec<QueueId> = facts.executions.iter().map(|execution| execution.entry.id.clone()).collect();
        let keep = |ids: &[QueueId]| {
            let mut fewer = facts.clone();
            fewer.executions.retain(|execution| ids.contains(&execution.entry.id));
            fewer
        };
        let left = reduce(ids, |ids| self.shows(&keep(ids)));
        keep(&left)
    }

    fn shorter_sources(&mut self, mut facts: Observation) -> Observation {
        for at in 0..facts.executions.len() {
            let Source::Text(text) = facts.executions[at].source.clone() else { continue };
            let with = |parts: &[&str]| {
                let mut shorter = facts.clone();
                shorter.executions[at].source = Source::Text(parts.concat());
                rerun(&shorter)
            };
            let lines = reduce(text.split_inclusive('\n').collect(), |lines| self.shows(&with(lines)));
            let text = lines.concat();
            let characters: Vec<&str> = text.split("").filter(|character| !character.is_empty()).collect();
            let left = reduce(characters, |characters| self.shows(&with(characters)));
            facts = with(&left);
        }
        facts
    }
}

/// Zeller's ddmin over complements: leaves out ever smaller parts as long as what is left still fails.
fn reduce<T: Clone>(mut all: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut parts = 2;
    while all.len() > 1 {
        let size = all.len().div_ceil(parts);
        let without = (0..all.len()).step_by(size).map(|from| {
            let to = (from + size).min(all.len());
            [&all[..from], &all[to..]].concat()
        });
        match without.into_iter().find(|rest| fails(rest)) {
            Some(rest) => {
                all = rest;
                parts = (parts - 1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(all.len()),
        }
    }
    if all.len() == 1 && fails(&[]) { Vec::new() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_fails_and_nothing_of_it_can_go() {
        let left = reduce((0..100).collect(), |rest: &[i32]| [17, 18, 80].iter().all(|one| rest.contains(one)));
        assert_eq!(left, [17, 18, 80]);
        assert_eq!(reduce(vec![1, 2, 3], |_| true), [0; 0]);
        assert_eq!(reduce(vec![1, 2, 3], |rest| rest.len() == 3), [1, 2, 3]);
    }
}
