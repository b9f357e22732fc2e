//! The two-sample Kolmogorov–Smirnov test, two-sided, with SciPy's choice between the exact and the
//! asymptotic distribution.

use super::kolmogorov;
use crate::values::Pair;

/// Up to this size of the larger sample the p-value is exact.
const EXACT_MAX: u64 = 10_000;

/// Statistic and p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KolmogorovSmirnov {
    /// The widest gap between the two cumulative distributions, 0 to 1.
    pub(crate) statistic: f64,
    pub(crate) p_value: f64,
}

/// The widest gap between the cumulative distributions, as a whole number of steps of 1 / (n1 n2).
fn widest_gap(pair: &Pair<'_>) -> u128 {
    let (n1, n2) = (pair.reference_len() as i128, pair.current_len() as i128);
    let (mut below1, mut below2, mut widest) = (0_i128, 0_i128, 0_u128);
    pair.for_each(|step| {
        below1 += i128::from(step.reference);
        below2 += i128::from(step.current);
        widest = widest.max((below1 * n2 - below2 * n1).unsigned_abs());
    });
    widest
}

/// The widest gap between the two cumulative distributions.
pub(crate) fn statistic(pair: &Pair<'_>) -> f64 {
    widest_gap(pair) as f64 / (pair.reference_len() as f64 * pair.current_len() as f64)
}

pub(crate) fn test(pair: &Pair<'_>) -> KolmogorovSmirnov {
    let (n1, n2) = (pair.reference_len() as u64, pair.current_len() as u64);
    let gap = widest_gap(pair);
    let statistic = gap as f64 / (n1 as f64 * n2 as f64);
    let divisor = gcd(n1, n2);
    if n1.max(n2) <= EXACT_MAX {
        // The gap in steps of 1 / lcm(n1, n2); exact, because both counts are multiples of the divisor.
        let steps = (gap / u128::from(divisor)) as u64;
        let p_value = exact(n1, n2, divisor, steps);
        if (0.0..=1.0).contains(&p_value) {
            return KolmogorovSmirnov { statistic, p_value };
        }
    }
    let size = (n1 as f64 * n2 as f64 / (n1 + n2) as f64).round_ties_even();
    KolmogorovSmirnov { statistic, p_value: kolmogorov::sf(size as u64, statistic).clamp(0.0, 1.0) }
}

pub(super) fn exact(n1: u64, n2: u64, divisor: u64, steps: u64) -> f64 {
    if steps == 0 {
        1.0
    } else if n1 == n2 {
        outside_square(n1, steps)
    } else {
        outside_band(n1.max(n2), n1.min(n2), divisor, steps)
    }
}

/// Equal sizes: 2 A₀ (1 − A₁ (1 − A₂ (…))) with A_k = Π_{j<h} (n − kh − j) / (n + kh + j + 1).
fn outside_square(n: u64, h: u64) -> f64 {
    let mut sum = 0.0;
    for k in (0..=n / h).rev() {
        let mut product = 1.0;
        for j in 0..h {
            product = (n as f64 - (k * h + j) as f64) * product / (n + k * h + j + 1) as f64;
        }
        sum = product * (1.0 - sum);
    }
    2.0 * sum
}

/// The share of lattice paths from (0, 0) to (m, n), m ≥ n, that touch or leave the band
/// |x n/g − y m/g| < h, one column of the lattice after the other.
fn outside_band(m: u64, n: u64, g: u64, h: u64) -> f64 {
    let (m_step, n_step) = ((m / g) as i64, (n / g) as i64);
    let (rows, h) = (n as i64, h as i64);
    let ceil_div = |a: i64, b: i64| a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0);
    let mut low = 0;
    let mut column = vec![0.0; ceil_div(h, m_step).min(rows + 1) as usize];
    let mut next = Vec::with_capacity(column.len() + 1);
    for i in 1..=m as i64 {
        let previous_low = low;
        low = ((n_step * i - h).div_euclid(m_step) + 1).clamp(0, rows);
        let high = ceil_div(n_step * i + h, m_step).min(rows + 1);
        if high <= low {
            return 1.0;
        }
        next.clear();
        let mut value = if low == 0 { 0.0 } else { 1.0 };
        for j in low..high {
            let left = column.get((j - previous_low) as usize).copied().unwrap_or(1.0);
            value = (left * i as f64 + value * j as f64) / (i + j) as f64;
            next.push(value);
        }
        std::mem::swap(&mut column, &mut next);
    }
    column.last().copied().unwrap_or(1.0)
}

pub(crate) fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Numbers, Sorted};

    fn p_value(reference: &[f64], current: &[f64]) -> KolmogorovSmirnov {
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            Numbers::F64(Sorted::from_ordered(values))
        };
        let (reference, current) = (sorted(reference), sorted(current));
        test(&Pair::new(&reference, &current))
    }

    #[test]
    fn small_samples_by_counting_paths() {
        // All 2!/(1!1!) = 2 orders of one against one have a gap of 1.
        assert_eq!(p_value(&[1.0], &[2.0]), KolmogorovSmirnov { statistic: 1.0, p_value: 1.0 });
        // Two of the six orders of two against two are completely apart.
        let apart = p_value(&[1.0, 2.0], &[3.0, 4.0]);
        assert!((apart.p_value - 2.0 / 6.0).abs() < 1e-15);
        // Two of the ten orders of three against two are.
        let apart = p_value(&[1.0, 2.0, 3.0], &[4.0, 5.0]);
        assert!((apart.p_value - 2.0 / 10.0).abs() < 1e-15);
        assert_eq!(p_value(&[1.0, 2.0], &[1.0, 2.0]).p_value, 1.0);
    }
}
