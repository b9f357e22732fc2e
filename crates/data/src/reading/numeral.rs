//! A number as people write it: with a currency, a unit or a percent sign, groups of thousands, a decimal
//! comma, in thousands or millions of a currency, about, or as a spreadsheet is told to leave it alone.

use std::borrow::Cow;

use super::digits::in_ascii;
use super::form::Decimal;
use crate::csv::value::{Number, number};

/// Signs and codes of currencies, before or behind the number. Not every currency of the world: those with
/// a sign of their own, and the codes of the most traded ones.
const CURRENCIES: [&str; 41] = [
    "US$", "A$", "C$", "R$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₴", "₪", "₱", "฿", "₫", "₦",
    "Rs", "USD", "EUR", "GBP", "JPY", "CHF", "CNY", "INR", "CAD", "AUD", "SEK", "NOK", "DKK",
    "PLN", "BRL", "MXN", "ZAR", "CZK", "HUF", "TRY", "SGD", "HKD", "NZD",
];

/// Signs that are another's, in another width or cut short. They are looked for first.
const OTHER_SIGNS: [(&str, &str); 4] = [("￥", "¥"), ("＄", "$"), ("￡", "£"), ("Rs.", "Rs")];

/// What stands behind an amount of money in thousands, millions or thousand millions, in small letters.
const MAGNITUDES: [(&str, f64); 8] = [
    ("k", 1e3),
    ("m", 1e6),
    ("mn", 1e6),
    ("mm", 1e6),
    ("mio", 1e6),
    ("b", 1e9),
    ("bn", 1e9),
    ("mrd", 1e9),
];

/// Letters of a unit: `kg`, `kWh`, `mg/dL`. What is longer is rather a word.
const UNIT_CHARS_MAX: usize = 5;

/// A text that is a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Numeral<'a> {
    /// A percentage is the number before its sign: 12.3 for `12.3%`.
    pub(super) value: f64,
    /// The same, where it is written as an integer.
    pub(super) integer: Option<i64>,
    /// Digits alone, the first of several a zero: rather a label, such as a postal code.
    pub(super) is_padded: bool,
    pub(super) is_percent: bool,
    pub(super) is_grouped: bool,
    pub(super) currency: Option<&'static str>,
    /// What is measured in: `kg` of `80 kg`.
    pub(super) unit: Option<&'a str>,
}

/// Reads a number; `None` if the text is none, or an integer of more digits than 64 bits hold.
pub(super) fn numeral(text: &str, decimal: Decimal) -> Option<Numeral<'_>> {
    let Some(text_in_ascii) = in_ascii(text) else { return in_ascii_digits(text, decimal) };
    let found = in_ascii_digits(&text_in_ascii, decimal)?;
    // A unit would be a part of a text that nobody keeps.
    let Numeral { value, integer, is_padded, is_percent, is_grouped, currency, unit: None } = found
    else {
        return None;
    };
    Some(Numeral { value, integer, is_padded, is_percent, is_grouped, currency, unit: None })
}

fn in_ascii_digits(text: &str, decimal: Decimal) -> Option<Numeral<'_>> {
    if decimal == Decimal::Point || !text.contains('.') {
        // Nearly all are plain.
        if let Some(found) = number(text.as_bytes()) {
            return plain(found, is_padded(text.trim()));
        }
    }
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = without_marks(text.trim());
    signed(text, decimal).or_else(|| {
        let (rest, unit) = without_unit(text)?;
        let found = signed(rest, decimal)?;
        if let (Some(_), Some(times)) = (found.currency, magnitude(unit)) {
            return Some(Numeral { value: found.value * times, integer: None, ..found });
        }
        let is_bare = !found.is_percent && found.currency.is_none();
        is_bare.then_some(Numeral { unit: Some(unit), ..found })
    })
}

/// How many ones a letter behind an amount stands for.
fn magnitude(unit: &str) -> Option<f64> {
    let is_it = |(letters, _): &&(&str, f64)| unit.eq_ignore_ascii_case(letters);
    MAGNITUDES.iter().find(is_it).map(|(_, times)| *times)
}

/// The text without what says that it is about so much, or at least (`~5`, `5+`), and without what makes
/// spreadsheets leave it as it is (`'5`, `="5"`).
fn without_marks(text: &str) -> &str {
    let formula = || text.strip_prefix("=\"")?.strip_suffix('"');
    let marked = || text.strip_prefix(['\'', '~', '\u{2248}']);
    let at_least = || {
        let rest = text.strip_suffix('+')?;
        rest.ends_with(|last: char| last.is_ascii_digit()).then_some(rest)
    };
    formula().or_else(marked).or_else(at_least).map_or(text, str::trim)
}

