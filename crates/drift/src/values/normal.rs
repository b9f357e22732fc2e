//! The one form in which a label that is a text on one side and a number or a time on the other is compared.
//!
//! Whether a file holds `1962` as a number or as a text depends on the rest of the column, or on who wrote
//! it. So the number 1962, the number 1962.0 and the texts "1962" and "1962.0" are one label. Leading
//! zeros are part of a label: "01234" is not 1234.

use super::family::Family;

/// Microseconds a second and a day.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Whole numbers below this have one way to be written, and a double holds all of their digits.
const WHOLE_MAX: f64 = 1e15;

/// The label of a number in a column of this family.
pub(crate) fn label_of_number(value: f64, family: Family) -> String {
    match family {
        Family::Boolean if value == 0.0 => "false".to_owned(),
        Family::Boolean if value == 1.0 => "true".to_owned(),
        Family::Instant => instant(value as i64),
        // A minus before zero is no other label.
        _ => (value + 0.0).to_string(),
    }
}

/// The label of a text where the other side, of this family, has no texts.
pub(crate) fn label_of_text(text: &str, other: Family) -> String {
    match other {
        Family::String => text.to_owned(),
        Family::Boolean => text.trim().to_lowercase(),
        Family::Instant => instant_of_text(text.trim()),
        _ => number_of_text(text.trim()).unwrap_or_else(|| text.to_owned()),
    }
}

/// A number as numbers are written here; `None` for what is none, or begins with a zero that a number
/// would lose.
fn number_of_text(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let begins = |prefix: &str| digits.starts_with(prefix);
    if !digits.starts_with(|first: char| first.is_ascii_digit())
        || begins("0") && digits.len() > 1 && !begins("0.")
    {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    (number.abs() < WHOLE_MAX).then(|| (number + 0.0).to_string())
}

/// `2026-01-31 00:00:00` and `2026-01-31T00:00:00Z` as the date that they are.
fn instant_of_text(text: &str) -> String {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return text.to_owned();
    }
    let text = text.trim_end_matches('Z').replacen(' ', "T", 1);
    let text = text.strip_suffix("+00:00").unwrap_or(&text);
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    text.strip_suffix("T00:00:00").unwrap_or(text).to_owned()
}

/// Microseconds since 1970 as ISO 8601, the time of day only where there is one.
fn instant(micros: i64) -> String {
    let (day, time) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let date = date(day);
    if time == 0 {
        return date;
    }
    let (seconds, fraction) = (time / SECOND, time % SECOND);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let text = format!("{date}T{hours:02}:{minutes:02}:{seconds:02}");
    if fraction == 0 {
        return text;
    }
    format!("{text}.{fraction:06}").trim_end_matches('0').to_owned()
}

/// The date of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms", 2013).
fn date(day: i64) -> String {
    // Years that begin in March put the leap day last; eras are 400 years of 146,097 days.
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_texts_are_one_label() {
        for (number, text) in [(1962.0, "1962"), (1962.0, "1962.0"), (-0.0, "0"), (0.5, "0.50")] {
            let label = label_of_number(number, Family::Integer);
            assert_eq!(label, label_of_text(text, Family::Integer), "{text}");
        }
        for text in ["01234", "1 2", "NaN", "inf", "+4", "-", "", "abc"] {
            assert_eq!(label_of_text(text, Family::Integer), text);
        }
        assert_eq!(label_of_text("True", Family::Boolean), label_of_number(1.0, Family::Boolean));
    }

    #[test]
    fn times_and_their_texts_are_one_label() {
        assert_eq!(instant(1_767_225_600_000_000), "2026-01-01");
        assert_eq!(instant(-1), "1969-12-31T23:59:59.999999");
        assert_eq!(date(11_016), "2000-02-29");
        let time = label_of_number(1_767_229_200_500_000.0, Family::Instant);
        assert_eq!(time, "2026-01-01T01:00:00.5");
        assert_eq!(label_of_text("2026-01-01 01:00:00.500", Family::Instant), time);
        for text in ["2026-01-01", "2026-01-01 00:00:00", "2026-01-01T00:00:00Z"] {
            assert_eq!(label_of_text(text, Family::Instant), "2026-01-01", "{text}");
        }
    }
}
