//! A record as a snapshot test: it fails while the paths differ as recorded, and passes once the difference is gone or known.

use std::path::{Path, PathBuf};

use bridge_core::Record;

use super::{replay, said, write, write_record};

/// Writes the test, its snapshot and the record; says what to do with them.
pub(crate) fn write_test(record: &Record, place: &Path) -> Result<String, String> {
    let (folder, name) = parts(record, place);
    let snapshots = folder.join("snapshots");
    std::fs::create_dir_all(&snapshots).map_err(|error| {
        format!("{}: cannot be created: {error}\n  hint: name a folder that you may write to", snapshots.display())
    })?;
    let fault = record.fault().map_err(|error| said(place, &error))?;
    let wanted = replay(record, fault).map_err(|error| said(place, &error))?.wanted_verdicts();
    write_record(record, &folder.join(format!("{name}.json")))?;
    write(&snapshots.join(format!("{name}.snap")), &snapshot(&wanted))?;
    let test = folder.join(format!("{name}.rs"));
    write(&test, &source(record, &name))?;
    Ok(format!(
        "test written to {}\n  in `tests/tests` of this repository it runs with `cargo test -p tests --test {name}`",
        test.display()
    ))
}

/// The folder, and the name that the test's file has without its ending.
fn parts(record: &Record, place: &Path) -> (PathBuf, String) {
    let is_file = place.extension().is_some_and(|extension| extension == "rs");
    match (is_file, place.file_stem(), place.parent()) {
        (true, Some(name), Some(folder)) => (folder.to_owned(), identifier(&name.to_string_lossy())),
        _ => (place.to_owned(), identifier(&format!("mismatch_{}", record.id))),
    }
}

/// A name that a Rust module can have.
fn identifier(name: &str) -> String {
    name.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}

fn snapshot(wanted: &str) -> String {
    format!("---\nsource: both paths agree, or differ as the ledger of known differences says\n---\n{wanted}\n")
}

fn source(record: &Record, name: &str) -> String {
    let seeded = match &record.seeded_fault {
        Some(fault) => format!(
            "\n//!\n//! The record was seeded with the fault `{fault}`: without `seededFault` in it, the test passes."
        ),
        None => String::new(),
    };
    format!(
        r#"//! Do both paths agree on a mismatch that was recorded at `{signature}`?{seeded}

use bridge_core::Record;

#[test]
fn both_paths_agree() {{
    let record = Record::from_json(include_str!("{name}.json")).unwrap();
    let replay = record.replay(record.fault().unwrap()).unwrap();
    insta::with_settings!({{ prepend_module_to_snapshot => false, omit_expression => true }}, {{
        insta::assert_snapshot!("{name}", replay.verdicts());
    }});
}}
"#,
        signature = record.signature,
    )
}
