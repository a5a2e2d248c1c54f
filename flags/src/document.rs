//! JSON with positions: the text as a tree in which every value knows the byte at which it begins.
//!
//! serde_json loses positions and merges duplicate keys; the meaning of strings and numbers is still left to it.

use datalogic_rs::bumpalo::Bump;
use serde_json::{Number, Value};

use crate::error::{Cause, Fault};

/// The longest document that is read, in bytes: 10,000 flags of a usual size, and what one parse may cost at most.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// The deepest nesting of lists and objects: 60 operations inside one another, far from the end of a 2 MiB thread stack.
pub const MAX_DEPTH: usize = 128;

/// Objects of up to this many members are searched for duplicates pair by pair, which is faster than sorting them.
const FEW_MEMBERS: usize = 16;

/// Whole numbers of up to this many digits are read here: they fit 64 bits with a sign, whatever the digits are.
const PLAIN_DIGITS: usize = 18;

/// A JSON value and where it stands. It owns nothing: a document is thousands of values, and its arena frees them at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'t> {
    pub(crate) at: usize,
    /// The byte after its last one.
    pub(crate) end: usize,
    pub(crate) json: Json<'t>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Json<'t> {
    Null,
    Bool(bool),
    Number(&'t Number),
    Text(&'t str),
    List(&'t [Node<'t>]),
    Object(&'t [Member<'t>]),
}

/// A member of an object, in document order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'t> {
    pub(crate) at: usize,
    pub(crate) name: &'t str,
    pub(crate) node: Node<'t>,
}

impl<'t> Node<'t> {
    /// Reads a whole document. What is not in the text as it stands is put into the arena.
    pub(crate) fn parse(text: &'t str, arena: &'t Bump) -> Result<Self, Fault> {
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(Fault::new(0, Cause::TooLarge { bytes: text.len() }));
        }
        // Editors on Windows begin a file with a byte order mark.
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self::read(text, start, arena)
    }

    /// Reads a value that stands alone from there on, of any length.
    pub(crate) fn read(text: &'t str, start: usize, arena: &'t Bump) -> Result<Self, Fault> {
        let mut scanner = Scanner { text, at: start, depth: 0, arena, items: Vec::new(), members: Vec::new() };
        let node = scanner.value()?;
        match scanner.peek() {
            None => Ok(node),
            Some(_) => Err(scanner.unexpected("the end of the document")),
        }
    }

    /// The JSON type, as error messages name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.json {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::List(_) => "list",
            Json::Object(_) => "object",
        }
    }

    pub(crate) fn members(&self) -> Result<&'t [Member<'t>], Fault> {
        match self.json {
            Json::Object(members) => Ok(members),
            _ => Err(self.wrong_type("an object")),
        }
    }

    pub(crate) fn text(&self) -> Result<&'t str, Fault> {
        match self.json {
            Json::Text(text) => Ok(text),
            _ => Err(self.wrong_type("a string")),
        }
    }

    pub(crate) fn fault(&self, cause: Cause) -> Fault {
        Fault::new(self.at, cause)
    }

    pub(crate) fn wrong_type(&self, expected: &'static str) -> Fault {
        self.fault(Cause::WrongType { expected, found: self.kind() })
    }

    pub(crate) fn to_value(self) -> Value {
        match self.json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(flag),
            Json::Number(number) => Value::Number(number.clone()),
            Json::Text(text) => Value::String(text.to_owned()),
            Json::List(items) => items.iter().copied().map(Node::to_value).collect(),
            Json::Object(members) => {
                Value::Object(members.iter().map(|m| (m.name.to_owned(), m.node.to_value())).collect())
            }
        }
    }
}

/// The member of that name, if there is one.
pub(crate) fn member<'t>(members: &'t [Member<'t>], name: &str) -> Option<&'t Node<'t>> {
    members.iter().find(|member| member.name == name).map(|member| &member.node)
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    arena: &'t Bump,
    /// The items of all lists that are open, the innermost last; a list that closes takes its own into the arena.
    items: Vec<Node<'t>>,
    /// The members of all objects that are open, likewise.
    members: Vec<Member<'t>>,
}

