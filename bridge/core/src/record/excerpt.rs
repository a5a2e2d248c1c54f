//! Excerpts: the beginning and the end of something long, and what names the whole.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::redact::hex;

/// Bytes of an excerpt. What two runs of a cell do differently shows in the first or the last pages.
pub const MAX_EXCERPT_BYTES: usize = 64 * 1024;

/// A text, or its beginning and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// Bytes of the whole.
    pub bytes: usize,
    /// Names the whole: equal wholes have equal digests.
    pub sha256: String,
    /// The whole, or its beginning.
    pub head: String,
    /// Its end, where something between the two is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

impl Excerpt {
    /// The excerpt of a text that holds nothing of a user's, or nothing that is hidden.
    pub(super) fn plain(text: String) -> Self {
        let sha256 = hex(&Sha256::digest(&text), 64);
        Self::of(text, sha256)
    }

    /// The excerpt of a text with this digest.
    pub(super) fn of(text: String, sha256: String) -> Self {
        let bytes = text.len();
        if bytes <= MAX_EXCERPT_BYTES {
            return Self { bytes, sha256, head: text, tail: None };
        }
        let head = text.floor_char_boundary(MAX_EXCERPT_BYTES / 2);
        let tail = text.ceil_char_boundary(bytes - MAX_EXCERPT_BYTES / 2);
        Self { bytes, sha256, head: text[..head].to_owned(), tail: Some(text[tail..].to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_loses_its_middle_and_no_half_character() {
        let short = Excerpt::of("é".to_owned(), String::new());
        assert_eq!((short.bytes, short.head.as_str(), short.tail), (2, "é", None));
        let long = Excerpt::of(format!("a{}b", "é".repeat(MAX_EXCERPT_BYTES)), String::new());
        let tail = long.tail.unwrap();
        assert!(long.head.starts_with("aé") && tail.ends_with("éb"));
        assert!(long.head.len() + tail.len() <= MAX_EXCERPT_BYTES);
        assert_eq!(long.bytes, 2 * MAX_EXCERPT_BYTES + 2);
    }
}
