//! The old html runtime as candidate: legacy-compat stands in for the host's own code, which is never run as a candidate.

use std::collections::VecDeque;

use legacy_compat::{CallId, Effect, Hook, HtmlInput, HtmlRuntime};
use registry::{Answer, Reply, Ticket, TimerId};

use super::World;

/// Polls without news after which the old path has nothing left to do: it claims in each poll while anything is pending.
const MAX_IDLE_POLLS: u32 = 2;

/// The runtime object around the session, as far as the session can see it.
struct Candidate<'w, 'a> {
    world: &'w mut World<'a>,
    core: HtmlRuntime,
    poll: Option<(TimerId, u64)>,
    /// The status is `ready`: the poll looks at the queue.
    is_ready: bool,
    last_call: u32,
    /// Calls that a hook awaits.
    awaited: Vec<(CallId, Ticket)>,
    microtasks: VecDeque<(Ticket, Answer)>,
}

pub(super) fn run(world: &mut World<'_>) {
    let core = HtmlRuntime::new(world.ids.split());
    let identity = world.observation.identity.clone();
    let mut candidate = Candidate {
        world,
        core,
        poll: None,
        is_ready: true,
        last_call: 0,
        awaited: Vec::new(),
        microtasks: VecDeque::new(),
    };
    candidate.step(HtmlInput::Resume(identity));
    candidate.poll_until_idle();
}

impl Candidate<'_, '_> {
    fn poll_until_idle(&mut self) {
        let mut idle = 0;
        while let Some((timer, every_ms)) = self.poll.filter(|_| idle < MAX_IDLE_POLLS && self.world.may_go_on()) {
            self.world.now.mono_ms += every_ms;
            self.world.now.wall_ms = self.world.now.wall_ms.saturating_add_unsigned(every_ms);
            let before = self.world.events.len();
            self.step(HtmlInput::Timer(timer));
            idle = if self.world.events.len() > before { 0 } else { idle + 1 };
        }
    }

    /// Steps the core and performs all that comes of it, microtasks included.
    fn step(&mut self, input: HtmlInput) {
        let mut effects: VecDeque<Effect> = self.core.handle(self.world.now, input).into();
        loop {
            let (ticket, answer) = match effects.pop_front() {
                Some(effect) if self.world.may_go_on() => match self.perform(effect, &mut effects) {
                    Some(answered) => answered,
                    None => continue,
                },
                Some(_) => return,
                None => match self.microtasks.pop_front() {
                    Some(awaited) => awaited,
                    None => return,
                },
            };
            self.push(&mut effects, HtmlInput::Answer(ticket, answer));
        }
    }

    /// Puts what an input brings before what is still waiting.
    fn push(&mut self, effects: &mut VecDeque<Effect>, input: HtmlInput) {
        for next in self.core.handle(self.world.now, input).into_iter().rev() {
            effects.push_front(next);
        }
    }

    fn perform(&mut self, effect: Effect, effects: &mut VecDeque<Effect>) -> Option<(Ticket, Answer)> {
        match effect {
            Effect::Commit(ticket, event) => Some((ticket, self.world.commit(&[event]))),
            Effect::Query(ticket, query) => Some((ticket, self.world.query(&query))),
            Effect::Continue(ticket)
            | Effect::StateCallback(ticket)
            | Effect::Sleep(ticket, _)
            | Effect::Yield(ticket)
            | Effect::AskRoute(ticket)
            | Effect::EndSession(ticket) => Some((ticket, Ok(Reply::Done))),
            Effect::Raise(_) => None,
            Effect::Fail(ticket, failure) => Some((ticket, Err(failure))),
            Effect::Hook(ticket, hook) => self.hook(ticket, hook, effects),
            Effect::SetInterval(timer, every_ms) => {
                self.poll = Some((timer, every_ms));
                None
            }
            Effect::ClearInterval(_) => {
                self.poll = None;
                None
            }
            Effect::Settle(call, outcome) => {
                if let Some(at) = self.awaited.iter().position(|(awaited, _)| *awaited == call) {
                    let (_, ticket) = self.awaited.remove(at);
                    self.microtasks.push_back((ticket, outcome.map(|()| Reply::Done)));
                }
                None
            }
        }
    }

    fn hook(&mut self, ticket: Ticket, hook: Hook, effects: &mut VecDeque<Effect>) -> Option<(Ticket, Answer)> {
        match hook {
            Hook::IsActiveAndReady => Some((ticket, Ok(Reply::Flag(self.is_ready)))),
            Hook::SetReady | Hook::SetBusy | Hook::SetError { .. } => {
                self.is_ready = hook == Hook::SetReady;
                Some((ticket, Ok(Reply::Done)))
            }
            Hook::ExecuteCode { cell_id, code } => {
                self.last_call += 1;
                let call = CallId(self.last_call);
                self.awaited.push((call, ticket));
                self.push(effects, HtmlInput::ExecuteCode(call, cell_id, code));
                None
            }
            _ => Some((ticket, Ok(Reply::Done))),
        }
    }
}
