//! What a terminal shows of a text: carriage returns, backspaces and cursor moves applied, styles apart from the text.

use std::collections::BTreeSet;
use std::rc::Rc;

use vte::{Params, Parser, Perform};

/// How far a cursor move can go in either direction: far beyond any real line or progress display, and small enough that no
/// escape sequence can make a text grow without bound.
const MAX_CURSOR_MOVE: usize = 4096;

/// Blanks that all cursor moves of a text together leave before what they write: a screen full of them, many times over, and
/// few enough that a few bytes a line cannot take gigabytes.
const MAX_BLANKS: usize = 64 * 1024;

/// Cells that the sequences of a text together may move or blank: thousands of long lines edited in place, and no more than a
/// moment's work.
const MAX_EDITED: usize = 16 * 1024 * 1024;

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
    let mut screen = Screen {
        lines: vec![Vec::new()],
        line: 0,
        column: 0,
        saved: (0, 0),
        style: Style::default(),
        blanks: 0,
        edited: 0,
    };
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
    /// Where a click leads to.
    link: Option<Rc<str>>,
}

struct Screen {
    lines: Vec<Vec<(char, Style)>>,
    line: usize,
    column: usize,
    /// The place that the cursor may be sent back to.
    saved: (usize, usize),
    style: Style,
    /// Cells that cursor moves have left blank.
    blanks: usize,
    /// Cells that sequences have moved or blanked.
    edited: usize,
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
            1 => {
                self.erase_in_line(1);
                let above = self.lines.iter_mut().take(self.line).flatten();
                above.for_each(|cell| *cell = (' ', Style::default()));
            }
            _ => {
                self.lines = vec![Vec::new()];
                (self.line, self.column, self.saved) = (0, 0, (0, 0));
            }
        }
    }

    /// Sends the cursor to a line, which counts from the top of the text.
    fn go_to_line(&mut self, line: usize) {
        self.line = line;
        self.current();
    }

    fn insert_blanks(&mut self, count: usize) {
        let blanks = count.min(MAX_BLANKS - self.blanks);
        let column = self.column;
        let line = self.current();
        if column < line.len() {
            line.splice(column..column, std::iter::repeat_n((' ', Style::default()), blanks));
            self.blanks += blanks;
        }
    }

    fn remove(&mut self, count: usize) {
        let column = self.column;
        let line = self.current();
        let end = column.saturating_add(count).min(line.len());
        line.drain(column.min(end)..end);
    }

    fn erase(&mut self, count: usize) {
        let column = self.column;
        self.current().iter_mut().skip(column).take(count).for_each(|cell| *cell = (' ', Style::default()));
    }

    /// Edits a line in place, as long as that stays a moment's work.
    fn edit(&mut self, action: char, count: usize) {
        self.edited = self.edited.saturating_add(self.current().len());
        match action {
            _ if self.edited > MAX_EDITED => self.put_unknown(action),
            'P' => self.remove(count),
            'X' => self.erase(count),
            '@' => self.insert_blanks(count),
            'K' => self.erase_in_line(1),
            _ => {
                self.edited =
                    self.edited.saturating_add(self.lines.iter().take(self.line).map(|line| line.len() + 1).sum());
                self.erase_in_display(1);
            }
        }
    }

    /// What is not understood may show anything: it is seen, so that it is no match for its absence.
    fn put_unknown(&mut self, action: char) {
        for character in ['\u{241b}', '[', action] {
            self.put(character);
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
            self.style.apply(&[0]);
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
            0 => *self = Self { link: self.link.take(), ..Self::default() },
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
        let numbers = all.map(u16::to_string).collect::<Vec<_>>().join(";");
        let link = self.link.as_ref().map(|link| format!("link {link}"));
        let parts = [Some(numbers).filter(|numbers| !numbers.is_empty()), link];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
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
            // A line feed that keeps its column.
            0x0b | 0x0c => self.go_to_line(self.line + 1),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        if !intermediates.is_empty() {
            return;
        }
        match byte {
            b'7' => self.saved = (self.line, self.column),
            b'8' => (self.line, self.column) = self.saved,
            b'D' => self.go_to_line(self.line + 1),
            b'E' => self.execute(b'\n'),
            b'M' => self.line = self.line.saturating_sub(1),
            b'c' => {
                self.erase_in_display(2);
                self.style = Style::default();
            }
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, parameters: &[&[u8]], _: bool) {
        if let [b"8", _, target @ ..] = parameters {
            let target = String::from_utf8_lossy(&target.join(&b';')).into_owned();
            self.style.link = Some(target).filter(|target| !target.is_empty()).map(Rc::from);
        }
    }

    fn csi_dispatch(&mut self, parameters: &Params, intermediates: &[u8], _: bool, action: char) {
        if !intermediates.is_empty() {
            return;
        }
        let at =
            |place: usize| parameters.iter().nth(place).and_then(|parameter| parameter.first()).copied().unwrap_or(0);
        let bounded = |number: u16| usize::from(number.max(1)).min(MAX_CURSOR_MOVE);
        let first = at(0);
        let count = bounded(first);
        match action {
            'A' => self.line = self.line.saturating_sub(count),
            'B' => self.line = (self.line + count).min(self.lines.len() - 1),
            'C' => self.column = (self.column + count).min(self.column.max(MAX_CURSOR_MOVE)),
            'D' => self.column = self.column.saturating_sub(count),
            'E' => (self.line, self.column) = ((self.line + count).min(self.lines.len() - 1), 0),
            'F' => (self.line, self.column) = (self.line.saturating_sub(count), 0),
            'G' | '`' => self.column = count - 1,
            'H' | 'f' => {
                self.go_to_line(count - 1);
                self.column = bounded(at(1)) - 1;
            }
            'd' => self.go_to_line(count - 1),
            'J' | 'K' if first == 1 => self.edit(action, count),
            'J' => self.erase_in_display(usize::from(first)),
            'K' => self.erase_in_line(usize::from(first)),
            'P' | 'X' | '@' => self.edit(action, count),
            'm' => self.rendition(parameters),
            's' => self.saved = (self.line, self.column),
            'u' => (self.line, self.column) = self.saved,
            // Questions to a terminal, and its modes, tab stops and regions.
            'c' | 'g' | 'h' | 'i' | 'l' | 'n' | 'q' | 'r' | 't' => {}
            other => self.put_unknown(other),
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
    fn a_cursor_that_is_sent_somewhere_writes_there() {
        check("abc\x1b[1;1Hx", "xbc", &[]);
        check("abc\nd\x1b[HX", "Xbc\nd", &[]);
        check("a\nbc\x1b[FX", "X\nbc", &[]);
        check("a\nbc\x1b[A\x1b[EX", "a\nXc", &[]);
        check("ab\x1b7cd\x1b8X", "abXd", &[]);
        check("ab\x1b[scd\x1b[uX", "abXd", &[]);
        check("a\nb\x1b[1dX", "aX\nb", &[]);
        check("ab\x0bc", "ab\n  c", &[]);
        check("a\nb\x1bMX", "aX\nb", &[]);
    }

    #[test]
    fn what_is_taken_out_of_a_line_is_gone() {
        check("abcd\r\x1b[2P", "cd", &[]);
        check("abcd\r\x1b[2X", "  cd", &[]);
        check("abcd\r\x1b[2@", "  abcd", &[]);
        check("abc\ndef\x1b[1J", "   \n   ", &[]);
        check("abc\x1bcd", "d", &[]);
    }

    #[test]
    fn a_sequence_that_is_not_understood_is_seen_and_one_that_shows_nothing_is_not() {
        check("a\x1b[3Sb", "a\u{241b}[Sb", &[]);
        check("\x1b[?25la\x1b[?25h\x1b[6n\x1b(B", "a", &[]);
    }

    #[test]
    fn a_link_is_a_style_with_its_target() {
        let link = |target: &str| format!("\x1b]8;;{target}\x1b\\text\x1b]8;;\x1b\\");
        check(&link("https://a/?b;c"), "text", &["0:0+4 link https://a/?b;c"]);
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
        let seen = show(&"\x1b[65535;65535HX\x1b[65535@".repeat(1000));
        assert!(seen.text.len() <= MAX_BLANKS + 2 * MAX_CURSOR_MOVE, "{}", seen.text.len());
        let edits = ["\x1b[@", "\x1b[P", "\x1b[X", "\x1b[1K", "\x1b[1J"].concat().repeat(20_000);
        let seen = show(&format!("{}\r{edits}", "a".repeat(100_000)));
        assert!(seen.text.contains('\u{241b}'), "it is given up");
    }
}
