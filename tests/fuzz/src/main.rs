//! The fuzzer: `FUZZ_TARGET` names one of the targets of `tests::fuzzed`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../src/fuzzed.rs"]
mod fuzzed;

static PROPERTY: LazyLock<fuzzed::Property> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let target = fuzzed::TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("FUZZ_TARGET=`{name}` is none of the targets")).1
});

fuzz_target!(|bytes: &[u8]| PROPERTY(bytes));
