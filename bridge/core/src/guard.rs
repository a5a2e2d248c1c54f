//! The guard: takes evidence on the candidate, comparison by comparison, and rolls back by itself when it says so.
//!
//! One event that must never happen is answered at once. Errors, mismatches and latency are tested with e-values, which may be
//! looked at after every comparison; see `guard/evalue.rs` for the formulas and `guard/cohorts.rs` for how notebooks are told
//! apart. A rollback closes a [`Latch`] that only a person opens. Promotion is advice, and needs positive evidence: without
//! data the guard holds.
//!
//! A notebook's own e-values depend on how many of its comparisons were what, not on their order.

mod cohorts;
mod evalue;
mod evidence;
mod latch;
mod promotion;
mod record;
mod state;

use registry::{NotebookId, Now};
use serde::{Deserialize, Serialize};

pub use cohorts::MAX_COHORTS;
pub use evalue::{Counts, ln_e_pairs, ln_e_rate};
pub use evidence::{Class, Evidence, Incident, Metric, Outcome};
pub use latch::{Closed, Latch, MAX_LATCHED_NOTEBOOKS, RearmError, Rearmed, Scope, Tier, UnkillError};
pub use promotion::{Needed, Progress};
pub use record::{Discordant, MAX_DISCORDANT, MAX_POINTS, Point, Totals};
pub use state::StateError;

use crate::{Kill, RULES_VERSION};
use cohorts::Cohorts;
use promotion::Promotion;
use record::{Record, bump, log10};

/// The chance that a build in which nothing is wrong is ever rolled back everywhere, by all metrics together; and that one
/// innocent notebook is ever rolled back by its own evidence. One in a thousand builds is less than people do wrong.
pub const ALPHA: f64 = 1e-3;

/// The share of comparisons that may differ in a deterministic class, unless the host says otherwise. It is what promotion
/// has to exclude, so that nothing is both tolerated and promoted; and with alpha split over three metrics, the first two
/// comparisons of a notebook still suffice when both differ.
pub const RATE_LIMIT: f64 = 0.005;

/// The limits that a host may set for the rate. Below, 3 / p is more than a host ever compares; at one half, noise.
const RATE_LIMITS: (f64, f64) = (1e-6, 0.5);

/// Notebooks that a promotion needs unless the host says otherwise: few enough for a small team, and too many to be one user.
pub const MIN_NOTEBOOKS: u64 = 10;

/// The most notebooks that a promotion may be made to need, since their ids are remembered.
const MAX_MIN_NOTEBOOKS: u64 = 1000;

/// The time under watch that a promotion needs unless the host says otherwise, in milliseconds: an hour.
pub const MIN_WATCHED_MS: u64 = 60 * 60 * 1000;

/// How a guard works.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Says what it would do, and does not do it.
    pub is_dry_run: bool,
    /// The rate of differences that rollback tolerates and promotion excludes.
    pub rate_limit: f64,
    /// Notebooks that a promotion needs.
    pub min_notebooks: u64,
    /// Time under watch that a promotion needs, in milliseconds.
    pub min_watched_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { is_dry_run: false, rate_limit: RATE_LIMIT, min_notebooks: MIN_NOTEBOOKS, min_watched_ms: MIN_WATCHED_MS }
    }
}

impl Settings {
    fn rate_limit(&self) -> f64 {
        let (least, most) = RATE_LIMITS;
        if self.rate_limit.is_finite() { self.rate_limit.clamp(least, most) } else { RATE_LIMIT }
    }

    fn needed(&self) -> Needed {
        Needed {
            // Casting saturates; the limit is at least 1e-6.
            clean: (3.0 / self.rate_limit() - 1e-9).ceil() as u64,
            notebooks: self.min_notebooks.min(MAX_MIN_NOTEBOOKS),
            watched_ms: self.min_watched_ms,
        }
    }
}

