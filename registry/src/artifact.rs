//! The artifact service's protocol: requests as data, and what its answers mean. Who performs a request is not known here.
//!
//! Behaviour: recorded trace `config__artifact-client-http`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{NotebookId, json};

/// The artifact service of a client that was given none.
pub const DEFAULT_ARTIFACT_BASE_URL: &str = "https://app.runt.run";

/// The first bytes of every PNG file.
const PNG_SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// The service's word on an answer that does not say what went wrong.
const UNKNOWN_ERROR: &str = "Unknown error";

/// Not Found.
const STATUS_NOT_FOUND: u16 = 404;

/// What is told of an artifact when it is submitted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// The notebook that it belongs to.
    pub notebook_id: NotebookId,
    /// What proves who submits it.
    pub auth_token: String,
    /// Its mime type, where that is known.
    #[serde(default)]
    pub mime_type: Option<String>,
}

/// A request to the artifact service, without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArtifactRequest {
    /// Where it goes.
    pub url: String,
    /// `POST` or `GET`.
    pub method: &'static str,
    /// By name, in lower case.
    pub headers: Map<String, Value>,
}

/// Why an artifact was not stored or not found. The texts are those that hosts know.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArtifactError {
    /// The content begins unlike a PNG file.
    #[error("Invalid PNG data: missing PNG header")]
    NotPng,
    /// Base64 that holds no PNG file, with the reason.
    #[error("Failed to decode base64 PNG data: {0}")]
    Undecodable(String),
    /// The service refused a submission, with its reason.
    #[error("Artifact submission failed: {0}")]
    Refused(String),
    /// The service has no artifact of this id.
    #[error("Artifact not found: {0}")]
    NotFound(String),
    /// The service did not give an artifact, with its status text.
    #[error("Failed to retrieve artifact: {0}")]
    Unavailable(String),
}

impl ArtifactError {
    /// What the body of a refusal says: its JSON member `error`.
    pub fn refused(body: &str) -> Self {
        let body: Value = json::from_str(body).unwrap_or_default();
        let reason = Some(&body["error"]).filter(|reason| !json::is_falsy(reason));
        Self::Refused(reason.map_or_else(|| UNKNOWN_ERROR.to_owned(), json::js_string))
    }

    /// What a status other than success says when an artifact was asked for.
    pub fn not_retrieved(id: &str, status: u16, status_text: &str) -> Self {
        if status == STATUS_NOT_FOUND {
            Self::NotFound(id.to_owned())
        } else {
            Self::Unavailable(status_text.to_owned())
        }
    }
}

impl ArtifactRequest {
    /// Submits an artifact, which is the body.
    pub fn submit(base_url: &str, submission: &Submission) -> Self {
        let mut headers = Map::new();
        headers.insert("authorization".to_owned(), format!("Bearer {}", submission.auth_token).into());
        headers.insert("x-notebook-id".to_owned(), submission.notebook_id.as_str().into());
        if let Some(mime_type) = submission.mime_type.as_deref().filter(|mime_type| !mime_type.is_empty()) {
            headers.insert("content-type".to_owned(), mime_type.into());
        }
        Self { url: format!("{base_url}/api/artifacts"), method: "POST", headers }
    }

    /// Asks for an artifact.
    pub fn retrieve(base_url: &str, id: &str) -> Self {
        Self { url: format!("{base_url}/api/artifacts/{id}"), method: "GET", headers: Map::new() }
    }
}

/// Whether content begins as a PNG file does; its first eight bytes suffice.
///
/// # Errors
/// [`ArtifactError::NotPng`].
pub fn check_png(content: &[u8]) -> Result<(), ArtifactError> {
    if content.starts_with(&PNG_SIGNATURE) { Ok(()) } else { Err(ArtifactError::NotPng) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_service_says() {
        let check = |body: &str, expected: &str| assert_eq!(ArtifactError::refused(body).to_string(), expected);
        check(r#"{"error":"bad token"}"#, "Artifact submission failed: bad token");
        for body in ["<html>", "{}", "", r#"{"error":""}"#] {
            check(body, "Artifact submission failed: Unknown error");
        }
    }

    #[test]
    fn a_submission_without_a_mime_type_names_none() {
        let submission =
            Submission { notebook_id: "nb".into(), auth_token: "tok".to_owned(), mime_type: Some(String::new()) };
        let request = ArtifactRequest::submit("https://a.test", &submission);
        assert_eq!(request.url, "https://a.test/api/artifacts");
        assert_eq!(request.headers.keys().collect::<Vec<_>>(), ["authorization", "x-notebook-id"]);
    }

    #[test]
    fn a_png_is_known_by_its_first_bytes() {
        assert_eq!(check_png(b"\x89PNG\r\n\x1a\n and more"), Ok(()));
        assert_eq!(check_png(b"\x89PNG"), Err(ArtifactError::NotPng));
    }
}
