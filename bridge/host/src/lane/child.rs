//! The process in which candidates run: it compares what it reads and writes what comes of it, until nobody reads any more.

use std::io::{self, Read, Write};
use std::process;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bridge_core::{ComparisonMode, Observation};
use serde::{Deserialize, Serialize};

use super::breakdown::{Seeded, compare};
use super::scheduling::let_other_processes_pass;

/// The first frame of a child: both sides must be of one build, since they speak its JSON.
pub(super) const GREETING: &str = concat!("runtime-bridge shadow ", env!("CARGO_PKG_VERSION"));

/// The largest frame either side reads, in bytes: an observation holds what a step committed, and a candidate is cut off at
/// 8 MiB.
pub(super) const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// How long a comparison may go on for nobody, once the parent is gone.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What the parent asks.
#[derive(Serialize)]
pub(super) struct Asked<'a> {
    pub(super) observation: &'a Observation,
    pub(super) mode: ComparisonMode,
    pub(super) seeded: Option<&'static str>,
}

#[derive(Deserialize)]
struct Request {
    observation: Observation,
    mode: ComparisonMode,
    seeded: Option<String>,
}

/// Compares what comes in on standard input, one frame after the other, until it ends. The process is gone soon after its
/// parent, whatever a candidate is doing.
///
/// # Errors
/// When standard output cannot be written, or what comes in is no request.
pub fn serve() -> io::Result<()> {
    let_other_processes_pass();
    let (requests, incoming) = channel();
    thread::Builder::new().name("runtime-bridge-requests".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(frame)) = read_frame(&mut input) {
            if requests.send(frame).is_err() {
                return;
            }
        }
        drop(requests);
        thread::sleep(LAST_WORDS);
        leave();
    })?;
    let mut output = io::stdout().lock();
    write_frame(&mut output, GREETING.as_bytes())?;
    for frame in incoming {
        let Request { observation, mode, seeded } = serde_json::from_slice(&frame)?;
        let comparison = compare(&observation, mode, seeded.as_deref().and_then(Seeded::parse));
        write_frame(&mut output, &serde_json::to_vec(&comparison)?)?;
    }
    Ok(())
}

/// Ends the process without asking the thread that a candidate holds.
fn leave() -> ! {
    #[cfg(unix)]
    // It cannot fail on oneself.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    process::abort()
}

/// Reads a frame: its length in four bytes, then its text. Nothing at the end of the stream.
pub(super) fn read_frame(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame)?;
    Ok(Some(frame))
}

/// Writes a frame.
pub(super) fn write_frame(to: &mut impl Write, text: &[u8]) -> io::Result<()> {
    let length = u32::try_from(text.len()).ok().filter(|_| text.len() <= MAX_FRAME_BYTES);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the frame is too large"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(text)?;
    to.flush()
}
