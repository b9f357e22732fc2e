//! Values of any type: Arrow has none for these, so a request's are JSON text in a column that says so.

use arrow_schema::Field;
use trainyard_base::json::{Kind, Reader};
use trainyard_signature::model::JSON_TEXT;

/// How deep a value may nest: it is a scalar, or refused.
const DEPTH_MAX: usize = 1;

/// One value of a column of any type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Booleans are 0 and 1, to which Python's are equal.
    Number(f64),
    Text(String),
    Missing,
}

/// Whether the texts of a column are JSON.
pub(crate) fn is_json(field: &Field) -> bool {
    field.metadata().contains_key(JSON_TEXT)
}

impl Cell {
    /// The value that is written so; none for lists and objects. Nothing at all is a missing value.
    pub(crate) fn parse(json: &str) -> Option<Self> {
        if json.is_empty() {
            return Some(Self::Missing);
        }
        let mut reader = Reader::new(json, DEPTH_MAX);
        Some(match reader.kind().ok()? {
            Kind::Null => Self::Missing,
            Kind::Boolean => Self::Number(f64::from(u8::from(reader.boolean().ok()?))),
            Kind::Number => {
                let x = reader.number().ok()?.as_f64();
                if x.is_nan() { Self::Missing } else { Self::Number(x) }
            }
            Kind::Text => Self::Text(reader.string().ok()?.into_owned()),
            Kind::Array | Kind::Object => return None,
        })
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

#[cfg(test)]
mod tests {
    use super::Cell;

    #[test]
    fn a_value_is_what_python_reads() {
        let text = |text: &str| Some(Cell::Text(text.to_owned()));
        assert_eq!(Cell::parse(r#""K\u00f6ln""#), text("Köln"));
        assert_eq!(Cell::parse(r#""""#), text(""));
        assert_eq!(Cell::parse(r#""5""#), text("5"), "no number");
        assert_eq!(Cell::parse("5"), Some(Cell::Number(5.0)));
        assert_eq!(Cell::parse("-Infinity"), Some(Cell::Number(f64::NEG_INFINITY)));
        assert_eq!(Cell::parse("true"), Some(Cell::Number(1.0)));
        for missing in ["null", "NaN", ""] {
            assert_eq!(Cell::parse(missing), Some(Cell::Missing), "{missing:?}");
        }
        for other in ["[1]", r#"{"a": 1}"#] {
            assert_eq!(Cell::parse(other), None, "{other}");
        }
    }
}