/// What the guard says after a piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "advice", rename_all = "kebab-case")]
pub enum Advice {
    /// Stay as it is: the evidence speaks neither for a rollback nor for more.
    Hold,
    /// Roll back. Said once for each scope; unless it is a dry run, the latch has closed already.
    Rollback(Box<Rollback>),
    /// There is enough positive evidence for the next stage. People take the step.
    Promote,
}

/// A rollback with the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// How far, what for, since when.
    #[serde(flatten)]
    pub closed: Closed,
    /// Nothing was latched: this is what would have been done.
    pub is_dry_run: bool,
    /// The version of the rules of normalisation by which the sides were compared.
    pub rules_version: u32,
    /// What was counted until then.
    pub totals: Totals,
    /// The e-values of all notebooks together on the way there.
    pub path: Vec<Point>,
    /// The last hits within the scope, with the e-values that each brought about.
    pub discordant: Vec<Discordant>,
}

/// What an operator sees of the guard.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardStatus {
    /// Whether it only says what it would do.
    pub is_dry_run: bool,
    /// The candidate's build.
    pub build: String,
    /// What is latched.
    pub latched: Vec<Closed>,
    /// What would be, had this been no dry run.
    pub would_be_latched: Vec<Closed>,
    /// Who re-armed what, and why.
    pub rearmed: Vec<Rearmed>,
    /// What this build's evidence consists of.
    pub totals: Totals,
    /// Notebooks that it comes from; one that came back after it was folded counts again.
    pub notebooks: u64,
    /// How far the stage is on the way to the next.
    pub promotion: Progress,
    /// Whether that is enough.
    pub is_promotable: bool,
    /// The e-values of all notebooks together, as logarithms to the base of 10: errors, mismatches, latency.
    pub log10_e: [f64; 3],
    /// The same for which there is a rollback.
    pub log10_threshold: f64,
}

/// The evidence on one build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Collected {
    cohorts: Cohorts,
    /// The first notebook with an incident: at the second the world is rolled back.
    incident_at: Option<NotebookId>,
    promotion: Promotion,
    record: Record,
}

/// The guard of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    settings: Settings,
    build: String,
    generation: u64,
    latch: Latch,
    /// What a dry run has advised. It is in force nowhere and ends with the process.
    advised: Latch,
    collected: Collected,
}

/// A rollback that is about to be.
struct Verdict {
    scope: Scope,
    tier: Tier,
    grounds: String,
}

impl Guard {
    /// A guard without evidence. `build` names the candidate's build: another one begins with new evidence.
    pub fn new(settings: Settings, build: &str) -> Self {
        let build = build.to_owned();
        let (latch, advised) = (Latch::default(), Latch::default());
        Self { settings, build, generation: 0, latch, advised, collected: Collected::default() }
    }

    /// Takes a piece of evidence on a notebook and says what follows. A rollback is latched when this returns.
    pub fn take(&mut self, now: Now, notebook: &NotebookId, evidence: &Evidence) -> Advice {
        self.take_of(now, notebook, evidence, true)
    }

    /// The same for evidence that was gathered under other flags than those of this stage. It speaks of the build, whichever
    /// stage it is in, and promotes nothing.
    pub fn take_late(&mut self, now: Now, notebook: &NotebookId, evidence: &Evidence) -> Advice {
        self.take_of(now, notebook, evidence, false)
    }

    fn take_of(&mut self, now: Now, notebook: &NotebookId, evidence: &Evidence, is_of_stage: bool) -> Advice {
        self.collected.record.totals.add(evidence);
        // What must never happen may reach further than the rollback that is there.
        if self.is_rolled_back(notebook) && !matches!(evidence, Evidence::Incident(_)) {
            bump(&mut self.collected.record.totals.late);
            return Advice::Hold;
        }
        if is_of_stage {
            let needed = self.settings.needed();
            self.collected.promotion.add(now, notebook, evidence, needed);
        }
        let verdict = match evidence {
            Evidence::Incident(incident) => Some(self.incident(notebook, *incident)),
            _ => self.weigh(now, notebook, evidence),
        };
        match verdict {
            Some(verdict) => self.roll_back(now, verdict),
            None => self.advise(),
        }
    }

