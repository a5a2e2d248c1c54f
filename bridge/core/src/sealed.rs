//! Texts that outlive their process: a line with a checksum, and JSON.

use serde::Serialize;

/// Strings, finite numbers and maps with strings for keys: all of it is JSON.
pub(crate) fn seal(state: &impl Serialize) -> String {
    sealed(&serde_json::to_string(state).unwrap_or_default())
}

pub(crate) fn sealed(json: &str) -> String {
    format!("{:016x}\n{json}\n", checksum(json))
}

/// The JSON of a text that is what was written, byte for byte.
pub(crate) fn unseal(text: &str) -> Option<&str> {
    let (sum, json) = text.split_once('\n')?;
    let json = json.strip_suffix('\n')?;
    (sum == format!("{:016x}", checksum(json))).then_some(json)
}

/// FNV-1a with 64 bits: it finds accidents, and no more is asked of it.
fn checksum(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