/// Reads what is no plain number.
fn signed<'a>(text: &str, decimal: Decimal) -> Option<Numeral<'a>> {
    let (text, is_percent) = match text.strip_suffix('%') {
        Some(rest) => (rest.trim_end(), true),
        None => (text, false),
    };
    // As accountants write what is below zero, with the percent sign and the currency inside or outside.
    let (text, outer_brackets) = without_brackets(text);
    let (text, is_percent) = match text.strip_suffix('%') {
        Some(rest) if !is_percent => (rest.trim_end(), true),
        _ => (text, is_percent),
    };
    // The sign may stand on either side of the currency's: -$5, $-5.
    let (text, outer) = without_sign(text);
    let (text, currency) = without_currency(text);
    let (text, inner_brackets) = without_brackets(text);
    let (text, inner) = without_sign(text);
    // As SAP writes what is below zero.
    let (text, is_behind) = match text.strip_suffix(['-', '\u{2212}']) {
        Some(rest) => (rest.trim_end(), true),
        None => (text, false),
    };
    let signs = [outer_brackets, inner_brackets, outer.is_some(), inner.is_some(), is_behind];
    if signs.into_iter().filter(|&is| is).count() > 1 {
        return None;
    }
    let is_negative =
        outer_brackets || inner_brackets || is_behind || outer == Some(true) || inner == Some(true);
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

fn plain<'a>(found: Number, is_padded: bool) -> Option<Numeral<'a>> {
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
        unit: None,
    })
}

fn is_padded(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text within brackets, and whether there are some.
fn without_brackets(text: &str) -> (&str, bool) {
    match text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => (inner.trim(), true),
        None => (text, false),
    }
}

/// The text before a unit, and the unit; `None` where it ends in none.
fn without_unit(text: &str) -> Option<(&str, &str)> {
    // As in "kr.": an abbreviation.
    let is_short = |rest: &&str| rest.ends_with(char::is_alphabetic);
    let text = text.strip_suffix('.').filter(is_short).unwrap_or(text);
    let is_of_unit = |one: char| one.is_alphabetic() || matches!(one, '°' | 'º' | '²' | '³' | '/');
    let rest = text.trim_end_matches(is_of_unit);
    let unit = text.get(rest.len()..)?;
    let length = unit.chars().count();
    ((1..=UNIT_CHARS_MAX).contains(&length) && !unit.starts_with('/'))
        .then(|| (rest.trim_end(), unit))
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
    let may_be =
        |byte: u8| matches!(byte, b'$' | b's') || byte.is_ascii_uppercase() || !byte.is_ascii();
    let mut ends = [text.bytes().next(), text.bytes().next_back()].into_iter().flatten();
    if !ends.any(may_be) {
        return (text, None);
    }
    OTHER_SIGNS
        .into_iter()
        .chain(CURRENCIES.iter().map(|&currency| (currency, currency)))
        .find_map(|(sign, currency)| {
            let rest = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign))?;
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

/// Groups of digits as one number: of three, or, as India writes them, of two before the last three. The
/// first may be shorter.
fn joined(whole: &str, separator: char) -> Option<String> {
    /// Digits of the last group.
    const GROUP: usize = 3;
    /// Digits of those before it, in India.
    const INDIAN: usize = 2;
    let is_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let (before, last) = whole.rsplit_once(separator)?;
    if whole.starts_with('0') || last.len() != GROUP || !is_digits(last) {
        return None;
    }
    let fits = |size: usize| {
        let mut groups = before.split(separator);
        groups.next().is_some_and(|first| (1..=size).contains(&first.len()) && is_digits(first))
            && groups.all(|group| group.len() == size && is_digits(group))
    };
    (fits(GROUP) || fits(INDIAN)).then(|| whole.replace(separator, ""))
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
            ("(5)", -5.0),
            ("$(5)", -5.0),
            ("($5)", -5.0),
            ("(5%)", -5.0),
            ("1,200.50-", -1200.5),
            ("￥1,200", 1200.0),
            ("₹5,00,000", 500_000.0),
            ("12,34,567.5", 1_234_567.5),
            ("80 kg", 80.0),
            ("1,200.5kr", 1200.5),
            ("-5°C", -5.0),
            ("49 kr.", 49.0),
            ("Rs. 1,200", 1200.0),
            ("Rs 5", 5.0),
            ("$5.5K", 5500.0),
            ("€1.2M", 1_200_000.0),
            ("-$3bn", -3e9),
            ("~5,000", 5000.0),
            ("10,000+", 10_000.0),
            ("'5.5", 5.5),
            ("=\"1,200\"", 1200.0),
            ("５０００", 5000.0),
            ("٣٤٫٥", 34.5),
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
            "(5)-",
            "$(-5)",
            "5--",
            "1,23,45",
            "123,45,678",
            "kg",
            "5 % kg",
            "$5 kg",
            "12 Main St",
            "$5 Kg",
            "5++",
            "+",
            "'",
            "=\"",
            "~",
            "５kg",
        ] {
            assert_eq!(value(text, Decimal::Point), None, "{text:?}");
        }
        for text in ["1.2", "1,2,3", "1,234.5", "31.12.2026"] {
            assert_eq!(value(text, Decimal::Comma), None, "{text:?}");
        }
    }

    #[test]
    fn units_and_currencies_are_told() {
        let found = |text| numeral(text, Decimal::Point).unwrap();
        assert_eq!(found("80 kg").unit, Some("kg"));
        assert_eq!(found("3 mg/dL").unit, Some("mg/dL"));
        assert_eq!((found("3 EUR").unit, found("3 EUR").currency), (None, Some("EUR")));
        assert_eq!(found("￥3").currency, Some("¥"));
        assert_eq!(found("3").unit, None);
    }

    #[test]
    fn leading_zeros_are_seen() {
        for (text, padded) in [
            ("007", true),
            ("'007", true),
            ("=\"007\"", true),
            ("0", false),
            ("0.5", false),
            ("10", false),
        ] {
            assert_eq!(numeral(text, Decimal::Point).map(|found| found.is_padded), Some(padded));
        }
    }
}
