//! Cohorts: the evidence by notebook, and what it says of all notebooks together.
//!
//! Comparisons of one notebook resemble each other, so a notebook is one voice. Two questions are asked of each metric:
//!
//! - *Is this notebook broken?* Its own e-value: the product of its rate and its pair test, of which every comparison moves
//!   one. Its claim is that this notebook is innocent; alpha is for each stay of a notebook in memory.
//! - *Is it broken everywhere?* The claim is that **at most one** notebook is broken, so that a single one, however loud, never
//!   rolls back the world. Its e-value is half of each of these:
//!   - the *average* of the notebooks' e-values with the largest left out. The n-th notebook to arrive weighs `1 / n(n+1)`, and
//!     what is not given out yet stands at 1: weights fixed before the data keep the average an e-value while notebooks arrive,
//!     which a plain mean does not (it would give every newcomer a new chance). Whoever stands below its stake counts as 0;
//!   - the *pool*: one test over all notebooks in which each takes part until its first hit. One hit is left out. It sees what
//!     is spread thin: one hit in each of a few notebooks. Matches elsewhere cannot hide it from the notebook's own test.
//!
//! Both stay below what they would be without the notebook that is broken, whichever it is, so the claim is tested as it stands.
//!
//! Memory is bounded by folding: beyond [`MAX_COHORTS`] the notebooks without a hit that were not seen for longest are
//! forgotten. They count as 0 in the average anyway, and stay in the pool; when one comes back it is a newcomer.

use std::collections::{BTreeMap, BTreeSet};

use registry::NotebookId;
use serde::{Deserialize, Serialize};

use super::evalue::{Counts, ln_e_pairs, ln_e_rate};
use super::evidence::{Bet, Metric, Test};

/// Notebooks with evidence of their own. A cohort takes about 250 bytes with its id: 10,000 of them stay under 4 MB, and a
/// host that serves more has them folded without losing what speaks against the candidate.
pub const MAX_COHORTS: usize = 10_000;

/// How many are left after folding: a quarter at once, so that folding is seldom.
const FOLDED_COHORTS: usize = MAX_COHORTS - MAX_COHORTS / 4;

/// `ln E` above which it does not matter any more; a million times over it still fits a float.
const MAX_LN_E: f64 = 600.0;

/// The counts of one metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tested {
    rate: Counts,
    pairs: Counts,
}

impl Tested {
    fn add(&mut self, bet: Bet) {
        match bet.test {
            Test::Rate => self.rate.add(bet.is_hit),
            Test::Pairs => self.pairs.add(bet.is_hit),
        }
    }

    fn has_hit(self) -> bool {
        self.rate.hits > 0 || self.pairs.hits > 0
    }

    /// Each comparison moves one of the two, so that their product is an e-value too.
    fn ln_e(self, limit: f64) -> f64 {
        (ln_e_rate(self.rate, limit) + ln_e_pairs(self.pairs)).min(MAX_LN_E)
    }

    /// With the hit left out that says most.
    fn ln_e_without_a_hit(self, limit: f64) -> f64 {
        let rate = self.rate.without_a_hit().map(|rate| Self { rate, ..self }.ln_e(limit));
        let pairs = self.pairs.without_a_hit().map(|pairs| Self { pairs, ..self }.ln_e(limit));
        rate.into_iter().chain(pairs).reduce(f64::min).unwrap_or_else(|| self.ln_e(limit))
    }
}

/// One notebook's evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cohort {
    /// Which notebook it was to arrive; its weight follows from it.
    rank: u64,
    /// The number of the piece of evidence that was its last.
    seen: u64,
    tested: [Tested; 3],
    /// `ln E` by metric, which follows from the counts.
    #[serde(skip)]
    ln_e: [f64; 3],
}

impl Cohort {
    fn new(rank: u64) -> Self {
        Self { rank, seen: 0, tested: Default::default(), ln_e: [0.0; 3] }
    }

    fn has_hit(&self) -> bool {
        self.tested.iter().any(|tested| tested.has_hit())
    }

    fn is_hot(&self) -> bool {
        self.ln_e.iter().any(|ln_e| *ln_e > 0.0)
    }

    /// Its part of the average.
    fn share(&self, metric: Metric) -> f64 {
        let rank = self.rank.max(1) as f64;
        let ln_e = self.ln_e[metric as usize];
        if ln_e > 0.0 { ln_e.exp() / (rank * (rank + 1.0)) } else { 0.0 }
    }
}

