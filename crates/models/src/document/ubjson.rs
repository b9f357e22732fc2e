//! UBJSON, draft 12, as XGBoost writes it: big-endian numbers, typed arrays with a count.

use super::value::{DEPTH_MAX, Document};
use crate::refusal::{Refusal, Result};

/// Items of lists whose elements take no bytes (`[$Z#…`); others are bounded by the file.
const EMPTY_ITEMS_MAX: usize = 1_000;

/// Parses a whole file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document> {
    let mut parser = Parser { bytes, at: 0 };
    let marker = parser.marker()?;
    let document = parser.value(marker, 0)?;
    if parser.at != bytes.len() {
        return Err(parser.error("something after the end"));
    }
    Ok(document)
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn error(&self, what: &str) -> Refusal {
        format!("UBJSON: {what} at byte {}", self.at).into()
    }

    fn marker(&mut self) -> Result<u8> {
        loop {
            let byte = *self.bytes.get(self.at).ok_or_else(|| self.error("the file is cut"))?;
            self.at += 1;
            if byte != b'N' {
                return Ok(byte);
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let bytes = *bytes.ok_or_else(|| self.error("the file is cut"))?;
        self.at += N;
        Ok(bytes)
    }

    fn value(&mut self, marker: u8, depth: usize) -> Result<Document> {
        if depth > DEPTH_MAX {
            return Err(format!("UBJSON: values nest deeper than {DEPTH_MAX}").into());
        }
        Ok(match marker {
            b'Z' => Document::Null,
            b'T' => Document::Bool(true),
            b'F' => Document::Bool(false),
            b'i' | b'U' | b'I' | b'u' | b'l' | b'm' | b'L' => Document::Int(self.integer(marker)?),
            b'd' => Document::Float(f64::from(f32::from_be_bytes(self.take()?))),
            b'D' => Document::Float(f64::from_be_bytes(self.take()?)),
            b'C' => Document::Text(char::from(self.take::<1>()?[0]).to_string()),
            b'S' | b'H' => Document::Text(self.text()?),
            b'[' => self.list(depth)?,
            b'{' => self.map(depth)?,
            other => return Err(self.error(&format!("marker {other:#04x}"))),
        })
    }

    fn integer(&mut self, marker: u8) -> Result<i64> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.take()?)),
            b'U' => i64::from(u8::from_be_bytes(self.take()?)),
            b'I' => i64::from(i16::from_be_bytes(self.take()?)),
            b'u' => i64::from(u16::from_be_bytes(self.take()?)),
            b'l' => i64::from(i32::from_be_bytes(self.take()?)),
            b'm' => i64::from(u32::from_be_bytes(self.take()?)),
            b'L' => i64::from_be_bytes(self.take()?),
            other => return Err(self.error(&format!("{other:#04x} where an integer is needed"))),
        })
    }

    fn length(&mut self) -> Result<usize> {
        let marker = self.marker()?;
        let length = self.integer(marker)?;
        usize::try_from(length).map_err(|_| self.error("a negative length"))
    }

    fn text(&mut self) -> Result<String> {
        let length = self.length()?;
        let bytes = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.error("the file is cut"))?;
        self.at += length;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.error("text that is not UTF-8"))
    }

    /// `$type` and `#count` before the items.
    fn header(&mut self) -> Result<(Option<u8>, Option<usize>)> {
        let mut kind = None;
        if self.peek() == Some(b'$') {
            self.at += 1;
            kind = Some(self.take::<1>()?[0]);
        }
        let mut count = None;
        if self.peek() == Some(b'#') {
            self.at += 1;
            count = Some(self.length()?);
        }
        if kind.is_some() && count.is_none() {
            return Err(self.error("a type without a count"));
        }
        if matches!(kind, Some(b'Z' | b'T' | b'F' | b'N')) && count > Some(EMPTY_ITEMS_MAX) {
            return Err(self.error("a list of nothing"));
        }
        Ok((kind, count))
    }

    fn list(&mut self, depth: usize) -> Result<Document> {
        let (kind, count) = self.header()?;
        if let (Some(kind), Some(count)) = (kind, count)
            && let Some(numbers) = self.numbers(kind, count)?
        {
            return Ok(Document::Numbers(numbers));
        }
        let mut items = Vec::new();
        loop {
            if count == Some(items.len()) {
                break;
            }
            let marker = match kind {
                Some(kind) => kind,
                None => self.marker()?,
            };
            if count.is_none() && marker == b']' {
                break;
            }
            items.push(self.value(marker, depth + 1)?);
        }
        Ok(Document::List(items))
    }

    /// Typed numbers; `None` for other types.
    fn numbers(&mut self, kind: u8, count: usize) -> Result<Option<Vec<f64>>> {
        let size = match kind {
            b'i' | b'U' => 1,
            b'I' | b'u' => 2,
            b'l' | b'm' | b'd' => 4,
            b'L' | b'D' => 8,
            _ => return Ok(None),
        };
        if count.checked_mul(size).is_none_or(|len| len > self.bytes.len() - self.at) {
            return Err(self.error("the file is cut"));
        }
        let mut numbers = Vec::with_capacity(count);
        for _ in 0..count {
            numbers.push(match kind {
                b'd' => f64::from(f32::from_be_bytes(self.take()?)),
                b'D' => f64::from_be_bytes(self.take()?),
                kind => self.integer(kind)? as f64,
            });
        }
        Ok(Some(numbers))
    }

    fn map(&mut self, depth: usize) -> Result<Document> {
        let (kind, count) = self.header()?;
        let mut entries = Vec::new();
        loop {
            if count == Some(entries.len()) {
                break;
            }
            if count.is_none() && self.peek() == Some(b'}') {
                self.at += 1;
                break;
            }
            let key = self.text()?;
            let marker = match kind {
                Some(kind) => kind,
                None => self.marker()?,
            };
            entries.push((key, self.value(marker, depth + 1)?));
        }
        Ok(Document::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_type_are_read() {
        let bytes = b"{i\x01aL\x00\x00\x00\x00\x00\x00\x00\x05i\x01bSi\x02hii\x01c[$d#i\x02\x3f\x80\x00\x00\xc0\x00\x00\x00i\x01d[i\xffTZ]}";
        let document = parse(bytes).unwrap();
        assert_eq!(document.get("a"), Some(&Document::Int(5)));
        assert_eq!(document.get("b").and_then(Document::text), Some("hi"));
        assert_eq!(document.get("c"), Some(&Document::Numbers(vec![1.0, -2.0])));
        assert_eq!(
            document.get("d"),
            Some(&Document::List(vec![Document::Int(-1), Document::Bool(true), Document::Null]))
        );
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [
            &b""[..],
            b"{",
            b"[$d#l\x7f\xff\xff\xff",
            b"[$Z#l\x7f\xff\xff\xff",
            b"Si\xff",
            b"[$d",
            b"x",
            b"{i\x05ab",
            b"{}}",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
        assert!(parse(&b"[".repeat(100_000)).unwrap_err().to_string().contains("deeper"));
    }
}
