//! The guard of an environment, with its store: comparisons go in, rollbacks and diagnostics come out.

use std::path::Path;
use std::sync::Arc;

use bridge_core::{
    Advice, Closed, Comparison, Diagnostic, Evidence, Guard, GuardSettings, GuardStatus, Incident, Kill, Latch, Level,
    RearmError, Rollback, Scope, Tier, UnkillError,
};
use registry::{NotebookId, Now};

use crate::latch::{Durability, LatchFile};
use crate::mark::{Left, Mark, left_beside};
use crate::shared::{Offer, SharedLatch};
use crate::step::Effect;

/// The candidate's build: the cores are those of this very library.
pub(crate) const BUILD: &str = env!("CARGO_PKG_VERSION");

/// What could not be written is in force, and may be forgotten with the process.
const NOT_SAVED: &str = "GUARD_NOT_SAVED";

/// The least time between two states written for new evidence against the candidate, in milliseconds. In a storm of it the
/// store is not the bottleneck.
const SAVE_AGAINST_MS: u64 = 1000;

/// The least time between two states written for clean evidence, in milliseconds. A crash loses what can be had again.
const SAVE_CLEAN_MS: u64 = 60_000;

/// The guard and what it needs to live on. Until it is configured, it only says what it would do.
pub struct Guarding {
    guard: Guard,
    /// A snapshot of the guard's latch, which notebooks share.
    latch: Arc<Latch>,
    file: Option<LatchFile>,
    /// What there is to tell a store that other processes heed too.
    shared: Option<SharedLatch>,
    saved_mono_ms: u64,
}

impl Default for Guarding {
    fn default() -> Self {
        let settings = GuardSettings { is_dry_run: true, ..GuardSettings::default() };
        Self { guard: Guard::new(settings, BUILD), latch: Arc::default(), file: None, shared: None, saved_mono_ms: 0 }
    }
}

impl Guarding {
    /// Works by these settings from now on. A file is read at once; what it has latched is in force when this returns, and
    /// what cannot be read is latched everywhere.
    pub fn configure(&mut self, now: Now, settings: GuardSettings, file: Option<&Path>) -> Vec<Diagnostic> {
        let mut news = Vec::new();
        match file.map(LatchFile::at) {
            Some(file) if self.file.as_ref().is_none_or(|known| known.path() != file.path()) => {
                let killed = self.guard.latch().killed().cloned();
                news.extend(self.open(now, settings, file));
                // A kill that came before the file goes into it.
                news.extend(killed.and_then(|kill| self.kill(now, kill)));
            }
            _ => self.guard.configure(settings),
        }
        if self.file.is_none() && self.shared.is_none() && !settings.is_dry_run {
            news.push(local());
        }
        self.latch = Arc::new(self.guard.latch().clone());
        news
    }

    fn open(&mut self, now: Now, settings: GuardSettings, file: LatchFile) -> Vec<Diagnostic> {
        let place = file.path().display().to_string();
        let mut news = Vec::new();
        match file.read() {
            Ok(None) => self.guard.configure(settings),
            Ok(Some(state)) => {
                let (guard, error) = Guard::restore(settings, BUILD, &state, now);
                self.guard = guard;
                news.extend(error.map(|error| unreadable(&place, error.code(), &error.to_string())));
            }
            Err(error) => {
                self.guard = Guard::new(settings, BUILD);
                let reason = format!("the guard's state cannot be read: {error}");
                self.guard.close_for_doubt(now, &reason);
                news.push(unreadable(&place, "GUARD_STATE_UNREADABLE", &reason));
            }
        }
        self.file = Some(file);
        let closed = self.guard.latch().closed();
        news.extend(closed.take(1).map(|closed| Diagnostic {
            level: Level::Warning,
            code: "STILL_ROLLED_BACK",
            message: format!("{} stays on the old path: {}", closed.scope, closed.grounds),
            help: "bridge.rearm(reason) lets the flags decide again; bridge.status().guard shows all of it".to_owned(),
        }));
        news
    }

