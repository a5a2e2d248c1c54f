//! What a terminal shows of a text: carriage returns, backspaces and cursor moves applied, styles apart from the text.

use std::collections::BTreeSet;
use std::rc::Rc;

use unicode_width::UnicodeWidthChar;
use vte::{Params, Parser, Perform};

/// How far a cursor move can go in either direction: far beyond any real line or progress display, and small enough that no
/// escape sequence can make a text grow without bound.
const MAX_CURSOR_MOVE: usize = 4096;

/// Columns between two tab stops, as terminals have them.
const TAB: usize = 8;

/// Blanks that all cursor moves and tabs of a text together leave before what they write: a screen full of them, many times over, and
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
    if text.chars().all(|character| matches!(character, '\n' | '\t') || !character.is_control()) {
        return Shown { text: text.to_owned(), styles: Vec::new() };
    }
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

/// One column of a line.
#[derive(Clone, Debug, Default)]
struct Cell {
    glyph: Glyph,
    style: Style,
}

#[derive(Clone, Debug, PartialEq)]
enum Glyph {
    Character(char),
    /// A character with others that are written over it, such as accents.
    Cluster(String),
    /// A further column of the character before it, which is wide, or a tab.
    Rest,
}

impl Default for Glyph {
    fn default() -> Self {
        Self::Character(' ')
    }
}

impl Glyph {
    fn write(&self, text: &mut String) {
        match self {
            Self::Character(character) => text.push(*character),
            Self::Cluster(characters) => text.push_str(characters),
            Self::Rest => {}
        }
    }

    /// Writes a character that takes no column over this one.
    fn join(&mut self, mark: char) {
        match self {
            Self::Character(character) => *self = Self::Cluster(String::from_iter([*character, mark])),
            Self::Cluster(characters) => characters.push(mark),
            Self::Rest => {}
        }
    }
}

