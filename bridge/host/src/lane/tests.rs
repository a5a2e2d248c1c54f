//! Does the lane get rid of candidates that break down, and tell what became of them?

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bridge_core::{Ability, Control, Evidence, Incident, ObservedExecution, Path, Source, Verdict, decide};
use flags::{Context, Snapshot};
use registry::{QueueEntry, SessionIdentity};

use super::*;

const KEY: NotebookKey = NotebookKey(1);

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn observation(source: &str) -> Observation {
    let entry: QueueEntry = serde_json::from_value(serde_json::json!({
        "id": "q1", "cellId": "c1", "executionCount": 1, "status": "pending",
    }))
    .unwrap();
    let identity: SessionIdentity = serde_json::from_value(serde_json::json!({
        "runtimeId": "r", "sessionId": "s",
        "capabilities": { "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false },
    }))
    .unwrap();
    let source = Source::Text(source.to_owned());
    let executions =
        vec![ObservedExecution { entry, rank: 1, source, refused: Vec::new(), events: Vec::new(), unclear: None }];
    Observation {
        serving: Path::Legacy,
        control: Control::Path,
        identity,
        began: registry::Now::default(),
        saw_refusal: false,
        executions,
    }
}

/// An observation of an execution that took serving so long.
fn served_in(ms: u64) -> Observation {
    let mut observation = observation("<p>");
    let completed: registry::Event = serde_json::from_value(serde_json::json!({
        "name": "v1.ExecutionCompleted",
        "args": {
            "queueId": "q1", "cellId": "c1", "status": "success", "completedAt": "2026-01-01T00:00:00.000Z",
            "executionDurationMs": ms,
        },
    }))
    .unwrap();
    observation.executions[0].events.push(completed);
    observation
}

fn job(name: Option<&str>) -> Job {
    Job {
        key: KEY,
        notebook: NotebookId::from("nb"),
        observation: observation("<p>"),
        decision: decide(
            &Snapshot::default(),
            false,
            &Context::new("nb"),
            Ability { is_built_in: true, has_live_query: true },
        ),
        mode: ComparisonMode::Paths,
        age: 0,
        seeded: name.map(|name| Seeded::parse(name).unwrap()),
        marks: None,
        program: None,
    }
}

/// A lane and its owner.
struct Owner {
    lane: Lane,
    woken: Receiver<()>,
    done: VecDeque<Comparison>,
}

impl Owner {
    fn new() -> Self {
        Self::with(Books::default())
    }

    fn with(books: Books) -> Self {
        let (wake, woken) = channel();
        let lane = Lane::open(books, move || {
            // A test that is over listens no more.
            let _ = wake.send(());
        });
        Self { lane: lane.unwrap(), woken, done: VecDeque::new() }
    }

    fn submit(&self, name: Option<&str>) {
        assert!(self.lane.submit(job(name)));
    }

    /// The next comparison.
    fn next(&mut self) -> Comparison {
        loop {
            self.done.extend(self.lane.take_done(KEY));
            if let Some(comparison) = self.done.pop_front() {
                return comparison;
            }
            self.woken.recv_timeout(PATIENCE).unwrap();
        }
    }
}

fn is_inconclusive(comparison: &Comparison, expect: Why) -> bool {
    comparison.executions.iter().all(|one| matches!(one.verdict, Verdict::Inconclusive { why } if why == expect))
}

#[test]
fn what_does_not_come_back_is_given_up_and_the_next_is_compared() {
    for name in ["hang", "spin"] {
        let mut owner = Owner::new();
        owner.submit(Some(name));
        owner.submit(None);
        let given_up = owner.next();
        assert!(is_inconclusive(&given_up, Why::Timeout), "{name}: {given_up:#?}");
        let compared = owner.next();
        assert!(matches!(compared.executions[0].verdict, Verdict::Mismatch { .. }), "{compared:#?}");
        assert_eq!(owner.lane.status(), LaneStatus { wedged: 1, ..LaneStatus::default() });
    }
}

#[test]
fn what_comes_back_late_is_nobody_s_and_leaves_its_place() {
    let mut owner = Owner::new();
    // One after the other, and more than may be away at once.
    for _ in 0..MAX_WEDGED + 1 {
        owner.submit(Some("late"));
        assert!(is_inconclusive(&owner.next(), Why::Timeout));
        while owner.lane.status().wedged > 0 {
            std::thread::yield_now();
        }
    }
    owner.submit(None);
    assert!(matches!(owner.next().executions[0].verdict, Verdict::Mismatch { .. }));
    assert_eq!((owner.lane.status(), owner.lane.take_done(KEY).len()), (LaneStatus::default(), 0));
}

/// The books are written to a disk, and no candidate is away while they are.
#[test]
fn books_that_are_slow_are_held_against_no_candidate() {
    let books = Books::default();
    let mut owner = Owner::with(books.clone());
    let held = books.noise.model();
    owner.submit(None);
    std::thread::sleep(2 * Duration::from_millis(MIN_DEADLINE_MS));
    assert_eq!((owner.lane.status().wedged, owner.lane.take_done(KEY).len()), (0, 0));
    drop(held);
    assert!(matches!(owner.next().executions[0].verdict, Verdict::Mismatch { .. }));
}

/// The nice value stands behind the name in parentheses, as the 17th number from there.
#[cfg(target_os = "linux")]
#[test]
fn what_was_abandoned_gives_way_to_everybody() {
    let mut owner = Owner::new();
    owner.submit(Some("spin"));
    assert!(is_inconclusive(&owner.next(), Why::Timeout));
    let niceness = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).ok()?;
        stat.rsplit(')').next()?.split_ascii_whitespace().nth(16)?.parse::<i32>().ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    assert!(tasks.filter_map(niceness).any(|nice| nice == 19));
}

