//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity`.

use super::value::{DEPTH_MAX, Document};
use crate::refusal::{Refusal, Result};

/// Parses a whole text.
pub(crate) fn parse(text: &str) -> Result<Document> {
    let mut parser = Parser { text, at: 0 };
    let document = parser.value(0)?;
    parser.skip_space();
    if parser.at != text.len() {
        return Err(parser.error("text after the end"));
    }
    Ok(document)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, what: &str) -> Refusal {
        format!("JSON: {what} at byte {}", self.at).into()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Document> {
        if depth > DEPTH_MAX {
            return Err(format!("JSON: values nest deeper than {DEPTH_MAX}").into());
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Document::Text),
            Some(b't') if self.eat("true") => Ok(Document::Bool(true)),
            Some(b'f') if self.eat("false") => Ok(Document::Bool(false)),
            Some(b'n') if self.eat("null") => Ok(Document::Null),
            Some(b'N') if self.eat("NaN") => Ok(Document::Float(f64::NAN)),
            Some(b'I') if self.eat("Infinity") => Ok(Document::Float(f64::INFINITY)),
            Some(b'-') if self.eat("-Infinity") => Ok(Document::Float(f64::NEG_INFINITY)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("no value")),
        }
    }

    fn number(&mut self) -> Result<Document> {
        let len = self
            .rest()
            .bytes()
            .take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
            .count();
        let text = self.rest().get(..len).unwrap_or_default();
        let number = match text.parse() {
            Ok(value) => Document::Int(value),
            Err(_) => Document::Float(text.parse().map_err(|_| self.error("a bad number"))?),
        };
        self.at += len;
        Ok(number)
    }

    fn list(&mut self, depth: usize) -> Result<Document> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.eat("]") {
            return Ok(Document::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.eat("]") {
                return Ok(Document::List(items));
            }
            if !self.eat(",") {
                return Err(self.error("no comma"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Document> {
        self.at += 1;
        let mut entries = Vec::new();
        self.skip_space();
        if self.eat("}") {
            return Ok(Document::Map(entries));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            if !self.eat(":") {
                return Err(self.error("no colon"));
            }
            entries.push((key, self.value(depth + 1)?));
            self.skip_space();
            if self.eat("}") {
                return Ok(Document::Map(entries));
            }
            if !self.eat(",") {
                return Err(self.error("no comma"));
            }
        }
    }

    fn string(&mut self) -> Result<String> {
        if !self.eat("\"") {
            return Err(self.error("no text"));
        }
        let mut text = String::new();
        loop {
            let plain =
                self.rest().find(['"', '\\']).ok_or_else(|| self.error("text without end"))?;
            text.push_str(self.rest().get(..plain).unwrap_or_default());
            self.at += plain;
            if self.eat("\"") {
                return Ok(text);
            }
            self.at += 1;
            let escape = self.peek().ok_or_else(|| self.error("text without end"))?;
            self.at += 1;
            text.push(match escape {
                b'"' => '"',
                b'\\' => '\\',
                b'/' => '/',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => return Err(self.error("a bad escape")),
            });
        }
    }

    /// Four digits, or two times four for characters beyond the basic plane.
    fn unicode(&mut self) -> Result<char> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) && self.eat("\\u") {
            let second = self.hex()?;
            0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)
        } else {
            first
        };
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).ok_or_else(|| self.error("a cut escape"))?;
        let code = u32::from_str_radix(digits, 16).map_err(|_| self.error("a bad escape"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_json_is_read() {
        let document = parse(r#" {"a": [1, -2.5e3, NaN, Infinity, -Infinity], "b": {"c": "\u00e9\ud83d\ude00\n\"x\""}, "d": [true, null], "e": {}, "f": []} "#).unwrap();
        let list = document.get("a").unwrap().numbers().unwrap();
        assert_eq!(list[..2], [1.0, -2500.0]);
        assert!(list[2].is_nan() && list[3] == f64::INFINITY && list[4] == f64::NEG_INFINITY);
        assert_eq!(document.get("b").unwrap().get("c").unwrap().text(), Some("é😀\n\"x\""));
        assert_eq!(
            document.get("d"),
            Some(&Document::List(vec![Document::Bool(true), Document::Null]))
        );
    }

    #[test]
    fn damage_is_an_error() {
        for text in [
            "",
            "{",
            "[1,",
            "[1 2]",
            "{\"a\" 1}",
            "\"abc",
            "\"\\u12\"",
            "tru",
            "1 2",
            "[--1]",
            "{\"a\":1,}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).unwrap_err().to_string().contains("deeper"));
    }
}