struct Screen {
    lines: Vec<Vec<Cell>>,
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
        let mut text = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            line.iter().for_each(|cell| cell.glyph.write(&mut text));
        }
        text
    }

    fn styles(&self) -> Vec<String> {
        let mut runs = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            let mut column = 0;
            for run in line.chunk_by(|left, right| left.style == right.style) {
                if let Some(Cell { style, .. }) = run.first().filter(|cell| !cell.style.is_plain()) {
                    runs.push(format!("{at}:{column}+{} {style}", run.len()));
                }
                column += run.len();
            }
        }
        runs
    }

    fn put(&mut self, character: char) {
        self.fill_up_to_the_cursor();
        match character.width().unwrap_or(0) {
            0 => self.join(character),
            width => self.write(character, width),
        }
    }

    /// Over what is left of the cursor; at the beginning of a line, where there is nothing, a column of its own.
    fn join(&mut self, mark: char) {
        let (line, column) = (self.line, self.column);
        let before = self.lines[line][..column].iter_mut().rev().find(|cell| cell.glyph != Glyph::Rest);
        match before {
            Some(cell) => cell.glyph.join(mark),
            None => self.write(mark, 1),
        }
    }

    fn write(&mut self, character: char, width: usize) {
        let (style, column) = (self.style.clone(), self.column);
        self.part(column);
        self.part(column + width);
        let line = self.current();
        line.resize_with(line.len().max(column + width), Cell::default);
        for cell in &mut line[column..column + width] {
            *cell = Cell { glyph: Glyph::Rest, style: style.clone() };
        }
        line[column].glyph = Glyph::Character(character);
        self.column += width;
    }

    /// Over text a tab is a move to the next stop; behind it, a character up to there.
    fn tab(&mut self) {
        self.fill_up_to_the_cursor();
        let width = TAB - self.column % TAB;
        let length = self.current().len();
        if self.column < length {
            self.column += width;
        } else {
            let width = width.min(MAX_BLANKS - self.blanks + 1);
            self.blanks += width - 1;
            self.write('\t', width);
        }
    }

    /// What a wide character leaves where only a part of it is replaced or taken out is blank: no character reaches beyond this
    /// column from before it.
    fn part(&mut self, column: usize) {
        let line = self.current();
        if line.get(column).is_none_or(|cell| cell.glyph != Glyph::Rest) {
            return;
        }
        let begin = line[..column].iter().rposition(|cell| cell.glyph != Glyph::Rest).unwrap_or(0);
        let parts = line[begin..].iter_mut().enumerate();
        for (_, cell) in parts.take_while(|(at, cell)| *at == 0 || cell.glyph == Glyph::Rest) {
            cell.glyph = Glyph::default();
        }
    }

    /// Where there have been too many blanks, the cursor comes back to the end of its line.
    fn fill_up_to_the_cursor(&mut self) {
        let gap = self.column.saturating_sub(self.current().len());
        let blanks = gap.min(MAX_BLANKS - self.blanks);
        self.blanks += blanks;
        self.column -= gap - blanks;
        self.current().extend(std::iter::repeat_n(Cell::default(), blanks));
    }

    fn current(&mut self) -> &mut Vec<Cell> {
        while self.lines.len() <= self.line {
            self.lines.push(Vec::new());
        }
        &mut self.lines[self.line]
    }

    fn erase_in_line(&mut self, how: usize) {
        let column = self.column;
        self.part(column + usize::from(how == 1));
        let line = self.current();
        match how {
            0 => line.truncate(column),
            1 => line.iter_mut().take(column + 1).for_each(|cell| *cell = Cell::default()),
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
                above.for_each(|cell| *cell = Cell::default());
            }
            _ => self.lines = vec![Vec::new(); self.line + 1],
        }
    }

    fn reset(&mut self) {
        self.lines = vec![Vec::new()];
        (self.line, self.column, self.saved) = (0, 0, (0, 0));
        self.style = Style::default();
    }

    /// Sends the cursor to a line, which counts from the top of the text.
    fn go_to_line(&mut self, line: usize) {
        self.line = line;
        self.current();
    }

    fn insert_blanks(&mut self, count: usize) {
        let blanks = count.min(MAX_BLANKS - self.blanks);
        let column = self.column;
        self.part(column);
        let line = self.current();
        if column < line.len() {
            line.splice(column..column, std::iter::repeat_n(Cell::default(), blanks));
            self.blanks += blanks;
        }
    }

    fn remove(&mut self, count: usize) {
        let column = self.column;
        self.part(column);
        self.part(column.saturating_add(count));
        let line = self.current();
        let end = column.saturating_add(count).min(line.len());
        line.drain(column.min(end)..end);
    }

    fn erase(&mut self, count: usize) {
        let column = self.column;
        self.part(column);
        self.part(column.saturating_add(count));
        self.current().iter_mut().skip(column).take(count).for_each(|cell| *cell = Cell::default());
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
            b'\t' => self.tab(),
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
            b'c' => self.reset(),
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
            'J' if first < 3 => self.erase_in_display(usize::from(first)),
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
    fn a_wide_character_takes_two_columns_and_is_blank_where_half_of_it_is_replaced() {
        check("漢字\rab", "ab字", &[]);
        check("漢字\ra", "a 字", &[]);
        check("漢字\x08X", "漢 X", &[]);
        check("ab漢\r漢", "漢漢", &[]);
        check("a漢b\r漢", "漢 b", &[]);
        check("漢字x\r\x1b[C\x1b[2X", "    x", &[]);
        check("漢字x\r\x1b[3P", " x", &[]);
        check("漢字\r\x1b[C\x1b[K", " ", &[]);
        check("漢字\r\x1b[1K", "  字", &[]);
        check("\x1b[31m漢\x1b[m字", "漢字", &["0:0+2 31"]);
    }

    #[test]
    fn an_accent_goes_with_its_character() {
        check("e\u{301}x\rX", "Xx", &[]);
        check("xe\u{301}\rX", "Xe\u{301}", &[]);
        check("漢\u{301}字\rab", "ab字", &[]);
        check("\r\u{301}\u{302}", "\u{301}\u{302}", &[]);
    }

    #[test]
    fn a_tab_is_a_character_behind_text_and_a_move_over_it() {
        check("ab\tc\r", "ab\tc", &[]);
        check("abcdefgh\r\tX", "abcdefghX", &[]);
        check("ab\tc\rabc", "abc     c", &[]);
        check("ab\tc\r\tX", "ab\tX", &[]);
    }

    #[test]
    fn a_screen_that_is_erased_keeps_its_cursor() {
        check("abc\x1b[2JX", "   X", &[]);
        check("a\nbc\x1b[H\x1b[2JX", "X", &[]);
        check("a\x1b[3Jb", "a\u{241b}[Jb", &[]);
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
