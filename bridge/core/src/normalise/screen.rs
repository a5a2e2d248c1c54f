//! What a terminal shows of a text: carriage returns, backspaces and cursor moves applied, styles apart from the text.

use std::collections::BTreeSet;

use vte::{Params, Parser, Perform};

/// How far a cursor move can go in either direction: far beyond any real line or progress display, and small enough that no
/// escape sequence can make a text grow without bound.
const MAX_CURSOR_MOVE: usize = 4096;

/// Blanks that all cursor moves of a text together leave before what they write: a screen full of them, many times over, and
/// few enough that a few bytes a line cannot take gigabytes.
const MAX_BLANKS: usize = 64 * 1024;

/// A text as a terminal shows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    /// The characters, lines ended by `\n`.
    pub(super) text: String,
    /// Where styles other than the plain one are: `line:column+length style`.
    pub(super) styles: Vec<String>,
}

/// Shows a text. Showing what was shown changes nothing.
pub(super) fn show(text: &str) -> Shown {
    let mut screen = Screen { lines: vec![Vec::new()], line: 0, column: 0, style: Style::default(), blanks: 0 };
    Parser::new().advance(&mut screen, text.as_bytes());
    Shown { text: screen.text(), styles: screen.styles() }
}

/// The rendition in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Style {
    /// Bold, italic and so on, by the numbers that switch them on.
    attributes: BTreeSet<u16>,
    /// As its parameters: `31`, or `38;5;208`.
    foreground: Vec<u16>,
    background: Vec<u16>,
}

struct Screen {
    lines: Vec<Vec<(char, Style)>>,
    line: usize,
    column: usize,
    style: Style,
    /// Cells that cursor moves have left blank.
    blanks: usize,
}

impl Screen {
    fn text(&self) -> String {
        let line = |line: &Vec<(char, Style)>| line.iter().map(|(character, _)| *character).collect::<String>();
        self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn styles(&self) -> Vec<String> {
        let mut runs = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            let mut column = 0;
            for run in line.chunk_by(|(_, left), (_, right)| left == right) {
                if let Some((_, style)) = run.first().filter(|(_, style)| !style.is_plain()) {
                    runs.push(format!("{at}:{column}+{} {style}", run.len()));
                }
                column += run.len();
            }
        }
        runs
    }

    fn put(&mut self, character: char) {
        self.fill_up_to_the_cursor();
        let style = self.style.clone();
        let column = self.column;
        let line = self.current();
        match line.get_mut(column) {
            Some(cell) => *cell = (character, style),
            None => line.push((character, style)),
        }
        self.column += 1;
    }

    /// Where there have been too many blanks, the cursor comes back to the end of its line.
    fn fill_up_to_the_cursor(&mut self) {
        let gap = self.column.saturating_sub(self.current().len());
        let blanks = gap.min(MAX_BLANKS - self.blanks);
        self.blanks += blanks;
        self.column -= gap - blanks;
        self.current().extend(std::iter::repeat_n((' ', Style::default()), blanks));
    }

    fn current(&mut self) -> &mut Vec<(char, Style)> {
        while self.lines.len() <= self.line {
            self.lines.push(Vec::new());
        }
        &mut self.lines[self.line]
    }

    fn erase_in_line(&mut self, how: usize) {
        let column = self.column;
        let line = self.current();
        match how {
            0 => line.truncate(column),
            1 => line.iter_mut().take(column + 1).for_each(|cell| *cell = (' ', Style::default())),
            _ => line.clear(),
        }
    }

    fn erase_in_display(&mut self, how: usize) {
        match how {
            0 => {
                self.erase_in_line(0);
                self.lines.truncate(self.line + 1);
            }
            2 | 3 => {
                self.lines = vec![Vec::new()];
                (self.line, self.column) = (0, 0);
            }
            _ => {}
        }
    }

