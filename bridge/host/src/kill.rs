//! The kill switch of an environment, and the file that throws it.
//!
//! It is shared between the environment and its notebooks, and the thread that follows the file throws it: a notebook finds it
//! thrown at its next step even if nobody could tell it, because the thread of its owner was blocked.

mod file;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bridge_core::{Decision, Kill, KillWay};

pub use file::{KillEvent, KillFile};

/// All ways in which the switch is thrown, each once. It is on while there is one.
#[derive(Debug, Default)]
pub struct KillSwitch {
    /// Written by whoever throws it, read by whoever decides: neither waits for the other's work.
    kills: Mutex<BTreeMap<KillWay, Kill>>,
    /// Counts changes; odd or even says nothing.
    changes: AtomicU64,
    /// How many ways hold it: what is asked at every decision.
    holding: AtomicU64,
}

impl KillSwitch {
    /// Throws it. In force when this returns; true where this way did not hold it for this reason before.
    pub fn throw(&self, kill: Kill) -> bool {
        self.change(|kills| {
            let is_known = kills.get(&kill.way).is_some_and(|known| known.reason == kill.reason);
            if !is_known {
                kills.insert(kill.way, kill);
            }
            !is_known
        })
    }

    /// Lets go of it in one way; gives what held it.
    pub fn release(&self, way: KillWay) -> Option<Kill> {
        let mut held = None;
        self.change(|kills| {
            held = kills.remove(&way);
            held.is_some()
        });
        held
    }

    /// True while any way holds it.
    pub fn is_on(&self) -> bool {
        self.holding.load(Ordering::Acquire) > 0
    }

    /// How often it has changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Everything that holds it.
    pub fn kills(&self) -> Vec<Kill> {
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A decision as it is while the switch stands as it does.
    #[must_use]
    pub fn over(&self, decision: Decision) -> Decision {
        if self.is_on() { decision.killed() } else { decision }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<KillWay, Kill>) -> bool) -> bool {
        let mut kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
        let is_changed = change(&mut kills);
        if is_changed {
            self.holding.store(kills.len() as u64, Ordering::Release);
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        is_changed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use bridge_core::{Ability, ComparisonMode, Observation, Path, Reason};
    use flags::Context;
    use registry::{Capabilities, NotebookId, Now, RuntimeId, SessionId, SessionIdentity};

    use super::*;
    use crate::environment::{Environment, NotebookKey};
    use crate::lane::{Books, Job, Lane};
    use crate::step::{Effect, Input, LegacyKind, RuntimeKey};

    const NOW: Now = Now { wall_ms: 0, mono_ms: 0 };

    fn job(key: NotebookKey, decision: Decision) -> Job {
        let (runtime_id, session_id) = (RuntimeId::from("r"), SessionId::from("s"));
        let identity = SessionIdentity { runtime_id, session_id, capabilities: Capabilities::default() };
        let executions = Vec::new();
        let observation = Observation {
            serving: Path::Registry,
            control: bridge_core::Control::Path,
            identity,
            began: NOW,
            saw_refusal: false,
            executions,
        };
        let notebook = NotebookId::from("nb");
        let mode = ComparisonMode::Paths;
        Job { key, notebook, observation, decision, mode, age: 0, seeded: None, marks: None, program: None }
    }

    /// The lane's thread never comes back from telling that it has done its first comparison.
    #[test]
    fn a_wedged_candidate_is_no_obstacle() {
        let mut environment = Environment::new([1; 32]);
        let registry =
            r#"{"flags":{"runtime-route":{"state":"ENABLED","variants":{"v":"live"},"defaultVariant":"v"}}}"#;
        environment.flags().expect();
        environment.flags().apply(registry, "test").unwrap();
        let key = environment.open_notebook(NotebookId::from("nb"));
        let (wedged, is_wedged) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let lane = Lane::open(Books::default(), move || {
            wedged.send(()).unwrap();
            // Only its end lets the thread go on.
            let _ = held.lock().unwrap().recv();
        })
        .unwrap();
        let decision = environment.route(&Context::new("nb"));
        let job = || job(key, decision.clone());
        assert!(lane.submit(job()));
        is_wedged.recv().unwrap();
        while lane.submit(job()) {}
        environment.shadowing().open(lane);

        let mut admitted = || {
            let ability = Ability { is_built_in: true, has_live_query: true };
            let (runtime, attributes) = (RuntimeKey(1), serde_json::Map::new());
            let admit = Input::Admit { runtime, attributes, ability, legacy: LegacyKind::Compat };
            let effects = environment.step_notebook(key, NOW, admit).unwrap();
            let decision = effects.into_iter().find_map(|effect| match effect {
                Effect::Admitted { decision, .. } => Some(decision),
                _ => None,
            });
            let before = (decision.unwrap().route.serving(), environment.route(&Context::new("nb")).reason);
            assert_eq!(environment.kill(NOW, "r", None).len(), usize::from(before.0 == Path::Registry));
            before
        };
        assert_eq!(admitted(), (Path::Registry, Reason::Static));
        assert_eq!(admitted(), (Path::Legacy, Reason::Killed));
        drop(release);
    }

    #[test]
    fn it_is_on_until_no_way_holds_it() {
        let switch = KillSwitch::default();
        assert!(!switch.is_on());
        for way in [KillWay::Call, KillWay::File] {
            assert!(switch.throw(Kill::meant(way, "r", None, 0)));
            assert!(!switch.throw(Kill::meant(way, "r", None, 1)), "the same again is no news");
        }
        assert_eq!((switch.kills().len(), switch.changes()), (2, 2));
        assert!(switch.release(KillWay::Call).is_some() && switch.is_on());
        assert!(switch.release(KillWay::Call).is_none());
        assert!(switch.release(KillWay::File).is_some() && !switch.is_on());
    }
}
