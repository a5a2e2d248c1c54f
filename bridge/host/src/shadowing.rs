//! The shadow of an environment: its lane, what it is told to do, and what it has come to.

use std::path::Path;
use std::sync::Arc;

use bridge_core::{
    Comparison, ComparisonMode, Decision, Diagnostic, Evidence, Incident, Level, Observation, Verdict, Why,
};
use registry::NotebookId;
use serde::Serialize;

use crate::environment::NotebookKey;
use crate::lane::{Done, Job, Lane, LaneStatus, Program, Seeded};
use crate::mark::Marks;
use crate::step::Shed;

/// Timeouts that are told one by one; the counter knows of all.
const MAX_TOLD_TIMEOUTS: u64 = 5;

/// The lane and how it is to be used. Without a lane everything is shed.
#[derive(Default)]
pub struct Shadowing {
    lane: Option<Lane>,
    mode: ComparisonMode,
    seeded: Option<Seeded>,
    program: Option<Arc<Program>>,
    marks: Option<Arc<Marks>>,
    tally: ShadowTally,
    is_told_off: bool,
    /// How often the guard has begun anew.
    age: u64,
}

/// What became of the observations of an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowTally {
    /// Observations that were compared to the end.
    pub compared: u64,
    /// Those for which there was no room, or no lane any more.
    pub shed: u64,
    /// Those that were not done by their deadline.
    pub timed_out: u64,
    /// Those whose candidate made more than is kept.
    pub truncated: u64,
    /// Those whose candidate panicked.
    pub panicked: u64,
    /// Those whose candidate brought its process down.
    pub died: u64,
    /// Those that a process could not be asked about, or that waited when the lane went off.
    pub given_up: u64,
    /// Commits that a candidate made. It must stay 0.
    pub breaches: u64,
}

/// What an operator sees of the shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowStatus {
    /// Whether candidates run in a process of their own.
    pub is_separate: bool,
    /// What the path that serves is compared with.
    pub mode: ComparisonMode,
    /// How busy the lane is.
    #[serde(flatten)]
    pub lane: LaneStatus,
    /// What has become of the observations so far.
    #[serde(flatten)]
    pub tally: ShadowTally,
}

impl Shadowing {
    /// Compares from now on.
    pub fn open(&mut self, lane: Lane) {
        self.lane = Some(lane);
    }

    /// Compares the path that serves with this from now on.
    pub fn compare_with(&mut self, mode: ComparisonMode) {
        self.mode = mode;
    }

    /// Spoils candidates from now on, to see that it is noticed.
    pub fn seed(&mut self, seeded: Option<Seeded>) {
        self.seeded = seeded;
    }

    /// Runs candidates in a process of their own from now on, or on the lane's thread.
    pub fn separate(&mut self, program: Option<Program>) {
        self.program = program.map(Arc::new);
    }

    /// Marks runs in a file beside this latch from now on.
    ///
    /// # Errors
    /// Those of the file system; runs are then not marked.
    pub fn mark_beside(&mut self, latch: &Path, build: &'static str) -> std::io::Result<()> {
        self.marks = None;
        self.marks = Some(Arc::new(Marks::beside(latch, build)?));
        Ok(())
    }

    /// Whether runs are marked in a file beside this latch.
    pub fn marks_beside(&self, latch: &Path) -> bool {
        self.marks.as_ref().is_some_and(|marks| marks.is_beside(latch))
    }

    /// The process ends in order: no mark is to say otherwise.
    pub fn clear_marks(&self) {
        if let Some(marks) = &self.marks {
            marks.clear();
        }
    }

    /// Hands an observation to the lane.
    pub(crate) fn submit(
        &mut self,
        key: NotebookKey,
        notebook: &NotebookId,
        observation: Observation,
        decision: Decision,
    ) -> Result<(), Shed> {
        let executions = observation.executions.len() as u64;
        let is_taken = self.lane.as_ref().is_some_and(|lane| {
            lane.submit(Job {
                key,
                notebook: notebook.clone(),
                observation,
                decision,
                mode: self.mode,
                age: self.age,
                seeded: self.seeded,
                marks: self.marks.clone(),
                program: self.program.clone(),
            })
        });
        if is_taken {
            return Ok(());
        }
        self.tally.shed += 1;
        Err(Shed { executions })
    }

    /// Fetches what is done for these notebooks.
    pub(crate) fn take_done(&mut self, is_wanted: impl Fn(NotebookKey) -> bool) -> Vec<Done> {
        let done = self.lane.as_ref().map(|lane| lane.take(is_wanted)).unwrap_or_default();
        done.iter().for_each(|done| self.tally.add(&done.comparison));
        done
    }

    /// The guard has forgotten what had led to a rollback: what is being compared belongs to that.
    pub(crate) fn begin_anew(&mut self) {
        self.age += 1;
    }

    /// How often the guard has begun anew.
    pub(crate) fn age(&self) -> u64 {
        self.age
    }

    /// What there is to tell of a comparison.
    pub(crate) fn news_of(&self, notebook: &NotebookId, comparison: &Comparison) -> Option<Diagnostic> {
        let is_worth_telling = why(comparison) == Some(Why::Timeout) && self.tally.timed_out <= MAX_TOLD_TIMEOUTS;
        is_worth_telling.then(|| Diagnostic {
            level: Level::Warning,
            code: "SHADOW_TIMED_OUT",
            message: format!("notebook `{notebook}`: a comparison was not done by its deadline and says nothing"),
            help: "what serves is not touched; bridge.status().shadow counts them".to_owned(),
        })
    }

    /// That the lane is off, once.
    pub(crate) fn news_of_lane(&mut self) -> Option<Diagnostic> {
        let is_news = !self.is_told_off && self.lane.as_ref().is_some_and(|lane| lane.status().is_off);
        self.is_told_off |= is_news;
        is_news.then(|| Diagnostic {
            level: Level::Error,
            code: "SHADOW_OFF",
            message: "the shadow is off until this process is restarted: too many comparisons had not come to an end".to_owned(),
            help: "what serves is not touched, and nothing is compared any more: find what the candidate does not come back from"
                .to_owned(),
        })
    }

    /// Counts commits of a candidate.
    pub(crate) fn breached(&mut self, breaches: u64) {
        self.tally.breaches += breaches;
    }

    /// What an operator sees.
    pub fn status(&self) -> ShadowStatus {
        ShadowStatus {
            is_separate: self.program.is_some(),
            mode: self.mode,
            lane: self.lane.as_ref().map(Lane::status).unwrap_or_default(),
            tally: self.tally,
        }
    }
}

impl ShadowTally {
    fn add(&mut self, comparison: &Comparison) {
        let is = |incident| Evidence::of(comparison).contains(&Evidence::Incident(incident));
        let count = match why(comparison) {
            Some(Why::Timeout) => &mut self.timed_out,
            Some(Why::Truncated) => &mut self.truncated,
            Some(Why::NoProcess | Why::LaneOff) => &mut self.given_up,
            // What one execution lacks says nothing of the others.
            Some(_) => &mut self.compared,
            None if is(Incident::CandidatePanic) => &mut self.panicked,
            None if is(Incident::CandidateDeath) => &mut self.died,
            None => &mut self.compared,
        };
        *count += 1;
    }
}

/// Why a comparison says nothing, where it is not for a single execution.
fn why(comparison: &Comparison) -> Option<Why> {
    comparison.executions.iter().find_map(|execution| match execution.verdict {
        Verdict::Inconclusive { why } => Some(why),
        _ => None,
    })
}
