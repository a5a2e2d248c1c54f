//! The operator's command line: what a flag document would do, before it does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use bridge_core::{Ability, Known, Latch, ROUTE_FLAG, decide};
use clap::{Parser, Subcommand};
use flags::{Context, LiveFlags};

/// Status of an input that cannot be used.
const BAD_INPUT: u8 = 2;

#[derive(Parser)]
#[command(name = "runtime-bridge", version, about = "Looks at flag documents the way the bridge does")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a flag document; exit status 2 names the place of the first fault
    Check {
        /// The document, in flagd's format
        file: PathBuf,
    },
    /// Say which notebooks a new document would move, before it is put in force
    Plan {
        /// The document in force
        current: PathBuf,
        /// The new document
        next: PathBuf,
        /// A JSON file: an object of notebook ids, each with an object of its attributes
        #[arg(long, value_name = "FILE")]
        notebooks: PathBuf,
    },
    /// Say which route a notebook gets, and which rule decides
    Explain {
        /// The document, in flagd's format
        file: PathBuf,
        /// The notebook's id
        notebook: String,
        /// What the rules can target besides the notebook; the value is JSON, or text
        #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = attribute)]
        attributes: Vec<(String, serde_json::Value)>,
    },
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks on its streams")]
fn main() -> ExitCode {
    let answer = match Arguments::parse().command {
        Command::Check { file } => check(&file),
        Command::Plan { current, next, notebooks } => plan(&current, &next, &notebooks),
        Command::Explain { file, notebook, attributes } => explain(&file, &notebook, attributes),
    };
    match answer {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn check(file: &Path) -> Result<String, String> {
    let live = load(file)?;
    let snapshot = live.load();
    let flags = snapshot.set().map_or(0, flags::FlagSet::len);
    let has_route = snapshot.set().is_some_and(|set| set.get(ROUTE_FLAG).is_some());
    let route =
        if has_route { "" } else { "; there is no flag `runtime-route`, so every notebook stays on the old path" };
    let noun = if flags == 1 { "flag" } else { "flags" };
    Ok(format!("{}: {flags} {noun}{route}", file.display()))
}

fn plan(current: &Path, next: &Path, notebooks: &Path) -> Result<String, String> {
    let known = known(notebooks)?;
    let plan = bridge_core::plan(&load(current)?.load(), true, &load(next)?.load(), &Latch::default(), &known);
    serde_json::to_string_pretty(&plan).map_err(|error| error.to_string())
}

fn known(file: &Path) -> Result<Vec<Known>, String> {
    let bad = |reason: String| {
        let hint = "write it as { \"notebook-1\": { \"team\": \"docs\" }, \"notebook-2\": {} }";
        format!("{}: {reason}\n  hint: {hint}", file.display())
    };
    let text = std::fs::read_to_string(file).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let notebooks: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
        serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let known = |(id, attributes): (String, BTreeMap<String, serde_json::Value>)| Known {
        context: attributes
            .into_iter()
            .fold(Context::new(id), |context, (name, value)| context.with(name, value))
            .at(wall_ms()),
        ability: Ability { is_built_in: true, has_live_query: true },
        has_old_path: true,
    };
    Ok(notebooks.into_iter().map(known).collect())
}

fn explain(file: &Path, notebook: &str, attributes: Vec<(String, serde_json::Value)>) -> Result<String, String> {
    let live = load(file)?;
    let context = attributes
        .into_iter()
        .fold(Context::new(notebook), |context, (name, value)| context.with(name, value))
        .at(wall_ms());
    let snapshot = live.load();
    let ability = Ability { is_built_in: true, has_live_query: true };
    let decision = decide(&snapshot, true, &context, ability);
    let decision = serde_json::to_string_pretty(&decision).map_err(|error| error.to_string())?;
    let rule = snapshot.set().map(|set| set.explain(ROUTE_FLAG, &context).to_string()).unwrap_or_default();
    Ok(format!("{rule}\n{decision}"))
}

fn load(file: &Path) -> Result<LiveFlags, String> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        format!("{}: cannot be read: {error}\n  hint: name a flag document in flagd's format", file.display())
    })?;
    let live = LiveFlags::new();
    live.apply(&text, &file.display().to_string())
        .map_err(|error| format!("{}: {error} [{}]\n  hint: {}", file.display(), error.code(), error.hint()))?;
    Ok(live)
}

fn attribute(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flags.json");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    #[test]
    fn a_fault_is_named_with_file_line_code_and_hint() {
        let (_folder, file) = document("{\n  \"flags\": { \"runtime-route\": { \"state\": \"ON\" } }\n}");
        let text = check(&file).unwrap_err();
        assert!(text.contains("flags.json: ") && text.contains(":2:") | text.contains("line 2"), "{text}");
        assert!(text.contains("hint: "), "{text}");
    }

    #[test]
    fn a_plan_names_who_moves_and_bad_notebooks_are_refused() {
        let text = |route: &str| {
            format!(
                r#"{{ "flags": {{ "runtime-route": {{ "state": "ENABLED", "variants": {{ "v": "{route}" }},
                "defaultVariant": "v", "targeting": {{}} }} }} }}"#
            )
        };
        let ((_a, current), (_b, next)) = (document(&text("legacy")), document(&text("registry")));
        let (_c, notebooks) = document(r#"{ "nb-1": { "team": "docs" }, "nb-2": {} }"#);
        let answer = plan(&current, &next, &notebooks).unwrap();
        assert!(answer.contains("\"notebook\": \"nb-1\"") && answer.contains("\"to\": \"registry\""), "{answer}");
        let (_d, bad) = document("[1]");
        assert!(plan(&current, &next, &bad).unwrap_err().contains("hint: "));
    }

    #[test]
    fn an_explanation_names_route_and_rule() {
        let rule = r#"{ "if": [ { "in": [ { "var": "team" }, ["a", "b"] ] }, "registry", "legacy" ] }"#;
        let (_folder, file) = document(&format!(
            r#"{{ "flags": {{ "runtime-route": {{ "state": "ENABLED", "variants": {{ "legacy": "legacy", "registry": "registry" }},
            "defaultVariant": "legacy", "targeting": {rule} }} }} }}"#
        ));
        let text = explain(&file, "nb", vec![attribute("team=a").unwrap()]).unwrap();
        assert!(text.contains("\"route\": \"registry\"") && text.contains("targeting"), "{text}");
        let text = explain(&file, "nb", vec![attribute("team=c").unwrap()]).unwrap();
        assert!(text.contains("\"route\": \"legacy\""), "{text}");
    }
}
