//! The kill switch: every notebook is served by the old path, at once, whatever flags and evidence say.
//!
//! There are four ways to throw it, and it is off only when none of them holds: the flag (`state: DISABLED`, which the router
//! sees by itself), a call, a variable of the environment, and a file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest reason that is kept, in characters: a paragraph.
const MAX_REASON_CHARS: usize = 2000;

/// How it was thrown, other than by the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KillWay {
    /// By a call of the host or an operator.
    Call,
    /// By a variable of the process's environment.
    Variable,
    /// By a file that is there.
    File,
}

/// One way in which it is thrown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kill {
    /// How.
    pub way: KillWay,
    /// Why, for people; where nobody gave a reason, what was found.
    pub reason: String,
    /// Who did it, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Since when, in milliseconds since 1970.
    pub since_wall_ms: i64,
    /// It is thrown for want of certainty: nobody may have meant it.
    pub is_doubtful: bool,
}

impl Kill {
    /// A kill that somebody meant. Nobody in an emergency is asked for a reason twice: without one, it says so.
    pub fn meant(way: KillWay, reason: &str, by: Option<&str>, since_wall_ms: i64) -> Self {
        let kept = |text: &str| text.trim().chars().take(MAX_REASON_CHARS).collect::<String>();
        let reason = Some(kept(reason)).filter(|reason| !reason.is_empty());
        Self {
            way,
            reason: reason.unwrap_or_else(|| "no reason given".to_owned()),
            by: by.map(kept).filter(|by| !by.is_empty()),
            since_wall_ms,
            is_doubtful: false,
        }
    }

    /// A kill for want of certainty.
    pub fn for_doubt(way: KillWay, doubt: &str, since_wall_ms: i64) -> Self {
        Self { is_doubtful: true, ..Self::meant(way, doubt, None, since_wall_ms) }
    }

    /// Reads a variable of the environment, strictly: unset and `0` leave the switch alone, `1` throws it, and whatever else
    /// somebody has written there throws it too, for want of certainty.
    pub fn by_variable(name: &str, value: Option<&str>, now_wall_ms: i64) -> Option<Self> {
        match value? {
            "0" => None,
            "1" => Some(Self::meant(KillWay::Variable, &format!("{name}=1"), None, now_wall_ms)),
            other => {
                let shown: String = other.chars().take(40).collect();
                let doubt = format!("{name} is neither 0 nor 1: `{shown}`");
                Some(Self::for_doubt(KillWay::Variable, &doubt, now_wall_ms))
            }
        }
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            KillWay::Call => "a call",
            KillWay::Variable => "the environment",
            KillWay::File => "a file",
        };
        write!(f, "the kill switch is on, by {way}: {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_strictly_and_doubt_kills() {
        let check = |value: Option<&str>, expect: Option<bool>| {
            let kill = Kill::by_variable("KILL", value, 5);
            assert_eq!(kill.map(|kill| kill.is_doubtful), expect, "{value:?}");
        };
        check(None, None);
        check(Some("0"), None);
        check(Some("1"), Some(false));
        for doubtful in ["", " ", "true", "false", "no", "off", "00", "1 ", "01", "\u{0}", "🙂"] {
            check(Some(doubtful), Some(true));
        }
    }

    #[test]
    fn an_empty_reason_is_no_obstacle_and_a_long_one_is_cut() {
        assert_eq!(Kill::meant(KillWay::Call, " \n", Some(" "), 0).reason, "no reason given");
        let kill = Kill::meant(KillWay::Call, &"x".repeat(3000), Some(" an operator "), 0);
        assert_eq!((kill.reason.len(), kill.by.as_deref()), (MAX_REASON_CHARS, Some("an operator")));
    }
}
