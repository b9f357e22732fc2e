//! The distribution of the one-sample Kolmogorov statistic D_n, two-sided.
//!
//! Which formula is used where follows R. Simard and P. L'Ecuyer, "Computing the Two-Sided
//! Kolmogorov–Smirnov Distribution", Journal of Statistical Software 39 (2011), with the limits that
//! SciPy's `kstwo.sf` uses, so that both leave the exact formulas at the same place.

use std::f64::consts::PI;

use super::special::binomial_pmf;

/// Up to this n every value is computed exactly.
const SMALL: f64 = 140.0;
/// Beyond this n the matrix of Marsaglia, Tsang and Wang costs more than it gains.
const MATRIX_MAX: f64 = 100_000.0;

/// P(D_n ≥ x).
pub(crate) fn sf(n: u64, x: f64) -> f64 {
    let size = n as f64;
    if x.is_nan() || n == 0 {
        return f64::NAN;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let steps = size * x;
    if steps <= 0.5 {
        return 1.0;
    }
    if steps <= 1.0 {
        // n! ((2 n x − 1) / n)^n
        let product: f64 = (1..=n).map(|i| ((2.0 * steps - 1.0) * i as f64 / size).ln()).sum();
        return 1.0 - product.exp();
    }
    if steps >= size - 1.0 {
        return 2.0 * (size * (-x).ln_1p()).exp();
    }
    let scaled = steps * x;
    let one_sided_from = if size <= SMALL { 4.0 } else { 2.2 };
    if x < 0.5 && scaled < one_sided_from {
        let exact = size <= SMALL || (size <= MATRIX_MAX && size * x.powf(1.5) <= 1.4);
        let cdf = if exact { matrix_cdf(n, x) } else { pelz_good_cdf(size, x) };
        return (1.0 - cdf).clamp(0.0, 1.0);
    }
    if x < 0.5 && size > SMALL && scaled >= 370.0 {
        return 0.0;
    }
    (2.0 * one_sided_sf(n, x)).clamp(0.0, 1.0)
}

/// P(D_n⁺ ≥ d) = d Σ_j C(n,j) (d + j/n)^(j−1) (1 − d − j/n)^(n−j) over j ≤ n (1 − d).
pub(crate) fn one_sided_sf(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let excess = size * d;
    let last = (size * (1.0 - d)).floor() as u64;
    let mut sum = 0.0;
    for j in 0..=last {
        let k = j as f64;
        let p = d + k / size;
        if p < 1.0 {
            sum += binomial_pmf(k, size, p, excess) / p;
        }
    }
    d * sum
}

/// A square matrix with a decimal exponent of its own, so that its powers do not overflow.
#[derive(Clone)]
struct Matrix {
    order: usize,
    cells: Vec<f64>,
    exponent: i32,
}

/// Cells are scaled down once one passes 10^`RESCALE`.
const RESCALE: i32 = 70;

impl Matrix {
    fn identity(order: usize) -> Self {
        let mut cells = vec![0.0; order * order];
        for cell in cells.iter_mut().step_by(order + 1) {
            *cell = 1.0;
        }
        Self { order, cells, exponent: 0 }
    }

    fn times(&self, other: &Self) -> Self {
        let order = self.order;
        let mut cells = vec![0.0; order * order];
        for (row, out) in self.cells.chunks_exact(order).zip(cells.chunks_exact_mut(order)) {
            for (factor, line) in row.iter().zip(other.cells.chunks_exact(order)) {
                for (sum, cell) in out.iter_mut().zip(line) {
                    *sum += factor * cell;
                }
            }
        }
        let mut exponent = self.exponent + other.exponent;
        if cells.iter().any(|cell| *cell > 10_f64.powi(RESCALE)) {
            for cell in &mut cells {
                *cell *= 10_f64.powi(-RESCALE);
            }
            exponent += RESCALE;
        }
        Self { order, cells, exponent }
    }
}

/// P(D_n < d) by G. Marsaglia, W. W. Tsang and J. Wang, "Evaluating Kolmogorov's Distribution" (2003):
/// (n!/nⁿ) times the middle cell of a matrix to the n-th power.
fn matrix_cdf(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let k = (size * d).ceil();
    let h = k - size * d;
    let middle = k as usize - 1;
    let order = 2 * middle + 1;
    let factorial = |i: usize| -> f64 { (1..=i).map(|j| j as f64).product() };
    let mut base = Matrix { order, cells: vec![0.0; order * order], exponent: 0 };
    for i in 0..order {
        for j in 0..order.min(i + 2) {
            base.cells[i * order + j] = 1.0 / factorial(i + 1 - j);
        }
    }
    for i in 0..order {
        base.cells[i * order] -= h.powi(i as i32 + 1) / factorial(i + 1);
        base.cells[(order - 1) * order + i] -= h.powi((order - i) as i32) / factorial(order - i);
    }
    if 2.0 * h > 1.0 {
        base.cells[(order - 1) * order] += (2.0 * h - 1.0).powi(order as i32) / factorial(order);
    }
    let mut power = Matrix::identity(order);
    let mut left = n;
    while left > 0 {
        if left & 1 == 1 {
            power = power.times(&base);
        }
        left >>= 1;
        if left > 0 {
            base = base.times(&base);
        }
    }
    let mut value = power.cells[middle * order + middle];
    let mut exponent = power.exponent;
    for i in 1..=n {
        value *= i as f64 / size;
        if value < 1e-140 {
            value *= 1e140;
            exponent -= 140;
        }
    }
    value * 10_f64.powi(exponent)
}

/// P(D_n < x) by the expansion of W. Pelz and I. J. Good (1976) in powers of n^−½.
fn pelz_good_cdf(n: f64, x: f64) -> f64 {
    let z = n.sqrt() * x;
    let (z2, z4, z6, z8) = (z.powi(2), z.powi(4), z.powi(6), z.powi(8));
    let pi2 = PI * PI;
    // The leading term underflows here, and all others with it.
    if pi2 / (8.0 * z2) > 708.0 {
        return 0.0;
    }
    let terms = (16.0 * z / PI).ceil() as u32;
    let mut k = [0.0; 4];
    let (mut extra2, mut extra3) = (0.0, 0.0);
    for i in (1..=terms).rev() {
        let i = f64::from(i);
        let m2 = (2.0 * i - 1.0).powi(2);
        let q = (-pi2 * m2 / (8.0 * z2)).exp();
        k[0] += q;
        k[1] += q * (-z2 + pi2 / 4.0 * m2);
        k[2] += q
            * (6.0 * z6
                + 2.0 * z4
                + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2
                + pi2 * pi2 * (1.0 - 2.0 * z2) / 16.0 * m2 * m2);
        k[3] += q
            * (-30.0 * z6 - 90.0 * z8
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi2 * pi2 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m2 * m2
                + pi2.powi(3) * (5.0 - 30.0 * z2) / 64.0 * m2.powi(3));
        let q = (-pi2 * i * i / (2.0 * z2)).exp();
        extra2 += i * i * q;
        extra3 += (3.0 * z2 - pi2 * i * i) * i * i * q;
    }
    let root = (2.0 * PI).sqrt();
    k[0] *= root / z;
    k[1] *= root / (6.0 * z4);
    k[2] = k[2] * root / (72.0 * z.powi(7)) - extra2 * pi2 * root / (36.0 * z.powi(3));
    k[3] = k[3] * root / (6480.0 * z.powi(10)) + extra3 * pi2 * root / (216.0 * z6);
    k[0] + k[1] / n.sqrt() + k[2] / n + k[3] / n.powf(1.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        // One value: D_1 = max(u, 1 - u), so P(D_1 >= x) = 2 (1 - x) from one half on.
        assert!((sf(1, 0.75) - 0.5).abs() < 1e-15);
        assert_eq!(sf(1, 0.5), 1.0);
        assert_eq!(sf(10, 1.0), 0.0);
        // P(D_2 < x) = 2 (2x - 1/2)^2 for 1/4 <= x <= 1/2.
        let x = 0.4;
        assert!((sf(2, x) - (1.0 - 2.0 * (2.0 * x - 0.5_f64).powi(2))).abs() < 1e-14);
    }

    #[test]
    fn formulas_meet_at_their_borders() {
        for n in [20_u64, 100, 140, 141, 500, 5000] {
            let x = (2.19_f64 / n as f64).sqrt();
            let by_cdf = 1.0 - if n <= 140 { matrix_cdf(n, x) } else { pelz_good_cdf(n as f64, x) };
            let by_tail = 2.0 * one_sided_sf(n, x);
            // Twice the one-sided tail exceeds the two-sided one by the chance of crossing both ways.
            assert!((by_cdf / by_tail - 1.0).abs() < 1e-4, "n {n}: {by_cdf} {by_tail}");
        }
        let x = 1.0 / 150_f64.sqrt();
        assert!((matrix_cdf(150, x) - pelz_good_cdf(150.0, x)).abs() < 1e-5);
    }
}
