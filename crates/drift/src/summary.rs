//! Columns in few numbers, for charts and tables.

use crate::column::{Column, Family, Numbers, Pair, Values, merge_strings, type_name};
use crate::finding::OneSided;
use crate::statistics::counts::Frequencies;
use crate::verdict::{
    Bin, Category, CumulativePoint, Distribution, NumberSummary, QUANTILES, Scale, Side,
};
use crate::{Kind, text};

/// Bins of a chart; more do not show on a sparkline.
const CHART_BINS: usize = 24;
/// What a chart's inner bins leave to the outer ones on each side.
const CHART_TAIL: f64 = 0.005;
/// Quantiles of each side whose values become points of the cumulative curves.
const CURVE_POINTS: usize = 24;
/// Labels that a chart shows.
const TOP_LABELS: usize = 15;
/// Characters of a label that are kept.
const LABEL_CHARS: usize = 200;

pub(crate) fn scale(column: &Column) -> Scale {
    match column.family() {
        Family::Integer | Family::Unsigned => Scale::Integer,
        Family::Boolean => Scale::Boolean,
        Family::Instant => Scale::Instant,
        Family::Interval => Scale::Interval,
        Family::Float | Family::Decimal => Scale::Continuous,
        _ => match column.values() {
            Values::Numbers(numbers) if numbers.is_integer() => Scale::Integer,
            Values::Numbers(_) => Scale::Continuous,
            _ => Scale::Text,
        },
    }
}

/// The type of one side, for people.
pub(crate) fn side_type(column: &Column) -> String {
    type_name(column.data_type())
}

pub(crate) fn side(column: &Column, kind: Kind) -> Side {
    let numbers = match (column.values(), kind) {
        (Values::Numbers(numbers), Kind::Numerical | Kind::Datetime) => number_summary(numbers),
        (Values::Strings(strings), Kind::Text) => number_summary(&text::lengths(strings)),
        _ => None,
    };
    Side {
        data_type: type_name(column.data_type()),
        rows: column.rows(),
        missing: column.missing(),
        infinite: column.infinite(),
        values: column.len(),
        distinct: column.distinct(),
        numbers,
    }
}

fn number_summary(numbers: &Numbers) -> Option<NumberSummary> {
    let quantiles = QUANTILES.iter().map(|p| numbers.quantile(*p)).collect::<Option<Vec<f64>>>()?;
    let (mean, variance) = numbers.moments();
    Some(NumberSummary { mean, deviation: variance.sqrt(), quantiles })
}

/// Both sides of a numerical column.
pub(crate) fn of_numbers(pair: &Pair<'_>) -> Option<Distribution> {
    let bins = if pair.distinct_up_to(CHART_BINS) <= CHART_BINS {
        bins_by_value(pair)
    } else {
        bins_by_width(pair)?
    };
    let mut values: Vec<f64> = (0..=CURVE_POINTS)
        .flat_map(|index| {
            let probability = index as f64 / CURVE_POINTS as f64;
            [pair.reference().quantile(probability), pair.current().quantile(probability)]
        })
        .flatten()
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let share = |numbers: &Numbers, value| numbers.count_up_to(value) as f64 / numbers.len() as f64;
    let cumulative = values
        .into_iter()
        .map(|value| CumulativePoint {
            value,
            reference: share(pair.reference(), value),
            current: share(pair.current(), value),
        })
        .collect();
    Some(Distribution::Numbers { bins, cumulative })
}

fn bins_by_value(pair: &Pair<'_>) -> Vec<Bin> {
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    let mut bins = Vec::new();
    pair.for_each(|step| {
        bins.push(Bin {
            low: step.value,
            high: step.value,
            reference: step.reference as f64 / n1,
            current: step.current as f64 / n2,
        });
    });
    bins
}

