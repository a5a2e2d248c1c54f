//! Makes a failing run small: drops actions, then notebooks, as long as the same invariant breaks.

use super::{Invariant, Mechanism, Scenario, run};

/// The smallest scenario found that breaks this invariant as the given one does.
#[must_use]
pub fn shrink(scenario: &Scenario, invariant: Invariant, without: Option<Mechanism>) -> Scenario {
    let breaks = |candidate: &Scenario| {
        run(candidate, without).violations.first().is_some_and(|violation| violation.invariant == invariant)
    };
    let mut smallest = scenario.clone();
    drop_notebooks(&mut smallest, &breaks);
    let mut size = smallest.actions.len().div_ceil(2);
    loop {
        let dropped = drop_actions(&mut smallest, size, &breaks);
        if size == 1 && !dropped {
            return smallest;
        }
        if !dropped {
            size = size.div_ceil(2);
        }
    }
}

/// What happens at the others stays where it was: it becomes what happens at the one.
fn drop_notebooks(smallest: &mut Scenario, breaks: &impl Fn(&Scenario) -> bool) {
    for keep in 0..smallest.casts.len() {
        let mut candidate = Scenario { casts: vec![smallest.casts[keep].clone()], actions: Vec::new() };
        let is_of_all = |what| {
            use super::What::{Advance, BadDocument, Flip, Kill, QuietFlip};
            matches!(what, Flip { .. } | QuietFlip(_) | Kill | BadDocument | Advance(_))
        };
        for action in smallest.actions.iter().filter(|action| action.notebook == keep || is_of_all(action.what)) {
            candidate.actions.push(super::Action { notebook: 0, ..action.clone() });
        }
        if smallest.casts.len() > 1 && breaks(&candidate) {
            *smallest = candidate;
            return;
        }
    }
}

/// Drops every chunk of this size that is not needed.
fn drop_actions(smallest: &mut Scenario, size: usize, breaks: &impl Fn(&Scenario) -> bool) -> bool {
    let (mut at, mut dropped) = (0, false);
    while at < smallest.actions.len() {
        let mut candidate = smallest.clone();
        candidate.actions.drain(at..(at + size).min(smallest.actions.len()));
        if breaks(&candidate) {
            (*smallest, dropped) = (candidate, true);
        } else {
            at += size;
        }
    }
    dropped
}