    /// What the evidence so far says for more. Without any: hold.
    pub fn advise(&self) -> Advice {
        if self.is_promotable() { Advice::Promote } else { Advice::Hold }
    }

    /// Begins a stage: another generation of the flags has to earn its promotion anew. What speaks against the build stays,
    /// and so does the latch.
    pub fn begin_stage(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.collected.promotion = Promotion::default();
        }
    }

    /// Works otherwise from now on. What is latched stays latched.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
        self.advised = Latch::default();
        self.collected.cohorts.refresh(settings.rate_limit());
    }

    /// The rollbacks in force.
    pub fn latch(&self) -> &Latch {
        &self.latch
    }

    /// Opens a latch, and forgets what had closed it: the next verdict is on what comes after.
    ///
    /// # Errors
    /// Without a reason, or where this scope is not latched.
    pub fn rearm(&mut self, now: Now, scope: &Scope, by: Option<&str>, reason: &str) -> Result<(), RearmError> {
        self.latch.rearm(now, scope, by, reason)?;
        self.forget_what_closed(scope);
        Ok(())
    }

    /// Takes over the latch of a store that others write too. What somebody has opened there is open here, and what had closed
    /// it is forgotten.
    pub fn obey(&mut self, latch: Latch) {
        let opened = self.latch.closed_beyond(&latch);
        self.latch = latch;
        opened.iter().for_each(|scope| self.forget_what_closed(scope));
    }

    fn forget_what_closed(&mut self, scope: &Scope) {
        match scope {
            Scope::Everywhere => self.collected = Collected::default(),
            Scope::Notebook(id) => {
                self.collected.cohorts.pardon(id, self.settings.rate_limit());
                self.collected.incident_at.take_if(|at| at == id);
                self.collected.promotion = Promotion::default();
            }
        }
    }

    /// Keeps a kill with the rollbacks, so that it outlives the process as they do.
    pub fn kill(&mut self, kill: Kill) {
        self.latch.kill(kill);
    }

    /// Lets go of the kill that is kept.
    ///
    /// # Errors
    /// Without a reason, or where none is kept.
    pub fn unkill(&mut self, reason: &str) -> Result<Kill, UnkillError> {
        self.latch.unkill(reason)
    }

    /// What an operator sees.
    pub fn status(&self) -> GuardStatus {
        GuardStatus {
            is_dry_run: self.settings.is_dry_run,
            build: self.build.clone(),
            latched: self.latch.closed().cloned().collect(),
            would_be_latched: self.advised.closed().cloned().collect(),
            rearmed: self.latch.rearmed().cloned().collect(),
            totals: self.collected.record.totals,
            notebooks: self.collected.cohorts.arrived(),
            promotion: self.collected.promotion.progress(self.settings.needed()),
            is_promotable: self.is_promotable(),
            log10_e: Metric::ALL.map(|metric| log10(self.collected.cohorts.ln_e_everywhere(metric))),
            log10_threshold: log10(threshold()),
        }
    }

    fn is_rolled_back(&self, notebook: &NotebookId) -> bool {
        let holds = |latch: &Latch| latch.holds(notebook.as_str()).is_some();
        holds(&self.latch) || holds(&self.advised)
    }

    fn is_promotable(&self) -> bool {
        let is_clear = self.latch.is_open() && self.advised.is_open();
        is_clear && self.collected.promotion.progress(self.settings.needed()).is_enough()
    }

    fn incident(&mut self, notebook: &NotebookId, incident: Incident) -> Verdict {
        let first = self.collected.incident_at.get_or_insert_with(|| notebook.clone());
        let is_everywhere = incident.is_everywhere() || first != notebook;
        let name = name(&incident);
        let (scope, grounds) = match is_everywhere {
            false => (Scope::Notebook(notebook.clone()), format!("incident `{name}`")),
            true if first != notebook => {
                (Scope::Everywhere, format!("incident `{name}` at notebook `{notebook}`, after one at `{first}`"))
            }
            true => (Scope::Everywhere, format!("incident `{name}` at notebook `{notebook}`")),
        };
        Verdict { scope, tier: Tier::ZeroTolerance, grounds }
    }

    fn weigh(&mut self, now: Now, notebook: &NotebookId, evidence: &Evidence) -> Option<Verdict> {
        let bets = evidence.bets();
        let limit = self.settings.rate_limit();
        let Collected { cohorts, record, .. } = &mut self.collected;
        for bet in &bets {
            cohorts.add(notebook, *bet, limit);
        }
        for bet in bets.iter().filter(|bet| bet.is_hit) {
            let Some(queue_id) = evidence.id() else { continue };
            record.strike(Discordant {
                wall_ms: now.wall_ms,
                notebook: notebook.clone(),
                queue_id: queue_id.clone(),
                metric: bet.metric,
                log10_e: log10(cohorts.ln_e_of(notebook, bet.metric)),
                log10_e_everywhere: log10(cohorts.ln_e_everywhere(bet.metric)),
            });
        }
        record.pass(now, |metric| cohorts.ln_e_everywhere(metric));
        Metric::ALL.into_iter().find_map(|metric| self.verdict(notebook, metric))
    }

    fn verdict(&self, notebook: &NotebookId, metric: Metric) -> Option<Verdict> {
        let (own, everywhere) = {
            let cohorts = &self.collected.cohorts;
            (cohorts.ln_e_of(notebook, metric), cohorts.ln_e_everywhere(metric))
        };
        let (scope, ln_e) = match () {
            () if everywhere >= threshold() => (Scope::Everywhere, everywhere),
            () if own >= threshold() => (Scope::Notebook(notebook.clone()), own),
            () => return None,
        };
        let tier = match metric {
            Metric::Errors => Tier::Errors,
            Metric::Mismatches => Tier::Mismatches,
            Metric::Latency => Tier::Latency,
        };
        let grounds = format!("{}: e-value 1e{:.1}, threshold 1e{:.1}", name(&metric), log10(ln_e), log10(threshold()));
        Some(Verdict { scope, tier, grounds })
    }

    fn roll_back(&mut self, now: Now, verdict: Verdict) -> Advice {
        let closed = Closed {
            scope: verdict.scope,
            tier: verdict.tier,
            grounds: verdict.grounds,
            since_wall_ms: now.wall_ms,
            build: self.build.clone(),
            generation: self.generation,
        };
        let is_dry_run = self.settings.is_dry_run;
        let latch = if is_dry_run { &mut self.advised } else { &mut self.latch };
        if !latch.close(closed.clone()) {
            bump(&mut self.collected.record.totals.late);
            return Advice::Hold;
        }
        // Too many single cases close it everywhere.
        let scope = if latch.is_everywhere() { Scope::Everywhere } else { closed.scope };
        Advice::Rollback(Box::new(self.bundle(Closed { scope, ..closed }, is_dry_run)))
    }

    fn bundle(&self, closed: Closed, is_dry_run: bool) -> Rollback {
        let Record { totals, path, discordant, .. } = &self.collected.record;
        let is_within = |discordant: &&Discordant| match &closed.scope {
            Scope::Everywhere => true,
            Scope::Notebook(id) => discordant.notebook == *id,
        };
        let discordant = discordant.iter().filter(is_within).cloned().collect();
        let rules_version = RULES_VERSION;
        Rollback { closed, is_dry_run, rules_version, totals: *totals, path: path.clone(), discordant }
    }
}

/// `ln` of the e-value for which there is a rollback: alpha is split evenly over the metrics.
fn threshold() -> f64 {
    (Metric::ALL.len() as f64 / ALPHA).ln()
}

/// The name that something has in JSON.
fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
