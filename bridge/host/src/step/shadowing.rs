//! Shadowing: on a route that compares, what the serving path does is followed and handed out for comparison.

use bridge_core::{Comparison, ComparisonMode, Decision, Diagnostic, Level, Notes, Shadow, Source, Verdict};
use registry::{Answer, CellId, Event, Now, Query, QueueEntry, Reply, SessionIdentity};

use super::protocol::Shed;
use super::seat::Following;
use super::{Asked, Asker, Effect, Notebook, RuntimeKey};

/// Mismatches of one signature that are reported one by one; the tally counts the others.
const MAX_REPORTS_PER_SIGNATURE: u64 = 5;

impl Notebook {
    /// Follows the sessions whose route compares, and no others.
    pub(super) fn shadow_as_needed(&mut self) {
        let runtimes: Vec<RuntimeKey> = self.seats.keys().copied().collect();
        for runtime in runtimes {
            let wanted = self.seat(runtime).lease.clone().filter(|lease| lease.decision.route.compares());
            let token = wanted.as_ref().map(|lease| lease.token);
            if self.seat(runtime).shadow.as_ref().map(|following| following.token) != token {
                self.end_shadow(runtime);
            }
            if let (Some(following), Some(lease)) = (&mut self.seat(runtime).shadow, &wanted)
                && following.decision.generation != lease.decision.generation
            {
                following.decision = lease.decision.clone();
            }
            if let (None, Some(lease)) = (&self.seat(runtime).shadow, wanted) {
                let identity = SessionIdentity {
                    runtime_id: lease.runtime_id,
                    session_id: lease.session_id,
                    capabilities: self.seat(runtime).capabilities.clone(),
                };
                let shadow = Shadow::new(lease.path, identity);
                let decision = lease.decision;
                self.seat(runtime).shadow = Some(Following { token: lease.token, decision, shadow });
            }
            self.compare_what_is_due(runtime);
        }
    }

    pub(super) fn has_shadow(&self) -> bool {
        self.seats.values().any(|seat| seat.shadow.is_some())
    }

    pub(super) fn show_to_shadows(&mut self, entries: &[QueueEntry]) {
        for following in self.seats.values_mut().filter_map(|seat| seat.shadow.as_mut()) {
            following.shadow.saw(entries);
        }
    }

    /// Has the sources read that these events are about to use; gives what to follow of the commit.
    pub(super) fn pin_sources(&mut self, runtime: RuntimeKey, events: &[Event]) -> Notes {
        let Some(following) = &self.seat(runtime).shadow else { return Notes::default() };
        let notes = following.shadow.take_down(events);
        let cells = following.shadow.cells_to_pin(events);
        if !cells.is_empty() {
            let ticket = self.ask(Asked::question(Asker::Shadow(runtime, cells.clone())));
            self.effects.push(Effect::Query { ticket, query: Query::CellSources(cells) });
        }
        notes
    }

    /// A source that cannot be read stays unread: the shadow fails nobody.
    pub(super) fn pinned(&mut self, runtime: RuntimeKey, cells: Vec<CellId>, answer: Answer) {
        let Some(following) = &mut self.seat(runtime).shadow else { return };
        let Ok(Reply::Sources(sources)) = answer else { return };
        let source = |cell: &CellId| sources.get(cell).map_or(Source::Missing, |text| following.shadow.source(text));
        let pins: Vec<(CellId, Source)> = cells.into_iter().map(|cell| (cell.clone(), source(&cell))).collect();
        following.shadow.pin(pins);
    }

    /// Takes down what became of a commit.
    pub(super) fn follow(&mut self, now: Now, asked: &Asked, answer: &Answer) {
        let Some(runtime) = asked.by.session_of().filter(|_| !asked.observed.is_empty()) else { return };
        let Some(following) = &mut self.seat(runtime).shadow else { return };
        match answer {
            Ok(_) => following.shadow.committed(now, &asked.observed),
            Err(failure) => following.shadow.refused(&asked.observed, failure),
        }
    }

    fn compare_what_is_due(&mut self, runtime: RuntimeKey) {
        let Some(following) = &mut self.seat(runtime).shadow else { return };
        if let Some(observation) = following.shadow.due() {
            let decision = following.decision.clone();
            self.compare(observation, decision);
        }
    }

    /// Compares what is left when a session ends, or what is done when it moves or its route no longer compares.
    pub(super) fn end_shadow(&mut self, runtime: RuntimeKey) {
        let is_over = self.seat(runtime).lease.is_none();
        let Some(following) = self.seat(runtime).shadow.take() else { return };
        let left = if is_over { following.shadow.end() } else { following.shadow.leave() };
        if let Some(observation) = left {
            self.compare(observation, following.decision);
        }
    }

    pub(super) fn compare(&mut self, observation: bridge_core::Observation, decision: Decision) {
        self.comparing += 1;
        self.effects.push(Effect::Compare { observation: Box::new(observation), decision: Box::new(decision) });
    }

    pub(super) fn on_compared(&mut self, outcome: Result<Comparison, Shed>) {
        self.comparing = self.comparing.saturating_sub(1);
        match outcome {
            Err(shed) => self.comparisons.add_shed(shed.executions),
            Ok(comparison) => {
                self.comparisons.add(&comparison);
                if comparison.mode == ComparisonMode::Paths {
                    self.report_mismatches(&comparison);
                }
                self.effects.push(Effect::Compared { comparison: Box::new(comparison) });
            }
        }
    }

    /// Names the places that differ, never what is there: a log is no place for a user's outputs.
    fn report_mismatches(&mut self, comparison: &Comparison) {
        let executions =
            comparison.executions.iter().map(|one| (format!("execution `{}`", one.queue_id), &one.verdict));
        let order = std::iter::once(("the order of executions".to_owned(), &comparison.order));
        for (what, verdict) in executions.chain(order) {
            let Verdict::Mismatch { signature, .. } = verdict else { continue };
            if self.comparisons.signatures.get(signature).is_some_and(|seen| *seen > MAX_REPORTS_PER_SIGNATURE) {
                continue;
            }
            let diagnostic = Diagnostic {
                level: Level::Error,
                code: "MISMATCH",
                message: format!("notebook `{}`: {what} differs between the paths at `{signature}`", self.id),
                help: "bridge.on(\"comparison\") gives both sides; route the notebook `legacy` until it is explained"
                    .to_owned(),
            };
            self.effects.push(Effect::Diagnostic { diagnostic });
        }
    }
}
