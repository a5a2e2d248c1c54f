//! The ledger of known differences: where the registry does otherwise than the old code, on purpose.
//!
//! Each entry names the quirk of the old code that the registry fixes, who answers for it and until when it may stand. An
//! entry whose difference shows in the events of an execution has a rule that recognises it; the others name the recording
//! in which the old behaviour can be seen. A test fails on an entry past its date, on a rule that nothing hits, and on a fixed
//! quirk without an entry.

use std::collections::BTreeSet;

use legacy_compat::Quirk;
use registry::QueueId;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::compare::Difference;
use crate::normalise::Canonical;
use crate::shadow::{ObservedExecution, Source};

/// One entry of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct KnownDifference {
    /// Its name in reports.
    pub name: &'static str,
    /// The quirk of the old code that it comes from.
    pub quirk: Quirk,
    /// What the registry does instead.
    pub registry: &'static str,
    /// How it is recognised.
    pub seen: Seen,
    /// The part of the project that answers for it.
    pub owner: &'static str,
    /// The last day on which it may stand without being looked at again, as `YYYY-MM-DD`.
    pub expires: &'static str,
}

/// How a known difference is recognised.
#[derive(Clone, Copy)]
pub enum Seen {
    /// It explains single differences.
    Field(fn(&Pair<'_>, &Difference) -> bool),
    /// It explains a whole execution.
    Execution(fn(&Pair<'_>) -> bool),
    /// It explains the order of executions: the old path's, the registry's, and that of the requests.
    Order(fn(&[QueueId], &[QueueId], &[QueueId]) -> bool),
    /// It explains single differences from an agent elsewhere.
    Traced(fn(&Pair<'_>, &Difference) -> bool),
    /// It does not show in what an execution leaves in the log; this recording shows it.
    Recording(&'static str),
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Field(_) => "a field",
            Self::Execution(_) => "an execution",
            Self::Order(_) => "the order",
            Self::Traced(_) => "what an agent elsewhere did",
            Self::Recording(name) => name,
        })
    }
}

/// Both sides of one execution, and its facts.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    pub(crate) execution: &'a ObservedExecution,
    pub(crate) legacy: &'a Canonical,
    pub(crate) registry: &'a Canonical,
    pub(crate) saw_refusal: bool,
    /// The legacy side is an agent's elsewhere.
    pub(crate) is_external: bool,
}

/// Declares the entries; all have the same owner and are looked at again together.
macro_rules! known_differences {
    ($($name:literal, $quirk:ident, $registry:literal, $seen:expr;)*) => {
        /// Every known difference.
        pub const KNOWN_DIFFERENCES: &[KnownDifference] = &[
            $(KnownDifference {
                name: $name, quirk: Quirk::$quirk, registry: $registry, seen: $seen,
                owner: "bridge-core", expires: "2027-12-31",
            },)*
        ];
    };
}

known_differences! {
    "outputs-replaced", OutputsPileUp, "clears the cell before it writes", Seen::Field(outputs_replaced);
    "execution-count", ConstantExecutionCount, "writes the entry's execution count", Seen::Field(execution_count);
    "no-empty-metadata", EmptyMetadata, "writes no metadata where there is none", Seen::Field(no_empty_metadata);
    "missing-cell-fails", MissingCellSucceeds, "completes with the error `cell not found` and shows nothing",
        Seen::Execution(missing_cell_fails);
    "no-error-output", ErrorOutputIsText, "writes no output for a commit that the store refused", Seen::Field(no_error_output);
    "completion-says-why", CompletionWithoutError, "completes with the store's message as the error",
        Seen::Field(completion_says_why);
    "goes-on-after-refusal", AnyFailingCommitWedges, "executes what comes after a refused commit",
        Seen::Execution(goes_on_after_refusal);
    "no-half-execution", LostCompletion, "commits an execution in one transaction: what the store refuses for good stays pending",
        Seen::Execution(no_half_execution);
    "finishes-what-it-claimed", StopFromCallbackStrands, "finishes what it has claimed before it stops",
        Seen::Execution(finishes_what_it_claimed);
    "request-order", QueueIdsOrderAsText, "takes entries in the order of their requests", Seen::Order(text_order);
    "claims-once", AgentClaimsAgain, "claims an entry once", Seen::Traced(claims_once);
    "shows-before-the-end", AgentShowsBehindTheEnd, "ends an execution behind the last of its outputs",
        Seen::Traced(shows_before_the_end);
    "claims-at-once", ClaimsOnePerPoll, "claims what is queued as soon as it is seen", Seen::Recording("html__ten-cells");
    "one-after-the-other", PhasesInterleave, "ends an execution before it starts the next",
        Seen::Recording("html__preassigned-own");
    "notices-displacement", DisplacementUnnoticed, "claims nothing once its session is terminated",
        Seen::Recording("html__two-runtimes-one-store");
    "announces-at-once", StartDisplacesBeforeItFails, "displaces and announces in one commit: it fails as a whole",
        Seen::Recording("html__fault-session-ready");
    "keeps-time-limits", ExecutionTimeLimitUnused, "hands the limit to the handler as its deadline; html ends at once",
        Seen::Recording("html__one-cell");
    "manager-restarts", ManagerRestartOnlyStops, "stops and starts again", Seen::Recording("manager__restart");
    "manager-ends-once", ManagerTerminatesTwice, "terminates a session once",
        Seen::Recording("manager__stop-twice-same-tick");
    "manager-starts-once", ManagerStartsTwice, "two starts are one session",
        Seen::Recording("manager__start-twice-same-tick");
    "manager-new-ids", ManagerReusesIds, "gives each session its own ids", Seen::Recording("manager__stop-start");
    "manager-in-turn", ManagerClaimsAhead, "ends an execution before it starts the next",
        Seen::Recording("manager__three-cells");
    "manager-real-duration", ManagerDurationIsConstant, "writes the real duration; no comparison looks at durations",
        Seen::Recording("manager__one-cell");
    "manager-displaces-all", ManagerDisplacesWhatItRendered, "displaces every session that is active at its start",
        Seen::Recording("manager__displaces");
    "manager-survives-claims", ManagerFailingClaimUnmounts, "gives a refused claim back and goes on",
        Seen::Recording("manager__fault-assigned");
}

/// Reads names of entries: they are those of this build, or refused.
pub(crate) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<&'static str>, D::Error> {
    let named = |name: String| {
        let known = KNOWN_DIFFERENCES.iter().find(|known| known.name == name);
        known
            .map(|known| known.name)
            .ok_or_else(|| D::Error::custom(format_args!("no known difference is called `{name}`")))
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(named).collect()
}

/// Separates the differences that the ledger explains, by their entries, from those that it does not.
pub(crate) fn sort_out(pair: &Pair<'_>, differences: Vec<Difference>) -> (BTreeSet<&'static str>, Vec<Difference>) {
    if pair.is_external {
        return sort_out_traced(pair, differences);
    }
    let whole = KNOWN_DIFFERENCES.iter().find(|known| matches!(known.seen, Seen::Execution(rule) if rule(pair)));
    if let Some(known) = whole {
        return (BTreeSet::from([known.name]), Vec::new());
    }
    let mut names = BTreeSet::new();
    let unknown = differences.into_iter().filter(|difference| {
        let explains = |known: &&KnownDifference| matches!(known.seen, Seen::Field(rule) if rule(pair, difference));
        match KNOWN_DIFFERENCES.iter().find(explains) {
            Some(known) => {
                names.insert(known.name);
                false
            }
            None => true,
        }
    });
    let unknown = unknown.collect();
    (names, unknown)
}

/// The same for an agent elsewhere, which has other quirks than the old code.
fn sort_out_traced(pair: &Pair<'_>, differences: Vec<Difference>) -> (BTreeSet<&'static str>, Vec<Difference>) {
    let explains = |known: &KnownDifference, difference: &Difference| match known.seen {
        Seen::Traced(rule) => rule(pair, difference),
        _ => false,
    };
    let names = KNOWN_DIFFERENCES.iter().filter(|known| differences.iter().any(|one| explains(known, one)));
    let names = names.map(|known| known.name).collect();
    let is_unknown = |one: &Difference| !KNOWN_DIFFERENCES.iter().any(|known| explains(known, one));
    let unknown = differences.into_iter().filter(is_unknown).collect();
    (names, unknown)
}

/// The entry that explains why the old path started executions in another order.
pub(crate) fn excuse_order(legacy: &[QueueId], registry: &[QueueId], requested: &[QueueId]) -> Option<&'static str> {
    let explains =
        |known: &&KnownDifference| matches!(known.seen, Seen::Order(rule) if rule(legacy, registry, requested));
    KNOWN_DIFFERENCES.iter().find(explains).map(|known| known.name)
}

/// The lifecycle of an agent elsewhere, had it claimed once and shown all before the end.
fn settled(lifecycle: &str) -> String {
    let mut settled: Vec<&str> = Vec::new();
    for phase in lifecycle.split(' ') {
        let end = settled.iter().position(|known| *known == "completed");
        match (phase, end) {
            ("assigned", _) if settled.contains(&"assigned") => {}
            ("output", Some(end)) if end > 0 && settled[end - 1] == "output" => {}
            ("output", Some(end)) => settled.insert(end, phase),
            _ => settled.push(phase),
        }
    }
    settled.join(" ")
}

fn claims_once(pair: &Pair<'_>, difference: &Difference) -> bool {
    let claims = pair.legacy.lifecycle.split(' ').filter(|phase| *phase == "assigned").count();
    difference.path == "lifecycle" && claims > 1 && settled(&pair.legacy.lifecycle) == pair.registry.lifecycle
}

fn shows_before_the_end(pair: &Pair<'_>, difference: &Difference) -> bool {
    let is_behind = pair.legacy.lifecycle.contains("completed output");
    difference.path == "lifecycle" && is_behind && settled(&pair.legacy.lifecycle) == pair.registry.lifecycle
}

fn outputs_replaced(pair: &Pair<'_>, difference: &Difference) -> bool {
    difference.path == "replaces" && !pair.legacy.replaces && pair.registry.replaces
}

/// The old constant 1, as an offset from the entry's count; the registry's offset is 0.
fn execution_count(pair: &Pair<'_>, difference: &Difference) -> bool {
    difference.path.ends_with("].executionCount")
        && difference.legacy == Some((1 - pair.execution.entry.execution_count).into())
        && difference.registry == Some(0.into())
}

fn no_empty_metadata(_: &Pair<'_>, difference: &Difference) -> bool {
    difference.path.ends_with(".representations.text/html.metadata")
        && difference.legacy == Some(json!({}))
        && difference.registry.is_none()
}

fn missing_cell_fails(pair: &Pair<'_>) -> bool {
    let shows_nothing = |output: &Value| output.pointer("/representations/text~1html/inline") == Some(&json!(""));
    pair.execution.source == Source::Missing
        && is_one_run(pair.registry)
        && ended(pair.legacy, "success", None)
        && matches!(pair.legacy.outputs.as_slice(), [output] if shows_nothing(output))
        && ended(pair.registry, "error", Some("cell not found"))
        && pair.registry.outputs.is_empty()
}

/// The text `Error: message` of the refusal, and its place in the lifecycle.
fn no_error_output(pair: &Pair<'_>, difference: &Difference) -> bool {
    let Some(message) = output_refusal(pair) else { return false };
    let is_the_text = |output: &Value| {
        output.get("kind") == Some(&json!("error"))
            && output.pointer("/content/inline") == Some(&json!(format!("Error: {message}")))
    };
    match difference.path.as_str() {
        "outputs[0]" => difference.registry.is_none() && difference.legacy.as_ref().is_some_and(is_the_text),
        "lifecycle" => {
            pair.legacy.lifecycle.replace(" output", "") == pair.registry.lifecycle && pair.registry.outputs.is_empty()
        }
        _ => false,
    }
}

fn completion_says_why(pair: &Pair<'_>, difference: &Difference) -> bool {
    let message = output_refusal(pair);
    difference.path == "end.error"
        && difference.legacy == Some(Value::Null)
        && message.is_some_and(|message| difference.registry == Some(message.into()))
}

/// Nothing was refused of this execution, but of one before it: the old path claims nothing more.
fn goes_on_after_refusal(pair: &Pair<'_>) -> bool {
    pair.saw_refusal
        && pair.execution.refused.is_empty()
        && pair.legacy.lifecycle.is_empty()
        && is_one_run(pair.registry)
}

/// The store refused the start or the end: the old path has left half of the execution behind, the registry nothing.
fn no_half_execution(pair: &Pair<'_>) -> bool {
    ["v1.ExecutionStarted", "v1.ExecutionCompleted"].iter().any(|event| pair.execution.refusal(event).is_some())
        && !ended(pair.legacy, "success", None)
        && pair.registry.lifecycle.is_empty()
}

/// Claimed and never started.
fn finishes_what_it_claimed(pair: &Pair<'_>) -> bool {
    pair.execution.refused.is_empty() && pair.legacy.lifecycle == "assigned" && is_one_run(pair.registry)
}

/// What excuses a whole execution excuses no second start, no second end and no other session.
fn is_one_run(canonical: &Canonical) -> bool {
    let mut rest = canonical.lifecycle.as_str();
    for phase in ["assigned ", "started ", "output "] {
        rest = rest.strip_prefix(phase).unwrap_or(rest);
    }
    matches!(rest, "completed" | "cancelled") && canonical.foreign.is_empty()
}

/// The registry follows the requests; wherever the orders disagree, the old one follows the ids as texts.
fn text_order(legacy: &[QueueId], registry: &[QueueId], requested: &[QueueId]) -> bool {
    let follows_requests = requested.iter().filter(|id| registry.contains(id)).eq(registry);
    let rank = |id: &QueueId| registry.iter().position(|known| known == id);
    let pairs =
        legacy.iter().enumerate().flat_map(|(at, first)| legacy[at + 1..].iter().map(move |second| (first, second)));
    follows_requests && pairs.into_iter().all(|(first, second)| rank(first) < rank(second) || first < second)
}

/// The message with which the store refused an output of this execution.
fn output_refusal<'a>(pair: &Pair<'a>) -> Option<&'a str> {
    pair.execution.refusal("v1.MultimediaResultOutputAdded")
}

fn ended(canonical: &Canonical, status: &str, error: Option<&str>) -> bool {
    canonical.end.as_ref().is_some_and(|end| end.status == status && end.error.as_deref() == error)
}
