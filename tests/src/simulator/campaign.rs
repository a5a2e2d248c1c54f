//! Many seeds, and the account of them.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Invariant, LIMITS, Limit, Mechanism, Outcome, Scenario, Violation, run, shrink};

/// One seed in so many is played without comparisons too: its log must be the same.
const TWICE_EVERY: u64 = 8;

/// Runs that were made, added up.
#[derive(Clone, Debug, Default)]
pub struct Campaign {
    /// Seeds played.
    pub seeds: u64,
    /// Sessions that changed paths while they ran.
    pub flips: u64,
    /// Steps of notebooks.
    pub steps: u64,
    /// Executions admitted.
    pub admitted: u64,
    /// Executions that ended.
    pub ended: u64,
    /// Executions compared.
    pub compared: u64,
    /// What was excused, by its limit.
    pub excused: BTreeMap<Limit, u64>,
}

/// A seed that breaks an invariant.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// The first thing that it breaks.
    pub violation: Violation,
    /// As little as breaks it.
    pub scenario: Scenario,
}

impl Campaign {
    /// Plays one seed and adds it up.
    ///
    /// # Errors
    /// What it breaks, shrunk.
    pub fn play(&mut self, seed: u64, without: Option<Mechanism>) -> Result<(), Box<Found>> {
        let scenario = Scenario::of_seed(seed);
        let outcome = caught(&scenario, without);
        if let Some(violation) = outcome.violations.first().cloned() {
            let scenario = match violation.invariant {
                Invariant::NoPanic => scenario,
                invariant => shrink(&scenario, invariant, without),
            };
            return Err(Box::new(Found { seed, violation, scenario }));
        }
        if seed.is_multiple_of(TWICE_EVERY) && !is_silent(&scenario, &outcome, without) {
            let detail = "the log is another one where nothing is compared".to_owned();
            let violation = Violation { invariant: Invariant::ShadowSilent, detail };
            return Err(Box::new(Found { seed, violation, scenario }));
        }
        self.add(outcome);
        Ok(())
    }

    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.flips += outcome.flips;
        self.steps += outcome.steps;
        self.admitted += outcome.admitted;
        self.ended += outcome.ended;
        self.compared += outcome.compared;
        for (limit, count) in outcome.excused {
            *self.excused.entry(limit).or_default() += count;
        }
    }

    /// Takes the account of another thread.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.flips += other.flips;
        self.steps += other.steps;
        self.admitted += other.admitted;
        self.ended += other.ended;
        self.compared += other.compared;
        for (limit, count) in other.excused {
            *self.excused.entry(limit).or_default() += count;
        }
    }
}

/// The shadow has changed nothing. It brings the live query along, so that the old path is less deaf than without.
fn is_silent(scenario: &Scenario, outcome: &Outcome, without: Option<Mechanism>) -> bool {
    let is_deaf = LIMITS.contains(&Limit::OldPathIsDeaf) && !scenario.is_undisturbed();
    is_deaf || !scenario.is_told() || caught(&scenario.clone().uncompared(), without).logs == outcome.logs
}

fn caught(scenario: &Scenario, without: Option<Mechanism>) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| run(scenario, without))).unwrap_or_else(|panic| {
        let detail = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        let violation = Violation { invariant: Invariant::NoPanic, detail };
        Outcome { violations: vec![violation], ..Outcome::default() }
    })
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "SEED={}", self.seed)?;
        writeln!(f, "{}", self.violation)?;
        writeln!(f, "shrunk to {:?}:", self.scenario.casts)?;
        for action in &self.scenario.actions {
            writeln!(f, "  {}: {:?}", action.notebook, action.what)?;
        }
        Ok(())
    }
}
