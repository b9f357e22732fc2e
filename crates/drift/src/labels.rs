//! Labels of both sides: counted, listed, and those that only one side has.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use unicode_normalization::UnicodeNormalization as _;

use crate::column::Column;
use crate::compat::Compat;
use crate::statistics::counts::Frequencies;
use crate::values::family::{Family, family};
use crate::values::normal::{label_of_number, label_of_text};
use crate::values::{Pair, Values, merge_strings};

/// Labels that a message names.
const NAMED_LABELS_MAX: usize = 5;

/// Labels of both sides among which respelt ones are looked for: a vocabulary, not identifiers.
const RESPELT_AMONG_MAX: u64 = 10_000;

/// Characters of a label that are kept: enough to tell it, little enough for a page of thousands.
const LABEL_CHARS_MAX: usize = 200;

/// Calls `each` with every label of both sides in order: its counts and how to write it.
///
/// Where one side has numbers or times and the other texts, labels meet in their normal form
/// ([`crate::values::normal`]); for Evidently a number never equals a text.
pub(crate) fn for_each_label(
    reference: &Column,
    current: &Column,
    compat: Compat,
    mut each: impl FnMut(u64, u64, &dyn Fn() -> String),
) {
    match (reference.values(), current.values()) {
        (Values::Numbers(before), Values::Numbers(after)) => {
            let family =
                label_family(if compat == Compat::Evidently { current } else { reference });
            let label = |value| label_of_number(value, family);
            Pair::new(before, after)
                .for_each(|step| each(step.reference, step.current, &|| label(step.value)));
        }
        (Values::Strings(before), Values::Strings(after)) => {
            merge_strings(before, after, |text, a, b| each(a, b, &|| cut(text)));
        }
        _ if compat == Compat::Evidently => {
            for_each_own(reference, label_family(reference), |label, count| {
                each(count, 0, &|| cut(&label));
            });
            for_each_own(current, label_family(current), |label, count| {
                each(0, count, &|| cut(&label));
            });
        }
        _ => {
            let mut labels: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            let (before, after) = (label_family(reference), label_family(current));
            for_each_own(reference, after, |label, count| {
                labels.entry(label).or_default().0 += count;
            });
            for_each_own(current, before, |label, count| {
                labels.entry(label).or_default().1 += count;
            });
            for (label, (before, after)) in &labels {
                each(*before, *after, &|| cut(label));
            }
        }
    }
}

/// Calls `each` with the labels of one side in the form in which they meet a side of this family.
fn for_each_own(column: &Column, other: Family, mut each: impl FnMut(String, u64)) {
    match column.values() {
        Values::Numbers(numbers) => {
            let family = label_family(column);
            numbers.for_each_run(|value, count| each(label_of_number(value, family), count));
        }
        Values::Strings(strings) => {
            strings.iter().for_each(|(text, count)| each(label_of_text(text, other), count));
        }
        Values::Other => {}
    }
}

/// Calls `each` with the labels of one side as they are written, and how often each occurs.
pub(crate) fn for_each_own_label(column: &Column, each: impl FnMut(String, u64)) {
    for_each_own(column, Family::String, each);
}

/// A label that a person wrote, in the form in which it meets those of a column of this family.
pub(crate) fn label_beside(text: &str, family: Family) -> String {
    match family {
        Family::Dictionary => text.to_owned(),
        family => label_of_text(text, family),
    }
}