    /// Shares the latch through a store from now on, in place of a file. Until it has been read nothing is known of the latch,
    /// and so it is closed.
    pub fn share(&mut self, now: Now) {
        if self.shared.is_some() {
            return;
        }
        let mut shared = SharedLatch::default();
        shared.note_closed(&Latch::default(), self.guard.latch());
        self.guard.latch().killed().cloned().into_iter().for_each(|kill| shared.note_killed(kill));
        (self.file, self.shared) = (None, Some(shared));
        self.guard.close_for_doubt(now, "the guard's sink has not been read yet");
        self.latch = Arc::new(self.guard.latch().clone());
    }

    /// Takes in what the shared store holds; nothing where it holds none yet. What cannot be read is latched everywhere.
    pub fn take_in(&mut self, now: Now, state: Option<&str>) -> Vec<Diagnostic> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let before = Arc::clone(&self.latch);
        let news = match shared.on_top_of(state) {
            Ok(latch) => {
                self.guard.obey(latch);
                self.guard
                    .latch()
                    .closed()
                    .filter(|closed| !before.closed().any(|known| known == *closed))
                    .map(elsewhere)
                    .collect()
            }
            Err(error) => {
                self.guard.close_for_doubt(now, &error.to_string());
                vec![unreadable("the guard's sink", error.code(), &error.to_string())]
            }
        };
        self.latch = Arc::new(self.guard.latch().clone());
        news
    }

    /// What the shared store has to be told; nothing while it knows all, or while what it holds is not known here.
    pub fn offer(&self) -> Option<Offer> {
        let is_in_doubt = self.latch.closed().any(|closed| closed.tier == Tier::Unreadable);
        self.shared.as_ref().filter(|_| !is_in_doubt)?.offer(&self.latch)
    }

    /// The shared store has taken an offer with so many changes.
    pub fn sent(&mut self, changes: usize) {
        if let Some(shared) = &mut self.shared {
            shared.sent(changes);
        }
    }

    /// The rollbacks in force.
    pub fn latch(&self) -> &Arc<Latch> {
        &self.latch
    }

    /// What an operator sees.
    pub fn status(&self) -> GuardStatus {
        self.guard.status()
    }

    /// Takes in what a comparison says, under the flags of this generation. A rollback is in force when this returns; then it
    /// is saved.
    pub fn weigh(&mut self, now: Now, notebook: &NotebookId, generation: u64, comparison: &Comparison) -> Vec<Effect> {
        self.take(now, notebook, generation, &Evidence::of(comparison))
    }

    /// The same for evidence of any kind.
    pub fn take(&mut self, now: Now, notebook: &NotebookId, generation: u64, evidence: &[Evidence]) -> Vec<Effect> {
        self.guard.begin_stage(generation);
        self.take_in_stage(now, notebook, evidence)
    }

    /// Takes in what a comparison says that was made under other flags than those in force: see [`Guard::take_late`].
    pub fn weigh_late(&mut self, now: Now, notebook: &NotebookId, comparison: &Comparison) -> Vec<Effect> {
        self.take_each(now, &Evidence::of(comparison), |guard, piece| guard.take_late(now, notebook, piece))
    }

    fn take_in_stage(&mut self, now: Now, notebook: &NotebookId, evidence: &[Evidence]) -> Vec<Effect> {
        self.take_each(now, evidence, |guard, piece| guard.take(now, notebook, piece))
    }

    fn take_each(
        &mut self,
        now: Now,
        evidence: &[Evidence],
        take: impl Fn(&mut Guard, &Evidence) -> Advice,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for piece in evidence {
            if let Advice::Rollback(rollback) = take(&mut self.guard, piece) {
                effects.extend(tell(rollback));
            }
        }
        let is_latched = *self.latch != *self.guard.latch();
        if is_latched {
            if let Some(shared) = &mut self.shared {
                shared.note_closed(&self.latch, self.guard.latch());
            }
            self.latch = Arc::new(self.guard.latch().clone());
        }
        let patience_ms = if evidence.iter().any(Evidence::is_against) { SAVE_AGAINST_MS } else { SAVE_CLEAN_MS };
        let failure = match () {
            () if is_latched => self.save(now, Durability::Machine),
            () if now.mono_ms.saturating_sub(self.saved_mono_ms) >= patience_ms => self.save(now, Durability::Process),
            () => None,
        };
        effects.extend(failure.map(|diagnostic| Effect::Diagnostic { diagnostic }));
        effects
    }

    /// Takes in what a process that is gone has left behind. A rollback is in force, and all of it is saved, when this returns.
    fn report(&mut self, now: Now, notebook: &NotebookId, incident: Incident) -> Vec<Effect> {
        let mut effects = self.take_in_stage(now, notebook, &[Evidence::Incident(incident)]);
        effects.extend(self.save(now, Durability::Machine).map(|diagnostic| Effect::Diagnostic { diagnostic }));
        effects
    }

    /// Takes in the marks that processes which are gone have left beside this latch: the diagnostics, and the rollbacks for
    /// listeners. What was taken in is saved before it is removed.
    pub fn heed_marks(&mut self, now: Now, latch: &Path) -> (Vec<Diagnostic>, Vec<Effect>) {
        let left = match left_beside(latch) {
            Ok(left) => left,
            Err(error) => return (vec![unreadable_marks(latch, &error)], Vec::new()),
        };
        let mut news = Vec::new();
        let mut rollbacks = Vec::new();
        for mark in left.iter().flat_map(|one| &one.marks) {
            news.push(found(mark));
            for effect in self.report(now, &mark.notebook, Incident::InFlightMark) {
                match effect {
                    Effect::Diagnostic { diagnostic } => news.push(diagnostic),
                    rollback => rollbacks.push(rollback),
                }
            }
        }
        // What could not be kept is found again at the next start.
        if !news.iter().any(|one| one.code == NOT_SAVED) {
            left.into_iter().for_each(Left::remove);
        }
        (news, rollbacks)
    }

    /// Opens the latch; what cannot be saved of it is told.
    ///
    /// # Errors
    /// Without a reason, or where this scope is not latched.
    pub fn rearm(
        &mut self,
        now: Now,
        scope: &Scope,
        by: Option<&str>,
        reason: &str,
    ) -> Result<Option<Diagnostic>, RearmError> {
        self.guard.rearm(now, scope, by, reason)?;
        if let Some(shared) = &mut self.shared {
            shared.note_rearmed(now, scope, by, reason);
        }
        self.latch = Arc::new(self.guard.latch().clone());
        Ok(self.save(now, Durability::Machine))
    }

    /// Keeps a kill with the rollbacks; what cannot be saved of it is told.
    pub fn kill(&mut self, now: Now, kill: Kill) -> Option<Diagnostic> {
        if let Some(shared) = &mut self.shared {
            shared.note_killed(kill.clone());
        }
        self.guard.kill(kill);
        self.latch = Arc::new(self.guard.latch().clone());
        self.save(now, Durability::Machine)
    }

    /// Lets go of the kill; what cannot be saved of it is told.
    ///
    /// # Errors
    /// Without a reason, or where none is kept.
    pub fn unkill(&mut self, now: Now, reason: &str) -> Result<Option<Diagnostic>, UnkillError> {
        self.guard.unkill(reason)?;
        if let Some(shared) = &mut self.shared {
            shared.note_unkilled(reason);
        }
        self.latch = Arc::new(self.guard.latch().clone());
        Ok(self.save(now, Durability::Machine))
    }

    /// Writes the state, where it has a file.
    pub fn save(&mut self, now: Now, durability: Durability) -> Option<Diagnostic> {
        self.saved_mono_ms = now.mono_ms;
        let file = self.file.as_ref()?;
        let error = file.write(&self.guard.state(), durability).err()?;
        Some(Diagnostic {
            level: Level::Error,
            code: NOT_SAVED,
            message: format!("{}: the guard's state cannot be written: {error}", file.path().display()),
            help: "rollbacks are in force here, and may be forgotten with this process: make the file writable"
                .to_owned(),
        })
    }
}

