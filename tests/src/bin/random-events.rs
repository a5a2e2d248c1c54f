//! Prints random notebooks, one JSON line each: their transactions, and every table of ours after each of them.
//!
//! Called as `random-events SEED FIRST COUNT`. A notebook is made from the seed and its own number, so that one that
//! shows a difference can be made again alone.

use std::error::Error;
use std::io::Write;

use bridge_host::store::Store;
use bridge_host::store::memory::MemoryStore;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use registry::{Event, NotebookState};
use serde_json::{Value, json};
use tests::append::at;
use tests::random::{Parts, batches};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [seed, first, count] = arguments[..] else { return Err("usage: random-events SEED FIRST COUNT".into()) };
    let mut out = std::io::stdout().lock();
    for number in first..first.saturating_add(count) {
        writeln!(out, "{}", notebook(seed, number)?)?;
    }
    Ok(())
}

fn notebook(seed: u64, number: u64) -> Result<Value, Box<dyn Error>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let drawn = batches()
        .new_tree(&mut TestRunner::new_with_rng(Config::default(), rng))
        .map_err(|reason| reason.to_string())?
        .current();
    let mut store = MemoryStore::new();
    let commits: Vec<_> = drawn.into_iter().map(|batch| commit(&mut store, batch)).collect::<Result<_, _>>()?;
    Ok(json!({ "notebook": number, "commits": commits }))
}

fn commit(store: &mut MemoryStore, batch: Vec<Parts>) -> Result<Value, Box<dyn Error>> {
    let written: Vec<_> = batch.iter().map(|(name, args)| json!({ "name": name, "args": args })).collect();
    let events: Vec<_> =
        batch.into_iter().map(|(name, args)| Event::from_parts(&name, args)).collect::<Result<_, _>>()?;
    store.append(store.next_seq(), at(), &events)?;
    Ok(json!({ "events": written, "tables": tables(store.state())? }))
}

/// The recorded tables and those that recordings leave out.
fn tables(state: &NotebookState) -> serde_json::Result<Value> {
    let mut tables = serde_json::to_value(state.tables())?;
    tables["notebookMetadata"] = serde_json::to_value(state.metadata_rows().collect::<Vec<_>>())?;
    tables["actors"] = serde_json::to_value(state.actors().collect::<Vec<_>>())?;
    tables["toolApprovals"] = serde_json::to_value(state.tool_approvals().collect::<Vec<_>>())?;
    Ok(tables)
}
