//! One value to one type: what is exact, what loses, what upstream would do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trainyard_base::json::Number;

use crate::model::DataType;

/// How far a value may be from its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Casting {
    /// The JSON type must be the signature's: no text for a number, no `true` for 1.
    Strict,
    /// What upstream casts, as long as nothing is lost: `"5.1"` is 5.1, `1.5` is not an integer.
    #[default]
    Lossless,
    /// What upstream casts, as it casts it: 1.5 becomes 1, overflows wrap.
    Upstream,
}

/// Why a value does not become what the signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is of another type.
    Type,
    /// It has a fraction that a whole number cannot keep.
    Fraction,
    /// It is beyond the range of the type.
    Range,
    /// It is null and the column has no null.
    Null,
    /// It has a time zone.
    TimeZone,
    /// It is a text, but not of a date.
    Date,
    /// It is a text, but not base64.
    Base64,
    /// It is longer than the limit.
    Length,
}

impl Refusal {
    /// What follows `expected long, got 1.5` in the message.
    pub(crate) fn tail(self) -> &'static str {
        match self {
            Self::Type | Self::Null => "",
            Self::Fraction => ", which would lose its fraction",
            Self::Range => ", which is out of its range",
            Self::TimeZone => ", which has a time zone; write the time without one",
            Self::Date => ", which is not an ISO 8601 date between 1677 and 2262",
            Self::Base64 => ", which is not base64",
            Self::Length => ", which is too long",
        }
    }
}

type Result<T> = std::result::Result<T, Refusal>;

/// Whether a column of this type has a value for "missing" even when it is required: a missing number is a
/// NaN to every library, a missing date a NaT.
pub(crate) fn holds_missing(data_type: &DataType) -> bool {
    use DataType::{Any, Datetime, Double, Float, String};
    matches!(data_type, Float | Double | Datetime | String | Any)
}

/// Whether a value of a column may be null; `nested` are values within arrays, objects and maps.
pub(crate) fn takes_null(
    data_type: &DataType,
    required: bool,
    nested: bool,
    casting: Casting,
) -> bool {
    match data_type {
        DataType::Any => true,
        DataType::Boolean => !required || casting == Casting::Upstream,
        _ if holds_missing(data_type) => !required || !nested,
        _ => !required,
    }
}

/// The largest whole number up to which a double holds every one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Rounds to the nearest double, as any decimal fraction is; only what overflows is refused.
pub(crate) fn double(number: Number<'_>, casting: Casting) -> Result<f64> {
    match number {
        Number::Overflow(_) if casting != Casting::Upstream => Err(Refusal::Range),
        // Python makes no float of a whole number beyond its range, whatever the casting.
        Number::BigInt(_) if number.as_f64().is_infinite() => Err(Refusal::Range),
        number => Ok(number.as_f64()),
    }
}

/// Rounds to the nearest 32-bit float; only what overflows is refused.
pub(crate) fn float(number: Number<'_>, casting: Casting) -> Result<f32> {
    let value = double(number, casting)?;
    let rounded = value as f32;
    if rounded.is_infinite() && value.is_finite() && casting != Casting::Upstream {
        return Err(Refusal::Range);
    }
    Ok(rounded)
}

/// A whole number of 64 bits. `1.0` is one; upstream also cuts 1.5 and wraps what is too large.
pub(crate) fn long(number: Number<'_>, casting: Casting) -> Result<i64> {
    match number {
        Number::Int(value) => Ok(value),
        Number::BigInt(digits) if casting == Casting::Upstream => {
            // numpy holds it as uint64 first; what is beyond that, it refuses as well.
            digits.parse::<u64>().map(|value| value as i64).map_err(|_big| Refusal::Range)
        }
        Number::BigInt(_) => Err(Refusal::Range),
        Number::Real(value) | Number::Overflow(value) => whole(value, casting),
    }
}

fn whole(value: f64, casting: Casting) -> Result<i64> {
    if !value.is_finite() {
        return Err(Refusal::Range);
    }
    if casting == Casting::Upstream {
        // What the processor's conversion gives for values that do not fit.
        let fits = value.abs() < 9_223_372_036_854_775_808.0;
        return Ok(if fits { value as i64 } else { i64::MIN });
    }
    if value.fract() != 0.0 {
        return Err(Refusal::Fraction);
    }
    if value.abs() > EXACT_MAX { Err(Refusal::Range) } else { Ok(value as i64) }
}

/// A whole number of 32 bits.
pub(crate) fn integer(number: Number<'_>, casting: Casting) -> Result<i32> {
    if let (Casting::Upstream, Number::Real(value) | Number::Overflow(value)) = (casting, number) {
        if !value.is_finite() {
            return Err(Refusal::Range);
        }
        // What the processor's conversion to 32 bits gives for values that do not fit.
        let fits = value > f64::from(i32::MIN) - 1.0 && value < f64::from(i32::MAX) + 1.0;
        return Ok(if fits { value as i32 } else { i32::MIN });
    }
    let value = long(number, casting)?;
    match i32::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) if casting == Casting::Upstream => Ok(value as i32),
        Err(_) => Err(Refusal::Range),
    }
}

/// A text as Python's `float()` reads it.
pub(crate) fn float_text(text: &str, casting: Casting) -> Result<f64> {
    let value: f64 = python_digits(text).parse().map_err(|_not_a_number| Refusal::Type)?;
    // "inf" says so; digits that overflow do not.
    let overflow = value.is_infinite() && text.contains(|digit: char| digit.is_ascii_digit());
    if overflow && casting != Casting::Upstream { Err(Refusal::Range) } else { Ok(value) }
}

