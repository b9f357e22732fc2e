//! Labels of both sides: counted, listed, and those that only one side has.

use crate::column::Column;
use crate::side::{Scale, scale};
use crate::statistics::counts::Frequencies;
use crate::values::{Pair, Values, merge_strings};

/// Labels that a message names.
const NAMED_LABELS_MAX: usize = 5;

/// Characters of a label that are kept: enough to tell it, little enough for a page of thousands.
const LABEL_CHARS_MAX: usize = 200;

/// Calls `each` with every label of both sides in order: its counts and how to write it.
pub(crate) fn for_each_label(
    reference: &Column,
    current: &Column,
    mut each: impl FnMut(u64, u64, &dyn Fn() -> String),
) {
    let number_label = |column: &Column| {
        let scale = scale(column);
        move |value: f64| label_of_number(value, scale)
    };
    match (reference.values(), current.values()) {
        (Values::Numbers(before), Values::Numbers(after)) => {
            let label = number_label(current);
            Pair::new(before, after)
                .for_each(|step| each(step.reference, step.current, &|| label(step.value)));
        }
        (Values::Strings(before), Values::Strings(after)) => {
            merge_strings(before, after, |text, a, b| each(a, b, &|| cut(text)));
        }
        // A number never equals a text: each side keeps its own labels.
        _ => {
            for (column, is_reference) in [(reference, true), (current, false)] {
                let mut add = |count: u64, label: &dyn Fn() -> String| {
                    let (before, after) = if is_reference { (count, 0) } else { (0, count) };
                    each(before, after, label);
                };
                match column.values() {
                    Values::Numbers(numbers) => {
                        let label = number_label(column);
                        numbers.for_each_run(|value, count| add(count, &|| label(value)));
                    }
                    Values::Strings(strings) => {
                        strings.iter().for_each(|(text, count)| add(count, &|| cut(text)));
                    }
                    Values::Other => {}
                }
            }
        }
    }
}

fn label_of_number(value: f64, scale: Scale) -> String {
    match scale {
        Scale::Boolean if value == 0.0 => "false".to_owned(),
        Scale::Boolean if value == 1.0 => "true".to_owned(),
        _ => value.to_string(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LABEL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Counts of every label of both sides.
pub(crate) fn frequencies(reference: &Column, current: &Column) -> Frequencies {
    let mut frequencies = Frequencies::default();
    for_each_label(reference, current, |before, after, _| frequencies.push(before, after));
    frequencies
}

/// Labels that are on one side only.
#[derive(Debug, Default)]
pub(crate) struct OneSided {
    pub(crate) labels: Vec<String>,
    pub(crate) count: u64,
    pub(crate) values: u64,
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
pub(crate) fn one_sided(reference: &Column, current: &Column) -> (OneSided, OneSided) {
    let (mut new, mut vanished) = (OneSided::default(), OneSided::default());
    for_each_label(reference, current, |before, after, label| {
        if before == 0 && after > 0 {
            new.add(after, label);
        } else if after == 0 && before > 0 {
            vanished.add(before, label);
        }
    });
    (new, vanished)
}

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, StringArray};

    use super::*;

    #[test]
    fn a_text_and_a_number_are_never_equal() {
        let reference = Column::new(&[&BooleanArray::from(vec![true, false])]);
        let current = Column::new(&[&StringArray::from(vec!["true", "1"])]);
        assert_eq!(frequencies(&reference, &current).distinct(), 4);
    }
}
