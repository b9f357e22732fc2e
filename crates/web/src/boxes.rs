//! A metric by the values of a param: where each group's values lie.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};
use trainyard_chart::boxes::{self, Group};
use trainyard_mlflow::entities::Run;

use crate::columns::Column;
use crate::direction::Direction;
use crate::format;

/// Groups that are drawn.
const GROUPS_MAX: usize = 12;
/// Ranges that numbers are put into where there are more of them.
const RANGES: usize = 8;

/// The boxes of `y` by `x`, and the same as a table; why there are none.
pub(crate) fn show(
    runs: &[Run],
    x: &Column,
    y: &Column,
    is_log: bool,
    direction: Option<Direction>,
) -> Markup {
    let value = |run: &Run| y.number(run).filter(|value| !is_log || *value > 0.0);
    let values = runs.iter().filter_map(|run| Some((x.text(run)?.into_owned(), value(run)?)));
    let (groups, left_out) = groups(values.collect());
    let (x, y) = (x.title(), y.title());
    let best = direction.and_then(|direction| Some((direction, best(&groups, direction)?)));
    html! {
        h2 #boxes { (y) " by " (x) }
        @match boxes::chart([&x, &y], &groups, is_log) {
            Some(drawing) => {
                div.drawing { (PreEscaped(drawing.0)) }
                @if left_out > 0 { p.soft { "The " (GROUPS_MAX) " most frequent values; " (left_out) " runs have others." } }
                @if let Some((direction, group)) = best {
                    p { "The best median is that of " strong.best { (format::short(&group.name, 60)) } ": " (direction.told()) "." }
                }
                (table([&x, &y], &groups))
            },
            None => p.soft { "No run has both." },
        }
    }
}

/// The group whose median is the best; none where all are the same.
fn best(groups: &[Group], direction: Direction) -> Option<&Group> {
    let medians = groups.iter().filter_map(|group| Some((group, group.summary()?.median)));
    let best = direction.best(medians.clone().map(|(_, median)| median))?;
    medians.into_iter().find(|(_, median)| *median == best).map(|(group, _)| group)
}

/// Values by the text that they go with, and how many are in no group.
fn groups(values: Vec<(String, f64)>) -> (Vec<Group>, usize) {
    let total = values.len();
    let numbers: Option<Vec<(f64, f64)>> =
        values.iter().map(|(text, value)| Some((number(text)?, *value))).collect();
    let mut by_text: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (text, value) in values {
        by_text.entry(text).or_default().push(value);
    }
    let is_many = by_text.len() > GROUPS_MAX;
    if let Some(numbers) = numbers.filter(|_| is_many) {
        return (ranges(numbers), 0);
    }
    let mut groups: Vec<Group> =
        by_text.into_iter().map(|(name, values)| Group { name, values }).collect();
    // Of equals the first by the alphabet.
    groups.sort_by_key(|group| std::cmp::Reverse(group.values.len()));
    groups.truncate(GROUPS_MAX);
    groups.sort_by(|a, b| match (number(&a.name), number(&b.name)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (None, None) => a.name.cmp(&b.name),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    let kept: usize = groups.iter().map(|group| group.values.len()).sum();
    (groups, total - kept)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

/// Ranges with about as many values each; equal numbers are in one.
fn ranges(mut numbers: Vec<(f64, f64)>) -> Vec<Group> {
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = numbers.len().div_ceil(RANGES).max(1);
    let mut ranges: Vec<(f64, f64, Vec<f64>)> = Vec::new();
    for (at, value) in numbers {
        match ranges.last_mut() {
            Some((_, last, values)) if values.len() < size || *last == at => {
                *last = at;
                values.push(value);
            }
            _ => ranges.push((at, at, vec![value])),
        }
    }
    let name = |first: f64, last: f64| {
        let (first, last) = (format::number(first), format::number(last));
        if first == last { first } else { format!("{first} to {last}") }
    };
    let group = |(first, last, values)| Group { name: name(first, last), values };
    ranges.into_iter().map(group).collect()
}

fn table(names: [&str; 2], groups: &[Group]) -> Markup {
    let of_groups = groups.iter().filter_map(|group| Some((group, group.summary()?)));
    html! {
        details.more {
            summary { "As a table" }
            div.scroll {
                table {
                    thead {
                        tr {
                            th { (names[0]) } th.number { "Runs" } th.number { "Smallest" } th.number { "First quartile" }
                            th.number { "Median" } th.number { "Third quartile" } th.number { "Largest" }
                        }
                    }
                    tbody {
                        @for (group, summary) in of_groups {
                            tr {
                                th scope="row" { (format::short(&group.name, 60)) }
                                td.number { (group.values.len()) }
                                @for value in [summary.min, summary.first, summary.median, summary.third, summary.max] {
                                    td.number { (format::number(value)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(values: &[(&str, f64)]) -> (Vec<String>, usize) {
        let values = values.iter().map(|(text, value)| ((*text).to_owned(), *value)).collect();
        let (groups, left_out) = groups(values);
        let told = |group: Group| format!("{}: {}", group.name, group.values.len());
        (groups.into_iter().map(told).collect(), left_out)
    }

    #[test]
    fn groups_go_by_size_and_then_by_the_alphabet() {
        let (groups, left_out) =
            named(&[("10", 1.0), ("adam", 2.0), ("9", 3.0), ("10", 4.0), ("SGD", 5.0)]);
        assert_eq!(groups, ["9: 1", "10: 2", "SGD: 1", "adam: 1"]);
        assert_eq!(left_out, 0);
    }

    #[test]
    fn many_numbers_are_ranges_and_many_words_are_cut() {
        let texts: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let many: Vec<(&str, f64)> = texts.iter().map(|text| (text.as_str(), 1.0)).collect();
        let (groups, left_out) = named(&many);
        assert_eq!((groups.len(), groups[0].as_str(), left_out), (8, "0 to 4: 5", 0));
        let texts: Vec<String> = (0..40).map(|n| format!("w{n}")).collect();
        let mut many: Vec<(&str, f64)> = texts.iter().map(|text| (text.as_str(), 1.0)).collect();
        many.push(("w39", 2.0));
        let (groups, left_out) = named(&many);
        assert_eq!((groups.len(), left_out), (12, 28));
        assert!(groups.contains(&"w39: 2".to_owned()), "the most frequent: {groups:?}");
    }

    #[test]
    fn equal_numbers_are_in_one_range() {
        let mut numbers: Vec<(f64, f64)> = (0..60).map(|_| (1.0, 0.0)).collect();
        numbers.extend((2..20).map(|n| (f64::from(n), 0.0)));
        let ranges = ranges(numbers);
        assert_eq!((ranges[0].name.as_str(), ranges[0].values.len()), ("1", 60));
        assert_eq!(ranges.iter().map(|range| range.values.len()).sum::<usize>(), 78);
    }
}
