//! What can happen to a notebook, and how a seed draws a list of it.

#![expect(missing_docs, reason = "the fields and the shorter variants say what they are")]

use bridge_core::{Path, Route};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One thing that happens, at one of the notebooks.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The notebook's number; what happens to the flags happens to all.
    pub notebook: usize,
    /// What happens.
    pub what: What,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// Users request executions.
    Request { count: usize, ids: Ids, in_one_commit: bool },
    /// A user cancels an entry in this standing.
    Cancel(Standing),
    /// A user edits a cell.
    Edit(usize),
    /// A user deletes a cell; with [`What::Create`] it comes back.
    Delete(usize),
    /// A user creates a cell.
    Create(usize),
    /// A new document routes everybody so.
    Flip { route: Route, boundary: Boundary },
    /// A new document disables the flag.
    Kill,
    /// A document comes that cannot be read.
    BadDocument,
    /// The flags change, and nobody tells the notebooks.
    QuietFlip(Route),
    /// The host starts a runtime object.
    Start(usize),
    /// It stops one.
    Stop(usize),
    /// It restarts one.
    Restart(usize),
    /// It lets go of one without stopping it, and makes another.
    Forget(usize),
    /// It executes code outside the queue.
    ExecuteCode(usize),
    /// The next state callback does this before it returns.
    InCallback(Nested),
    /// The process ends without a word; this many of its last commits were never handed on.
    Crash { lost: usize },
    /// In the midst of the step that performs the effect after so many more, this happens.
    Strike { after: usize, blow: Blow },
    /// The wall clock is put back by an hour.
    ClockBack,
    /// A second process does this.
    Foreign(Foreign),
    /// The next commit that has such events fails.
    Fault { of: Target, how: Fault },
    /// News of the live query wait for time to pass, or no longer do.
    Delay(bool),
    /// The code that is executed hangs from now on, or returns, however late: three outputs each of the host's, and its end.
    Hang(bool),
    /// Code of the host's, stale or confused, commits this about an entry.
    Misbehave { facade: usize, entry: usize, how: Misdeed },
    /// Time passes.
    Advance(u64),
}

/// How new ids lie to those before them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ids {
    Ascending,
    Descending,
    Repeated,
}

/// Where an entry stands that a user cancels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    Pending,
    Claimed,
    Running,
    Finished,
}

/// The boundary that a document names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Boundary {
    Unnamed,
    NextSession,
    Drain,
    /// A drain that is soon over.
    BriefDrain,
    Now,
}

/// What a state callback of the host does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nested {
    Stop,
    CancelPending,
    Request,
    Flip(Route),
}

/// What happens in the midst of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blow {
    /// The process ends.
    Crash,
    /// The flags change; the notebook is told once its step is over.
    Flip(Route),
}

/// What another process does, as far as the log shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Foreign {
    /// Starts a session in place of the active ones.
    Displace,
    /// Claims an entry.
    Claim,
    /// Starts what it has claimed.
    Start,
    /// Ends what it has started.
    Finish,
    /// Ends its session.
    Leave,
}

/// Which commit fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    Anything,
    Session,
    Claim,
    Output,
    Terminal,
}

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The store refuses it.
    Refused,
    /// It takes effect, and a subscriber throws behind it.
    ThrownBehind,
}

/// What the host's code does that it has no right to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Misdeed {
    Claim,
    Start,
    Complete,
}

/// Who serves the old path of a notebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `legacy-compat`.
    Compat,
    /// The host's own class.
    Host,
    /// `HtmlRuntimeManager`.
    Manager,
}

/// A run: who is there, and what happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The runtime objects of each notebook.
    pub casts: Vec<Vec<Kind>>,
    /// What happens, in order.
    pub actions: Vec<Action>,
}

/// Cells of each notebook.
pub(super) const CELLS: usize = 3;
const MAX_ACTIONS: usize = 60;
const ROUTES: [Route; 4] = [Route::Legacy, Route::Shadow, Route::Live, Route::Registry];

/// Draws numbers.
struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0.next_u32() as usize % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn is(&mut self, per_cent: usize) -> bool {
        self.below(100) < per_cent
    }
}

impl Scenario {
    /// The run that this seed stands for. Which kinds of trouble a run knows is drawn too: a run with all of them at once seldom
    /// gets far into any.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
        let casts: Vec<Vec<Kind>> = (0..1 + draw.below(3)).map(|_| cast(&mut draw)).collect();
        let weights: Vec<(usize, Make)> = KINDS
            .iter()
            .filter(|(always, ..)| *always || draw.is(35))
            .map(|(_, weight, make)| (*weight, *make))
            .collect();
        let total = weights.iter().map(|(weight, _)| weight).sum();
        let count = 4 + draw.below(MAX_ACTIONS);
        let actions = (0..count)
            .map(|_| {
                let what = drawn(&mut draw, &weights, total);
                Action { notebook: draw.below(casts.len()), what }
            })
            .collect();
        Self { casts, actions }
    }
}

