//! The simulator: notebooks with both paths on virtual time, driven by actions that a seed draws, watched by oracles.
//!
//! [`bridge_host::step::Notebook`] is the real one; the store, the host and the other process are played. A run is a function of
//! its scenario alone, so a seed reproduces it and a failing one can be shrunk to the actions that matter.

mod action;
mod campaign;
mod host_code;
mod oracle;
mod people;
mod runtime;
mod shrink;
mod site;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use bridge_core::Route;
pub use bridge_host::step::Mechanism;
use flags::LiveFlags;

pub use action::{
    Action, Blow, Boundary, Fault, Foreign, Ids, Kind, Misdeed, Nested, Scenario, Standing, Target, What,
};
pub use campaign::{Campaign, Found};
pub use oracle::{Invariant, LIMITS, Limit, Violation};
pub use shrink::shrink;
use site::Site;

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was broken, in the order in which it was noticed.
    pub violations: Vec<Violation>,
    /// What was broken and is known, by the limit that excuses it.
    pub excused: BTreeMap<Limit, u64>,
    /// Sessions that changed paths while they ran.
    pub flips: u64,
    /// Steps of notebooks.
    pub steps: u64,
    /// Executions admitted, and those that ended.
    pub admitted: u64,
    /// Executions that ended.
    pub ended: u64,
    /// Executions compared.
    pub compared: u64,
    /// What has happened in the midst of a step.
    pub struck: u64,
    /// Every event of every notebook, in order.
    pub logs: Vec<Vec<registry::Event>>,
}

/// Plays a scenario to its end, and gives everything time to finish.
#[must_use]
pub fn run(scenario: &Scenario, without: Option<Mechanism>) -> Outcome {
    let mut simulation = Simulation::new(&scenario.casts, without);
    for action in &scenario.actions {
        simulation.perform(action);
        if simulation.has_failed() {
            return simulation.outcome();
        }
    }
    simulation.finish();
    simulation.outcome()
}

struct Simulation {
    flags: Arc<LiveFlags>,
    sites: Vec<Site>,
}

impl Simulation {
    fn new(casts: &[Vec<Kind>], without: Option<Mechanism>) -> Self {
        let flags = Arc::new(LiveFlags::new());
        flags.expect();
        put_in_force(&flags, Route::Legacy, Boundary::Drain);
        let mut sites: Vec<Site> =
            casts.iter().enumerate().map(|(number, cast)| Site::new(number, &flags, without, cast)).collect();
        for site in &mut sites {
            (0..action::CELLS).for_each(|cell| site.create(cell));
            site.start(0);
        }
        Self { flags, sites }
    }

    fn perform(&mut self, action: &Action) {
        match action.what {
            What::Flip { route, boundary } => {
                put_in_force(&self.flags, route, boundary);
                self.sites.iter_mut().for_each(Site::wake);
            }
            What::QuietFlip(route) => put_in_force(&self.flags, route, Boundary::Drain),
            What::Kill => {
                // A document without a flag that can be on is well formed.
                let killed = document("legacy", "").replace("ENABLED", "DISABLED");
                let _ = self.flags.apply(&killed, "test");
                self.sites.iter_mut().for_each(Site::wake);
            }
            What::BadDocument => {
                let _ = self.flags.apply("{", "test");
                self.sites.iter_mut().for_each(Site::wake);
            }
            What::Advance(ms) => self.sites.iter_mut().for_each(|site| site.advance(ms)),
            what => {
                let at = action.notebook % self.sites.len();
                self.sites[at].happens(what);
            }
        }
    }

    /// What is still open ends where it is, and the rest on the registry: it sweeps.
    fn finish(&mut self) {
        self.sites.iter_mut().for_each(Site::finish);
        put_in_force(&self.flags, Route::Registry, Boundary::BriefDrain);
        self.sites.iter_mut().for_each(Site::finish_on_registry);
    }

    fn has_failed(&self) -> bool {
        self.sites.iter().any(|site| !site.store.oracle.violations.is_empty())
    }

    fn outcome(self) -> Outcome {
        let mut outcome = Outcome::default();
        for site in self.sites {
            let (admitted, ended) = site.store.oracle.counts();
            outcome.admitted += admitted;
            outcome.ended += ended;
            outcome.flips += site.flips;
            outcome.steps += site.steps;
            outcome.compared += site.compared;
            outcome.struck += site.struck;
            outcome.logs.push(site.store.events().cloned().collect());
            outcome.violations.extend(site.store.oracle.violations);
            for (limit, count) in site.store.oracle.excused {
                *outcome.excused.entry(limit).or_default() += count;
            }
        }
        outcome
    }
}

