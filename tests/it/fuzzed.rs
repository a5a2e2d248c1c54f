//! Does what must hold of all bytes hold of the seeds of the fuzzer, and of what it has found?

use std::fs;
use std::path::{Path, PathBuf};

use tests::fuzzed::TARGETS;

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.collect()
}

#[test]
fn every_seed_holds_what_must_hold_of_all_bytes() {
    for (target, holds) in TARGETS {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{target} has no seeds");
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            if std::panic::catch_unwind(|| holds(&bytes)).is_err() {
                panic!("{target} does not hold of {}", input.display());
            }
        }
    }
}

/// What no seed says twice: nothing at all, and halves of what there is.
#[test]
fn a_seed_cut_anywhere_holds_it_too() {
    for (target, holds) in TARGETS {
        holds(&[]);
        for input in inputs(target) {
            let bytes = fs::read(&input).unwrap();
            (1..8).for_each(|part| holds(&bytes[..bytes.len() * part / 8]));
        }
    }
}