/// What the values of a column are; of a dictionary, what its entries are.
fn label_family(column: &Column) -> Family {
    match column.data_type() {
        DataType::Dictionary(_, values) => family(values),
        other => family(other),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LABEL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Counts of every label of both sides.
pub(crate) fn frequencies(reference: &Column, current: &Column, compat: Compat) -> Frequencies {
    let mut frequencies = Frequencies::default();
    for_each_label(reference, current, compat, |before, after, _| frequencies.push(before, after));
    frequencies
}

/// Labels that are on one side only.
#[derive(Debug, Default)]
pub(crate) struct OneSided {
    pub(crate) labels: Vec<String>,
    pub(crate) count: u64,
    pub(crate) values: u64,
    /// Labels that the other side has once.
    pub(crate) once_beside: u64,
}

impl OneSided {
    pub(crate) fn add(&mut self, values: u64, label: impl FnOnce() -> String) {
        self.count += 1;
        self.values += values;
        if self.labels.len() < NAMED_LABELS_MAX {
            self.labels.push(label());
        }
    }

    /// The labels in quotes, and how many more there are.
    pub(crate) fn named(&self) -> String {
        let names: Vec<String> = self.labels.iter().map(|label| format!("{label:?}")).collect();
        let more = self.count - names.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(", "))
    }
}

/// Labels that are on one side only: new in current, vanished from the reference.
pub(crate) fn one_sided(
    reference: &Column,
    current: &Column,
    compat: Compat,
) -> (OneSided, OneSided) {
    let (mut new, mut vanished) = (OneSided::default(), OneSided::default());
    for_each_label(reference, current, compat, |before, after, label| {
        new.once_beside += u64::from(before == 1);
        vanished.once_beside += u64::from(after == 1);
        if before == 0 && after > 0 {
            new.add(after, label);
        } else if after == 0 && before > 0 {
            vanished.add(before, label);
        }
    });
    (new, vanished)
}

/// New labels that differ from one of the reference in case, blanks or Unicode's form alone, each with that one; a few.
pub(crate) fn respelt(reference: &Column, current: &Column) -> Vec<(String, String)> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut new = Vec::new();
    let mut count = 0_u64;
    for_each_label(reference, current, Compat::Trainyard, |before, _, label| {
        count += 1;
        if count <= RESPELT_AMONG_MAX {
            let label = label();
            let plain = plain(&label);
            if before > 0 {
                known.insert(plain, label);
            } else {
                new.push((label, plain));
            }
        }
    });
    if count > RESPELT_AMONG_MAX {
        return Vec::new();
    }
    let pairs =
        new.into_iter().filter_map(|(label, plain)| Some((label, known.get(&plain)?.clone())));
    pairs.take(NAMED_LABELS_MAX).collect()
}

/// A label without what people write in two ways.
fn plain(label: &str) -> String {
    let label: String = label.nfkc().collect();
    label.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, Date32Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn labels_meet_in_one_form_and_for_evidently_never() {
        let distinct = |reference: &Column, current: &Column, compat| {
            frequencies(reference, current, compat).distinct()
        };
        let years = Column::new(&[&Int64Array::from(vec![1962, 1963])]);
        let texts = Column::new(&[&StringArray::from(vec!["1962", "1963", "unknown"])]);
        assert_eq!(distinct(&years, &texts, Compat::Trainyard), 3);
        assert_eq!(distinct(&texts, &years, Compat::Trainyard), 3);
        assert_eq!(distinct(&years, &texts, Compat::Evidently), 5);
        let (new, vanished) = one_sided(&texts, &years, Compat::Trainyard);
        assert_eq!((new.count, vanished.labels), (0, vec!["unknown".to_owned()]));

        let flags = Column::new(&[&BooleanArray::from(vec![true, false])]);
        let words = Column::new(&[&StringArray::from(vec!["True", "1"])]);
        assert_eq!(distinct(&flags, &words, Compat::Trainyard), 3);
        assert_eq!(distinct(&flags, &words, Compat::Evidently), 4);
    }

    #[test]
    fn labels_in_another_spelling_are_paired() {
        let before = Column::new(&[&StringArray::from(vec!["red", "New York", "", "green"])]);
        let after = Column::new(&[&StringArray::from(vec!["Red ", "new  york", "blue", "green"])]);
        let pair = |new: &str, known: &str| (new.to_owned(), known.to_owned());
        let expected = vec![pair("Red ", "red"), pair("new  york", "New York")];
        assert_eq!(respelt(&before, &after), expected);
        assert_eq!(respelt(&after, &after), []);
        let [composed, apart] = ["caf\u{e9}", "cafe\u{301}"];
        let column = |label: &str| Column::new(&[&StringArray::from(vec![label])]);
        assert_eq!(respelt(&column(composed), &column(apart)), [pair(apart, composed)]);
    }

    #[test]
    fn days_are_written_as_days() {
        let days = Column::new(&[&Date32Array::from(vec![20_454])]);
        let texts = Column::new(&[&StringArray::from(vec!["2026-01-02 00:00:00"])]);
        let (new, vanished) = one_sided(&days, &texts, Compat::Trainyard);
        assert_eq!(
            (new.labels, vanished.labels),
            (vec!["2026-01-02".to_owned()], vec!["2026-01-01".to_owned()])
        );
    }
}
