//! Numbers and times as people read them.

pub(crate) use trainyard_chart::short;
use trainyard_drift::Scale;

/// A share as a percentage: `28 %`, `0.3 %`, `under 0.1 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let tenth = (percent * 10.0).round() / 10.0;
    if percent.is_nan() {
        "unknown".to_owned()
    } else if percent == 0.0 || (tenth > 0.0 && tenth.fract() == 0.0) {
        format!("{percent:.0} %")
    } else if percent < 0.1 {
        "under 0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

/// A count with thin spaces between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A value of a column: a number, a truth value, a point in time or a duration.
pub(crate) fn value(value: f64, scale: Scale) -> String {
    match scale {
        Scale::Instant => instant(value),
        Scale::Interval => duration(value),
        Scale::Integer if value.fract() == 0.0 && value.abs() < WHOLE_MAX => {
            (value as i64).to_string()
        }
        // An identifier of ten digits says nothing with four of them, and neither does the mean of such.
        _ if (PLAIN_MAX..WHOLE_MAX).contains(&value.abs()) => {
            format!("{value:.0}").replace('-', "−")
        }
        _ => short(value),
    }
}

/// From this size on [`short`] writes an exponent.
const PLAIN_MAX: f64 = 1e7;
/// Whole numbers below this are written whole: a double holds all of their digits.
const WHOLE_MAX: f64 = 1e15;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Microseconds since 1970 as a date, with the time when it is not midnight.
fn instant(micros: f64) -> String {
    let seconds = (micros as i64).div_euclid(MICROS_PER_SECOND);
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil(days);
    let date = format!("{year:04}-{month:02}-{day:02}");
    if second == 0 { date } else { format!("{date} {:02}:{:02}", second / 3600, second / 60 % 60) }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Years are counted from March,
/// so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let from_march_of_year_zero = days + 719_468;
    let era = from_march_of_year_zero.div_euclid(DAYS_PER_ERA);
    let day_of_era = from_march_of_year_zero.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn duration(micros: f64) -> String {
    let seconds = micros / MICROS_PER_SECOND as f64;
    match seconds.abs() {
        size if size >= 86_400.0 => format!("{} d", short(seconds / 86_400.0)),
        size if size >= 3600.0 => format!("{} h", short(seconds / 3600.0)),
        size if size >= 60.0 => format!("{} min", short(seconds / 60.0)),
        _ => format!("{} s", short(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (percent(0.28).as_str(), percent(0.003).as_str(), percent(1e-5).as_str()),
            ("28 %", "0.3 %", "under 0.1 %")
        );
    }

    #[test]
    fn dates_are_gregorian() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(-719_528), (0, 1, 1));
        assert_eq!(value(1_709_208_000.0 * 1e6, Scale::Instant), "2024-02-29 12:00");
        assert_eq!(value(5_400.0 * 1e6, Scale::Interval), "1.5 h");
        assert_eq!(value(7.0, Scale::Integer), "7");
        assert_eq!(value(3_432_670_999.5, Scale::Integer), "3432671000");
        assert_eq!(value(-12_345_678.25, Scale::Continuous), "−12345678");
    }
}
