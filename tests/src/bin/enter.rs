//! Notes starts in a journal and prints the number of each that has been acknowledged, until it is killed.
//!
//! Called as `enter FILE NOTEBOOK`.

use std::error::Error;
use std::io::Write;

use bridge_host::journal::{Journal, SqliteJournal};
use registry::{NotebookId, Now, QueueId};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (file, notebook) = (arguments.next().ok_or("no FILE")?, arguments.next().ok_or("no NOTEBOOK")?);
    let (notebook, now) = (NotebookId::from(notebook), Now { wall_ms: 0, mono_ms: 0 });
    let mut journal = SqliteJournal::open(file, now)?;
    let mut acknowledged = std::io::stdout().lock();
    for number in journal.entered(&notebook)?.len().. {
        journal.enter(now, &notebook, &[QueueId::from(format!("q{number:06}"))])?;
        writeln!(acknowledged, "{number}")?;
        acknowledged.flush()?;
    }
    Ok(())
}
