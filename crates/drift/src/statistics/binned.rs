//! Distances between shares: psi, Kullback–Leibler, Jensen–Shannon, Hellinger, and the bins that
//! numerical columns are put in for them.

use super::counts::Frequencies;
use crate::values::{Numbers, Pair, Precision};

/// A numerical reference with at most this many distinct values is compared value by value.
pub(crate) const VALUE_BY_VALUE_MAX: usize = 20;

/// Shares of both sides, bin by bin or value by value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shares {
    reference: Vec<f64>,
    current: Vec<f64>,
}

/// Edges of bins; bin i holds e_i ≤ x < e_(i+1), the last one also x = e_last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edges {
    edges: Vec<f64>,
}

impl Shares {
    pub(crate) fn of_values(frequencies: &Frequencies) -> Self {
        let (reference, current) = frequencies.shares().unzip();
        Self { reference, current }
    }

    pub(crate) fn of_bins(pair: &Pair<'_>, edges: &Edges) -> Self {
        let side = |numbers: &Numbers| {
            let size = numbers.len() as f64;
            edges.count(numbers).into_iter().map(|count| count as f64 / size).collect()
        };
        Self { reference: side(pair.reference()), current: side(pair.current()) }
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.reference.iter().copied().zip(self.current.iter().copied())
    }

    /// Empty bins get a small share, each side by its own rule; nothing is renormalised.
    fn filled(&self) -> Self {
        Self { reference: fill_zeros(&self.reference), current: fill_zeros(&self.current) }
    }

    /// Both sides divided by their sums.
    fn normalised(&self) -> Self {
        let side = |shares: &[f64]| {
            let sum: f64 = shares.iter().sum();
            shares.iter().map(|share| share / sum).collect()
        };
        Self { reference: side(&self.reference), current: side(&self.current) }
    }
}

/// Zero shares become 0.0001, or a millionth of the smallest share if that is not above 0.0001.
fn fill_zeros(shares: &[f64]) -> Vec<f64> {
    const FILL: f64 = 0.0001;
    let smallest =
        shares.iter().copied().filter(|share| *share != 0.0).fold(f64::INFINITY, f64::min);
    let fill = if smallest <= FILL { smallest / 1_000_000.0 } else { FILL };
    shares.iter().map(|share| if *share == 0.0 { fill } else { *share }).collect()
}

/// Σ (p − q) ln(p/q) after filling empty bins.
pub(crate) fn psi(shares: &Shares) -> f64 {
    shares.filled().pairs().map(|(p, q)| (p - q) * (p / q).ln()).sum()
}

/// Σ p ln(p/q) of the filled and renormalised shares.
pub(crate) fn kullback_leibler(shares: &Shares) -> f64 {
    shares.filled().normalised().pairs().map(|(p, q)| p * (p / q).ln()).sum()
}

/// √((Σ p ln(p/m) + Σ q ln(q/m)) / 2) with m = (p + q)/2.
pub(crate) fn jensen_shannon(shares: &Shares) -> f64 {
    let term =
        |share: f64, middle: f64| if share > 0.0 { share * (share / middle).ln() } else { 0.0 };
    let sum: f64 = shares
        .normalised()
        .pairs()
        .map(|(p, q)| {
            let middle = f64::midpoint(p, q);
            term(p, middle) + term(q, middle)
        })
        .sum();
    // A sum of rounding errors may fall below zero for equal shares.
    (sum / 2.0).max(0.0).sqrt()
}

/// √(1 − Σ √(p q)) of shares by value.
pub(crate) fn hellinger(shares: &Shares) -> f64 {
    let overlap: f64 = shares.pairs().map(|(p, q)| (p * q).sqrt()).sum();
    (1.0 - overlap.clamp(0.0, 1.0)).sqrt()
}

/// √(1 − Σ √(h1 h2) w) of densities over equal-width bins whose number follows from the distinct
/// values. Summed bin by bin in the column's own precision: near-identical samples give the rounding
/// of that sum, and only the same order gives the same rounding.
pub(crate) fn hellinger_binned(pair: &Pair<'_>) -> Result<f64, String> {
    let (low, high) = pair.range().ok_or("no values")?;
    let edges = Edges::equal_width(low, high, pair.distinct(), pair.precision())?;
    let width = (edges.last() - edges.first()) / edges.bins() as f64;
    let (reference, current) = (edges.count(pair.reference()), edges.count(pair.current()));
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    let single = matches!(pair.precision(), Precision::Single | Precision::Half);
    let round = |value: f64| if single { f64::from(value as f32) } else { value };
    let mut overlap = 0.0;
    for (index, (a, b)) in reference.into_iter().zip(current).enumerate() {
        let step = edges.edges[index + 1] - edges.edges[index];
        let (h1, h2) = (a as f64 / step / n1, b as f64 / step / n2);
        overlap = round(overlap + round(round((h1 * h2).sqrt()) * round(width)));
    }
    Ok(round(1.0 - overlap.clamp(0.0, 1.0)).sqrt())
}

impl Edges {
    /// More bins than this are refused: they can only come from a range that has no finite bins.
    const BINS_MAX: f64 = 100_000.0;