#[test]
fn after_three_that_are_away_nothing_is_compared_any_more() {
    let mut owner = Owner::new();
    (0..MAX_WEDGED + 1).for_each(|_| owner.submit(Some("hang")));
    for _ in 0..MAX_WEDGED {
        assert!(is_inconclusive(&owner.next(), Why::Timeout));
    }
    assert!(is_inconclusive(&owner.next(), Why::LaneOff));
    assert_eq!(owner.lane.status(), LaneStatus { wedged: MAX_WEDGED, is_off: true, ..LaneStatus::default() });
    assert!(!owner.lane.submit(job(None)));
}

#[test]
fn a_panic_and_a_flood_end_their_comparison_and_nothing_else() {
    let mut owner = Owner::new();
    // With all the time there is: a debugger's view of a panic is slow to write.
    let at_leisure = |name| Job { observation: served_in(MAX_DEADLINE_MS), ..job(Some(name)) };
    assert!(owner.lane.submit(at_leisure("panic")));
    let panicked = owner.next();
    assert!(Evidence::of(&panicked).contains(&Evidence::Incident(Incident::CandidatePanic)));
    assert!(owner.lane.submit(at_leisure("flood")));
    assert!(is_inconclusive(&owner.next(), Why::Truncated));
    assert_eq!(owner.lane.status(), LaneStatus::default());
}

#[test]
fn against_itself_every_outcome_says_so_and_the_other_path_is_not_asked() {
    let mut owner = Owner::new();
    for name in [None, Some("panic"), Some("hang")] {
        let aa = Job { observation: served_in(1), mode: ComparisonMode::Aa, ..job(name) };
        assert!(owner.lane.submit(aa));
        assert_eq!(owner.next().mode, ComparisonMode::Aa, "{name:?}");
    }
}

#[test]
fn what_serving_took_is_what_the_candidate_is_given() {
    let given = |ms| deadline_ms(&served_in(ms));
    assert_eq!([0, 100, 1000, 60_000].map(given), [MIN_DEADLINE_MS, MIN_DEADLINE_MS, 2000, MAX_DEADLINE_MS]);
    assert_eq!(deadline_ms(&observation("<p>")), MIN_DEADLINE_MS);
}

#[test]
fn names_are_those_that_can_be_seeded() {
    for (breakdown, name) in Breakdown::ALL {
        assert_eq!(Seeded::parse(name), Some(Seeded::Breakdown(breakdown)));
        assert_eq!(Seeded::Breakdown(breakdown).name(), name);
    }
    assert_eq!(Seeded::parse("dropped-output").map(Seeded::name), Some("dropped-output"));
    assert_eq!(Seeded::parse("nope"), None);
}
