//! JSON Lines: an event a line. Empty lines count and say nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use bridge_core::Place;
use registry::Event;

use super::LogError;

/// What some editors put before UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of one event: far above the largest that a store takes, so that a file without line ends is not read as one.
const MAX_LINE_BYTES: u64 = 256 << 20;

pub(super) fn read(path: &Path, take: &mut dyn FnMut(Place, Event)) -> Result<(), LogError> {
    let unopenable = |error: std::io::Error| LogError::Unopenable { path: path.to_owned(), detail: error.to_string() };
    let mut file = BufReader::new(File::open(path).map_err(unopenable)?);
    let mut line = Vec::new();
    let mut number = 0;
    while next(&mut file, &mut line).map_err(unopenable)? {
        number += 1;
        let place = Place::Line(number);
        let wrong = |detail| LogError::Line { path: path.to_owned(), place, detail };
        if line.len() as u64 == MAX_LINE_BYTES {
            return Err(wrong("too long for an event"));
        }
        let bytes = if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("not UTF-8"))?;
        if !text.trim().is_empty() {
            let event = Event::from_json(text);
            take(place, event.map_err(|source| LogError::Event { path: path.to_owned(), place, source })?);
        }
    }
    Ok(())
}

/// Reads the next line; false at the end.
fn next(file: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    Ok(file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', line)? > 0)
}
