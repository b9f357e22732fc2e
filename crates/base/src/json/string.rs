//! Strings and their escapes.

use std::borrow::Cow;

use super::reader::{EXPECTED_VALUE, Reader, Result};

impl<'a> Reader<'a> {
    /// Reads a string; borrowed from the text unless it holds escapes.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        self.skip_space();
        if self.byte() != Some(b'"') {
            return self.error(EXPECTED_VALUE);
        }
        self.at += 1;
        let start = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let text = self.since(start);
                    self.at += 1;
                    return Ok(Cow::Borrowed(text));
                }
                Some(b'\\') => return self.escaped(start).map(Cow::Owned),
                Some(0..=0x1f) => return self.error("Invalid control character at"),
                Some(_) => self.at += 1,
                None => {
                    self.at = start - 1;
                    return self.error("Unterminated string starting at");
                }
            }
        }
    }

    #[cold]
    fn escaped(&mut self, start: usize) -> Result<String> {
        let mut text = self.since(start).to_owned();
        loop {
            let plain = self.at;
            while let Some(byte) = self.byte() {
                if byte == b'"' || byte == b'\\' || byte < 0x20 {
                    break;
                }
                self.at += 1;
            }
            text.push_str(self.since(plain));
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.error("Invalid control character at"),
                None => {
                    self.at = start - 1;
                    return self.error("Unterminated string starting at");
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        let kind = self.bytes.get(start + 1).copied();
        self.at += 2;
        Ok(match kind {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => {
                self.at = start;
                return self.error("Invalid \\escape");
            }
        })
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char> {
        let first = self.hex4(start)?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        // A surrogate: only the first half followed by the second is a character. Python lets
        // halves through; no text column can hold them.
        if (0xd800..0xdc00).contains(&first) && self.literal("\\u") {
            let second = self.hex4(start)?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                if let Some(character) = char::from_u32(code) {
                    return Ok(character);
                }
            }
        }
        self.at = start;
        self.error("Unpaired surrogate in \\uXXXX escape")
    }

    fn hex4(&mut self, start: usize) -> Result<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let mut value = 0;
        let mut count = 0;
        for digit in digits {
            let Some(digit) = char::from(*digit).to_digit(16) else { break };
            value = value * 16 + digit;
            count += 1;
        }
        if count < 4 {
            self.at = start;
            return self.error("Invalid \\uXXXX escape");
        }
        self.at += 4;
        Ok(value)
    }
}
