//! Which of an output's MIME types stands for it in `outputs.data` and `outputs.mimeType`, and as what text.
//!
//! The oddities are the schema's and are kept, because hosts read these columns: JSON becomes `[object Object]`, and what
//! JavaScript takes for false (0, false, null) becomes the empty text.

use serde_json::Value;

use crate::event::{Container, Representations};
use crate::json::{is_falsy, js_string};

/// Best first: what a display prefers.
const DISPLAY_ORDER: &[&str] = &[
    "application/vnd.plotly.v1+json",
    "application/vnd.vegalite.v6+json",
    "application/vnd.vegalite.v5+json",
    "application/vnd.vegalite.v4+json",
    "application/vnd.vegalite.v3+json",
    "application/vnd.vegalite.v2+json",
    "application/vnd.vega.v5+json",
    "application/vnd.vega.v4+json",
    "application/vnd.vega.v3+json",
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.jupyter.widget-state+json",
    "application/vnd.dataresource+json",
    "application/vdom.v1+json",
    "application/geo+json",
    "application/json",
    "application/javascript",
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "text/latex",
    "text/markdown",
    "text/plain",
];

/// Best first: what a result prefers. It knows neither markdown nor any vendor type.
const RESULT_ORDER: &[&str] =
    &["text/html", "image/png", "image/jpeg", "image/svg+xml", "application/json", "text/plain"];

/// What stands for an output in its row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Primary {
    pub(super) data: String,
    pub(super) mime_type: String,
}

impl Default for Primary {
    /// For an output without any known type.
    fn default() -> Self {
        Self { data: String::new(), mime_type: "text/plain".to_owned() }
    }
}

impl Primary {
    pub(super) fn of_display(representations: &Representations) -> Option<Self> {
        Self::first(DISPLAY_ORDER, representations)
    }

    pub(super) fn of_result(representations: &Representations) -> Option<Self> {
        Self::first(RESULT_ORDER, representations)
    }

    fn first(order: &[&str], representations: &Representations) -> Option<Self> {
        let (mime_type, container) = order.iter().find_map(|mime| representations.get_key_value(*mime))?;
        let data = container.data().map(truthy_text).unwrap_or_default();
        Some(Self { data, mime_type: mime_type.clone() })
    }
}

/// JavaScript's `String(data || "")`.
fn truthy_text(data: &Value) -> String {
    if is_falsy(data) { String::new() } else { js_string(data) }
}

/// JavaScript's `String(data)` of inline content; none for an artifact.
pub(super) fn text(content: &Container) -> Option<String> {
    content.data().map(js_string)
}