/// A text as Python's `int()` reads it.
pub(crate) fn long_text(text: &str) -> Result<i64> {
    let digits = python_digits(text);
    digits.parse().map_err(|_error| {
        let only_digits = digits.trim_start_matches(['+', '-']);
        let is_whole = !only_digits.is_empty() && only_digits.bytes().all(|b| b.is_ascii_digit());
        if is_whole { Refusal::Range } else { Refusal::Type }
    })
}

/// Trimmed, and without the single underscores that Python allows between digits.
fn python_digits(text: &str) -> std::borrow::Cow<'_, str> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let between_digits = |at: usize| {
        let digit =
            |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    if text.contains('_') && text.match_indices('_').all(|(at, _)| between_digits(at)) {
        text.replace('_', "").into()
    } else {
        text.into()
    }
}

/// Bytes from base64. Upstream's decoder skips every character that is not of the alphabet.
pub(crate) fn base64(text: &str, casting: Casting) -> Result<Vec<u8>> {
    if casting != Casting::Upstream {
        return STANDARD.decode(text.trim_end()).map_err(|_error| Refusal::Base64);
    }
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut kept: Vec<u8> = text.bytes().filter(in_alphabet).collect();
    while !kept.len().is_multiple_of(4) {
        kept.push(b'=');
    }
    STANDARD.decode(kept).map_err(|_error| Refusal::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASTINGS: [Casting; 3] = [Casting::Strict, Casting::Lossless, Casting::Upstream];

    #[test]
    fn whole_numbers_lose_nothing_unless_upstream_would() {
        for casting in CASTINGS {
            assert_eq!(long(Number::Real(1.0), casting), Ok(1));
            assert_eq!(integer(Number::Int(7), casting), Ok(7));
            assert_eq!(long(Number::Real(f64::NAN), casting), Err(Refusal::Range));
        }
        for casting in [Casting::Strict, Casting::Lossless] {
            assert_eq!(long(Number::Real(1.5), casting), Err(Refusal::Fraction));
            assert_eq!(integer(Number::Int(1 << 31), casting), Err(Refusal::Range));
            assert_eq!(long(Number::BigInt("9223372036854775808"), casting), Err(Refusal::Range));
            assert_eq!(long(Number::Real(1e18), casting), Err(Refusal::Range));
        }
        let upstream = Casting::Upstream;
        assert_eq!(long(Number::Real(-1.5), upstream), Ok(-1));
        assert_eq!(integer(Number::Int(1 << 31), upstream), Ok(i32::MIN));
        assert_eq!(integer(Number::Real(1e39), upstream), Ok(i32::MIN));
        assert_eq!(integer(Number::Real(-7.9), upstream), Ok(-7));
        assert_eq!(long(Number::BigInt("9223372036854775808"), upstream), Ok(i64::MIN));
        assert_eq!(long(Number::BigInt("99999999999999999999"), upstream), Err(Refusal::Range));
    }

    #[test]
    fn floats_round_but_do_not_overflow() {
        assert_eq!(float(Number::Real(0.1), Casting::Strict), Ok(0.1));
        assert_eq!(float(Number::Real(1e300), Casting::Strict), Err(Refusal::Range));
        assert_eq!(float(Number::Real(1e300), Casting::Upstream), Ok(f32::INFINITY));
        assert_eq!(float(Number::Real(f64::INFINITY), Casting::Strict), Ok(f32::INFINITY));
        assert_eq!(double(Number::Overflow(f64::INFINITY), Casting::Strict), Err(Refusal::Range));
        let digits = "9".repeat(310);
        for casting in CASTINGS {
            assert_eq!(double(Number::BigInt(&digits), casting), Err(Refusal::Range));
            assert_eq!(float(Number::BigInt(&digits), casting), Err(Refusal::Range));
            assert_eq!(
                double(Number::BigInt("18446744073709551616"), casting),
                Ok(1.844_674_407_370_955_2e19)
            );
        }
    }

    #[test]
    fn texts_are_read_as_python_reads_them() {
        let lossless = Casting::Lossless;
        assert_eq!(float_text(" 5.1 ", lossless), Ok(5.1));
        assert_eq!(float_text("1_000.5", lossless), Ok(1000.5));
        assert_eq!(float_text("_1", lossless), Err(Refusal::Type));
        assert_eq!(float_text("inf", lossless), Ok(f64::INFINITY));
        assert_eq!(float_text("1e999", lossless), Err(Refusal::Range));
        assert_eq!(float_text("a", Casting::Upstream), Err(Refusal::Type));
        assert_eq!(long_text("7"), Ok(7));
        assert_eq!(long_text("7.0"), Err(Refusal::Type));
        assert_eq!(long_text("9223372036854775808"), Err(Refusal::Range));
    }

    #[test]
    fn base64_is_exact_unless_upstream_would_skip() {
        assert_eq!(base64("aGVsbG8=", Casting::Strict).as_deref(), Ok(&b"hello"[..]));
        assert_eq!(base64("!!!", Casting::Lossless), Err(Refusal::Base64));
        assert_eq!(base64("!!!", Casting::Upstream).as_deref(), Ok(&b""[..]));
        assert_eq!(base64("aGVs\nbG8=", Casting::Upstream).as_deref(), Ok(&b"hello"[..]));
    }
}
