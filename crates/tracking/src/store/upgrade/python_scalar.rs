//! Numbers and words out of JSON and texts, by the rules of Python's `json`, `float` and `Decimal`: upstream's
//! migration of traces reads with them.

use std::collections::HashMap;

use trainyard_base::json::{Kind, Number, Reader, Syntax};

use crate::store::python;

/// Nesting that is read past; Python's own limit is about a thousand.
const DEPTH_MAX: usize = 512;
/// Digits of a whole number of 64 bits.
const DIGITS_MAX: i64 = 19;

/// A value of JSON, as far as it is looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// A number with a point or an exponent, or beyond 64 bits; of those the digits, too.
    Real(f64, Option<String>),
    Text(String),
    /// A list or an object.
    Nested,
}

/// `json.loads`; none if it fails.
pub(super) fn load(text: &str) -> Option<Scalar> {
    let mut reader = Reader::new(text, DEPTH_MAX);
    let scalar = read(&mut reader).ok()?;
    reader.end().ok()?;
    Some(scalar)
}

/// An object's values by key, the last of each; none if it is no object.
pub(super) fn load_object(text: &str) -> Option<HashMap<String, Scalar>> {
    let mut reader = Reader::new(text, DEPTH_MAX);
    let object = read_object(&mut reader).ok()?;
    reader.end().ok()?;
    Some(object)
}

fn read_object(reader: &mut Reader<'_>) -> Result<HashMap<String, Scalar>, Syntax> {
    let mut values = HashMap::new();
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?.into_owned();
        values.insert(key, read(reader)?);
        more = reader.object_next()?;
    }
    Ok(values)
}

fn read(reader: &mut Reader<'_>) -> Result<Scalar, Syntax> {
    Ok(match reader.kind()? {
        Kind::Null => {
            reader.null()?;
            Scalar::Null
        }
        Kind::Boolean => Scalar::Bool(reader.boolean()?),
        Kind::Number => match reader.number()? {
            Number::Int(value) => Scalar::Int(value),
            number @ Number::BigInt(text) => Scalar::Real(number.as_f64(), Some(text.to_owned())),
            number @ (Number::Real(_) | Number::Overflow(_)) => Scalar::Real(number.as_f64(), None),
        },
        Kind::Text => Scalar::Text(reader.string()?.into_owned()),
        Kind::Array | Kind::Object => {
            reader.skip()?;
            Scalar::Nested
        }
    })
}

impl Scalar {
    /// The finite number that Python's `float` makes of it; booleans are none.
    pub(super) fn finite(&self) -> Option<f64> {
        let value = match self {
            Self::Int(value) => *value as f64,
            Self::Real(value, _) => *value,
            Self::Text(text) => float(text)?,
            Self::Null | Self::Bool(_) | Self::Nested => return None,
        };
        value.is_finite().then_some(value)
    }

    /// The whole number of 64 bits that `Decimal(str(value))` is; booleans are none.
    pub(super) fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Real(_, Some(written)) => decimal(written),
            Self::Real(value, None) => decimal(&python::float(*value)),
            Self::Text(text) => decimal(text),
            Self::Null | Self::Bool(_) | Self::Nested => None,
        }
    }
}

/// `float(text)`.
fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    if !text.contains('_') {
        return text.parse().ok();
    }
    // Only between two digits.
    let parts: Vec<&str> = text.split('_').collect();
    let is_between = parts.windows(2).all(|pair| match pair {
        [before, after] => {
            before.ends_with(|letter: char| letter.is_ascii_digit())
                && after.starts_with(|letter: char| letter.is_ascii_digit())
        }
        _ => false,
    });
    if is_between { parts.concat().parse().ok() } else { None }
}

/// The whole number of 64 bits that `Decimal(text)` is.
fn decimal(text: &str) -> Option<i64> {
    let text = text.trim().replace('_', "");
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let written = format!("{whole}{fraction}");
    if written.is_empty() || !written.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = written.trim_end_matches('0');
    let zeros = written.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let shift = i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
    let exponent = exponent.checked_add(shift)?;
    let digits = i64::try_from(significant.len()).ok()?.checked_add(exponent)?;
    if exponent < 0 || digits > DIGITS_MAX {
        return None;
    }
    let value: i128 = significant.parse().ok()?;
    let power = 10_i128.checked_pow(u32::try_from(exponent).ok()?)?;
    i64::try_from(sign * value * power).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_those_of_decimal() {
        for (text, expected) in [
            ("3", Some(3)),
            ("\"4\"", Some(4)),
            ("7.0", Some(7)),
            ("\" 1_000 \"", Some(1000)),
            ("\"1e3\"", Some(1000)),
            ("\"120e-1\"", Some(12)),
            ("0.0", Some(0)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1.2345678901234567e18", Some(1_234_567_890_123_456_800)),
            ("1e30", None),
            ("1.5", None),
            ("true", None),
            ("null", None),
            ("\"x\"", None),
            ("\"\"", None),
            ("\"NaN\"", None),
            ("[1]", None),
            ("NaN", None),
        ] {
            assert_eq!(load(text).unwrap().whole(), expected, "{text}");
        }
    }

    #[test]
    fn finite_numbers_are_those_of_float() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("\" 2e-3 \"", Some(0.002)),
            ("\"1_0\"", Some(10.0)),
            ("\"_1\"", None),
            ("\"1__0\"", None),
            ("\"inf\"", None),
            ("1e400", None),
            ("false", None),
            ("{}", None),
            ("12345678901234567890123", Some(1.234_567_890_123_456_8e22)),
        ] {
            assert_eq!(load(text).unwrap().finite(), expected, "{text}");
        }
        for text in ["", "01", "1.", "0x10", "yes", "1 2"] {
            assert_eq!(load(text), None, "{text}");
        }
    }
}