impl Scenario {
    /// The same on routes that do not compare.
    #[must_use]
    pub fn uncompared(mut self) -> Self {
        for action in &mut self.actions {
            if let What::Flip { route, .. }
            | What::QuietFlip(route)
            | What::InCallback(Nested::Flip(route))
            | What::Strike { blow: Blow::Flip(route), .. } = &mut action.what
            {
                *route = match route.serving() {
                    Path::Legacy => Route::Legacy,
                    Path::Registry => Route::Registry,
                };
            }
        }
        self
    }

    /// True where nobody but the bridge and the host's well-behaved code speaks of an execution, and no commit fails.
    #[must_use]
    pub fn is_undisturbed(&self) -> bool {
        let disturbs = |what| {
            matches!(
                what,
                What::Cancel(_) | What::InCallback(_) | What::Foreign(_) | What::Fault { .. } | What::Misbehave { .. }
            )
        };
        !self.actions.iter().any(|action| disturbs(action.what))
    }

    /// True where every notebook is told of a flip, and nothing counts effects: of a quiet flip a notebook learns with its next
    /// step, and comparisons bring steps and effects.
    #[must_use]
    pub fn is_told(&self) -> bool {
        !self.actions.iter().any(|action| matches!(action.what, What::QuietFlip(_) | What::Strike { .. }))
    }
}

fn cast(draw: &mut Draw) -> Vec<Kind> {
    const CASTS: [&[Kind]; 6] = [
        &[Kind::Compat],
        &[Kind::Host],
        &[Kind::Host],
        &[Kind::Manager],
        &[Kind::Compat, Kind::Compat],
        &[Kind::Host, Kind::Compat],
    ];
    draw.one(&CASTS).to_vec()
}

fn drawn(draw: &mut Draw, weights: &[(usize, Make)], total: usize) -> What {
    let mut left = draw.below(total);
    for (weight, make) in weights {
        if left < *weight {
            return make(draw);
        }
        left -= weight;
    }
    What::Advance(50)
}

type Make = fn(&mut Draw) -> What;

/// Whether every run knows it, how often it comes, and how it is drawn.
const KINDS: &[(bool, usize, Make)] = &[
    (true, 12, |draw| What::Request {
        count: if draw.is(3) { 25 } else { 1 + draw.below(4) },
        ids: draw.one(&[Ids::Ascending, Ids::Ascending, Ids::Descending, Ids::Repeated]),
        in_one_commit: draw.is(50),
    }),
    (true, 10, |draw| What::Flip {
        route: draw.one(&ROUTES),
        boundary: draw.one(&[
            Boundary::Unnamed,
            Boundary::NextSession,
            Boundary::Drain,
            Boundary::BriefDrain,
            Boundary::Now,
        ]),
    }),
    (true, 12, |draw| What::Advance(1 + draw.below(120) as u64)),
    (true, 3, |draw| What::Start(draw.below(2))),
    (false, 1, |_| What::Kill),
    (false, 1, |_| What::BadDocument),
    (false, 2, |draw| What::QuietFlip(draw.one(&ROUTES))),
    (false, 3, |draw| What::Stop(draw.below(2))),
    (false, 3, |draw| What::Restart(draw.below(2))),
    (false, 1, |draw| What::Forget(draw.below(2))),
    (false, 1, |draw| What::ExecuteCode(draw.below(2))),
    (false, 4, |draw| {
        What::Cancel(draw.one(&[Standing::Pending, Standing::Claimed, Standing::Running, Standing::Finished]))
    }),
    (false, 2, |draw| What::Edit(draw.below(CELLS))),
    (false, 2, |draw| {
        let cell = draw.below(CELLS);
        if draw.is(50) { What::Delete(cell) } else { What::Create(cell) }
    }),
    (false, 3, |draw| {
        let flip = Nested::Flip(draw.one(&ROUTES));
        What::InCallback(draw.one(&[Nested::Stop, Nested::CancelPending, Nested::Request, flip]))
    }),
    (false, 2, |draw| What::Crash { lost: if draw.is(50) { 0 } else { draw.below(4) } }),
    (false, 4, |draw| What::Strike {
        after: draw.below(80),
        blow: if draw.is(50) { Blow::Crash } else { Blow::Flip(draw.one(&ROUTES)) },
    }),
    (false, 1, |_| What::ClockBack),
    (false, 6, |draw| {
        const ALL: [Foreign; 5] = [Foreign::Displace, Foreign::Claim, Foreign::Start, Foreign::Finish, Foreign::Leave];
        What::Foreign(draw.one(&ALL))
    }),
    (false, 3, |draw| What::Fault {
        of: draw.one(&[Target::Anything, Target::Session, Target::Claim, Target::Output, Target::Terminal]),
        how: draw.one(&[Fault::Refused, Fault::ThrownBehind]),
    }),
    (false, 3, |draw| What::Delay(draw.is(50))),
    (false, 2, |draw| What::Hang(draw.is(60))),
    (false, 2, |draw| What::Advance(if draw.is(10) { 33_000 } else { 2_000 + draw.below(400) as u64 })),
    (false, 5, |draw| What::Misbehave {
        facade: draw.below(4),
        entry: draw.below(8),
        how: draw.one(&[Misdeed::Claim, Misdeed::Start, Misdeed::Complete]),
    }),
];
