//! A cursor that walks a text once and never builds a tree.
//!
//! Values nobody asked for are skipped, but still checked, so that what is read to its end is always whole
//! JSON.

use std::borrow::Cow;

/// Why a text is not JSON. The phrases are those of Python's `json.JSONDecodeError`, because
/// people search for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    pub(super) what: &'static str,
    /// Byte at which it happened.
    at: usize,
}

impl Syntax {
    /// The message with line and column (from 1) and character (from 0), as Python counts them.
    pub fn describe(&self, text: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        let character = before.chars().count();
        format!("{}: line {line} column {column} (char {character})", self.what)
    }
}

/// What a value starts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// Digits, or one of the three literals.
    Number,
    /// A string.
    Text,
    /// `[…]`.
    Array,
    /// `{…}`.
    Object,
}

impl Kind {
    /// The name Python gives the type, as in upstream's messages.
    pub fn python(self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Boolean => "bool",
            Self::Number => "float",
            Self::Text => "str",
            Self::Array => "list",
            Self::Object => "dict",
        }
    }
}

/// A cursor over a text.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    depth_max: usize,
}

pub(super) type Result<T> = std::result::Result<T, Syntax>;

pub(super) const EXPECTED_VALUE: &str = "Expecting value";
pub(super) const EXPECTED_COMMA: &str = "Expecting ',' delimiter";
const EXPECTED_KEY: &str = "Expecting property name enclosed in double quotes";
const EXPECTED_COLON: &str = "Expecting ':' delimiter";
pub(super) const OUT_OF_RANGE: &str = "A number is out of range";
pub(super) const TOO_DEEP: &str = "too many nested arrays and objects";

impl<'a> Reader<'a> {
    /// A reader of `text`, whose arrays and objects nest to a depth of at most `depth_max`.
    pub fn new(text: &'a str, depth_max: usize) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, depth_max }
    }

    /// Where the reader stands, to come back to with [`Self::seek`].
    pub fn position(&self) -> usize {
        self.at
    }

    /// Goes back to a position that [`Self::position`] gave.
    pub fn seek(&mut self, position: usize) {
        self.at = position;
    }

    /// The text from `start` to where the reader stands.
    pub fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn error<T>(&self, what: &'static str) -> Result<T> {
        Err(Syntax { what, at: self.at })
    }

    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// The kind of the value that comes next.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind> {
        self.skip_space();
        match self.byte() {
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => Ok(Kind::Number),
            Some(b'"') => Ok(Kind::Text),
            Some(b'[') => Ok(Kind::Array),
            Some(b'{') => Ok(Kind::Object),
            Some(b'n') => Ok(Kind::Null),
            Some(b't' | b'f') => Ok(Kind::Boolean),
            _ => self.error(EXPECTED_VALUE),
        }
    }

    pub(super) fn literal(&mut self, word: &str) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if found {
            self.at += word.len();
        }
        found
    }

    /// Reads `null`.
    pub fn null(&mut self) -> Result<()> {
        self.skip_space();
        if self.literal("null") { Ok(()) } else { self.error(EXPECTED_VALUE) }
    }

    /// Reads `true` or `false`.
    pub fn boolean(&mut self) -> Result<bool> {
        self.skip_space();
        if self.literal("true") {
            Ok(true)
        } else if self.literal("false") {
            Ok(false)
        } else {
            self.error(EXPECTED_VALUE)
        }
    }

    /// Enters an array; false when it is empty (and then it is already left).
    #[inline]
    pub fn array_start(&mut self) -> Result<bool> {
        self.enter(b'[', b']')
    }

    /// After an element: true when another follows, false when the array ended.
    #[inline]
    pub fn array_next(&mut self) -> Result<bool> {
        self.next(b']')
    }

    /// Enters an object; false when it is empty (and then it is already left).
    #[inline]
    pub fn object_start(&mut self) -> Result<bool> {
        self.enter(b'{', b'}')
    }

    /// After a value: true when another key follows, false when the object ended.
    #[inline]
    pub fn object_next(&mut self) -> Result<bool> {
        self.next(b'}')
    }

    fn enter(&mut self, open: u8, close: u8) -> Result<bool> {
        self.skip_space();
        if self.byte() != Some(open) {
            return self.error(EXPECTED_VALUE);
        }
        self.at += 1;
        self.skip_space();
        if self.byte() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    fn next(&mut self, close: u8) -> Result<bool> {
        self.skip_space();
        match self.byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.error(EXPECTED_COMMA),
        }
    }

    /// Reads a key and its colon.
    #[inline]
    pub fn key(&mut self) -> Result<Cow<'a, str>> {
        self.skip_space();
        if self.byte() != Some(b'"') {
            return self.error(EXPECTED_KEY);
        }
        let key = self.string()?;
        self.skip_space();
        if self.byte() != Some(b':') {
            return self.error(EXPECTED_COLON);
        }
        self.at += 1;
        Ok(key)
    }

    /// Refuses to go as deep as this.
    pub fn check_depth(&self, depth: usize) -> Result<()> {
        if depth > self.depth_max { self.error(TOO_DEEP) } else { Ok(()) }
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { self.error("Extra data") }
    }
}
