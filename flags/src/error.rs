//! Why a document is refused, where, and what to do about it.

use std::fmt;

use crate::document::{MAX_DEPTH, MAX_DOCUMENT_BYTES};
use crate::operator::MAX_WEIGHT_SUM;
use crate::targeting::{MAX_LOOP_NESTING, MAX_TARGETING_NODES};

/// A document that was refused: one cause, at one place.
///
/// Displays as `flags.a.state at line 4, column 16: unknown state`, value last; [`DocumentError::hint`] is apart from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {cause}")]
pub struct DocumentError {
    /// Where in the document.
    pub place: Place,
    /// What is wrong there.
    pub cause: Cause,
}

impl DocumentError {
    /// The cause as a stable name in capitals, for logs, metrics and the error codes of the JavaScript side.
    pub fn code(&self) -> &'static str {
        self.cause.code()
    }

    /// What to change in the document, as one imperative sentence.
    pub fn hint(&self) -> &str {
        self.cause.hint()
    }
}

/// A position in a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The JSON path, as in `flags.runtime-route.variants` or `flags.a.targeting.fractional[1][1]`; empty for the document.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "document" } else { &self.path };
        write!(f, "{path} at line {}, column {}", self.line, self.column)
    }
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The text is not JSON. A half-written file ends here, with `end of text` found.
    #[error("expected {expected}, found `{found}`")]
    Syntax {
        /// What JSON allows at this place.
        expected: &'static str,
        /// The character there, or `end of text`.
        found: String,
    },
    /// The text is longer than [`MAX_DOCUMENT_BYTES`].
    #[error("the document is larger than {MAX_DOCUMENT_BYTES} bytes: `{bytes}`")]
    TooLarge {
        /// The length of the text in bytes.
        bytes: usize,
    },
    /// Lists and objects are nested deeper than [`MAX_DEPTH`], in the text or once `$ref`s are expanded.
    #[error("nested deeper than `{MAX_DEPTH}` levels")]
    TooDeep,
    /// An object has two members of one name.
    #[error("duplicate key `{key}`")]
    DuplicateKey {
        /// The name that occurs again.
        key: String,
    },
    /// A value is of another JSON type than its member needs.
    #[error("expected {expected}, found `{found}`")]
    WrongType {
        /// The type needed, with its article.
        expected: &'static str,
        /// The JSON type found.
        found: &'static str,
    },
    /// A member that must be there is not.
    #[error("missing member `{member}`")]
    MissingMember {
        /// The name of the member.
        member: &'static str,
    },
    /// `state` is neither `ENABLED` nor `DISABLED`.
    #[error("unknown state `{found}`")]
    UnknownState {
        /// The value of `state`.
        found: String,
    },
    /// `defaultVariant` is not a key of `variants`.
    #[error("the default variant names no variant (there are {known}): `{found}`")]
    UnknownDefaultVariant {
        /// The value of `defaultVariant`.
        found: String,
        /// The names of the variants, joined by commas.
        known: String,
    },
    /// An object in a targeting rule names an operator that this engine does not evaluate.
    #[error("unknown operator `{found}`")]
    UnknownOperator {
        /// The name of the operator.
        found: String,
    },
    /// An object in a targeting rule has several keys, so that its operator cannot be told.
    #[error("an operation has one operator, this one has `{count}`")]
    AmbiguousOperation {
        /// The number of keys.
        count: usize,
    },
    /// A `$ref` names no member of `$evaluators`.
    #[error("unknown evaluator `{found}`")]
    UnknownEvaluator {
        /// The name in the `$ref`.
        found: String,
    },
    /// An evaluator refers to itself, possibly through others.
    #[error("the evaluator refers to itself: `{found}`")]
    CyclicEvaluator {
        /// The name of the evaluator.
        found: String,
    },
    /// One rule, with its `$ref`s expanded, has more than [`MAX_TARGETING_NODES`] values.
    #[error("the rule has more than `{MAX_TARGETING_NODES}` values once `$ref`s are expanded")]
    TargetingTooLarge,
    /// `map`, `filter`, `all`, `some` and `none` are nested deeper than [`MAX_LOOP_NESTING`].
    #[error("loops are nested deeper than `{MAX_LOOP_NESTING}`")]
    LoopsTooDeep,
    /// A `fractional` has no entry, or one that can never be `[variant]` or `[variant, weight]`.
    #[error("expected `[variant, weight]` in fractional, found `{found}`")]
    FractionalEntry {
        /// What stands in its place.
        found: &'static str,
    },
    /// A weight is not an integer from 0 to [`MAX_WEIGHT_SUM`].
    #[error("expected an integer weight from 0 to {MAX_WEIGHT_SUM}, found `{found}`")]
    Weight {
        /// The weight as it stands in the document.
        found: String,
    },
    /// The weights of one `fractional` add up to more than [`MAX_WEIGHT_SUM`].
    #[error("the weights add up to more than {MAX_WEIGHT_SUM}: `{sum}`")]
    WeightSum {
        /// The sum of the weights that are literals.
        sum: u64,
    },
    /// `bucketing` in the metadata is not one this engine has.
    #[error("unknown bucketing `{found}`")]
    UnknownBucketing {
        /// The value of `bucketing`.
        found: String,
    },
    /// `boundary` in the metadata is none of the three.
    #[error("unknown boundary `{found}`")]
    UnknownBoundary {
        /// The value of `boundary`.
        found: String,
    },
    /// A number of the metadata is outside its range.
    #[error("expected {expected}, found `{found}`")]
    OutOfRange {
        /// The range, with its article.
        expected: &'static str,
        /// The number as it stands in the document.
        found: String,
    },
}

