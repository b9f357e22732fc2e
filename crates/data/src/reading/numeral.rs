//! A number as people write it: with a currency, a percent sign, groups of thousands, a decimal comma.

use std::borrow::Cow;

use super::form::Decimal;
use crate::csv::value::{Number, number};

/// Signs and codes of currencies, before or behind the number. Not every currency of the world: those with
/// a sign of their own, and the codes of the most traded ones.
const CURRENCIES: [&str; 33] = [
    "US$", "A$", "C$", "R$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₴", "₪", "₱", "฿", "₫",
    "USD", "EUR", "GBP", "JPY", "CHF", "CNY", "INR", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN",
    "BRL", "MXN", "ZAR",
];

/// A text that is a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Numeral {
    /// A percentage is the number before its sign: 12.3 for `12.3%`.
    pub(super) value: f64,
    /// The same, where it is written as an integer.
    pub(super) integer: Option<i64>,
    /// Digits alone, the first of several a zero: rather a label, such as a postal code.
    pub(super) is_padded: bool,
    pub(super) is_percent: bool,
    pub(super) is_grouped: bool,
    pub(super) currency: Option<&'static str>,
}

/// Reads a number; `None` if the text is none, or an integer of more digits than 64 bits hold.
pub(super) fn numeral(text: &str, decimal: Decimal) -> Option<Numeral> {
    if decimal == Decimal::Point || !text.contains('.') {
        // Nearly all are plain.
        if let Some(found) = number(text.as_bytes()) {
            return plain(found, is_padded(text.trim()));
        }
    }
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = text.trim();
    // As accountants write what is below zero.
    let (text, in_brackets) = match text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'))
    {
        Some(inner) => (inner.trim(), true),
        None => (text, false),
    };
    let (text, is_percent) = match text.strip_suffix('%') {
        Some(rest) => (rest.trim_end(), true),
        None => (text, false),
    };
    // The sign may stand on either side of the currency's: -$5, $-5.
    let (text, outer) = without_sign(text);
    let (text, currency) = without_currency(text);
    let (text, inner) = without_sign(text);
    if [in_brackets, outer.is_some(), inner.is_some()].into_iter().filter(|&is| is).count() > 1 {
        return None;
    }
    let is_negative = in_brackets || outer == Some(true) || inner == Some(true);
    let (digits, is_grouped) = without_groups(text, decimal)?;
    let found = plain(number(digits.as_bytes())?, is_padded(&digits))?;
    Some(Numeral {
        value: if is_negative { -found.value } else { found.value },
        integer: found.integer.map(|value| if is_negative { -value } else { value }),
        is_percent,
        is_grouped,
        currency,
        ..found
    })
}

/// The number that a text says on its own: `$1,200`, `12%`.
pub(crate) fn amount(text: &str) -> Option<f64> {
    [Decimal::Point, Decimal::Comma]
        .into_iter()
        .find_map(|decimal| numeral(text, decimal))
        .map(|found| found.value)
}

fn plain(found: Number, is_padded: bool) -> Option<Numeral> {
    let integer = match found {
        Number::Int(value) => Some(value),
        Number::Float(_) => None,
        Number::Wide { .. } => return None,
    };
    Some(Numeral {
        value: found.as_f64(),
        integer,
        is_padded,
        is_percent: false,
        is_grouped: false,
        currency: None,
    })
}

