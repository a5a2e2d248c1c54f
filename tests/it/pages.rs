//! Do the published pages say what the code says? `UPDATE_DOCS=1 cargo test -p tests --test it pages` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bridge_core::KNOWN_DIFFERENCES;
use legacy_compat::{OnRegistry, QUIRKS};

use crate::guard_power::{Power, TABLE};

/// Where the pages are.
const DOCS: &str = "node-binding/docs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn check(name: &str, page: &str) {
    let file = root().join(DOCS).join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, page).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(published, page, "run it with UPDATE_DOCS=1 and commit {name}");
}

#[test]
fn the_quirks_of_the_old_code() {
    let mut page = String::from(
        "# What the old code really does\n\n\
         Each oddity of the old classes, by its name in `legacy_compat::Quirk`. On the legacy route all of them are reproduced. On the\n\
         registry route a *kept* one stays, because it belongs to the lifecycle classes or to the host's schema, and a *fixed* one is a\n\
         [known difference](known-differences.md) between the paths.\n\n\
         | quirk | what happens | why | registry route |\n| --- | --- | --- | --- |\n",
    );
    for row in QUIRKS {
        let registry = match row.registry {
            OnRegistry::Kept => "kept",
            OnRegistry::Fixed => "fixed",
        };
        writeln!(page, "| {:?} | {} | {} | {registry} |", row.quirk, row.what, row.why).unwrap();
    }
    check("quirks.md", &page);
}

#[test]
fn the_known_differences_between_the_paths() {
    let mut page = String::from(
        "# Known differences between the paths\n\n\
         Where the registry does otherwise than the old code, on purpose: the ledger that the comparison of the routes `shadow` and\n\
         `live` consults. A difference that it explains is *known* and counts as clean; anything else is a mismatch. Each entry comes\n\
         from a [quirk](quirks.md), has an owner in the code, and expires: a test fails on that day until somebody has looked at it\n\
         again. Entries that show in no execution's events name a recording of `tests/traces` in which the old behaviour is seen.\n\n\
         | name | quirk | what the registry does | seen in | owner | expires |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for known in KNOWN_DIFFERENCES {
        let (name, quirk, seen) = (known.name, known.quirk, known.seen);
        writeln!(page, "| {name} | {quirk:?} | {} | {seen:?} | {} | {} |", known.registry, known.owner, known.expires)
            .unwrap();
    }
    check("known-differences.md", &page);
}

/// A share of runs with the median comparison, as the table of the guard shows it.
fn power(Power { share, median }: Power) -> String {
    match (share, median) {
        (0.0, _) => "0".to_owned(),
        (share, median) => format!("{share} at {median}"),
    }
}

#[test]
fn what_the_guard_finds_and_how_soon() {
    let heading = "## How often it is wrong, and how soon it is right\n";
    let mut section = format!(
        "{heading}\n\
         10,000 simulated runs of 3,000 comparisons for each row: the share of runs that roll back, and the median comparison at which\n\
         they do. *Noise* is how often two runs of the old path differ by themselves, *excess* how often the new one differs on top.\n\
         A class with [noise](noise.md) is tested by pairs, one without by rate (here with a limit of 1 %; on noise, where it is never used, it\n\
         shows why). The last column is a rule of thumb for comparison: more than five of the last hundred. `npm run test:long`\n\
         reproduces every figure, and every `npm test` a slice of the runs.\n\n\
         | noise | excess | pairs | rate | more than 5 of 100 |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in TABLE {
        let percent = |share: f64| format!("{} %", (share * 100.0).round());
        let [pairs, rate, thumb] = [row.pairs, row.rate, row.thumb].map(power);
        let (noise, excess) = (percent(row.noise), percent(row.excess));
        writeln!(section, "| {noise} | {excess} | {pairs} | {rate} | {thumb} |").unwrap();
    }
    let published = read(&format!("{DOCS}/guard.md"));
    let (before, after) = published.split_once(heading).unwrap();
    let rest = after.split_once("\n## ").map_or(String::new(), |(_, rest)| format!("\n## {rest}"));
    let page = format!("{before}{section}{rest}");
    check("guard.md", &page);
}

/// The code of a page: what stands between two backticks of one line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_file(span: &str) -> bool {
    span.contains('/') && [".rs", ".mjs", ".ts"].iter().any(|ending| span.ends_with(ending))
}

/// Fails unless every test that the line names exists in the file that it names before it.
fn check_tests(line: &str) {
    let mut source = None;
    for span in spans(line) {
        if is_file(span) {
            source = Some((span, read(span)));
        } else if let Some(script) = span.strip_prefix("npm run ") {
            let name = script.split(' ').next().unwrap_or(script);
            assert!(read("package.json").contains(&format!("\"{name}\":")), "`{span}`: no such script");
        } else if let Some((file, text)) = &source {
            let known = if file.ends_with(".rs") { format!("fn {span}(") } else { span.to_owned() };
            assert!(text.contains(&known), "{file} has no test `{span}`");
        }
    }
}

#[test]
fn every_test_of_the_adversarial_page_exists() {
    let page = read(&format!("{DOCS}/adversarial.md"));
    let rows: Vec<(usize, &str)> = page
        .lines()
        .filter_map(|line| Some((line.strip_prefix("| ")?.split(' ').next()?.parse().ok()?, line)))
        .collect();
    assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=45).collect::<Vec<_>>());
    for (number, row) in rows {
        let has_proof = spans(row).any(is_file);
        assert!(has_proof || row.contains("*Not yet*"), "row {number} names no test and does not say so");
        check_tests(row);
    }
}

/// Each promise has its limits and the command that proves it; the commands name tests that exist.
#[test]
fn every_promise_has_limits_and_a_command_that_proves_it() {
    let page = read(&format!("{DOCS}/promises.md"));
    let promises: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert!(promises.len() >= 8, "{} promises", promises.len());
    for promise in promises {
        let title = promise.lines().next().unwrap_or_default();
        assert!(promise.contains("\n> ") && promise.contains("\n*Limits.* "), "`{title}` has no wording or no limits");
        let proof = promise.split("\n*Proof.* ").nth(1).unwrap_or_else(|| panic!("`{title}` has no proof"));
        let commands: Vec<&str> = spans(proof).filter(|span| span.contains(' ')).collect();
        assert!(!commands.is_empty(), "`{title}` has no command");
        commands.into_iter().for_each(check_command);
    }
}

fn check_command(command: &str) {
    let words: Vec<&str> = command.split(' ').collect();
    match words.as_slice() {
        ["cargo", "test", "-p", "tests", "--test", "it", module] => {
            assert!(root().join(format!("tests/it/{module}.rs")).exists(), "`{command}`: no such module");
        }
        ["cargo", "test", "-p", package, filter] => {
            let folder = root().join(package.replacen("bridge-", "bridge/", 1)).join("src");
            let path = filter.replace("::", "/");
            let is_there = folder.join(format!("{path}.rs")).exists() || folder.join(&path).is_dir();
            assert!(is_there, "`{command}`: no such module in {}", folder.display());
        }
        ["node", "--test", .., file] => drop(read(file)),
        ["npm", "run", script, ..] => assert!(read("package.json").contains(&format!("\"{script}\":")), "`{command}`"),
        _ => panic!("`{command}` is not a command that this test knows"),
    }
}
