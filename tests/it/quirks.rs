//! Do the published quirks say what the code says? `UPDATE_DOCS=1 cargo test -p tests quirks` writes the page anew.

use std::fmt::Write as _;
use std::path::Path;

use legacy_compat::{OnRegistry, QUIRKS};

fn page() -> String {
    let mut page = String::from(
        "# What the old code really does\n\n\
         Each oddity of the old classes, by its name in `legacy_compat::Quirk`. On the legacy route all of them are reproduced. On the\n\
         registry route a *kept* one stays, because it belongs to the lifecycle classes or to the host's schema, and a *fixed* one is a\n\
         known difference between the paths.\n\n\
         | quirk | what happens | why | registry route |\n| --- | --- | --- | --- |\n",
    );
    for row in QUIRKS {
        let registry = match row.registry {
            OnRegistry::Kept => "kept",
            OnRegistry::Fixed => "fixed",
        };
        writeln!(page, "| {:?} | {} | {} | {registry} |", row.quirk, row.what, row.why).unwrap();
    }
    page
}

#[test]
fn the_page_of_quirks_is_the_table_of_quirks() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node-binding/docs/quirks.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, page()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap_or_default(),
        page(),
        "run it with UPDATE_DOCS=1 and commit the page"
    );
}