fn is_padded(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text behind a sign, and whether that is a minus.
fn without_sign(text: &str) -> (&str, Option<bool>) {
    if let Some(rest) = text.strip_prefix(['-', '\u{2212}']) {
        (rest.trim_start(), Some(true))
    } else if let Some(rest) = text.strip_prefix('+') {
        (rest.trim_start(), Some(false))
    } else {
        (text, None)
    }
}

fn without_currency(text: &str) -> (&str, Option<&'static str>) {
    // Most texts are told by their ends.
    let may_be = |byte: u8| byte == b'$' || byte.is_ascii_uppercase() || !byte.is_ascii();
    let mut ends = [text.bytes().next(), text.bytes().next_back()].into_iter().flatten();
    if !ends.any(may_be) {
        return (text, None);
    }
    CURRENCIES
        .iter()
        .find_map(|&currency| {
            let rest = text.strip_prefix(currency).or_else(|| text.strip_suffix(currency))?;
            Some((rest.trim(), Some(currency)))
        })
        .unwrap_or((text, None))
}

/// The number with a decimal point and without what groups its thousands, and whether it had groups.
fn without_groups(text: &str, decimal: Decimal) -> Option<(Cow<'_, str>, bool)> {
    let sign = decimal.sign();
    let (whole, fraction) = match text.split_once(sign) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    // Signs were taken off already.
    let first = whole.bytes().next().or_else(|| fraction?.bytes().next())?;
    if !first.is_ascii_digit() {
        return None;
    }
    let is_separator = |&character: &char| decimal.groups(character);
    let separator = whole.chars().find(is_separator);
    let (whole, is_grouped) = match separator {
        Some(separator) => (Cow::Owned(joined(whole, separator)?), true),
        None => (Cow::Borrowed(whole), false),
    };
    Some(match fraction {
        None => (whole, is_grouped),
        // A second decimal sign is no number.
        Some(fraction) if fraction.contains([',', '.']) => return None,
        Some(fraction) => (Cow::Owned(format!("{whole}.{fraction}")), is_grouped),
    })
}

/// Groups of three digits, the first of one to three, as one number.
fn joined(whole: &str, separator: char) -> Option<String> {
    /// Digits of a group.
    const GROUP: usize = 3;
    let is_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    let fits = (1..=GROUP).contains(&first.len()) && is_digits(first) && !first.starts_with('0');
    let rest_fits = groups.all(|group| group.len() == GROUP && is_digits(group));
    (fits && rest_fits).then(|| whole.replace(separator, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, decimal: Decimal) -> Option<f64> {
        numeral(text, decimal).map(|numeral| numeral.value)
    }

    #[test]
    fn numbers_as_people_write_them() {
        for (text, expected) in [
            ("12", 12.0),
            (" 1.5 ", 1.5),
            ("$1,200", 1200.0),
            ("-$1,200.50", -1200.5),
            ("$ -5", -5.0),
            ("1 234 567 €", 1_234_567.0),
            ("1\u{a0}234.5", 1234.5),
            ("1'000", 1000.0),
            ("USD 3.5", 3.5),
            ("(1,200)", -1200.0),
            ("12.3%", 12.3),
            ("12.3 %", 12.3),
            ("\u{2212}4.25%", -4.25),
            ("$.5", 0.5),
            ("$1e3", 1000.0),
        ] {
            assert_eq!(value(text, Decimal::Point), Some(expected), "{text:?}");
        }
        for (text, expected) in [
            ("20,5", 20.5),
            ("1.234,5", 1234.5),
            ("1 234,5", 1234.5),
            ("1.234", 1234.0),
            ("-,5", -0.5),
            ("€ 20,5", 20.5),
            ("20", 20.0),
        ] {
            assert_eq!(value(text, Decimal::Comma), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "",
            " ",
            "N.A.",
            "-",
            "$",
            "%",
            "1,2,3",
            "12,34",
            "1,2345",
            "0,123",
            "1 23",
            "--1",
            "(-1)",
            "1.2.3",
            "31.12.2026",
            "555-1234",
            "123456789012345678901",
            "1,200 apples",
            "€",
            "€€5",
            "020 123 456",
        ] {
            assert_eq!(value(text, Decimal::Point), None, "{text:?}");
        }
        for text in ["1.2", "1,2,3", "1,234.5", "31.12.2026"] {
            assert_eq!(value(text, Decimal::Comma), None, "{text:?}");
        }
    }

    #[test]
    fn leading_zeros_are_seen() {
        for (text, padded) in [("007", true), ("0", false), ("0.5", false), ("10", false)] {
            assert_eq!(numeral(text, Decimal::Point).map(|found| found.is_padded), Some(padded));
        }
    }
}
