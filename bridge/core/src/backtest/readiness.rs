//! In which order notebooks may move, by what their logs show.

use serde::Serialize;

use super::Parity;
use crate::audit::Audit;

/// The rule, for those who read the order.
pub const ROLLOUT_RULE: &str = "first no faults and cosmetic differences only, then known differences that users see, then faults in \
    the log, then a log that legacy-compat does not reproduce, then a mismatch, then nothing replayed; in each, more replayed \
    executions first";

/// Known differences that no user sees. That outputs are replaced is one too while no cell has run twice.
const COSMETIC: [&str; 2] = ["execution-count", "no-empty-metadata"];

/// What replaces the outputs of earlier runs, where there were some.
const REPLACED: &str = "outputs-replaced";

/// How ready a notebook is to move to the registry; the earlier, the readier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// No faults, and nobody will see a difference.
    Ready,
    /// No faults; users will see a known difference.
    Visible,
    /// The log has faults: the old path has lost or doubled work.
    Faulty,
    /// What the old path did is not what `legacy-compat` does: the comparison says less.
    Unlike,
    /// The paths differ otherwise than the ledger of known differences says.
    Differs,
    /// Nothing was replayed.
    Unproven,
}

impl Readiness {
    /// The reason, as a phrase.
    pub fn says(self) -> &'static str {
        match self {
            Self::Ready => "no faults, cosmetic differences only",
            Self::Visible => "no faults, a known difference that users will see",
            Self::Faulty => "faults in its log",
            Self::Unlike => "legacy-compat does not reproduce its log",
            Self::Differs => "a mismatch: keep it on the old path until it is explained",
            Self::Unproven => "nothing replayed: no evidence",
        }
    }
}

/// How ready a notebook is, by its audit and its replay.
pub fn readiness(audit: &Audit, parity: &Parity) -> Readiness {
    let is_cosmetic = |name: &str| COSMETIC.contains(&name) || (name == REPLACED && parity.repeated == 0);
    if parity.replayed == 0 {
        Readiness::Unproven
    } else if parity.mismatched > 0 {
        Readiness::Differs
    } else if parity.recorded.values().any(|recorded| recorded.deviating > 0) {
        Readiness::Unlike
    } else if !audit.is_clean() {
        Readiness::Faulty
    } else if parity.known_differences.keys().all(|name| is_cosmetic(name)) {
        Readiness::Ready
    } else {
        Readiness::Visible
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KNOWN_DIFFERENCES;
    use crate::audit::Group;

    fn parity() -> Parity {
        Parity { replayed: 3, ..Parity::default() }
    }

    fn check(audit: &Audit, parity: &Parity, expect: Readiness) {
        assert_eq!(readiness(audit, parity), expect);
    }

    #[test]
    fn faults_deviations_and_mismatches_put_a_notebook_further_back() {
        let clean = Audit::default();
        check(&clean, &Parity::default(), Readiness::Unproven);
        let mut parity = parity();
        parity.known_differences.extend([("no-empty-metadata", 1), (REPLACED, 1)]);
        check(&clean, &parity, Readiness::Ready);
        parity.repeated = 1;
        check(&clean, &parity, Readiness::Visible);
        let faulty = Audit { faults: [(Group::Lost, 1)].into(), ..Audit::default() };
        check(&faulty, &parity, Readiness::Faulty);
        parity.recorded.entry(crate::Path::Legacy).or_default().deviating = 1;
        check(&faulty, &parity, Readiness::Unlike);
        parity.mismatched = 1;
        check(&faulty, &parity, Readiness::Differs);
    }

    #[test]
    fn cosmetic_differences_are_in_the_ledger() {
        for name in COSMETIC.iter().chain([&REPLACED]) {
            assert!(KNOWN_DIFFERENCES.iter().any(|known| known.name == *name), "{name}");
        }
    }
}
