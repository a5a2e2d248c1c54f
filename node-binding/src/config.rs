//! The configuration of a runtime agent.

use napi::Result;
use napi_derive::napi;
use registry::{DEFAULT_IMAGE_ARTIFACT_THRESHOLD_BYTES, RuntimeConfig, SyncUrl, artifact_base_url};

use crate::convert::read;
use crate::environment::{now, with};

/// Why a configuration, as JSON, makes no agent, or nothing.
#[napi(catch_unwind)]
pub fn validate_config(config: String) -> Result<Option<String>> {
    let config: RuntimeConfig = read("runtime configuration", &config)?;
    Ok(config.validate().err().map(|error| error.to_string()))
}

/// A session id for an agent of a configuration, as JSON.
#[napi(catch_unwind)]
pub fn agent_session_id(config: String, wall_ms: f64) -> Result<String> {
    let config: RuntimeConfig = read("runtime configuration", &config)?;
    with(|environment| Ok(environment.agent_session_id(&config, now(wall_ms, 0.0)).to_string()))
}

/// The artifact service beside a sync service, whose URL comes as `{ protocol, host }`, or as `null` if it cannot be read.
#[napi(catch_unwind)]
pub fn derive_artifact_base_url(sync_url: String) -> Result<String> {
    let sync_url: Option<SyncUrl> = read("sync URL", &sync_url)?;
    Ok(artifact_base_url(sync_url.as_ref()))
}

/// Bytes of an image up to which it stays inline unless the host says otherwise.
#[napi(catch_unwind)]
pub fn default_image_artifact_threshold_bytes() -> Result<u32> {
    Ok(DEFAULT_IMAGE_ARTIFACT_THRESHOLD_BYTES)
}