/// The evidence of all notebooks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cohorts {
    by_notebook: BTreeMap<NotebookId, Cohort>,
    arrived: u64,
    seen: u64,
    pool: [Tested; 3],
    /// A notebook with a hit had to be forgotten, so that its next would count twice: the pool takes nothing more.
    is_pool_closed: bool,
    #[serde(skip)]
    pool_ln_e: [f64; 3],
    /// The notebooks that stand above their stake in some metric.
    #[serde(skip)]
    hot: BTreeSet<NotebookId>,
}

impl Cohorts {
    /// How many notebooks have arrived, those that came back included.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Settles a bet.
    pub(super) fn add(&mut self, notebook: &NotebookId, bet: Bet, limit: f64) {
        self.make_room_for(notebook);
        self.seen = self.seen.saturating_add(1);
        let arrived = &mut self.arrived;
        let cohort = self.by_notebook.entry(notebook.clone()).or_insert_with(|| {
            *arrived = arrived.saturating_add(1);
            Cohort::new(*arrived)
        });
        cohort.seen = self.seen;
        let at = bet.metric as usize;
        if !cohort.tested[at].has_hit() && !self.is_pool_closed {
            self.pool[at].add(bet);
            self.pool_ln_e[at] = self.pool[at].ln_e_without_a_hit(limit);
        }
        cohort.tested[at].add(bet);
        cohort.ln_e[at] = cohort.tested[at].ln_e(limit);
        if cohort.is_hot() {
            self.hot.insert(notebook.clone());
        } else {
            self.hot.remove(notebook);
        }
    }

    /// `ln E` against the claim that this notebook is innocent.
    pub(super) fn ln_e_of(&self, notebook: &NotebookId, metric: Metric) -> f64 {
        self.by_notebook.get(notebook).map_or(0.0, |cohort| cohort.ln_e[metric as usize])
    }

    /// `ln E` against the claim that at most one notebook is broken.
    pub(super) fn ln_e_everywhere(&self, metric: Metric) -> f64 {
        let shares = self.hot.iter().filter_map(|id| self.by_notebook.get(id)).map(|cohort| cohort.share(metric));
        let (sum, largest) = shares.fold((0.0, 0.0_f64), |(sum, largest), share| (sum + share, largest.max(share)));
        let not_given_out = 1.0 / (self.arrived as f64 + 1.0);
        let average = not_given_out + (sum - largest);
        let pool = self.pool_ln_e[metric as usize].exp();
        (0.5 * average + 0.5 * pool).ln()
    }

    /// Forgets the evidence of a notebook that somebody has explained, and takes its hit back out of the pool.
    pub(super) fn pardon(&mut self, notebook: &NotebookId, limit: f64) {
        let Some(cohort) = self.forget(notebook) else { return };
        for (at, tested) in cohort.tested.into_iter().enumerate() {
            let pool = &mut self.pool[at];
            let counts = if tested.rate.hits > 0 { &mut pool.rate } else { &mut pool.pairs };
            if let Some(without) = counts.without_a_hit().filter(|_| tested.has_hit()) {
                *counts = without;
            }
            self.pool_ln_e[at] = self.pool[at].ln_e_without_a_hit(limit);
        }
    }

    fn forget(&mut self, notebook: &NotebookId) -> Option<Cohort> {
        self.hot.remove(notebook);
        self.by_notebook.remove(notebook)
    }

    /// Works out what follows from the counts, after they were read.
    pub(super) fn refresh(&mut self, limit: f64) {
        self.pool_ln_e = self.pool.map(|tested| tested.ln_e_without_a_hit(limit));
        self.hot.clear();
        for (id, cohort) in &mut self.by_notebook {
            cohort.ln_e = cohort.tested.map(|tested| tested.ln_e(limit));
            if cohort.is_hot() {
                self.hot.insert(id.clone());
            }
        }
    }

