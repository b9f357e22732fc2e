//! Texts of JSON: what XGBoost, skops and Python write into model folders.

use trainyard_base::json::{Kind, Number, Reader, Syntax};

use super::value::{DEPTH_MAX, Document};
use crate::refusal::Result;

/// Parses a whole text.
pub(crate) fn parse(text: &str) -> Result<Document> {
    let mut reader = Reader::new(text, DEPTH_MAX);
    let document = value(&mut reader, 0).and_then(|document| reader.end().map(|()| document));
    document.map_err(|syntax| format!("JSON: {}", syntax.describe(text)).into())
}

fn value(reader: &mut Reader<'_>, depth: usize) -> Result<Document, Syntax> {
    reader.check_depth(depth)?;
    Ok(match reader.kind()? {
        Kind::Null => reader.null().map(|()| Document::Null)?,
        Kind::Boolean => Document::Bool(reader.boolean()?),
        Kind::Number => match reader.number()? {
            Number::Int(value) => Document::Int(value),
            other => Document::Float(other.as_f64()),
        },
        Kind::Text => Document::Text(reader.string()?.into_owned()),
        Kind::Array => {
            let mut items = Vec::new();
            let mut more = reader.array_start()?;
            while more {
                items.push(value(reader, depth + 1)?);
                more = reader.array_next()?;
            }
            Document::List(items)
        }
        Kind::Object => {
            let mut entries = Vec::new();
            let mut more = reader.object_start()?;
            while more {
                let key = reader.key()?.into_owned();
                entries.push((key, value(reader, depth + 1)?));
                more = reader.object_next()?;
            }
            Document::Map(entries)
        }
    })
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
        let error = parse(&"[".repeat(100_000)).unwrap_err().to_string();
        assert!(error.contains("too many nested"), "{error}");
    }
}