impl Cause {
    fn code(&self) -> &'static str {
        self.advice().0
    }

    fn hint(&self) -> &'static str {
        self.advice().1
    }

    /// The stable name of the cause, and what to do about it: side by side, so that neither is forgotten.
    fn advice(&self) -> (&'static str, &'static str) {
        match self {
            Self::Syntax { .. } => (
                "SYNTAX",
                "check the JSON around this place: a comma, a quote or a bracket; a file must be written whole, then renamed into place",
            ),
            Self::TooLarge { .. } => {
                ("TOO_LARGE", "move long lists of ids out of the rules, or split the flags over several sources")
            }
            Self::TooDeep => ("TOO_DEEP", "flatten the value: an `if` takes any number of condition and result pairs"),
            Self::DuplicateKey { .. } => ("DUPLICATE_KEY", "remove or rename one of the two members"),
            Self::WrongType { .. } => {
                ("WRONG_TYPE", "write a value of the expected type, see https://flagd.dev/reference/flag-definitions/")
            }
            Self::MissingMember { .. } => {
                ("MISSING_MEMBER", "add the member, see https://flagd.dev/reference/flag-definitions/")
            }
            Self::UnknownState { .. } => ("UNKNOWN_STATE", "write ENABLED or DISABLED, in capitals"),
            Self::UnknownDefaultVariant { .. } => {
                ("UNKNOWN_DEFAULT_VARIANT", "name one of the variants, or add this one to `variants`")
            }
            Self::UnknownOperator { .. } => (
                "UNKNOWN_OPERATOR",
                "use an operator of JsonLogic (all but `reduce` and `log`) or one of fractional, starts_with, ends_with, sem_ver, $ref",
            ),
            Self::AmbiguousOperation { .. } => (
                "AMBIGUOUS_OPERATION",
                "give each operation an object of its own and join them with `and`, `or` or `if`",
            ),
            Self::UnknownEvaluator { .. } => {
                ("UNKNOWN_EVALUATOR", "add the evaluator to `$evaluators`, or correct the name in `$ref`")
            }
            Self::CyclicEvaluator { .. } => {
                ("CYCLIC_EVALUATOR", "write the shared part as an evaluator of its own that refers to neither")
            }
            Self::TargetingTooLarge => (
                "TARGETING_TOO_LARGE",
                "send a list membership as an attribute of the context instead of listing ids in the rule",
            ),
            Self::LoopsTooDeep => {
                ("LOOPS_TOO_DEEP", "prepare the list in the host and send it as an attribute of the context")
            }
            Self::FractionalEntry { .. } => {
                ("FRACTIONAL_ENTRY", "list entries such as [\"registry\", 25], after an optional bucketing key")
            }
            Self::Weight { .. } => ("WEIGHT", "scale the weights to whole numbers: 12.5 and 87.5 are 125 and 875"),
            Self::WeightSum { .. } => ("WEIGHT_SUM", "divide all weights by a common factor"),
            Self::UnknownBucketing { .. } => (
                "UNKNOWN_BUCKETING",
                "write flagd-v2 or leave the member out; another bucketing would move notebooks between variants",
            ),
            Self::UnknownBoundary { .. } => ("UNKNOWN_BOUNDARY", "write next-session, drain or now"),
            Self::OutOfRange { .. } => ("OUT_OF_RANGE", "write a number within the range"),
        }
    }
}

/// A cause on its way up: each level of the walk that it passes puts its own segment in front of the path.
#[derive(Debug)]
pub(crate) struct Fault {
    at: usize,
    cause: Cause,
    reversed: Vec<String>,
}

impl Fault {
    pub(crate) fn new(at: usize, cause: Cause) -> Self {
        Self { at, cause, reversed: Vec::new() }
    }

    pub(crate) fn inside(mut self, name: &str) -> Self {
        self.reversed.push(format!(".{name}"));
        self
    }

    pub(crate) fn inside_item(mut self, index: usize) -> Self {
        self.reversed.push(format!("[{index}]"));
        self
    }

    /// The same cause at a place further out: the path below it is forgotten.
    pub(crate) fn met_at(self, at: usize) -> Self {
        Self::new(at, self.cause)
    }

    pub(crate) fn into_error(self, text: &str) -> DocumentError {
        let path: String = self.reversed.iter().rev().map(String::as_str).collect();
        let (line, column) = line_and_column(text, self.at);
        let path = path.strip_prefix('.').unwrap_or(&path).to_owned();
        DocumentError { place: Place { path, line, column }, cause: self.cause }
    }
}

fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    // Editors do not count a byte order mark as a character.
    let column = before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