    /// Sturges' rule over the pooled values: k = ⌈range / (range / (log₂ n + 1))⌉ equal-width bins.
    pub(crate) fn of_pooled(pair: &Pair<'_>) -> Result<Self, String> {
        let (low, high) = pair.range().ok_or("no values")?;
        Self::equal_width(low, high, pair.reference_len() + pair.current_len(), pair.precision())
    }

    fn equal_width(low: f64, high: f64, size: usize, precision: Precision) -> Result<Self, String> {
        let range = high - low;
        if !range.is_finite() {
            return Err(format!("the range {low:e} to {high:e} cannot be divided into bins"));
        }
        let round = |value: f64| match precision {
            Precision::Integer | Precision::Double => value,
            Precision::Single => f64::from(value as f32),
            Precision::Half => f64::from(half(value as f32)),
        };
        let divisor = (size as f64).log2() + 1.0;
        let mut width = round(range / divisor);
        let (low, high) = if range == 0.0 { (low - 0.5, high + 0.5) } else { (low, high) };
        let range = high - low;
        let mut bins = 1.0;
        if width > 0.0 {
            if precision == Precision::Integer && width < 1.0 {
                width = 1.0;
            }
            bins = round(range / width).ceil();
        }
        if !(1.0..=Self::BINS_MAX).contains(&bins) {
            return Err(format!("the range {low:e} to {high:e} cannot be divided into bins"));
        }
        let step = round(range / bins);
        let mut edges: Vec<f64> =
            (0..=bins as u32).map(|i| round(round(f64::from(i) * step) + low)).collect();
        if let Some(last) = edges.last_mut() {
            *last = high;
        }
        if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(format!(
                "too many bins for the data range: {bins} between {low:e} and {high:e}"
            ));
        }
        Ok(Self { edges })
    }

    /// Bins with equal shares of the reference, open at both ends. Fewer than asked for when values repeat.
    pub(crate) fn reference_quantiles(reference: &Numbers, bins: usize) -> Self {
        let mut edges = vec![f64::NEG_INFINITY];
        for index in 1..bins {
            if let Some(edge) = reference.quantile(index as f64 / bins as f64)
                && edges.last().is_some_and(|last| *last < edge)
            {
                edges.push(edge);
            }
        }
        edges.push(f64::INFINITY);
        Self { edges }
    }

    pub(crate) fn bins(&self) -> usize {
        self.edges.len() - 1
    }

    fn first(&self) -> f64 {
        self.edges[0]
    }

    fn last(&self) -> f64 {
        self.edges[self.edges.len() - 1]
    }

    fn count(&self, numbers: &Numbers) -> Vec<u64> {
        let mut below: Vec<u64> =
            self.edges[..self.bins()].iter().map(|edge| numbers.count_below(*edge)).collect();
        below.push(numbers.count_up_to(self.last()));
        below.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// Rounds to half precision and back.
fn half(value: f32) -> f32 {
    type Half = <arrow_array::types::Float16Type as arrow_array::types::ArrowPrimitiveType>::Native;
    Half::from_f32(value).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Sorted;

    fn shares(reference: &[f64], current: &[f64]) -> Shares {
        Shares { reference: reference.to_vec(), current: current.to_vec() }
    }

    #[test]
    fn equal_shares_have_no_distance_and_disjoint_ones_the_largest() {
        let equal = shares(&[0.25, 0.75], &[0.25, 0.75]);
        assert_eq!(
            (psi(&equal), jensen_shannon(&equal), kullback_leibler(&equal), hellinger(&equal)),
            (0.0, 0.0, 0.0, 0.0)
        );
        let apart = shares(&[1.0, 0.0], &[0.0, 1.0]);
        assert!((jensen_shannon(&apart) - 2_f64.ln().sqrt()).abs() < 1e-15);
        assert_eq!(hellinger(&apart), 1.0);
        assert_eq!(fill_zeros(&[0.0, 0.00005]), vec![0.00005 / 1_000_000.0, 0.00005]);
        assert_eq!(fill_zeros(&[0.0, 0.5]), vec![0.0001, 0.5]);
    }

    #[test]
    fn integers_never_get_bins_narrower_than_one() {
        let edges = Edges::equal_width(0.0, 3.0, 1000, Precision::Integer).unwrap();
        assert_eq!(edges.edges, vec![0.0, 1.0, 2.0, 3.0]);
        let constant = Edges::equal_width(7.0, 7.0, 10, Precision::Double).unwrap();
        assert_eq!(constant.edges, vec![6.5, 7.5]);
        assert!(Edges::equal_width(1e18, 1e18 + 256.0, 1000, Precision::Double).is_err());
        assert!(Edges::equal_width(-1e308, 1.7e308, 10, Precision::Double).is_err());
    }

    #[test]
    fn quantile_bins_are_open_and_keep_repeated_values_together() {
        let reference = Numbers::I64(Sorted::from_ordered(vec![1, 1, 1, 1, 2, 3]));
        let edges = Edges::reference_quantiles(&reference, 4);
        assert_eq!(edges.first(), f64::NEG_INFINITY);
        assert_eq!(edges.count(&reference).iter().sum::<u64>(), 6);
        let wide = Numbers::I64(Sorted::from_ordered(vec![-100, 100]));
        assert_eq!(edges.count(&wide).iter().sum::<u64>(), 2);
    }
}
