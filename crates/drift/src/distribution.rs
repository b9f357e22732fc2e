//! Both sides of a column in few numbers, for charts.

use crate::labels::for_each_label;
use crate::sides::Sides;
use crate::values::{Numbers, Pair};

/// Bins of a chart; more do not show on a sparkline.
const CHART_BINS_MAX: usize = 24;
/// What a chart's inner bins leave to the outer ones on each side.
const CHART_TAIL: f64 = 0.005;
/// Interquartile ranges beyond the quartiles of a side from which on values are outliers (Tukey's "far out"):
/// they have bins of their own, so that they do not squeeze the picture of the others.
const FENCE_RANGES: f64 = 3.0;
/// Quantiles of each side whose values become points of the cumulative curves.
const CURVE_POINTS: usize = 24;
/// Labels that a chart shows.
const TOP_LABELS_MAX: usize = 15;

/// Both sides in few numbers, for charts.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Of numbers.
    Numbers {
        /// Shares in common bins, in order. Each begins where the one before ends, but for a first or last bin
        /// of outliers, which are far from the others.
        bins: Vec<Bin>,
        /// Points of both cumulative distributions.
        cumulative: Vec<CumulativePoint>,
    },
    /// Of labels.
    Categories {
        /// The most frequent values, by the larger of both shares.
        top: Vec<Category>,
        /// Values that are not in `top`.
        others: u64,
        /// Their share in the reference.
        others_reference: f64,
        /// Their share in current.
        others_current: f64,
    },
}

/// Shares of both sides in one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Lower edge; equal to `high` when the bin is a single value.
    pub low: f64,
    /// Upper edge.
    pub high: f64,
    /// Share of the reference in it.
    pub reference: f64,
    /// Share of current in it.
    pub current: f64,
}

/// Shares of values up to and including `value`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CumulativePoint {
    /// The value.
    pub value: f64,
    /// Share of the reference.
    pub reference: f64,
    /// Share of current.
    pub current: f64,
}

/// Shares of one label.
#[derive(Debug, Clone, PartialEq)]
pub struct Category {
    /// The label as text, cut after a few hundred characters.
    pub label: String,
    /// Share of the reference.
    pub reference: f64,
    /// Share of current.
    pub current: f64,
}

