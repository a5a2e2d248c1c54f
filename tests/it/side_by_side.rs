//! What do both paths make of the recorded executions and of the sample notebooks? The snapshots show it side by side.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bridge_core::{Comparison, KNOWN_DIFFERENCES, Observation, Seen, Verdict};
use serde_json::Value;
use tests::host::Host;
use tests::side_by_side::side_by_side;
use tests::{Trace, play, play_on};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(name: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory(name)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|known| known == extension));
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The recordings of the classes that a shadow can follow.
fn traces() -> Vec<Trace> {
    let suites = ["html__", "factory__", "registry__"];
    let files = files("traces", "json");
    let wanted = files.iter().filter(|file| suites.iter().any(|suite| name(file).starts_with(suite)));
    wanted.map(|file| Trace::read(file).unwrap()).collect()
}

fn snapshot(kind: &str, name: &str, compared: &[(Observation, Comparison)]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("{kind}__{name}"), side_by_side(compared)));
}

/// The known differences among the verdicts; a mismatch fails.
fn clean(name: &str, compared: &[(Observation, Comparison)]) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    for comparison in compared.iter().map(|(_, comparison)| comparison) {
        for verdict in comparison.executions.iter().map(|execution| &execution.verdict).chain([&comparison.order]) {
            match verdict {
                Verdict::Known { names } => seen.extend(names),
                Verdict::Mismatch { .. } | Verdict::Noise { .. } => panic!("{name}: {}", side_by_side(compared)),
                Verdict::Match | Verdict::Inconclusive { .. } => {}
            }
        }
    }
    seen
}

/// The executions of a sample notebook, all queued at once; nothing of a sample that is damaged on purpose.
fn sample(file: &Path) -> Option<Vec<(Observation, Comparison)>> {
    // Python writes NaN into outputs, which is no JSON; only the sources matter here.
    let text = fs::read_to_string(file).unwrap().replace(": NaN", ": null");
    let notebook: Value = serde_json::from_str(&text).ok()?;
    let mut host = Host::new();
    host.route("shadow");
    for (at, cell) in notebook["cells"].as_array().unwrap().iter().enumerate() {
        let source = match &cell["source"] {
            Value::Array(lines) => lines.iter().map(|line| line.as_str().unwrap()).collect(),
            text => text.as_str().unwrap().to_owned(),
        };
        let id = format!("cell-{at:02}");
        host.create(&id, &source);
        host.request_as(&format!("q{at:02}"), &id, i64::try_from(at).unwrap() + 1);
    }
    host.finish();
    Some(host.owner.compared)
}

#[test]
fn the_recordings_play_the_same_while_they_are_shadowed() {
    for trace in traces() {
        let (alone, shadowed) = (play(&trace).unwrap(), play_on(&trace, "shadow").unwrap());
        assert_eq!(alone.observations, shadowed.observations, "{}", trace.scenario);
        assert_eq!(alone.tables, shadowed.tables, "{}", trace.scenario);
    }
}

#[test]
fn both_paths_of_every_recording() {
    for trace in traces() {
        let played = play_on(&trace, "shadow").unwrap();
        clean(&trace.scenario, &played.compared);
        if !played.compared.is_empty() {
            snapshot("trace", &trace.scenario.replace('/', "__"), &played.compared);
        }
    }
}

#[test]
fn every_recording_is_clean_with_the_old_path_as_candidate_too() {
    for trace in traces() {
        clean(&trace.scenario, &play_on(&trace, "live").unwrap().compared);
    }
}

#[test]
fn both_paths_of_every_sample_notebook() {
    for file in files("notebooks", "ipynb") {
        let Some(compared) = sample(&file) else { continue };
        clean(&name(&file), &compared);
        snapshot("notebook", &name(&file), &compared);
    }
}

#[test]
fn every_rule_of_the_ledger_is_hit() {
    let mut hit = BTreeSet::new();
    for trace in traces() {
        hit.extend(clean(&trace.scenario, &play_on(&trace, "shadow").unwrap().compared));
    }
    for known in KNOWN_DIFFERENCES {
        let is_rule = !matches!(known.seen, Seen::Recording(_) | Seen::Traced(_));
        assert_eq!(hit.contains(known.name), is_rule, "`{}`", known.name);
    }
}

/// Cargo-insta would say so too; this needs nothing installed.
#[test]
fn no_snapshot_is_left_over() {
    let traces: BTreeSet<String> =
        traces().iter().map(|trace| format!("trace__{}", trace.scenario.replace('/', "__"))).collect();
    let notebooks: BTreeSet<String> =
        files("notebooks", "ipynb").iter().map(|file| format!("notebook__{}", name(file))).collect();
    for file in files("snapshots", "snap") {
        assert!(traces.contains(&name(&file)) || notebooks.contains(&name(&file)), "{}", file.display());
    }
}
