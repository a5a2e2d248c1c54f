//! Configurations of agents, and what the facade does around the artifact service: reading URLs, decoding, the network.

use registry::{
    ArtifactError, ArtifactRequest, DEFAULT_ARTIFACT_BASE_URL, DEFAULT_IMAGE_ARTIFACT_THRESHOLD_BYTES, RuntimeConfig,
    RuntimeId, Submission, SyncUrl, artifact_base_url, check_png, json as js, normalised_bundle,
};
use serde_json::{Map, Value, json};

use super::runtime::to_json;
use super::{Player, UNDEFINED};
use crate::trace::{Action, ArtifactArgs, ArtifactMethod, ServiceResponse, TraceError};

const PNG: &str = "image/png";

/// Answers of the artifact service that are a success.
const SUCCESS: std::ops::Range<u16> = 200..300;

/// What the artifact service says where the trace says nothing else.
const STORED: &str = "art-1";

/// What a call of the artifact client throws.
enum Thrown {
    Client(ArtifactError),
    Network(String),
}

impl From<ArtifactError> for Thrown {
    fn from(error: ArtifactError) -> Self {
        Self::Client(error)
    }
}

/// The options of the recordings' agent, with those of a step; one that is undefined is missing.
fn options(given: Map<String, Value>) -> Map<String, Value> {
    let mut options = Map::new();
    for (name, value) in [
        ("runtimeId", "agent-1"),
        ("runtimeType", "html"),
        ("syncUrl", "wss://app.runt.run"),
        ("authToken", "token-1"),
        ("notebookId", "nb-main"),
        ("userId", "user-1"),
    ] {
        options.insert(name.to_owned(), value.into());
    }
    options.extend(given);
    options.retain(|_, value| value.get("$undefined").is_none());
    options
}

fn config(options: &Map<String, Value>) -> RuntimeConfig {
    serde_json::from_value(options.clone().into()).unwrap_or_default()
}

/// As much of a URL parser as the recorded URLs need.
fn read_url(url: &str) -> Option<SyncUrl> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    Some(SyncUrl { protocol: format!("{scheme}:"), host: host.to_owned() })
}

/// Whether an id is `<runtimeType>-<runtimeId>-<epoch ms>-<base36>`.
fn is_session_of(config: &RuntimeConfig, session_id: &str) -> bool {
    let runtime_id = config.runtime_id.as_ref().map_or("", RuntimeId::as_str);
    let prefix = format!("{}-{runtime_id}-", config.runtime_type.as_deref().unwrap_or_default());
    let tail = session_id.strip_prefix(&prefix).and_then(|tail| tail.split_once('-'));
    tail.is_some_and(|(ms, random)| {
        let is_base36 = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        ms.len() == 13 && ms.parse::<u64>().is_ok() && !random.is_empty() && random.bytes().all(is_base36)
    })
}

fn config_fields(config: &RuntimeConfig, session_id: &str, options: &Map<String, Value>) -> Value {
    let sync_url = options.get("syncUrl").and_then(Value::as_str).and_then(read_url);
    let threshold = options.get("imageArtifactThresholdBytes").cloned();
    json!({
        "sessionIdMatches": is_session_of(config, session_id),
        "artifactBaseUrl": artifact_base_url(sync_url.as_ref()),
        "threshold": threshold.unwrap_or_else(|| DEFAULT_IMAGE_ARTIFACT_THRESHOLD_BYTES.into()),
    })
}

/// The bytes of a text, or of `{"$png":n}`: the signature, then byte i = i % 251.
fn content(data: &Value) -> Vec<u8> {
    let Some(length) = data["$png"].as_u64() else { return js::js_string(data).into_bytes() };
    let byte = |at: u64| b"\x89PNG\r\n\x1a\n".get(at as usize).copied().unwrap_or((at % 251) as u8);
    (0..length).map(byte).collect()
}

/// The bytes of base64 in its standard alphabet, or nothing where it is none.
fn decoded(base64: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = base64.trim_end_matches('=').bytes().map(digit).collect::<Option<_>>()?;
    let bits = |group: &[u8]| group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
    let bytes = digits.chunks(4).flat_map(|group| {
        let word = bits(group) << (6 * (4 - group.len()) + 8);
        word.to_be_bytes().into_iter().take(group.len() * 6 / 8)
    });
    Some(bytes.collect())
}

/// What `atob` throws.
fn undecodable() -> ArtifactError {
    ArtifactError::Undecodable("The string to be decoded is not correctly encoded.".to_owned())
}

