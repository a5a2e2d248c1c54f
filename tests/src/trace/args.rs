//! The arguments of operations that have many.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The factory that steps mean where they name none.
pub(super) fn main_factory() -> String {
    "fac".to_owned()
}

fn main_store() -> String {
    "main".to_owned()
}

fn main_user() -> String {
    "user-1".to_owned()
}

/// How a factory is made.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FactoryArgs {
    /// Its name.
    #[serde(default = "main_factory")]
    pub(crate) r#as: String,
    /// The name of the store that it gives to html runtimes.
    #[serde(default = "main_store")]
    pub(crate) store: String,
    /// The user that it gives to html runtimes.
    #[serde(default = "main_user")]
    pub(crate) user_id: String,
    /// Ignored by the code under test.
    #[serde(default)]
    pub(crate) registry_config: Map<String, Value>,
    /// By the function of the old name; both do the same.
    #[serde(default)]
    pub(crate) helper: bool,
}

/// The factory that an operation is on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfFactory {
    /// Its name.
    #[serde(default = "main_factory")]
    pub(crate) factory: String,
}

/// A call of the artifact client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ArtifactArgs {
    /// Which method.
    pub(crate) method: ArtifactMethod,
    /// The service, unless it is the default one.
    #[serde(default)]
    pub(crate) base_url: Option<String>,
    /// Content: a text, or `{"$png":n}`.
    #[serde(default)]
    pub(crate) data: Value,
    /// Content in base64.
    #[serde(default)]
    pub(crate) base64: String,
    /// The artifact that is asked for.
    #[serde(default)]
    pub(crate) id: String,
    /// What is told of a submission.
    #[serde(default)]
    pub(crate) options: Map<String, Value>,
    /// What the service answers.
    #[serde(default)]
    pub(crate) response: ServiceResponse,
}

/// A method of the artifact client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ArtifactMethod {
    /// Submits content, a PNG unless its type says otherwise.
    SubmitContent,
    /// Submits content as it is.
    SubmitArtifact,
    /// Submits a PNG in base64.
    SubmitPngFromBase64,
    /// Asks for an artifact.
    RetrieveArtifact,
}

/// What the artifact service answers; an artifact is stored unless the trace says otherwise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ServiceResponse {
    /// Of HTTP.
    pub(crate) status: u16,
    /// Of HTTP.
    pub(crate) status_text: String,
    /// A body of JSON.
    pub(crate) json: Option<Value>,
    /// A body of text.
    pub(crate) body: String,
    /// The request fails with this message instead.
    pub(crate) network_error: Option<String>,
}

impl Default for ServiceResponse {
    fn default() -> Self {
        Self { status: 200, status_text: String::new(), json: None, body: String::new(), network_error: None }
    }
}
