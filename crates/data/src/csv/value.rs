//! What one field is: a number or a truth value, by pandas' rules.

/// A field that is a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// Written as an integer that fits 64 bits with sign.
    Int(i64),
    /// Written as an integer beyond that.
    Wide {
        /// The nearest float.
        nearest: f64,
        /// Whether it fits 64 bits without sign.
        unsigned: bool,
    },
    /// Written with a point, an exponent or as an infinity.
    Float(f64),
}

impl Number {
    /// The nearest float.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Wide { nearest, .. } => nearest,
            Self::Float(value) => value,
        }
    }
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads a number as pandas does (blanks around it are allowed), rounded correctly.
///
/// pandas' own float parser may be off by one unit in the last place; this one is not. Numbers
/// beyond the range of a double are infinite, as in pandas 3.
pub(crate) fn number(text: &[u8]) -> Option<Number> {
    let trimmed = trim(text);
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, trimmed),
    };
    if matches!(digits.first(), Some(b'i' | b'I')) {
        // pandas compares the whole field with these words: no blanks around.
        return (trimmed.len() == text.len()).then(|| infinity(digits, negative)).flatten();
    }
    let scan = scan(digits)?;
    if scan.integer {
        return integer(trimmed, &scan, negative);
    }
    Some(Number::Float(nearest(trimmed, &scan, negative)?))
}

/// Reads a number as [`number`] does, when only its nearest float is wanted.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    // Nearly all numbers are plain: read in one go what another library reads alike.
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.first().is_some_and(u8::is_ascii_digit)
        && let Ok(value) = lexical_core::parse::<f64>(text)
        // The integer -0 is 0.
        && value != 0.0
    {
        return Some(value);
    }
    number(text).map(Number::as_f64)
}

/// What a look over the digits of a number finds.
struct Scan {
    /// The first 19 significant digits as an integer.
    mantissa: u64,
    /// Whether `mantissa` holds all digits.
    exact: bool,
    /// Decimal exponent of the mantissa.
    exponent: i64,
    /// No point and no exponent.
    integer: bool,
}

fn scan(digits: &[u8]) -> Option<Scan> {
    let mut scan = Scan { mantissa: 0, exact: true, exponent: 0, integer: true };
    let mut significant = 0_u32;
    let mut seen = false;
    let mut bytes = digits.iter();
    let mut in_fraction = false;
    loop {
        match bytes.next() {
            Some(digit @ b'0'..=b'9') => {
                seen = true;
                if significant < 19 {
                    scan.mantissa = scan.mantissa * 10 + u64::from(digit - b'0');
                    significant += u32::from(scan.mantissa != 0);
                    scan.exponent -= i64::from(in_fraction);
                } else {
                    scan.exact = false;
                    scan.exponent += i64::from(!in_fraction);
                }
            }
            Some(b'.') if !in_fraction => {
                in_fraction = true;
                scan.integer = false;
            }
            Some(b'e' | b'E') if seen => {
                scan.integer = false;
                scan.exponent += exponent(bytes.as_slice())?;
                return Some(scan);
            }
            None if seen => return Some(scan),
            _ => return None,
        }
    }
}

/// The digits behind an `e`; beyond any double's range they saturate.
fn exponent(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + i64::from(digit - b'0')).min(1_000_000);
    }
    Some(if negative { -value } else { value })
}

fn integer(trimmed: &[u8], scan: &Scan, negative: bool) -> Option<Number> {
    if scan.exact {
        let value = i128::from(scan.mantissa) * if negative { -1 } else { 1 };
        if let Ok(value) = i64::try_from(value) {
            return Some(Number::Int(value));
        }
    }
    let text = std::str::from_utf8(trimmed).ok()?;
    // 20 digits do not fit the mantissa but may fit 64 bits (and leading zeros never count).
    if let Ok(value) = text.parse::<i64>() {
        return Some(Number::Int(value));
    }
    Some(Number::Wide {
        nearest: text.parse().ok()?,
        unsigned: text.trim_start_matches('+').parse::<u64>().is_ok(),
    })
}

fn nearest(trimmed: &[u8], scan: &Scan, negative: bool) -> Option<f64> {
    // Mantissa and power exact, so one operation rounds once (Clinger's fast path).
    if scan.exact && scan.mantissa <= 1 << 53 {
        let power = usize::try_from(scan.exponent.unsigned_abs()).ok();
        if let Some(power) = power.and_then(|power| EXACT_POWERS.get(power)) {
            let mantissa = scan.mantissa as f64;
            let value = if scan.exponent < 0 { mantissa / power } else { mantissa * power };
            return Some(if negative { -value } else { value });
        }
    }
    std::str::from_utf8(trimmed).ok()?.parse().ok()
}

/// `inf` and `infinity` in any case.
fn infinity(word: &[u8], negative: bool) -> Option<Number> {
    let known = word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity");
    let value = if negative { f64::NEG_INFINITY } else { f64::INFINITY };
    known.then_some(Number::Float(value))
}

/// C's `isspace` on both sides.
fn trim(mut text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    while let [first, rest @ ..] = text
        && blank(first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && blank(last)
    {
        text = rest;
    }
    text
}

/// pandas' truth values, in any case; blanks are not trimmed.
pub(crate) fn boolean(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case(b"false").then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, value) in [
            ("5", 5),
            (" 5\t", 5),
            ("+3", 3),
            ("00012", 12),
            ("-0", 0),
            ("1\x0b", 1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("0000000000000000000000000000007", 7),
        ] {
            assert_eq!(number(text.as_bytes()), Some(Number::Int(value)), "{text:?}");
        }
        let wide = |text: &str, nearest, unsigned| {
            assert_eq!(number(text.as_bytes()), Some(Number::Wide { nearest, unsigned }), "{text}");
        };
        wide("9223372036854775808", 9_223_372_036_854_775_808.0, true);
        wide("18446744073709551615", 18_446_744_073_709_551_615.0, true);
        wide("18446744073709551616", 18_446_744_073_709_551_616.0, false);
        wide("-9223372036854775809", -9_223_372_036_854_775_808.0, false);
    }

    #[test]
    fn floats() {
        for (text, value) in [
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("+.5", 0.5),
            ("1e5", 1e5),
            ("1E+5", 1e5),
            ("1.e5", 1e5),
            ("1e05", 1e5),
            (" 1.5 ", 1.5),
            ("0e999", 0.0),
            ("1e-400", 0.0),
            ("5e-324", 5e-324),
            ("1e309", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+INF", f64::INFINITY),
            ("0.1", 0.1),
            ("123456789012345678901234567890.5", 123_456_789_012_345_680_000_000_000_000.0),
            ("9007199254740993.0", 9_007_199_254_740_992.0),
            ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
        ] {
            assert_eq!(number(text.as_bytes()), Some(Number::Float(value)), "{text:?}");
            assert_eq!(float(text.as_bytes()), Some(value), "{text:?}");
        }
    }

    #[test]
    fn not_numbers() {
        for text in [
            "", " ", "-", "+", ".", "e5", "1e", "1e+", "1e5.", "0x10", "1_000", "+ 1", "--1",
            "1d5", "1f", "nan", "NAN", " inf ", "infin", "1.5 x", "1 2", "1.2.3", "٣", "i",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text:?}");
            assert_eq!(float(text.as_bytes()), None, "{text:?}");
        }
    }
}
