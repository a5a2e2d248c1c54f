//! Does what must hold of all bytes hold of the seeds of the fuzzer, and of what it has found?

use std::fs;
use std::path::{Path, PathBuf};

use tests::fuzzed::TARGETS;

use crate::guard_power::Dice;

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

/// A little of what the fuzzer does, without its eyes: bytes changed, cut, doubled, put together from two seeds. `FUZZ_RUNS` asks
/// for more.
#[test]
fn what_seeds_become_by_chance_holds_it_too() {
    let runs = std::env::var("FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(300);
    for (target, holds) in TARGETS {
        holds(&[]);
        let seeds: Vec<Vec<u8>> = inputs(target).iter().map(|input| fs::read(input).unwrap()).collect();
        let mut dice = Dice(1);
        for run in 0..runs {
            let bytes = mutated(&seeds, &mut dice);
            if std::panic::catch_unwind(|| holds(&bytes)).is_err() {
                panic!("{target} does not hold of run {run}: {bytes:?}");
            }
        }
    }
}

fn mutated(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let [mut bytes, other] = [0, 1].map(|_| seeds[dice.index(seeds.len())].clone());
    for _ in 0..=dice.below(6) {
        let (at, from) = (dice.index(bytes.len() + 1), dice.index(other.len() + 1));
        match dice.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, dice.next() as u8),
            2 => bytes.splice(at.., other[from..].iter().copied()).for_each(drop),
            3 => bytes.splice(at..at, other[..from.min(64)].iter().copied()).for_each(drop),
            _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << dice.below(8)),
        }
    }
    bytes.truncate(4096);
    bytes
}
