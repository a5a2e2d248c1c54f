//! Do the published pages say what the code says? `UPDATE_DOCS=1 cargo test -p tests --test it pages` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use bridge_core::KNOWN_DIFFERENCES;
use legacy_compat::{OnRegistry, QUIRKS};

pub(crate) fn check(name: &str, page: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node-binding/docs").join(name);
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