/// The rollback for listeners, and for the log of an operator.
fn tell(rollback: Box<Rollback>) -> [Effect; 2] {
    let (scope, grounds) = (&rollback.closed.scope, &rollback.closed.grounds);
    let diagnostic = match rollback.is_dry_run {
        true => Diagnostic {
            level: Level::Warning,
            code: "WOULD_ROLL_BACK",
            message: format!("the guard would roll back {scope}: {grounds}"),
            help: "configure({ guard: { latch: FILE } }) lets it".to_owned(),
        },
        false => Diagnostic {
            level: Level::Error,
            code: "ROLLED_BACK",
            message: format!("the guard has rolled back {scope}: {grounds}"),
            help: "bridge.on(\"rollback\") gives the evidence; bridge.rearm(reason) ends it".to_owned(),
        },
    };
    [Effect::RolledBack { rollback }, Effect::Diagnostic { diagnostic }]
}

fn found(mark: &Mark) -> Diagnostic {
    let Mark { notebook, build, .. } = mark;
    Diagnostic {
        level: Level::Error,
        code: "IN_FLIGHT_MARK",
        message: format!(
            "a process was gone before its candidate for notebook `{notebook}` had ended (build `{build}`)"
        ),
        help: "look for what brought that process down; configure({ shadow: { process: \"separate\" } }) contains it"
            .to_owned(),
    }
}

