//! The guard of an environment, with its store: comparisons go in, rollbacks and diagnostics come out.

use std::path::Path;
use std::sync::Arc;

use bridge_core::{
    Advice, Comparison, Diagnostic, Evidence, Guard, GuardSettings, GuardStatus, Latch, Level, RearmError, Rollback,
    Scope,
};
use registry::{NotebookId, Now};

use crate::latch::{Durability, LatchFile};
use crate::step::Effect;

/// The candidate's build: the cores are those of this very library.
pub(crate) const BUILD: &str = env!("CARGO_PKG_VERSION");

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
    saved_mono_ms: u64,
}

impl Default for Guarding {
    fn default() -> Self {
        let settings = GuardSettings { is_dry_run: true, ..GuardSettings::default() };
        Self { guard: Guard::new(settings, BUILD), latch: Arc::default(), file: None, saved_mono_ms: 0 }
    }
}

impl Guarding {
    /// Works by these settings from now on. A file is read at once; what it has latched is in force when this returns, and
    /// what cannot be read is latched everywhere.
    pub fn configure(&mut self, now: Now, settings: GuardSettings, file: Option<&Path>) -> Vec<Diagnostic> {
        let mut news = Vec::new();
        match file.map(LatchFile::at) {
            Some(file) if self.file.as_ref().is_none_or(|known| known.path() != file.path()) => {
                news.extend(self.open(now, settings, file));
            }
            _ => self.guard.configure(settings),
        }
        if self.file.is_none() && !settings.is_dry_run {
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
        self.guard.begin_stage(generation);
        let evidence = Evidence::of(comparison);
        let mut effects = Vec::new();
        for piece in &evidence {
            if let Advice::Rollback(rollback) = self.guard.take(now, notebook, piece) {
                effects.extend(tell(rollback));
            }
        }
        let is_latched = *self.latch != *self.guard.latch();
        if is_latched {
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
            code: "GUARD_NOT_SAVED",
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

fn unreadable(place: &str, code: &'static str, reason: &str) -> Diagnostic {
    Diagnostic {
        level: Level::Error,
        code,
        message: format!("{place}: {reason}: every notebook is served by the old path"),
        help: "look at what was rolled back and why; bridge.rearm(reason) begins with a new state".to_owned(),
    }
}

fn local() -> Diagnostic {
    Diagnostic {
        level: Level::Info,
        code: "GUARD_LOCAL",
        message: "the guard's latch has no store: a rollback ends with this process".to_owned(),
        help: "configure({ guard: { latch: FILE } })".to_owned(),
    }
}
