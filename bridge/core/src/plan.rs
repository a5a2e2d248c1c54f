//! The plan: what a flag document would do to the notebooks that are known, before it does it.

use flags::{Context, Snapshot};
use serde::Serialize;

use crate::{Ability, Boundary, Decision, Latch, Path, Reason, Route, decide};

/// A notebook as a plan looks at it.
#[derive(Clone, Debug)]
pub struct Known {
    /// What its rules can target.
    pub context: Context,
    /// What its store and its runtime offer.
    pub ability: Ability,
    /// Whether an old path can take it back.
    pub has_old_path: bool,
}

/// What a flag document would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The notebooks that would change routes.
    pub moves: Vec<Move>,
    /// How many would stay.
    pub stays: usize,
    /// Notebooks that the document sends back while it moves more of them towards the new path: a rise of a percentage should
    /// move nobody back, which holds where the variant that grows stands first in its `fractional`.
    pub against_the_ramp: Vec<String>,
    /// Notebooks that would go to the new path and could not come back, because nothing serves them on the old one.
    pub without_way_back: Vec<String>,
}

impl Plan {
    /// That of a document while nothing can move, for so many notebooks.
    pub fn none(stays: usize) -> Self {
        Self { moves: Vec::new(), stays, against_the_ramp: Vec::new(), without_way_back: Vec::new() }
    }
}

/// One notebook's change of route.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// The notebook.
    pub notebook: String,
    /// Its route now.
    pub from: Route,
    /// Its route under the document.
    pub to: Route,
    /// Why the document decides so.
    pub reason: Reason,
    /// When a running session would follow.
    pub boundary: Boundary,
}

impl Move {
    fn is_to_new(&self) -> bool {
        self.from.serving() == Path::Legacy && self.to.serving() == Path::Registry
    }

    fn is_back(&self) -> bool {
        self.from.serving() == Path::Registry && self.to.serving() == Path::Legacy
    }
}

/// Compares the decisions of the flags in force with those of a document, notebook by notebook. What is latched stays.
pub fn plan<'a>(
    current: &Snapshot,
    is_configured: bool,
    next: &Snapshot,
    latch: &Latch,
    notebooks: impl IntoIterator<Item = &'a Known>,
) -> Plan {
    let mut plan = Plan::none(0);
    for known in notebooks {
        let from = decide(current, is_configured, &known.context, known.ability).under(latch);
        let to = decide(next, true, &known.context, known.ability).under(latch);
        if from.route == to.route {
            plan.stays += 1;
            continue;
        }
        if to.route.serving() == Path::Registry && !known.has_old_path {
            plan.without_way_back.push(to.notebook.clone());
        }
        plan.moves.push(moved(&from, to));
    }
    plan.against_the_ramp = against_the_ramp(&plan.moves);
    plan
}

fn moved(from: &Decision, to: Decision) -> Move {
    let boundary = to.effective_boundary();
    Move { notebook: to.notebook, from: from.route, to: to.route, reason: to.reason, boundary }
}

fn against_the_ramp(moves: &[Move]) -> Vec<String> {
    let to_new = moves.iter().filter(|moved| moved.is_to_new()).count();
    let back: Vec<String> = moves.iter().filter(|moved| moved.is_back()).map(|moved| moved.notebook.clone()).collect();
    if back.len() < to_new { back } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flags::LiveFlags;

    use super::*;

    fn flags(fractional: &str) -> Arc<Snapshot> {
        let live = LiveFlags::new();
        let document = format!(
            r#"{{ "flags": {{ "runtime-route": {{ "state": "ENABLED", "defaultVariant": "legacy",
            "variants": {{ "legacy": "legacy", "registry": "registry" }}, "targeting": {{ "fractional": {fractional} }} }} }} }}"#
        );
        live.apply(&document, "test").unwrap();
        live.load()
    }

    fn known(count: usize, has_old_path: bool) -> Vec<Known> {
        let ability = Ability { is_built_in: true, has_live_query: true };
        let known = |n| Known { context: Context::new(format!("notebook-{n}")), ability, has_old_path };
        (0..count).map(known).collect()
    }

    #[test]
    fn raising_the_first_variant_moves_nobody_back() {
        let (low, high) =
            (flags(r#"[["registry", 10], ["legacy", 90]]"#), flags(r#"[["registry", 40], ["legacy", 60]]"#));
        let plan = plan(&low, true, &high, &Latch::default(), &known(1000, true));
        assert!((200..400).contains(&plan.moves.len()), "{} moves", plan.moves.len());
        assert!(plan.moves.iter().all(Move::is_to_new));
        assert_eq!((plan.against_the_ramp.len(), plan.stays), (0, 1000 - plan.moves.len()));
    }

    #[test]
    fn a_rise_that_moves_notebooks_back_names_them() {
        let (low, high) =
            (flags(r#"[["registry", 10], ["legacy", 90]]"#), flags(r#"[["legacy", 60], ["registry", 40]]"#));
        let plan = plan(&low, true, &high, &Latch::default(), &known(1000, true));
        assert!(!plan.against_the_ramp.is_empty());
        let back = plan.moves.iter().filter(|moved| moved.is_back()).count();
        assert_eq!(plan.against_the_ramp.len(), back);
    }

    #[test]
    fn a_document_that_lowers_a_share_is_no_ramp() {
        let (low, high) =
            (flags(r#"[["registry", 10], ["legacy", 90]]"#), flags(r#"[["registry", 40], ["legacy", 60]]"#));
        let plan = plan(&high, true, &low, &Latch::default(), &known(1000, true));
        assert!(plan.moves.iter().all(Move::is_back));
        assert_eq!(plan.against_the_ramp, Vec::<String>::new());
        assert!(plan.moves.iter().all(|moved| moved.boundary == Boundary::Drain));
    }

    #[test]
    fn who_cannot_come_back_is_named() {
        let (none, all) = (flags(r#"[["registry", 0], ["legacy", 1]]"#), flags(r#"[["registry", 1], ["legacy", 0]]"#));
        let plan = plan(&none, true, &all, &Latch::default(), &known(3, false));
        assert_eq!(plan.without_way_back, ["notebook-0", "notebook-1", "notebook-2"]);
    }

    #[test]
    fn without_flags_everyone_is_on_the_old_path() {
        let plan =
            plan(&LiveFlags::new().load(), false, &flags(r#"[["registry", 1]]"#), &Latch::default(), &known(5, true));
        assert_eq!((plan.moves.len(), plan.stays), (5, 0));
    }
}
