//! The record: how the evidence came to what it came to, in bounded space, for the people who look at a rollback.

use std::collections::VecDeque;

use registry::{NotebookId, Now, QueueId};
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Metric, Outcome};

/// Points of the path that are kept. When they are full every other one goes, so that they span the whole of it evenly.
pub const MAX_POINTS: usize = 128;

/// The last hits that are kept, with their executions: enough to see a pattern, about 20 KB.
pub const MAX_DISCORDANT: usize = 100;

/// What was counted, in all and of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Executions compared.
    pub compared: u64,
    /// Without a difference that counts.
    pub clean: u64,
    /// Different only where the control was seen to differ from itself.
    #[serde(default)]
    pub noise: u64,
    /// Different.
    pub mismatched: u64,
    /// Failed in the candidate only.
    pub failed: u64,
    /// Of which nothing could be said.
    pub inconclusive: u64,
    /// Executions timed on both sides.
    pub timed: u64,
    /// Incidents.
    pub incidents: u64,
    /// Pieces of evidence that came after the rollback of their notebook and were counted here only.
    pub late: u64,
}

impl Totals {
    pub(super) fn add(&mut self, evidence: &Evidence) {
        let Evidence::Compared { outcome, .. } = evidence else {
            let is_incident = matches!(evidence, Evidence::Incident(_));
            return bump(if is_incident { &mut self.incidents } else { &mut self.timed });
        };
        bump(&mut self.compared);
        bump(match outcome {
            Outcome::Clean => &mut self.clean,
            Outcome::Noise => &mut self.noise,
            Outcome::Mismatch => &mut self.mismatched,
            Outcome::Failed => &mut self.failed,
            Outcome::Inconclusive => &mut self.inconclusive,
        });
    }
}

pub(super) fn bump(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// The e-values of all notebooks together, as logarithms to the base of 10, at one point of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// When, in milliseconds since 1970.
    pub wall_ms: i64,
    /// How many executions had been compared.
    pub compared: u64,
    /// Errors, mismatches and latency.
    pub log10_e: [f64; 3],
}

/// One hit, and where it brought the e-values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discordant {
    /// When, in milliseconds since 1970.
    pub wall_ms: i64,
    /// The notebook.
    pub notebook: NotebookId,
    /// The execution.
    pub queue_id: QueueId,
    /// What it speaks of.
    pub metric: Metric,
    /// The notebook's own e-value after it, as a logarithm to the base of 10.
    pub log10_e: f64,
    /// That of all notebooks together.
    pub log10_e_everywhere: f64,
}

/// What is kept of a build's evidence besides the counts that decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) totals: Totals,
    pub(super) path: Vec<Point>,
    pub(super) discordant: VecDeque<Discordant>,
    stride: u64,
    pieces: u64,
}

impl Default for Record {
    fn default() -> Self {
        Self { totals: Totals::default(), path: Vec::new(), discordant: VecDeque::new(), stride: 1, pieces: 0 }
    }
}

impl Record {
    /// Takes down where the e-values stand, as often as the path has room for.
    pub(super) fn pass(&mut self, now: Now, ln_e: impl Fn(Metric) -> f64) {
        bump(&mut self.pieces);
        if !self.pieces.is_multiple_of(self.stride.max(1)) {
            return;
        }
        if self.path.len() >= MAX_POINTS {
            let mut at = 0;
            self.path.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            self.stride = self.stride.saturating_mul(2);
        }
        let log10_e = Metric::ALL.map(|metric| log10(ln_e(metric)));
        self.path.push(Point { wall_ms: now.wall_ms, compared: self.totals.compared, log10_e });
    }

    pub(super) fn strike(&mut self, discordant: Discordant) {
        if self.discordant.len() >= MAX_DISCORDANT {
            self.discordant.pop_front();
        }
        self.discordant.push_back(discordant);
    }
}

pub(super) fn log10(ln: f64) -> f64 {
    ln / std::f64::consts::LN_10
}
