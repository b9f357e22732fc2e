//! Rows of traffic in a fixed number of tags, the newest in place of the oldest.
//!
//! A tag has the rows of one slot (an hour of minutes, a day of hours) and says which one it is, so that a slot of long
//! ago that nothing has replaced yet is not taken for one of now.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::traffic::{CLASSES, Traffic};

/// Numbers are written no larger, so that a slot always fits into a tag: so many requests a minute nobody has.
const NUMBER_MAX: u64 = 9_999_999_999;

/// Rows that a tag may have when it is read.
const ROWS_READ_MAX: usize = 1000;

/// What is known of a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// Minutes of it of which something is known.
    pub minutes: u64,
    /// What went through in these.
    pub traffic: Traffic,
}

/// A row as a tag has it: its place in the slot, its minutes, requests, answers by class, errors, p50 and p99.
type Written = (i64, u64, u64, [u64; CLASSES], u64, Option<u64>, Option<u64>);

#[derive(Debug, Serialize, Deserialize)]
struct Slot {
    slot: i64,
    rows: Vec<Written>,
}

/// How much a ring keeps, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// What its tags begin with.
    pub(super) tag: &'static str,
    /// Rows of a slot.
    pub(super) rows: i64,
    /// Slots.
    pub(super) slots: i64,
}

/// The rows.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    form: Form,
    /// By the number of the stretch since 1970.
    rows: BTreeMap<i64, Row>,
    /// Slots that the store does not have as they are.
    untold: BTreeSet<i64>,
}

impl Ring {
    pub(super) fn new(form: Form) -> Self {
        Self { form, rows: BTreeMap::new(), untold: BTreeSet::new() }
    }

    /// Reads back what tags say. What makes no sense is left out: people may change tags.
    pub(super) fn read<'a>(form: Form, tags: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut ring = Self::new(form);
        for (_key, text) in tags.filter(|(key, _)| form.is_own(key)) {
            let Ok(Slot { slot, rows }) = serde_json::from_str(text) else { continue };
            let Some(first) = slot.checked_mul(form.rows) else { continue };
            for (place, minutes, requests, by_class, errors, p50_us, p99_us) in
                rows.into_iter().take(ROWS_READ_MAX)
            {
                if (0..form.rows).contains(&place)
                    && let Some(number) = first.checked_add(place)
                {
                    let traffic = Traffic {
                        requests,
                        by_class,
                        errors,
                        p50_us,
                        p99_us,
                        ..Traffic::default()
                    };
                    ring.rows.insert(number, Row { minutes, traffic });
                }
            }
        }
        ring
    }

    /// Puts what is known of the newest stretch. What was before goes when its time is over, and what is said to come
    /// after it goes as well: a clock was wrong.
    pub(super) fn put(&mut self, number: i64, row: Row) {
        let newest = number.div_euclid(self.form.rows);
        let oldest = newest.saturating_sub(self.form.slots - 1);
        let first = oldest.saturating_mul(self.form.rows);
        while self.rows.last_key_value().is_some_and(|(last, _)| *last >= number) {
            self.rows.pop_last();
        }
        while self.rows.first_key_value().is_some_and(|(oldest, _)| *oldest < first) {
            self.rows.pop_first();
        }
        self.rows.insert(number, row);
        self.untold.retain(|slot| (oldest..=newest).contains(slot));
        self.untold.insert(newest);
    }

    /// Puts what is better known now of a stretch that is not the newest.
    pub(super) fn amend(&mut self, number: i64, row: Row) {
        self.rows.insert(number, row);
        self.untold.insert(number.div_euclid(self.form.rows));
    }

    /// Slots that the store does not have as they are.
    pub(super) fn untold_slots(&self) -> impl Iterator<Item = i64> {
        self.untold.iter().copied()
    }

    /// Takes what another knows and this one does not.
    pub(super) fn merge(&mut self, other: &Self) {
        for (number, row) in &other.rows {
            self.rows.entry(*number).or_insert(*row);
        }
    }

    /// The rows from one number to another, this one left out, in their order.
    pub(super) fn within(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, &Row)> {
        let range = (from < to).then(|| self.rows.range(from..to));
        range.into_iter().flatten().map(|(number, row)| (*number, row))
    }

    /// What the store is to be told: tags with their values.
    pub(super) fn untold(&self) -> impl Iterator<Item = (String, String)> {
        self.untold.iter().map(|slot| (self.form.key(*slot), self.text(*slot)))
    }

    /// The store has it.
    pub(super) fn told(&mut self) {
        self.untold.clear();
    }

    /// The store has nothing of it.
    pub(super) fn lost(&mut self) {
        let slots = self.rows.keys().map(|number| number.div_euclid(self.form.rows));
        self.untold = slots.collect();
    }

    fn text(&self, slot: i64) -> String {
        let first = slot.saturating_mul(self.form.rows);
        let write = |(number, row): (i64, &Row)| {
            let Traffic { requests, by_class, errors, p50_us, p99_us, .. } = row.traffic;
            let number_of = |value: u64| value.min(NUMBER_MAX);
            (
                number - first,
                number_of(row.minutes),
                number_of(requests),
                by_class.map(number_of),
                number_of(errors),
                p50_us.map(number_of),
                p99_us.map(number_of),
            )
        };
        let rows = self.within(first, first.saturating_add(self.form.rows)).map(write).collect();
        // Numbers alone: this cannot fail.
        serde_json::to_string(&Slot { slot, rows }).unwrap_or_default()
    }
}

