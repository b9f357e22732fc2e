//! Numbers and text, in the words of protocol 0 and in bytes.

use super::machine::Machine;
use crate::python::Node;
use crate::refusal::Result;

impl Machine<'_> {
    pub(super) fn number(&mut self, code: u8) -> Result<()> {
        let node = match code {
            b'I' => match self.line()?.as_str() {
                "01" => Node::Bool(true),
                "00" => Node::Bool(false),
                digits => Node::Int(digits.trim().parse().map_err(|_| "a bad integer")?),
            },
            b'L' => {
                let line = self.line()?;
                let digits = line.trim().trim_end_matches('L');
                // Beyond 64 bits (seeds) the nearest number.
                match digits.parse() {
                    Ok(value) => Node::Int(value),
                    Err(_) => Node::Float(digits.parse().map_err(|_| "a bad integer")?),
                }
            }
            b'J' => Node::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'K' => Node::Int(self.u8()? as i64),
            b'M' => Node::Int(i64::from(u16::from_le_bytes(self.array()?))),
            0x8a | 0x8b => {
                let len = if code == 0x8a { self.u8()? } else { self.u32()? };
                long(self.take(len)?)
            }
            b'F' => Node::Float(self.line()?.trim().parse().map_err(|_| "a bad number")?),
            _ => Node::Float(f64::from_be_bytes(self.array()?)),
        };
        self.push(node)
    }

    pub(super) fn text(&mut self, code: u8) -> Result<()> {
        let len = match code {
            b'V' => {
                let text = unescape_unicode(&self.line()?)?;
                return self.push(Node::Text(text));
            }
            b'S' => {
                let line = self.line()?;
                let quoted = line
                    .trim()
                    .strip_prefix(['\'', '"'])
                    .and_then(|rest| rest.strip_suffix(['\'', '"']));
                let bytes = unescape_bytes(quoted.ok_or("text without quotes")?)?;
                return self.push(Node::Bytes(bytes));
            }
            0x8c | b'U' | b'C' => self.u8()?,
            b'X' | b'B' | b'T' => self.u32()?,
            _ => u64::from_le_bytes(self.array()?),
        };
        let node = match code {
            0x8c | b'X' | 0x8d => Node::Text(self.utf8(len)?),
            _ => Node::Bytes(self.take(len)?.to_vec()),
        };
        self.push(node)
    }
}

/// A little-endian integer of any length; beyond 64 bits (hashes, seeds) the nearest number.
fn long(bytes: &[u8]) -> Node {
    if bytes.len() <= 8 {
        let fill = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
        let mut word = [fill; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        return Node::Int(i64::from_le_bytes(word));
    }
    Node::Float(bytes.iter().rev().fold(0.0, |value, &byte| value * 256.0 + f64::from(byte)))
}

/// `\uXXXX` and `\UXXXXXXXX` of protocol 0.
fn unescape_unicode(line: &str) -> Result<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("\\u").into_iter().chain(rest.find("\\U")).min() {
        text.push_str(rest.get(..at).unwrap_or_default());
        let digits = if rest.get(at..at + 2) == Some("\\u") { 4 } else { 8 };
        let code =
            rest.get(at + 2..at + 2 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        text.push(code.and_then(char::from_u32).ok_or("a bad escape")?);
        rest = rest.get(at + 2 + digits..).unwrap_or_default();
    }
    text.push_str(rest);
    Ok(text)
}

/// The escapes of a quoted byte text of protocol 0.
fn unescape_bytes(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().ok_or("a cut escape")? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).map_err(|_| "a bad escape")?;
                u8::from_str_radix(digits, 16).map_err(|_| "a bad escape")?
            }
            other => other,
        });
    }
    Ok(bytes)
}