fn unreadable_marks(latch: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        code: "MARKS_UNAVAILABLE",
        message: format!("{}: what is marked beside it cannot be read: {error}", latch.display()),
        help: "a candidate that brought a process down goes unnoticed: make the folder readable".to_owned(),
    }
}

fn unreadable(place: &str, code: &'static str, reason: &str) -> Diagnostic {
    Diagnostic {
        level: Level::Error,
        code,
        message: format!("{place}: {reason}: every notebook is served by the old path"),
        help: "look at what was rolled back and why; bridge.rearm(reason) begins with a new state".to_owned(),
    }
}

fn elsewhere(closed: &Closed) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        code: "ROLLED_BACK_ELSEWHERE",
        message: format!("{} is served by the old path, as the guard's sink says: {}", closed.scope, closed.grounds),
        help: "bridge.rearm(reason) ends it for every process".to_owned(),
    }
}

fn local() -> Diagnostic {
    Diagnostic {
        level: Level::Info,
        code: "GUARD_LOCAL",
        message: "the guard's latch has no store: a rollback is local to this process, and ends with it".to_owned(),
        help: "configure({ guard: { latch: FILE } }), or a `sink` that other processes heed too".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::{Class, Incident, Outcome};
    use registry::QueueId;

    use super::*;

    const NOW: Now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };

    /// A process whose guard shares its latch.
    fn process() -> Guarding {
        let mut guarding = Guarding::default();
        guarding.share(NOW);
        let news = guarding.configure(NOW, GuardSettings::default(), None);
        assert_eq!(news, [], "it has a store");
        guarding
    }

    fn lose(guarding: &mut Guarding, notebook: &str) {
        let evidence = [Evidence::Incident(Incident::LostExecution)];
        guarding.take(NOW, &NotebookId::from(notebook), 1, &evidence);
    }

    fn differ_twice(guarding: &mut Guarding, notebook: &str) {
        let (class, outcome) = (Class::Deterministic, Outcome::Mismatch);
        let mismatch = Evidence::Compared { id: QueueId::from("q"), class, outcome };
        guarding.take(NOW, &NotebookId::from(notebook), 1, &[mismatch.clone(), mismatch]);
    }

    /// Offers what there is until the store takes it, as the performer does.
    fn settle(guarding: &mut Guarding, store: &mut Option<String>, seen: Option<&str>) {
        let Some(offer) = guarding.offer() else { return };
        if store.as_deref() == seen {
            *store = Some(offer.state);
            return guarding.sent(offer.changes);
        }
        let held = store.clone();
        guarding.take_in(NOW, held.as_deref());
        settle(guarding, store, held.as_deref());
    }

    fn holds(guarding: &Guarding, notebook: &str) -> bool {
        guarding.latch().holds(notebook).is_some()
    }

    #[test]
    fn until_the_store_is_read_every_notebook_is_on_the_old_path_and_nothing_is_written() {
        let mut guarding = process();
        assert!(holds(&guarding, "any"));
        assert_eq!(guarding.offer(), None);
        assert_eq!(guarding.take_in(NOW, None), []);
        assert!(!holds(&guarding, "any"));
    }

    #[test]
    fn of_two_processes_that_roll_back_at_once_both_rollbacks_stand_in_both() {
        let (mut one, mut other, mut store) = (process(), process(), None);
        one.take_in(NOW, None);
        other.take_in(NOW, None);
        lose(&mut one, "a");
        lose(&mut other, "b");
        settle(&mut one, &mut store, None);
        settle(&mut other, &mut store, None);
        let news = one.take_in(NOW, store.as_deref());
        assert_eq!(news.iter().map(|news| news.code).collect::<Vec<_>>(), ["ROLLED_BACK_ELSEWHERE"]);
        for process in [&one, &other] {
            assert!(holds(process, "a") && holds(process, "b") && !holds(process, "c"));
            assert_eq!(process.offer(), None, "the store knows all");
        }
    }

    #[test]
    fn a_rearm_reaches_the_others_and_their_old_copies_do_not_undo_it() {
        let (mut one, mut other, mut store) = (process(), process(), None);
        one.take_in(NOW, None);
        lose(&mut one, "a");
        settle(&mut one, &mut store, None);
        other.take_in(NOW, store.as_deref());
        let before = store.clone();
        other.rearm(NOW, &Scope::Notebook("a".into()), None, "looked at").unwrap();
        settle(&mut other, &mut store, before.as_deref());
        differ_twice(&mut one, "c");
        settle(&mut one, &mut store, before.as_deref());
        for process in [&mut one, &mut other] {
            process.take_in(NOW, store.as_deref());
            assert!(!holds(process, "a") && holds(process, "c"));
        }
    }

    #[test]
    fn a_kill_by_a_call_is_everybodys_and_so_is_its_end() {
        let (mut one, mut other, mut store) = (process(), process(), None);
        one.take_in(NOW, None);
        one.kill(NOW, Kill::meant(bridge_core::KillWay::Call, "outage", None, 0));
        other.take_in(NOW, None);
        lose(&mut other, "b");
        settle(&mut other, &mut store, None);
        settle(&mut one, &mut store, None);
        other.take_in(NOW, store.as_deref());
        for process in [&one, &other] {
            assert!(process.latch().killed().is_some() && holds(process, "b"), "neither takes the other away");
        }
        let before = store.clone();
        other.unkill(NOW, "looked at").unwrap();
        settle(&mut other, &mut store, before.as_deref());
        one.take_in(NOW, store.as_deref());
        assert!([&one, &other].iter().all(|process| process.latch().killed().is_none()));
    }

    #[test]
    fn a_store_that_cannot_be_read_is_closed_until_somebody_says_otherwise() {
        let mut guarding = process();
        let mut store = Some("not a state".to_owned());
        let news = guarding.take_in(NOW, store.as_deref());
        assert_eq!(news[0].code, "GUARD_STATE_UNREADABLE");
        assert!(holds(&guarding, "any") && guarding.offer().is_none());
        guarding.rearm(NOW, &Scope::Everywhere, None, "looked at").unwrap();
        settle(&mut guarding, &mut store, Some("not a state"));
        assert_eq!(guarding.take_in(NOW, store.as_deref()), []);
        assert!(!holds(&guarding, "any"));
    }

    #[test]
    fn a_mark_is_removed_once_what_it_says_is_kept_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let latch = folder.path().join("latch");
        let mark = folder.path().join("latch.mark-1-0");
        std::fs::write(&mark, "!{\"notebook\":\"nb\",\"build\":\"b\",\"sinceWallMs\":0}\n").unwrap();
        let heed = || {
            let mut guarding = Guarding::default();
            guarding.configure(NOW, GuardSettings::default(), Some(&latch));
            guarding.heed_marks(NOW, &latch);
            holds(&guarding, "nb") || guarding.latch().is_everywhere()
        };
        std::fs::create_dir(&latch).unwrap();
        assert!(heed() && mark.exists(), "the latch cannot be written");
        std::fs::remove_dir(&latch).unwrap();
        assert!(heed() && !mark.exists());
        assert!(heed(), "and is kept");
    }

    #[test]
    fn a_latch_without_a_store_says_that_it_is_local() {
        let codes = |settings| {
            let news = Guarding::default().configure(NOW, settings, None);
            news.iter().map(|news| news.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(GuardSettings::default()), ["GUARD_LOCAL"]);
        assert!(codes(GuardSettings { is_dry_run: true, ..GuardSettings::default() }).is_empty());
    }
}
