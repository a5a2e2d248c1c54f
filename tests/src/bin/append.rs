//! Appends batches to a notebook in an SQLite file and prints the place after each acknowledged one, until it is killed.
//!
//! Called as `append FILE NOTEBOOK`.

use std::error::Error;
use std::io::Write;

use bridge_host::store::Store;
use bridge_host::store::sqlite::SqliteStore;
use registry::NotebookId;
use tests::append::{at, batch};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (file, notebook) = (arguments.next().ok_or("no FILE")?, arguments.next().ok_or("no NOTEBOOK")?);
    let mut store = SqliteStore::open(file, NotebookId::from(notebook))?;
    let mut acknowledged = std::io::stdout().lock();
    loop {
        let next = store.next_seq();
        let next = store.append(next, at(), &batch(next)?)?;
        writeln!(acknowledged, "{next}")?;
        acknowledged.flush()?;
    }
}
