//! How old data may be.

use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::values::family::Family;
use crate::values::normal::label_of_number;

const SECOND: f64 = 1e6;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// From so far ahead on a time is no matter of time zones any more, in microseconds.
const FUTURE_MAX: f64 = DAY;

/// The age that the newest row may have, and what time it is: nothing here looks at a clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Freshness {
    /// The column that holds the times.
    pub column: String,
    /// Microseconds.
    pub max_age: i64,
    /// Microseconds since 1970.
    pub now: i64,
}

impl Freshness {
    /// Finding on times that cannot be read, for this reason.
    pub fn unreadable(&self, reason: &str) -> Finding {
        let message =
            format!("nobody can tell by {:?} how old the data are: {reason}", self.column);
        Finding::new(FindingKind::Stale, Severity::Serious, message)
    }

    /// Finding on data that are too old, or whose age nobody can tell: a comparison of old data says nothing of
    /// today. `times` is the column of current, if there is one of that name.
    pub fn check(&self, times: Option<&Column>) -> Option<Finding> {
        let newest = times
            .filter(|times| times.family() == Family::Instant)
            .and_then(|times| times.numbers()?.max());
        let stale =
            |message: String| Some(Finding::new(FindingKind::Stale, Severity::Serious, message));
        let name = &self.column;
        let Some(newest) = newest else {
            let why = match times {
                None => "current has no such column",
                Some(times) if times.is_empty() => "it has no value in current",
                Some(_) => "it holds no times in current",
            };
            return Some(self.unreadable(why));
        };
        let age = self.now as f64 - newest;
        let time = label_of_number(newest, Family::Instant);
        if age > self.max_age as f64 {
            return stale(format!(
                "the newest {name:?} in current is {time}, {} ago: older than {}",
                words(age),
                words(self.max_age as f64)
            ));
        }
        (age < -FUTURE_MAX).then(|| {
            let message =
                format!("the newest {name:?} in current is {time}, {} from now", words(-age));
            Finding::new(FindingKind::Stale, Severity::Warning, message)
        })
    }
}

/// Microseconds in the largest unit that fits: `3.5 h`.
fn words(micros: f64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min")];
    let (unit, name) = units.into_iter().find(|(unit, _)| micros >= *unit).unwrap_or((SECOND, "s"));
    let tenths = (micros / unit * 10.0).round() / 10.0;
    format!("{tenths} {name}")
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, TimestampSecondArray};

    use super::*;

    #[test]
    fn old_data_are_said_and_so_is_what_has_no_age() {
        const NOW: i64 = 1_767_225_600;
        let freshness =
            Freshness { column: "at".to_owned(), max_age: 7_200_000_000, now: NOW * 1_000_000 };
        let said = |newest: i64| {
            let times =
                TimestampSecondArray::from(vec![Some(newest - 500_000), Some(newest), None]);
            freshness.check(Some(&Column::new(&[&times])))
        };
        assert_eq!(said(NOW - 7200), None);
        assert_eq!(said(NOW + 3600), None);
        let old = said(NOW - 9000).unwrap();
        assert_eq!(
            old.message,
            "the newest \"at\" in current is 2025-12-31T21:30:00, 2.5 h ago: older than 2 h"
        );
        assert_eq!(old.severity, Severity::Serious);
        assert_eq!(said(NOW + 200_000).unwrap().severity, Severity::Warning);
        let numbers = Column::new(&[&Float64Array::from(vec![1.0])]);
        assert!(
            freshness.check(Some(&numbers)).unwrap().message.ends_with("holds no times in current")
        );
        assert!(freshness.check(None).unwrap().message.ends_with("no such column"));
    }
}
