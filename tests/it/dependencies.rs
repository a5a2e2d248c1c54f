//! Which crate may depend on which? The walls of the house, checked over `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The workspace crates that each crate may depend on. Nobody may depend on the addon or the command line.
const ALLOWED: &[(&str, &[&str])] = &[
    ("flags", &[]),
    ("registry", &[]),
    ("legacy-compat", &["registry"]),
    ("bridge-core", &["flags", "registry", "legacy-compat"]),
    ("bridge-host", &["bridge-core", "flags", "registry", "legacy-compat"]),
    ("bridge-cli", &["bridge-host", "bridge-core", "flags", "registry", "legacy-compat"]),
    ("node-binding", &["bridge-host", "bridge-core", "flags", "registry", "legacy-compat"]),
    ("bench", &["bridge-core", "flags", "registry", "legacy-compat"]),
    ("tests", &["bridge-cli", "bridge-host", "bridge-core", "flags", "registry", "legacy-compat"]),
];

/// Crates from outside that only some of ours may use: a prefix of their names, and who may.
const RESERVED: &[(&str, &[&str])] = &[
    ("tokio", &["bridge-host", "bridge-cli", "node-binding", "tests"]),
    ("napi", &["node-binding"]),
    ("arc-swap", &["flags"]),
    ("opentelemetry", &["bridge-host"]),
    ("notify", &["bridge-host"]),
    ("rusqlite", &["bridge-host"]),
    ("rustix", &["bridge-host"]),
];

/// Crates from outside that may only be used by tests.
const FOR_TESTS_ONLY: &[&str] = &["insta", "proptest", "shuttle", "tempfile"];

struct Dependency {
    name: String,
    is_normal: bool,
    features: Vec<String>,
}

fn workspace() -> BTreeMap<String, Vec<Dependency>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(&package["name"]), dependencies(package)))
        .collect()
}

fn dependencies(package: &Value) -> Vec<Dependency> {
    package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dependency| Dependency {
            name: text(&dependency["name"]),
            is_normal: dependency["kind"].is_null(),
            features: dependency["features"].as_array().unwrap().iter().map(text).collect(),
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn every_crate_depends_only_on_those_below_it() {
    let workspace = workspace();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let ours: BTreeSet<&str> = workspace.keys().map(String::as_str).collect();
    assert_eq!(ours, allowed.keys().copied().collect(), "a crate is missing from the table");
    for (name, dependencies) in &workspace {
        for dependency in dependencies.iter().filter(|dependency| ours.contains(dependency.name.as_str())) {
            assert!(
                allowed[name.as_str()].contains(&dependency.name.as_str()),
                "{name} may not use {}",
                dependency.name
            );
        }
    }
}

#[test]
fn tasks_bindings_and_telemetry_stay_in_their_rooms() {
    for (name, dependencies) in &workspace() {
        for dependency in dependencies {
            for (prefix, users) in RESERVED {
                let is_free = !dependency.name.starts_with(prefix) || users.contains(&name.as_str());
                assert!(is_free, "{name} may not use {}", dependency.name);
            }
        }
    }
}

#[test]
fn what_serves_tests_is_a_dev_dependency() {
    for (name, dependencies) in workspace().iter().filter(|(name, _)| *name != "tests") {
        for dependency in dependencies.iter().filter(|dependency| dependency.is_normal) {
            assert!(
                !FOR_TESTS_ONLY.contains(&dependency.name.as_str()),
                "{name} uses {} outside tests",
                dependency.name
            );
        }
    }
}

#[test]
fn nothing_that_ships_can_be_sabotaged() {
    for (name, dependencies) in &workspace() {
        let asks = |dependency: &Dependency| dependency.features.iter().any(|feature| feature == "sabotage");
        assert_eq!(dependencies.iter().any(asks), name == "tests", "{name} asks for `sabotage`");
    }
}