    /// Select graphic rendition: a reset forgets, a colour replaces the colour of its kind, anything else is added.
    fn rendition(&mut self, parameters: &Params) {
        let flat: Vec<u16> = parameters.iter().flatten().copied().collect();
        let mut rest = flat.as_slice();
        while let Some((first, behind)) = rest.split_first() {
            let length = match (first, behind.first()) {
                (38 | 48, Some(5)) => 3,
                (38 | 48, Some(2)) => 5,
                _ => 1,
            };
            let (one, next) = rest.split_at(length.min(rest.len()));
            self.style.apply(one);
            rest = next;
        }
        if flat.is_empty() {
            self.style = Style::default();
        }
    }
}

impl Style {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// One attribute or one colour; the numbers are those of ECMA-48.
    fn apply(&mut self, parameters: &[u16]) {
        let Some(first) = parameters.first() else { return };
        match first {
            0 => *self = Self::default(),
            1..=9 => {
                self.attributes.insert(*first);
            }
            22 => self.attributes.retain(|known| !matches!(known, 1 | 2)),
            23..=29 => self.attributes.retain(|known| *known != first - 20),
            39 => self.foreground.clear(),
            49 => self.background.clear(),
            30..=38 | 90..=97 => self.foreground = parameters.to_vec(),
            40..=48 | 100..=107 => self.background = parameters.to_vec(),
            _ => {}
        }
    }
}

impl std::fmt::Display for Style {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.attributes.iter().chain(&self.foreground).chain(&self.background);
        f.write_str(&all.map(u16::to_string).collect::<Vec<_>>().join(";"))
    }
}

impl Perform for Screen {
    fn print(&mut self, character: char) {
        self.put(character);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.line += 1;
                self.column = 0;
                self.current();
            }
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => self.put('\t'),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, parameters: &Params, intermediates: &[u8], _: bool, action: char) {
        if !intermediates.is_empty() {
            return;
        }
        let first = parameters.iter().next().and_then(|parameter| parameter.first()).copied().unwrap_or(0);
        let count = usize::from(first.max(1)).min(MAX_CURSOR_MOVE);
        match action {
            'A' => self.line = self.line.saturating_sub(count),
            'B' => self.line = (self.line + count).min(self.lines.len() - 1),
            'C' => self.column = (self.column + count).min(self.column.max(MAX_CURSOR_MOVE)),
            'D' => self.column = self.column.saturating_sub(count),
            'G' => self.column = count - 1,
            'J' => self.erase_in_display(usize::from(first)),
            'K' => self.erase_in_line(usize::from(first)),
            'm' => self.rendition(parameters),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str, styles: &[&str]) {
        let seen = show(text);
        assert_eq!(seen.text, shown, "{text:?}");
        assert_eq!(seen.styles, styles, "{text:?}");
        assert_eq!(show(&seen.text).text, seen.text, "shown twice");
    }

    #[test]
    fn a_progress_bar_shows_its_last_state() {
        check("10 %\r20 %\r100 %\n", "100 %\n", &[]);
        check("long line\rok", "okng line", &[]);
        check("long line\r\x1b[Kok", "ok", &[]);
        check("one\ntwo\x1b[A\rONE", "ONE\ntwo", &[]);
    }

    #[test]
    fn a_backspace_goes_back_and_a_later_character_replaces() {
        check("abc\x08\x08X", "aXc", &[]);
    }

    #[test]
    fn styles_are_runs_apart_from_the_text() {
        check("a\x1b[1;31mbc\x1b[0md", "abcd", &["0:1+2 1;31"]);
        check("\x1b[31m\x1b[1mbc\x1b[39;22md", "bcd", &["0:0+2 1;31"]);
    }

    #[test]
    fn no_sequence_makes_a_text_grow_without_bound() {
        let seen = show("\x1b[65535C\x1b[65535C\x1b[65535CX\x1b[65535BY");
        assert!(seen.text.len() < 2 * MAX_CURSOR_MOVE);
        let seen = show(&"\x1b[65535CX\n".repeat(1000));
        assert!(seen.text.len() <= MAX_BLANKS + 2 * 1000, "{}", seen.text.len());
        assert!(seen.text.ends_with("X\nX\n"), "what is written stays");
    }
}
