//! Artifacts and bundles of representations.

use napi::Result;
use napi_derive::napi;
use registry::{ArtifactError, ArtifactRequest, DEFAULT_ARTIFACT_BASE_URL, Submission, check_png, normalised_bundle};
use serde_json::{Map, Value};

use crate::convert::{read, write};

/// The artifact service of a client that was given none.
#[napi(catch_unwind)]
pub fn default_artifact_base_url() -> Result<&'static str> {
    Ok(DEFAULT_ARTIFACT_BASE_URL)
}

/// The request that submits an artifact, as JSON: `{ url, method, headers }`.
#[napi(catch_unwind)]
pub fn artifact_submission(base_url: String, submission: String) -> Result<String> {
    let submission: Submission = read("artifact submission", &submission)?;
    write(&ArtifactRequest::submit(&base_url, &submission))
}

/// The request that asks for an artifact, as JSON.
#[napi(catch_unwind)]
pub fn artifact_retrieval(base_url: String, id: String) -> Result<String> {
    write(&ArtifactRequest::retrieve(&base_url, &id))
}

/// Why content is no PNG file, judged by its beginning, or nothing.
#[napi(catch_unwind)]
pub fn png_failure(beginning: &[u8]) -> Result<Option<String>> {
    Ok(check_png(beginning).err().map(|error| error.to_string()))
}

/// What is said of base64 that holds no PNG file, given the reason.
#[napi(catch_unwind)]
pub fn base64_failure(reason: String) -> Result<String> {
    Ok(ArtifactError::Undecodable(reason).to_string())
}

/// What the body of a refused submission says.
#[napi(catch_unwind)]
pub fn submission_failure(body: String) -> Result<String> {
    Ok(ArtifactError::refused(&body).to_string())
}

/// What a status other than success says when an artifact was asked for.
#[napi(catch_unwind)]
pub fn retrieval_failure(id: String, status: u32, status_text: String) -> Result<String> {
    let status = u16::try_from(status).unwrap_or(u16::MAX);
    Ok(ArtifactError::not_retrieved(&id, status, &status_text).to_string())
}

/// A bundle of representations, as JSON, in the form in which it is stored.
#[napi(catch_unwind)]
pub fn normalise_media_bundle(bundle: String) -> Result<String> {
    let bundle: Map<String, Value> = read("media bundle", &bundle)?;
    write(&normalised_bundle(bundle))
}