/// Puts a document in force that routes everybody so.
fn put_in_force(flags: &LiveFlags, route: Route, boundary: Boundary) {
    let route = match route {
        Route::Legacy => "legacy",
        Route::Shadow => "shadow",
        Route::Live => "live",
        Route::Registry => "registry",
    };
    let metadata = match boundary {
        Boundary::Unnamed => "",
        Boundary::NextSession => r#""boundary":"next-session""#,
        Boundary::Drain => r#""boundary":"drain""#,
        Boundary::BriefDrain => r#""boundary":"drain","drainMs":100"#,
        Boundary::Now => r#""boundary":"now""#,
    };
    let applied = flags.apply(&document(route, metadata), "test");
    debug_assert!(applied.is_ok(), "{applied:?}");
}

fn document(route: &str, metadata: &str) -> String {
    format!(
        r#"{{"flags":{{"runtime-route":{{"state":"ENABLED","variants":{{"v":"{route}"}},"defaultVariant":"v","targeting":{{}},"metadata":{{{metadata}}}}}}}}}"#
    )
}

impl Site {
    fn happens(&mut self, what: What) {
        match what {
            What::Request { count, ids, in_one_commit } => self.request(count, ids, in_one_commit),
            What::Cancel(standing) => self.cancel(standing),
            What::Edit(cell) => self.edit(cell),
            What::Delete(cell) => self.delete(cell),
            What::Create(cell) => self.create(cell),
            What::Start(at) => self.start(at),
            What::Stop(at) => self.stop(at),
            What::Restart(at) => self.restart(at),
            What::Forget(at) => self.forget(at),
            What::ExecuteCode(at) => self.execute_code(at),
            What::InCallback(nested) => self.nested = Some(nested),
            What::Crash { lost } => self.crash(lost),
            What::Strike { after, blow } => self.strike_after(after, blow),
            What::ClockBack => self.now.wall_ms -= 3_600_000,
            What::Foreign(foreign) => self.foreign(foreign),
            What::Fault { of, how } => self.store.fail_next(Some((of, how))),
            What::Delay(delays) => self.delay_news(delays),
            What::Hang(true) => (self.hangs, self.store.oracle.saw_hang) = (true, true),
            What::Hang(false) => self.return_late(),
            What::Misbehave { facade, entry, how } => self.misbehave(facade, entry, how),
            What::Flip { .. } | What::QuietFlip(_) | What::Kill | What::BadDocument | What::Advance(_) => {}
        }
        self.settle();
        self.rise();
    }

    /// All trouble ends, somebody serves, and everything has the time that it needs.
    fn finish(&mut self) {
        self.store.fail_next(None);
        self.nested = None;
        self.strike_nothing();
        self.return_late();
        self.delay_news(false);
        self.foreign_goes();
        self.settle();
        self.advance(400);
        if self.is_to_move() {
            self.advance(33_000);
        }
        self.serve_what_is_open();
        let is_served = self.is_served();
        self.store.oracle.judge_end(&self.store.tables, is_served);
    }

    /// Whatever the old path has left behind ends here.
    fn finish_on_registry(&mut self) {
        self.wake();
        self.advance(2_200);
        self.serve_what_is_open();
        if self.has_open() && self.store.oracle.saw_fault {
            // What the store has refused to a sweep is left to the next session's.
            self.begin_again();
            self.serve_what_is_open();
        }
        self.store.oracle.judge_end_on_registry(&self.store.tables);
        if self.open_calls() > 0 {
            let detail = format!("{} calls are open", self.open_calls());
            self.store.oracle.violate(Invariant::CallsSettle, detail);
        }
    }

    fn has_open(&self) -> bool {
        self.store.tables.queue().any(|row| !oracle::is_over(row))
    }

    fn serve_what_is_open(&mut self) {
        for _ in 0..3 {
            if self.is_served() {
                break;
            }
            self.begin_again();
        }
        let open = self.store.tables.queue().filter(|row| !oracle::is_over(row)).count() as u64;
        self.advance(60 * (open + 4));
    }

    /// Somebody shows a session that is active, and has nothing to complain of.
    fn is_served(&self) -> bool {
        self.runtimes.iter().any(|runtime| {
            let session = runtime.session().and_then(|session| self.store.tables.session(&session));
            runtime.is_well() && session.is_some_and(|row| row.is_active)
        })
    }

    fn begin_again(&mut self) {
        if self.runtimes.first().is_some_and(runtime::Runtime::is_active) {
            self.stop(0);
            self.advance(200);
        }
        self.start(0);
        self.advance(200);
    }
}
