//! Bins as they are drawn: those of outliers stand apart, as they are far from the others.

use trainyard_drift::{Bin, Scale};

use crate::number::value;

/// Bins up to which each of a single value has a label.
const LABELLED_MAX: usize = 8;
/// Places between the bulk and a bin of outliers, and the bin itself.
const APART: usize = 2;

/// The shares of the reference and of current, with an empty place beside a bin of outliers.
pub(super) fn shares(bins: &[Bin]) -> (Vec<f64>, Vec<f64>) {
    let [below, above] = outliers(bins);
    let mut shares: Vec<(f64, f64)> = bins.iter().map(|bin| (bin.reference, bin.current)).collect();
    if above {
        shares.insert(bins.len() - 1, (0.0, 0.0));
    }
    if below {
        shares.insert(1, (0.0, 0.0));
    }
    shares.into_iter().unzip()
}

/// Whether the first and the last bin are those of outliers.
fn outliers(bins: &[Bin]) -> [bool; 2] {
    let apart = |before: &Bin, after: &Bin| before.high < after.low;
    match bins {
        // Bins of single values are all apart.
        _ if is_of_values(bins) => [false, false],
        [first, second, .., before, last] => [apart(first, second), apart(before, last)],
        _ => [false, false],
    }
}

/// From where to where the bulk lies, if there are outliers beyond it.
pub(super) fn bulk(bins: &[Bin]) -> Option<[f64; 2]> {
    let [below, above] = outliers(bins);
    let first = bins.get(usize::from(below))?;
    let last = bins.get(bins.len().checked_sub(1 + usize::from(above))?)?;
    (below || above).then_some([first.low, last.high])
}

fn is_of_values(bins: &[Bin]) -> bool {
    bins.iter().all(|bin| bin.low == bin.high)
}

/// Labels under the places of [`shares`]: the ends of the bulk, two inner edges, and beyond `⋯` outliers.
pub(super) fn ticks(bins: &[Bin], scale: Scale) -> Vec<(f64, String)> {
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return Vec::new() };
    if is_of_values(bins) {
        return value_ticks(bins, scale);
    }
    let [below, above] = outliers(bins);
    let start = usize::from(below);
    let bulk = bins.get(start..bins.len() - usize::from(above)).unwrap_or_default();
    let count = bulk.len();
    let edge = |place: usize| match bulk.get(place) {
        Some(bin) => value(bin.low, scale),
        None => value(bulk.last().map_or(last.high, |bin| bin.high), scale),
    };
    let offset = if below { APART } else { 0 };
    let mut ticks: Vec<(f64, String)> = [0, count / 3, 2 * count / 3, count]
        .into_iter()
        .map(|place| ((offset + place) as f64, edge(place)))
        .collect();
    if below && let Some((place, text)) = ticks.first_mut() {
        (*place, *text) = (0.0, format!("{} ⋯ {text}", value(first.low, scale)));
    }
    if above && let Some((place, text)) = ticks.last_mut() {
        *place += APART as f64;
        *text = format!("{text} ⋯ {}", value(last.high, scale));
    }
    ticks
}

/// Bins of single values are labelled in their middle.
fn value_ticks(bins: &[Bin], scale: Scale) -> Vec<(f64, String)> {
    let count = bins.len();
    let places =
        if count <= LABELLED_MAX { (0..count).collect() } else { vec![0, count / 2, count - 1] };
    let label = |place: usize| Some((place as f64 + 0.5, value(bins.get(place)?.low, scale)));
    places.into_iter().filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(low: f64, high: f64, reference: f64) -> Bin {
        Bin { low, high, reference, current: 1.0 }
    }

    #[test]
    fn outliers_stand_apart() {
        let inner = [bin(0.0, 1.0, 0.5), bin(1.0, 2.0, 0.3), bin(2.0, 3.0, 0.1)];
        let plain = ticks(&inner, Scale::Continuous);
        assert_eq!(shares(&inner).0, [0.5, 0.3, 0.1]);
        assert_eq!((plain[0].0, plain[3].0, plain[3].1.as_str()), (0.0, 3.0, "3"));
        let bins: Vec<Bin> = [bin(-999.0, -999.0, 0.05)]
            .into_iter()
            .chain(inner)
            .chain([bin(50.0, 90.0, 0.05)])
            .collect();
        assert_eq!(shares(&bins).0, [0.05, 0.0, 0.5, 0.3, 0.1, 0.0, 0.05]);
        let labels = ticks(&bins, Scale::Continuous);
        assert_eq!(labels[0], (0.0, "−999 ⋯ 0".to_owned()));
        assert_eq!(labels[1], (3.0, "1".to_owned()));
        assert_eq!(labels[3], (7.0, "3 ⋯ 90".to_owned()));
        // Single values are far from each other, and none is an outlier.
        let values = [1.0, 2.0, 3.0, 9.0].map(|value| bin(value, value, 0.25));
        assert_eq!(outliers(&values), [false, false]);
        assert_eq!((bulk(&bins), bulk(&values)), (Some([0.0, 3.0]), None));
        assert_eq!(ticks(&values, Scale::Integer)[3], (3.5, "9".to_owned()));
    }
}
