//! Why a text or value is no event.

/// An event that cannot be read. Nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The text is not `{ "name": …, "args": … }`.
    #[error("not an event: {detail}")]
    Shape {
        /// What the JSON reader says.
        detail: String,
    },
    /// The name is known, but its arguments do not fit.
    #[error("bad arguments of `{event}` at `{field}`: {detail}")]
    Args {
        /// The name of the event.
        event: &'static str,
        /// The path of the field from `args` on, `args` itself when a field is missing at the top.
        field: String,
        /// What does not fit, with the name of a missing field.
        detail: String,
    },
}

impl EventError {
    pub(super) fn args(event: &'static str, error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let field = match error.path().to_string().as_str() {
            "." => "args".to_owned(),
            path => path.to_owned(),
        };
        Self::Args { event, field, detail: error.inner().to_string() }
    }

    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "event_shape",
            Self::Args { .. } => "event_args",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Shape { .. } => {
                "commit `{ name, args }` objects, with a version in the name such as `v1.CellCreated`"
            }
            Self::Args { .. } => {
                "compare the arguments with the schema of this event; optional fields are left out, never null"
            }
        }
    }
}