fn checked_base64(base64: &str) -> Result<Vec<u8>, ArtifactError> {
    let content = decoded(base64).ok_or_else(undecodable)?;
    check_png(&content).map_err(|error| ArtifactError::Undecodable(error.to_string()))?;
    Ok(content)
}

impl ServiceResponse {
    fn text(&self) -> String {
        self.json.as_ref().map_or_else(|| self.body.clone(), Value::to_string)
    }

    /// What a submission gives: the service's own words.
    fn stored(&self) -> Value {
        let is_default = self.json.is_none() && self.body.is_empty();
        let stored = json!({ "artifactId": STORED });
        if is_default { stored } else { js::from_str(&self.text()).unwrap_or_default() }
    }
}

impl Player {
    /// The operations on configurations and artifacts; the last group, so what is none of them is not played here.
    pub(super) fn act_on_config(&mut self, action: Action) -> Result<(), TraceError> {
        match action {
            Action::ValidateConfig { options: given } => match config(&options(given)).validate() {
                Ok(()) => self.record_return(UNDEFINED),
                Err(error) => self.record(json!({ "kind": "throw", "message": error.to_string() })),
            },
            Action::ConfigFields { options: given } => {
                let options = options(given);
                let config = config(&options);
                let session_id = config.session_id(self.clock.now(), &mut self.ids);
                self.record_return(config_fields(&config, session_id.as_str(), &options));
            }
            Action::ValidateMedia { bundle } => self.record_return(normalised_bundle(bundle)),
            Action::ArtifactClient(args) => match self.call_artifact_client(&args) {
                Ok(value) => self.record_return(value),
                Err(Thrown::Client(error)) => self.record(json!({ "kind": "throw", "message": error.to_string() })),
                Err(Thrown::Network(message)) => {
                    self.record(json!({ "kind": "throw", "message": message, "errorName": "TypeError" }));
                }
            },
            other => return Err(self.unnamed("operation", &format!("{other:?}"))),
        }
        Ok(())
    }

    fn call_artifact_client(&mut self, args: &ArtifactArgs) -> Result<Value, Thrown> {
        let mime_type = args.options.get("mimeType").and_then(Value::as_str).unwrap_or(PNG);
        match args.method {
            ArtifactMethod::SubmitArtifact => self.submit(args, &content(&args.data)),
            ArtifactMethod::SubmitContent => {
                let content = content(&args.data);
                if mime_type == PNG {
                    check_png(&content)?;
                }
                self.submit(args, &content)
            }
            ArtifactMethod::SubmitPngFromBase64 => {
                let content = checked_base64(&args.base64)?;
                let mut args = args.clone();
                args.options.entry("mimeType").or_insert_with(|| PNG.into());
                self.submit(&args, &content)
            }
            ArtifactMethod::RetrieveArtifact => self.retrieve(args),
        }
    }

    fn submit(&mut self, args: &ArtifactArgs, content: &[u8]) -> Result<Value, Thrown> {
        let text = |name: &str| args.options.get(name).map(js::js_string);
        let submission = Submission {
            notebook_id: text("notebookId").unwrap_or_default().into(),
            auth_token: text("authToken").unwrap_or_default(),
            mime_type: text("mimeType"),
        };
        let response = self.request(args, &ArtifactRequest::submit(base_url(args), &submission), content.len())?;
        if SUCCESS.contains(&response.status) {
            return Ok(response.stored());
        }
        Err(ArtifactError::refused(&response.text()).into())
    }

    fn retrieve(&mut self, args: &ArtifactArgs) -> Result<Value, Thrown> {
        let response = self.request(args, &ArtifactRequest::retrieve(base_url(args), &args.id), 0)?;
        if SUCCESS.contains(&response.status) {
            return Ok(json!({ "$bytes": response.text().len() }));
        }
        Err(ArtifactError::not_retrieved(&args.id, response.status, &response.status_text).into())
    }

    /// The network: it tells what was requested and gives what the trace says.
    fn request<'a>(
        &mut self,
        args: &'a ArtifactArgs,
        request: &ArtifactRequest,
        bytes: usize,
    ) -> Result<&'a ServiceResponse, Thrown> {
        let mut seen = Map::from_iter([("kind".to_owned(), "http".into())]);
        if let Value::Object(request) = to_json(request) {
            seen.extend(request);
        }
        seen.insert("bytes".to_owned(), bytes.into());
        self.record(seen.into());
        args.response.network_error.as_ref().map_or(Ok(&args.response), |message| Err(Thrown::Network(message.clone())))
    }
}

fn base_url(args: &ArtifactArgs) -> &str {
    args.base_url.as_deref().unwrap_or(DEFAULT_ARTIFACT_BASE_URL)
}