/// Equal-width bins between the outermost half percents of both sides; the first and last bin reach
/// to the smallest and largest value.
fn bins_by_width(pair: &Pair<'_>) -> Option<Vec<Bin>> {
    let (smallest, largest) = pair.range()?;
    let (reference, current) = (pair.reference(), pair.current());
    let mut low = reference.quantile(CHART_TAIL)?.min(current.quantile(CHART_TAIL)?);
    let mut high = reference.quantile(1.0 - CHART_TAIL)?.max(current.quantile(1.0 - CHART_TAIL)?);
    if high <= low || !(high - low).is_finite() {
        (low, high) = (smallest, largest);
    }
    let mut width = (high / CHART_BINS as f64) - (low / CHART_BINS as f64);
    if reference.is_integer() && current.is_integer() {
        (low, width) = (low.floor(), width.ceil());
    }
    let mut edges: Vec<f64> =
        (0..CHART_BINS).map(|i| low + width * i as f64).take_while(|edge| *edge < high).collect();
    if let Some(first) = edges.first_mut() {
        *first = smallest;
    }
    let shares = |numbers: &Numbers| -> Vec<f64> {
        let mut below: Vec<u64> = edges.iter().map(|edge| numbers.count_below(*edge)).collect();
        below.push(numbers.len() as u64);
        below.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / numbers.len() as f64).collect()
    };
    let (before, after) = (shares(reference), shares(current));
    let highs = edges.iter().skip(1).copied().chain([largest]);
    let bins = edges.iter().zip(highs).zip(before.into_iter().zip(after));
    Some(
        bins.map(|((low, high), (reference, current))| Bin { low: *low, high, reference, current })
            .collect(),
    )
}

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
    match text.char_indices().nth(LABEL_CHARS) {
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

/// Both sides of a categorical column: the labels with the largest share on either side.
pub(crate) fn of_labels(
    reference: &Column,
    current: &Column,
    frequencies: &Frequencies,
) -> Distribution {
    let shares: Vec<(f64, f64)> = frequencies.shares().collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    let weight = |index: usize| shares.get(index).map_or(0.0, |(p, q)| p.max(*q));
    let by_weight = |a: &usize, b: &usize| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b));
    if order.len() > TOP_LABELS {
        order.select_nth_unstable_by(TOP_LABELS, by_weight);
        order.truncate(TOP_LABELS);
    }
    order.sort_unstable_by(by_weight);
    let mut labels = vec![String::new(); order.len()];
    let mut index = 0;
    for_each_label(reference, current, |_, _, label| {
        if let Some(place) = order.iter().position(|wanted| *wanted == index) {
            labels[place] = label();
        }
        index += 1;
    });
    let top: Vec<Category> = order
        .iter()
        .zip(labels)
        .map(|(index, label)| Category {
            label,
            reference: shares[*index].0,
            current: shares[*index].1,
        })
        .collect();
    let rest = |side: fn(&Category) -> f64| (1.0 - top.iter().map(side).sum::<f64>()).max(0.0);
    let others = shares.len() - top.len();
    let (others_reference, others_current) =
        (rest(|label| label.reference), rest(|label| label.current));
    Distribution::Categories {
        others: others as u64,
        others_reference: if others == 0 { 0.0 } else { others_reference },
        others_current: if others == 0 { 0.0 } else { others_current },
        top,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, Float64Array, Int64Array, StringArray};

    use super::*;

    fn total(bins: &[Bin]) -> (f64, f64) {
        (bins.iter().map(|bin| bin.reference).sum(), bins.iter().map(|bin| bin.current).sum())
    }

    #[test]
    fn bins_hold_everything() {
        let heavy: Vec<f64> = (1..2000).map(|i| 1e6 / f64::from(i).powi(3)).collect();
        let reference = Column::new(&[&Float64Array::from(heavy)]);
        let current =
            Column::new(&[&Float64Array::from_iter_values((0..500).map(|i| f64::from(i) * 0.01))]);
        let pair = Pair::new(reference.numbers().unwrap(), current.numbers().unwrap());
        let Some(Distribution::Numbers { bins, cumulative }) = of_numbers(&pair) else {
            panic!("no bins")
        };
        assert_eq!(bins.len(), CHART_BINS);
        let (before, after) = total(&bins);
        assert!((before - 1.0).abs() < 1e-12 && (after - 1.0).abs() < 1e-12);
        assert_eq!((bins[0].low, bins[CHART_BINS - 1].high), (0.0, 1e6));
        let last = cumulative.last().unwrap();
        assert_eq!((last.reference, last.current), (1.0, 1.0));
    }

    #[test]
    fn few_values_get_a_bin_each() {
        let reference = Column::new(&[&Int64Array::from(vec![1, 1, 3])]);
        let current = Column::new(&[&Int64Array::from(vec![2, 3])]);
        let pair = Pair::new(reference.numbers().unwrap(), current.numbers().unwrap());
        let Some(Distribution::Numbers { bins, .. }) = of_numbers(&pair) else { panic!("no bins") };
        assert_eq!(bins.iter().map(|bin| bin.low).collect::<Vec<_>>(), vec![1.0, 2.0, 3.0]);
    }

    #[test]
    fn labels_are_cut_sorted_and_the_rest_is_counted() {
        let long = "é".repeat(500);
        let mut texts: Vec<String> = (0..30).map(|index| format!("label {index:02}")).collect();
        texts.extend([long.clone(), long]);
        let reference = Column::new(&[&StringArray::from(texts)]);
        let current = Column::new(&[&StringArray::from(vec!["label 07", "label 07"])]);
        let counted = frequencies(&reference, &current);
        let Distribution::Categories { top, others, others_current, .. } =
            of_labels(&reference, &current, &counted)
        else {
            panic!("no labels")
        };
        assert_eq!((top[0].label.as_str(), top[0].current), ("label 07", 1.0));
        assert_eq!(top[1].label.chars().count(), LABEL_CHARS + 1);
        assert_eq!((top.len() as u64 + others, others_current), (31, 0.0));
        let (new, vanished) = one_sided(&reference, &current);
        assert_eq!((new.count, vanished.count), (0, 30));
    }

    #[test]
    fn a_text_and_a_number_are_never_equal() {
        let reference = Column::new(&[&BooleanArray::from(vec![true, false])]);
        let current = Column::new(&[&StringArray::from(vec!["true", "1"])]);
        assert_eq!(frequencies(&reference, &current).distinct(), 4);
    }
}
