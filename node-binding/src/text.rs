//! Strings of JavaScript where every call counts.

use std::mem::MaybeUninit;
use std::str;

use napi::bindgen_prelude::FromNapiValue;
use napi::{Result, sys};

/// Bytes that a string may have to be read without a second call: ids and names have a few dozen.
const SHORT_BYTES: usize = 256;

/// The most bytes of UTF-8 that one character has. Where fewer are left in the buffer, the string may go on.
const LONGEST_CHARACTER: usize = 4;

/// Gives a string of JavaScript to `work`: a short one is read in one call and takes no memory. Lone surrogates become U+FFFD,
/// and what is no string fails, as for a [`String`].
///
/// # Safety
/// `env` and `value` are those of the call under way.
#[expect(unsafe_code, reason = "a read into a buffer of ours, which the crate has no safe call for")]
pub(crate) unsafe fn with<T>(
    env: sys::napi_env,
    value: sys::napi_value,
    work: impl FnOnce(&str) -> Result<T>,
) -> Result<T> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); SHORT_BYTES];
    let mut length = 0;
    // SAFETY: env and value are as the caller promises. Node writes at most SHORT_BYTES bytes, the last one a zero, and says how
    // many come before that.
    let status = unsafe {
        sys::napi_get_value_string_utf8(env, value, buffer.as_mut_ptr().cast(), SHORT_BYTES, &raw mut length)
    };
    if status == sys::Status::napi_ok && length + LONGEST_CHARACTER < SHORT_BYTES {
        // SAFETY: Node has written that many bytes, and they are valid UTF-8: whole characters, with U+FFFD for each lone
        // surrogate.
        return work(unsafe { str::from_utf8_unchecked(buffer[..length].assume_init_ref()) });
    }
    // SAFETY: env and value are as the caller promises.
    work(&unsafe { String::from_napi_value(env, value) }?)
}
