//! Windows of which some is gone, so that nobody knows what was in them as a whole.
//!
//! Rows are removed, and what is kept of them is of hours, then of days, and is removed at last. A window that begins or ends
//! within a summary whose rows are not all there any more, and one that began before the oldest summaries and rows that are
//! left, is partial: it is told, and never judged by what happens to be left of it.

use std::collections::{BTreeMap, BTreeSet};

use trainyard_drift::{Window, WindowLength};
use trainyard_serve::LogSummary;

use super::summed::Summaries;

/// Rows of the log that were read, by the hour (milliseconds since 1970) in which they came.
pub(super) type Hours = BTreeMap<i64, u64>;

/// Which windows are partial, and why.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// By summaries that they cut.
    cut: BTreeMap<Window, String>,
    whole_from: Option<i64>,
    rows_from: Option<i64>,
}

impl Partial {
    /// What summaries say of windows of this length, of a log of which these rows are there.
    pub(super) fn of(summaries: &Summaries, hours: &Hours, length: WindowLength) -> Self {
        let Summaries { since, until, whole_from, rows_from, .. } = *summaries;
        let has_ended = |ends: i64| until.is_none_or(|until| ends <= until);
        let mut cut = BTreeMap::new();
        for (block, rows) in &summaries.cut {
            let there: u64 = hours.range(block.begins..block.ends).map(|(_, rows)| rows).sum();
            let is_read = since.is_none_or(|since| since <= block.begins) && has_ended(block.ends);
            // Rows that were not asked for are not gone: the oldest are removed first.
            let is_there =
                if is_read { there >= *rows } else { are_there(rows_from, block.begins) };
            if is_there {
                continue;
            }
            let what = if block.ends - block.begins > LogSummary::HOUR_MS { "day" } else { "hour" };
            let gone = match rows.checked_sub(there).filter(|_| is_read) {
                Some(gone) => format!("{gone} of {rows} rows"),
                None => "rows".to_owned(),
            };
            let why = format!("{gone} of a {what} are gone, of which one summary is kept");
            let mut window = length.window_of(block.begins);
            while window.begins < block.ends && has_ended(window.ends) {
                cut.entry(window).or_insert_with(|| why.clone());
                window = length.window_of(window.ends);
            }
        }
        Self { cut, whole_from, rows_from }
    }

    /// The windows that cut a summary.
    pub(super) fn cut(&self) -> BTreeSet<Window> {
        self.cut.keys().copied().collect()
    }

    /// Why a window is partial, if it is; of summaries or of rows.
    pub(super) fn why(&self, window: Window, is_of_summaries: bool) -> Option<String> {
        if let Some(why) = self.cut.get(&window) {
            return Some(why.clone());
        }
        let are_rows_there = !is_of_summaries && are_there(self.rows_from, window.begins);
        let is_gone = self.whole_from.is_some_and(|from| window.begins < from);
        (is_gone && !are_rows_there)
            .then(|| "it began before the oldest summaries and rows that are kept".to_owned())
    }
}

/// Whether all rows from a moment on are there, of a log whose oldest segment was begun then.
fn are_there(rows_from: Option<i64>, begins: i64) -> bool {
    // A segment may have rows of the hour before the one that it was begun in.
    rows_from.is_some_and(|from| from.saturating_add(LogSummary::HOUR_MS) <= begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = LogSummary::HOUR_MS;
    const DAY: i64 = 24 * HOUR;

    fn days(first: i64, last: i64) -> Window {
        Window { begins: first * DAY, ends: last * DAY }
    }

    fn length(text: &str) -> WindowLength {
        text.parse().unwrap()
    }

    #[test]
    fn windows_that_cut_a_day_are_partial_unless_its_rows_are_there() {
        let cut = BTreeMap::from([(days(1, 2), 240), (days(2, 3), 240)]);
        let summaries = Summaries { cut, ..Summaries::default() };
        // Of the first day one row is gone, of the second none.
        let hours: Hours =
            (24..72).map(|hour| (hour * HOUR, if hour == 30 { 9 } else { 10 })).collect();
        let partial = Partial::of(&summaries, &hours, length("6h"));
        let expected: Vec<i64> = vec![24, 30, 36, 42];
        let found: Vec<i64> = partial.cut().iter().map(|window| window.begins / HOUR).collect();
        assert_eq!(found, expected);
        let why = partial.why(length("6h").window_of(DAY), false).unwrap();
        assert!(why.starts_with("1 of 240 rows of a day are gone"), "{why}");
        assert_eq!(partial.why(length("6h").window_of(2 * DAY), false), None);
        // One that does not divide a day lies across two.
        let partial = Partial::of(&summaries, &hours, length("36h"));
        assert_eq!(
            partial.cut().into_iter().collect::<Vec<_>>(),
            [Window { begins: 0, ends: 36 * HOUR }, Window { begins: 36 * HOUR, ends: 72 * HOUR },]
        );
        let all = Partial::of(&summaries, &Hours::new(), length("12h"));
        assert_eq!(all.cut().len(), 4);
    }

    #[test]
    fn rows_that_nobody_asked_for_are_not_gone_and_what_has_not_ended_is_not_told() {
        let cut = || BTreeMap::from([(days(1, 2), 240)]);
        // Of the day the rows of twelve hours are read.
        let hours: Hours = (30..42).map(|hour| (hour * HOUR, 10)).collect();
        let found = |since: Option<i64>, until: Option<i64>, rows_from: Option<i64>| {
            let summaries =
                Summaries { cut: cut(), since, until, rows_from, ..Summaries::default() };
            let partial = Partial::of(&summaries, &hours, length("6h"));
            partial.cut().iter().map(|window| window.begins / HOUR).collect::<Vec<_>>()
        };
        let (since, until) = (Some(30 * HOUR), Some(42 * HOUR));
        assert!(found(since, None, Some(0)).is_empty() && found(None, until, Some(0)).is_empty());
        assert!(found(since, until, Some(23 * HOUR)).is_empty());
        // The oldest rows are of that day: some may be gone.
        assert_eq!(found(None, until, Some(30 * HOUR)), [24, 30, 36]);
        assert_eq!(found(since, None, None), [24, 30, 36, 42]);
        assert_eq!(found(None, None, Some(0)), [24, 30, 36, 42]);
    }

    #[test]
    fn windows_that_began_before_what_is_kept_are_partial() {
        let of = |whole_from, rows_from| {
            let summaries = Summaries { whole_from, rows_from, ..Summaries::default() };
            Partial::of(&summaries, &Hours::new(), length("1d"))
        };
        let is_partial = |partial: &Partial, day, is_of_summaries| {
            partial.why(days(day, day + 1), is_of_summaries).is_some()
        };
        let nothing_removed = of(None, Some(5 * DAY));
        assert!(!is_partial(&nothing_removed, 1, true));
        let no_rows = of(Some(3 * DAY + HOUR), None);
        assert!(is_partial(&no_rows, 3, true) && !is_partial(&no_rows, 4, true));
        // Rows of the log reach farther back than its summaries.
        let rows = of(Some(3 * DAY + HOUR), Some(2 * DAY - HOUR));
        assert!(!is_partial(&rows, 3, false) && !is_partial(&rows, 2, false));
        assert!(is_partial(&rows, 1, false) && is_partial(&rows, 3, true));
    }
}