/// Both sides of a numerical column.
pub(crate) fn of_numbers(pair: &Pair<'_>) -> Option<Distribution> {
    let bins = if pair.distinct_up_to(CHART_BINS_MAX) <= CHART_BINS_MAX {
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

/// Equal-width bins between the outermost half percents of both sides; the first and last reach to the ends of
/// the bulk. Outliers on either side are in a bin of their own.
fn bins_by_width(pair: &Pair<'_>) -> Option<Vec<Bin>> {
    let Bulk { low: lowest, high: highest, below, above } = Bulk::of(pair)?;
    let (reference, current) = (pair.reference(), pair.current());
    let tails = [CHART_TAIL, 1.0 - CHART_TAIL];
    let [before, after] = [reference, current].map(|numbers| tails.map(|p| numbers.quantile(p)));
    let mut low = before[0]?.min(after[0]?).max(lowest);
    let mut high = before[1]?.max(after[1]?).min(highest);
    if high <= low || !(high - low).is_finite() {
        (low, high) = (lowest, highest);
    }
    let count = CHART_BINS_MAX - usize::from(below.is_some()) - usize::from(above.is_some());
    let mut width = (high / count as f64) - (low / count as f64);
    if reference.is_integer() && current.is_integer() {
        (low, width) = (low.floor(), width.ceil());
    }
    let mut edges: Vec<f64> =
        (0..count).map(|i| low + width * i as f64).take_while(|edge| *edge < high).collect();
    if let Some(first) = edges.first_mut() {
        *first = lowest;
    }
    let shares = |numbers: &Numbers| -> Vec<f64> {
        let mut below: Vec<u64> = edges.iter().map(|edge| numbers.count_below(*edge)).collect();
        below.push(numbers.count_up_to(highest));
        below.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / numbers.len() as f64).collect()
    };
    let (before, after) = (shares(reference), shares(current));
    let highs = edges.iter().skip(1).copied().chain([highest]);
    let bins = edges.iter().zip(highs).zip(before.into_iter().zip(after));
    let bins =
        bins.map(|((low, high), (reference, current))| Bin { low: *low, high, reference, current });
    let outliers = |[low, high]: [f64; 2]| {
        let share = |numbers: &Numbers| {
            let count = numbers.count_up_to(high) - numbers.count_below(low);
            count as f64 / numbers.len() as f64
        };
        Bin { low, high, reference: share(reference), current: share(current) }
    };
    Some(below.map(outliers).into_iter().chain(bins).chain(above.map(outliers)).collect())
}

/// Where the bulk of both sides lies, and what is far out of it.
struct Bulk {
    /// The smallest and the largest value of the bulk.
    low: f64,
    high: f64,
    /// The smallest and the largest value of the outliers on each side, where there are some.
    below: Option<[f64; 2]>,
    above: Option<[f64; 2]>,
}

impl Bulk {
    fn of(pair: &Pair<'_>) -> Option<Self> {
        let (smallest, largest) = pair.range()?;
        let (lowest, highest) = fences(pair).unwrap_or((smallest, largest));
        let at_ranks = |rank: &dyn Fn(&Numbers) -> Option<u64>| {
            [pair.reference(), pair.current()]
                .map(|numbers| numbers.at_rank(rank(numbers)? as usize))
                .into_iter()
                .flatten()
        };
        let below = at_ranks(&|numbers| numbers.count_below(lowest).checked_sub(1));
        let above = at_ranks(&|numbers| Some(numbers.count_up_to(highest)));
        Some(Self {
            low: at_ranks(&|numbers| Some(numbers.count_below(lowest))).reduce(f64::min)?,
            high: at_ranks(&|numbers| numbers.count_up_to(highest).checked_sub(1))
                .reduce(f64::max)?,
            below: below.reduce(f64::max).map(|end| [smallest, end]),
            above: above.reduce(f64::min).map(|start| [start, largest]),
        })
    }
}

/// Beyond what values are outliers; `None` where half of a side is one value.
fn fences(pair: &Pair<'_>) -> Option<(f64, f64)> {
    let of = |numbers: &Numbers| {
        let (low, high) = (numbers.quantile(0.25)?, numbers.quantile(0.75)?);
        let reach = FENCE_RANGES * (high - low);
        (reach > 0.0).then_some((low - reach, high + reach))
    };
    let (before, after) = (of(pair.reference())?, of(pair.current())?);
    Some((before.0.min(after.0), before.1.max(after.1)))
}

/// Both sides of a categorical column: the labels with the largest share on either side.
pub(crate) fn of_labels(sides: &Sides<'_>) -> Distribution {
    let shares: Vec<(f64, f64)> = sides.frequencies().shares().collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    let weight = |index: usize| shares.get(index).map_or(0.0, |(p, q)| p.max(*q));
    let by_weight = |a: &usize, b: &usize| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b));
    if order.len() > TOP_LABELS_MAX {
        order.select_nth_unstable_by(TOP_LABELS_MAX, by_weight);
        order.truncate(TOP_LABELS_MAX);
    }
    order.sort_unstable_by(by_weight);
    let mut labels = vec![String::new(); order.len()];
    let mut index = 0;
    for_each_label(sides.reference, sides.current, sides.compat, |_, _, label| {
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
    use arrow_array::{Float64Array, Int64Array, StringArray};

    use super::*;
    use crate::column::Column;
    use crate::compat::Compat;
    use crate::labels::one_sided;

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
        assert_eq!(bins.len(), CHART_BINS_MAX);
        let (before, after) = total(&bins);
        assert!((before - 1.0).abs() < 1e-12 && (after - 1.0).abs() < 1e-12);
        assert_eq!((bins[0].low, bins[CHART_BINS_MAX - 1].high), (0.0, 1e6));
        let last = cumulative.last().unwrap();
        assert_eq!((last.reference, last.current), (1.0, 1.0));
    }

    #[test]
    fn outliers_do_not_squeeze_the_picture() {
        let bulk = || (0..1000).map(|row| f64::from(row) / 25.0);
        let reference = Column::new(&[&Float64Array::from_iter_values(bulk())]);
        let sentinels = std::iter::repeat_n(-999.0, 50);
        let current = Column::new(&[&Float64Array::from_iter_values(bulk().chain(sentinels))]);
        let pair = Pair::new(reference.numbers().unwrap(), current.numbers().unwrap());
        let Some(Distribution::Numbers { bins, .. }) = of_numbers(&pair) else { panic!("no bins") };
        assert_eq!((bins[0].low, bins[0].high, bins[0].reference), (-999.0, -999.0, 0.0));
        assert!((bins[0].current - 50.0 / 1050.0).abs() < 1e-12, "{bins:?}");
        // All others are for the bulk.
        assert_eq!((bins.len(), bins[1].low, bins[23].high), (CHART_BINS_MAX, 0.0, 39.96));
        assert!(bins[1..].iter().all(|bin| bin.reference > 0.01), "{bins:?}");
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
        let sides = Sides::new(&reference, &current, Compat::Trainyard);
        let Distribution::Categories { top, others, others_current, .. } = of_labels(&sides) else {
            panic!("no labels")
        };
        assert_eq!((top[0].label.as_str(), top[0].current), ("label 07", 1.0));
        assert_eq!(top[1].label.chars().count(), 200 + 1);
        assert_eq!((top.len() as u64 + others, others_current), (31, 0.0));
        let (new, vanished) = one_sided(&reference, &current, Compat::Trainyard);
        assert_eq!((new.count, vanished.count), (0, 30));
    }
}