impl Form {
    fn key(&self, slot: i64) -> String {
        format!("{}{:02}", self.tag, slot.rem_euclid(self.slots))
    }

    fn is_own(&self, key: &str) -> bool {
        key.strip_prefix(self.tag).is_some_and(|rest| rest.parse::<u8>().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form { tag: "m.", rows: 60, slots: 3 };

    fn row(requests: u64) -> Row {
        let traffic = Traffic { requests, p99_us: Some(requests), ..Traffic::default() };
        Row { minutes: 1, traffic }
    }

    fn numbers(ring: &Ring) -> Vec<i64> {
        ring.rows.keys().copied().collect()
    }

    #[test]
    fn what_is_old_makes_room_and_all_fits_into_tags() {
        let mut ring = Ring::new(FORM);
        let mut tags = BTreeMap::new();
        for number in 0..600 {
            ring.put(number, row(u64::MAX));
            for (key, text) in ring.untold() {
                assert!(text.len() < 7_500, "{} bytes", text.len());
                tags.insert(key, text);
            }
            ring.told();
        }
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["m.00", "m.01", "m.02"]);
        assert_eq!(numbers(&ring), (420..600).collect::<Vec<_>>());
        let read = || tags.iter().map(|(key, text)| (key.as_str(), text.as_str()));
        let again = Ring::read(FORM, read());
        assert_eq!(numbers(&again), numbers(&ring));
        assert_eq!(again.rows[&599].traffic.requests, NUMBER_MAX);
        // A slot of long ago is not one of now.
        let mut later = Ring::new(FORM);
        later.put(900, row(1));
        later.merge(&again);
        later.put(901, row(1));
        assert_eq!(numbers(&later), [900, 901]);
    }

    #[test]
    fn what_was_not_told_is_told_later() {
        let mut ring = Ring::new(FORM);
        for number in 58..62 {
            ring.put(number, row(1));
        }
        assert_eq!(ring.untold().count(), 2);
        ring.told();
        assert_eq!(ring.untold().count(), 0);
        ring.put(62, row(1));
        let told: Vec<_> = ring.untold().collect();
        assert_eq!(told.len(), 1);
        assert_eq!(
            told[0],
            (
                "m.01".to_owned(),
                "{\"slot\":1,\"rows\":[[0,1,1,[0,0,0,0],0,null,1],[1,1,1,[0,0,0,0],0,null,1],\
                 [2,1,1,[0,0,0,0],0,null,1]]}"
                    .to_owned()
            )
        );
        ring.lost();
        assert_eq!(ring.untold().count(), 2);
    }

    #[test]
    fn a_clock_that_was_wrong_hides_nothing() {
        let mut ring = Ring::new(FORM);
        ring.put(10, row(1));
        ring.put(1_000_000, row(1));
        ring.put(11, row(2));
        ring.put(11, row(3));
        assert_eq!(numbers(&ring), [11]);
        assert_eq!(ring.rows[&11].traffic.requests, 3);
        for number in [i64::MIN, i64::MAX, -1, 0] {
            ring.put(number, row(1));
            assert_eq!(numbers(&ring).last(), Some(&number));
            assert!(ring.untold().count() <= 3);
        }
    }

    #[test]
    fn tags_of_people_are_not_taken_on_trust() {
        let tags = [
            (
                "m.00",
                "{\"slot\":0,\"rows\":[[60,1,1,[0,0,0,0],0,null,1],[-1,1,1,[0,0,0,0],0,null,1],[5,1,1,[0,0,0,0],0,null,1]]}",
            ),
            ("m.01", "{\"slot\":9223372036854775807,\"rows\":[[0,1,1,[0,0,0,0],0,null,1]]}"),
            ("m.02", "{\"slot\":2,\"rows\":[[1]]}"),
            ("m.x", "{\"slot\":0,\"rows\":[[7,1,1,[0,0,0,0],0,null,1]]}"),
            ("n.00", "{\"slot\":0,\"rows\":[[8,1,1,[0,0,0,0],0,null,1]]}"),
        ];
        assert_eq!(numbers(&Ring::read(FORM, tags.into_iter())), [5]);
    }
}