    fn make_room_for(&mut self, newcomer: &NotebookId) {
        if self.by_notebook.len() < MAX_COHORTS || self.by_notebook.contains_key(newcomer) {
            return;
        }
        let mut order: Vec<(bool, u64, NotebookId)> =
            self.by_notebook.iter().map(|(id, cohort)| (cohort.has_hit(), cohort.seen, id.clone())).collect();
        order.sort_unstable();
        for (has_hit, _, id) in order.into_iter().take(self.by_notebook.len() - FOLDED_COHORTS) {
            self.is_pool_closed |= has_hit;
            self.forget(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: f64 = 0.005;

    fn bet(is_hit: bool) -> Bet {
        Bet { metric: Metric::Mismatches, test: Test::Rate, is_hit }
    }

    fn everywhere(cohorts: &Cohorts) -> f64 {
        cohorts.ln_e_everywhere(Metric::Mismatches)
    }

    fn add(cohorts: &mut Cohorts, notebook: usize, hits: usize, others: usize) {
        let id = NotebookId::from(format!("n{notebook}"));
        (0..others).for_each(|_| cohorts.add(&id, bet(false), LIMIT));
        (0..hits).for_each(|_| cohorts.add(&id, bet(true), LIMIT));
    }

    #[test]
    fn before_any_evidence_the_stake_is_whole() {
        assert!(everywhere(&Cohorts::default()).abs() < 1e-12);
    }

    #[test]
    fn one_notebook_alone_says_nothing_of_the_world() {
        let mut cohorts = Cohorts::default();
        add(&mut cohorts, 0, 100_000, 0);
        assert!(everywhere(&cohorts) < 0.0, "{}", everywhere(&cohorts));
    }

    #[test]
    fn one_hit_in_each_of_four_notebooks_does() {
        let mut cohorts = Cohorts::default();
        (0..4).for_each(|notebook| add(&mut cohorts, notebook, 1, 0));
        assert!(everywhere(&cohorts) > 3000.0_f64.ln());
    }

    /// Of the last weights and the largest left out, both by the definition.
    #[test]
    fn the_average_is_that_of_the_definition() {
        let mut cohorts = Cohorts::default();
        for (notebook, hits) in [3, 1, 0, 2].into_iter().enumerate() {
            add(&mut cohorts, notebook, hits, 1);
        }
        let e = |hits, others| ln_e_rate(Counts { hits, others }, LIMIT).exp();
        let average = e(1, 1) / 6.0 + e(2, 1) / 20.0 + 1.0 / 5.0;
        let pool = e(2, 4);
        let expect = (0.5 * average + 0.5 * pool).ln();
        assert!((everywhere(&cohorts) - expect).abs() < 1e-9, "{} and {expect}", everywhere(&cohorts));
    }

    #[test]
    fn a_hundred_thousand_notebooks_take_what_ten_thousand_take_and_hide_nobody() {
        let mut cohorts = Cohorts::default();
        add(&mut cohorts, 0, 1, 0);
        (1..100_000).for_each(|notebook| add(&mut cohorts, notebook, 0, 1));
        assert!(cohorts.by_notebook.len() <= MAX_COHORTS);
        assert!(std::mem::size_of::<(NotebookId, Cohort)>() < 250 - 40, "an id has some 40 bytes");
        let struck = NotebookId::from("n0");
        let once = cohorts.ln_e_of(&struck, Metric::Mismatches);
        assert!(once > 0.0, "a notebook with a hit is not forgotten");
        add(&mut cohorts, 0, 1, 0);
        assert!(cohorts.ln_e_of(&struck, Metric::Mismatches) > 3000.0_f64.ln());
    }

    #[test]
    fn a_notebook_that_is_explained_is_forgotten_by_the_pool_too() {
        let mut cohorts = Cohorts::default();
        (0..4).for_each(|notebook| add(&mut cohorts, notebook, 1, 0));
        (0..3).for_each(|notebook| cohorts.pardon(&NotebookId::from(format!("n{notebook}")), LIMIT));
        assert!(everywhere(&cohorts) < 1.0);
        add(&mut cohorts, 9, 1, 0);
        assert!(everywhere(&cohorts) < 3000.0_f64.ln());
    }

    #[test]
    fn what_follows_from_the_counts_is_found_again() {
        let mut cohorts = Cohorts::default();
        (0..30).for_each(|notebook| add(&mut cohorts, notebook, notebook % 3, notebook));
        let mut read: Cohorts = serde_json::from_str(&serde_json::to_string(&cohorts).unwrap()).unwrap();
        read.refresh(LIMIT);
        assert!(read == cohorts);
    }
}
