//! Promotion: the positive evidence that the next stage needs. Silence is none.

use std::collections::BTreeSet;

use registry::{NotebookId, Now};
use serde::{Deserialize, Serialize};

use super::evidence::{Class, Evidence, Outcome};

/// The time between two pieces of evidence that counts at most, in milliseconds: ten minutes. What lies beyond is silence, in
/// which nothing was watched.
const MAX_GAP_MS: u64 = 10 * 60 * 1000;

/// How much evidence a promotion needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Needed {
    /// Clean comparisons, none differing: the rule of three, `3 / p`, excludes a rate above `p` with 95 % confidence.
    pub clean: u64,
    /// Notebooks that they come from.
    pub notebooks: u64,
    /// Time under watch, in milliseconds.
    pub watched_ms: u64,
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Clean comparisons.
    pub clean: u64,
    /// Differences that noise does not excuse, and failures. One is enough to hold until it is explained: as a known
    /// difference or by a new build.
    pub hits: u64,
    /// Notebooks seen; counted up to what is needed.
    pub notebooks: u64,
    /// Time under watch, in milliseconds.
    pub watched_ms: u64,
    /// What all this has to come to.
    pub needed: Needed,
}

impl Progress {
    /// Whether it is enough.
    pub fn is_enough(&self) -> bool {
        let Needed { clean, notebooks, watched_ms } = self.needed;
        self.hits == 0 && self.clean >= clean && self.notebooks >= notebooks && self.watched_ms >= watched_ms
    }
}

/// The evidence for one stage: a generation of the flags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Promotion {
    clean: u64,
    hits: u64,
    notebooks: BTreeSet<NotebookId>,
    watched_ms: u64,
    /// Of a monotonic clock that begins anew with each process, and so it is not kept.
    #[serde(skip)]
    last_mono_ms: Option<u64>,
}

impl Promotion {
    pub(super) fn add(&mut self, now: Now, notebook: &NotebookId, evidence: &Evidence, needed: Needed) {
        match evidence {
            Evidence::Compared { outcome: Outcome::Inconclusive | Outcome::Noise, .. } | Evidence::Timed { .. } => {
                return;
            }
            Evidence::Compared { outcome: Outcome::Clean, .. } => self.clean = self.clean.saturating_add(1),
            Evidence::Compared { class: Class::Noisy { control_differs: true }, .. } => {}
            Evidence::Compared { .. } | Evidence::Incident(_) => self.hits = self.hits.saturating_add(1),
        }
        if (self.notebooks.len() as u64) < needed.notebooks {
            self.notebooks.insert(notebook.clone());
        }
        let gap = self.last_mono_ms.map_or(0, |last| now.mono_ms.saturating_sub(last));
        self.watched_ms = self.watched_ms.saturating_add(gap.min(MAX_GAP_MS));
        self.last_mono_ms = Some(now.mono_ms);
    }

    pub(super) fn progress(&self, needed: Needed) -> Progress {
        let notebooks = self.notebooks.len() as u64;
        Progress { clean: self.clean, hits: self.hits, notebooks, watched_ms: self.watched_ms, needed }
    }
}