impl<'t> Scanner<'t> {
    fn value(&mut self) -> Result<Node<'t>, Fault> {
        let first = self.peek();
        let at = self.at;
        let json = match first {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Json::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Json::Number(self.number()?),
            Some(b't') => self.word("true", Json::Bool(true))?,
            Some(b'f') => self.word("false", Json::Bool(false))?,
            Some(b'n') => self.word("null", Json::Null)?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { at, end: self.at, json })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json<'t>, Fault>) -> Result<Json<'t>, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::new(self.at, Cause::TooDeep));
        }
        self.depth += 1;
        self.at += 1;
        let json = read(self)?;
        self.depth -= 1;
        Ok(json)
    }

    fn object(&mut self) -> Result<Json<'t>, Fault> {
        let first = self.members.len();
        if self.taken(b'}') {
            return Ok(Json::Object(&[]));
        }
        loop {
            let member = self.member()?;
            self.members.push(member);
            if self.taken(b'}') {
                break;
            }
            self.take(b',', "`,` or `}`")?;
        }
        let members = &self.members[first..];
        if let Some(Member { at, name, .. }) = duplicate(members) {
            return Err(Fault::new(*at, Cause::DuplicateKey { key: (*name).to_owned() }).inside(name));
        }
        let members = self.arena.alloc_slice_copy(members);
        self.members.truncate(first);
        Ok(Json::Object(members))
    }

    fn member(&mut self) -> Result<Member<'t>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key in quotes"));
        }
        let at = self.at;
        let name = self.string()?;
        self.take(b':', "`:`").map_err(|fault| fault.inside(name))?;
        let node = self.value().map_err(|fault| fault.inside(name))?;
        Ok(Member { at, name, node })
    }

    fn list(&mut self) -> Result<Json<'t>, Fault> {
        let first = self.items.len();
        if self.taken(b']') {
            return Ok(Json::List(&[]));
        }
        loop {
            let item = self.value().map_err(|fault| fault.inside_item(self.items.len() - first))?;
            self.items.push(item);
            if self.taken(b']') {
                break;
            }
            self.take(b',', "`,` or `]`")?;
        }
        let items = self.arena.alloc_slice_copy(&self.items[first..]);
        self.items.truncate(first);
        Ok(Json::List(items))
    }

    /// A string: as it stands when it holds no escape, else as serde_json reads it.
    fn string(&mut self) -> Result<&'t str, Fault> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += 1;
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                }
                Some(0..=0x1f) => return Err(self.unexpected("an escaped control character")),
                Some(_) => {}
                None => {
                    self.at = self.text.len();
                    return Err(self.unexpected("a closing quote"));
                }
            }
        }
        self.at += 1;
        if !escaped {
            return Ok(&self.text[start + 1..self.at - 1]);
        }
        serde_json::from_str::<String>(&self.text[start..self.at])
            .map(|read| &*self.arena.alloc_str(&read))
            .map_err(|_| self.unexpected_at(start, "a string with valid escapes"))
    }

    fn number(&mut self) -> Result<&'t Number, Fault> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let length =
            rest.iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
        self.at += length;
        if let Some(whole) = plain(&rest[..length]) {
            return Ok(self.arena.alloc(Number::from(whole)));
        }
        // A number without arbitrary precision owns nothing that the arena would have to drop.
        serde_json::from_str(&self.text[start..self.at])
            .map(|number| &*self.arena.alloc::<Number>(number))
            .map_err(|_| self.unexpected_at(start, "a number that JSON can hold"))
    }

    fn word(&mut self, word: &'static str, json: Json<'t>) -> Result<Json<'t>, Fault> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(json)
    }

    /// The next byte that is not white space, which is then the current one.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn taken(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.taken(byte) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn unexpected(&self, expected: &'static str) -> Fault {
        self.unexpected_at(self.at, expected)
    }

    fn unexpected_at(&self, at: usize, expected: &'static str) -> Fault {
        let found = self.text.get(at..).and_then(|rest| rest.chars().next());
        let found = found.map_or_else(|| "end of text".to_owned(), |found| found.escape_debug().collect());
        Fault::new(at, Cause::Syntax { expected, found })
    }
}

/// The number that these digits are, where they are nothing but digits and few enough. JSON knows no zero in front of others.
fn plain(digits: &[u8]) -> Option<u64> {
    let is_plain = digits.len() <= PLAIN_DIGITS && digits.iter().all(u8::is_ascii_digit);
    let has_idle_zero = digits.len() > 1 && digits[0] == b'0';
    (is_plain && !has_idle_zero).then(|| digits.iter().fold(0, |whole, digit| whole * 10 + u64::from(digit - b'0')))
}

/// The first member whose name an earlier one has.
fn duplicate<'m, 't>(members: &'m [Member<'t>]) -> Option<&'m Member<'t>> {
    if members.len() <= FEW_MEMBERS {
        let is_again = |index: &usize| members[..*index].iter().any(|earlier| earlier.name == members[*index].name);
        return (1..members.len()).find(is_again).map(|index| &members[index]);
    }
    let mut sorted: Vec<&Member<'t>> = members.iter().collect();
    // Stable, so that of two equal names the later one stands second.
    sorted.sort_by(|a, b| a.name.cmp(b.name));
    sorted.windows(2).filter(|pair| pair[0].name == pair[1].name).map(|pair| pair[1]).min_by_key(|member| member.at)
}
