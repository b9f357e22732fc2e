//! Tests of means and of characteristic functions.

use std::f64::consts::PI;

use super::special::chi_square_sf;
use crate::values::{Numbers, Pair};

/// Student's t test with pooled variance, two-sided. NaN when a side has one value or nothing varies
/// and the means are equal.
pub(crate) fn t_test(pair: &Pair<'_>) -> f64 {
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    if n1 < 2.0 || n2 < 2.0 {
        return f64::NAN;
    }
    let ((mean1, variance1), (mean2, variance2)) =
        (pair.reference().moments(), pair.current().moments());
    let df = n1 + n2 - 2.0;
    let squares = variance1 * n1 + variance2 * n2;
    let t = (mean1 - mean2) / (squares / df * (1.0 / n1 + 1.0 / n2)).sqrt();
    student_two_sided(t, df)
}

/// P(|T| ≥ |t|) for `df` degrees of freedom.
pub(crate) fn student_two_sided(t: f64, df: f64) -> f64 {
    if t.is_nan() {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    let square = t * t;
    let (x, rest) = (df / (df + square), square / (df + square));
    // x^(df/2) √(1 − x) / B(df/2, ½); the power through ln(1 + t²/df), which keeps its digits for any df.
    let front =
        (-df / 2.0 * (square / df).ln_1p()).exp() * rest.sqrt() * half_step_gamma_ratio(df / 2.0)
            / PI.sqrt();
    // Each fraction converges on its own side of the mean of the beta distribution.
    if square < 3.0 {
        1.0 - front * 2.0 * beta_fraction(rest, 0.5, df / 2.0)
    } else {
        front * 2.0 / df * beta_fraction(x, df / 2.0, 0.5)
    }
}

/// Γ(a + ½) / Γ(a) by its asymptotic series in 1/a, brought there by the recurrence of the gamma function.
fn half_step_gamma_ratio(a: f64) -> f64 {
    // Where the first term left out is below 1e-16.
    const SERIES_FROM: f64 = 100.0;
    let (mut shifted, mut factor) = (a, 1.0);
    while shifted < SERIES_FROM {
        factor *= shifted / (shifted + 0.5);
        shifted += 1.0;
    }
    let z = 1.0 / shifted;
    let series = 1.0
        + z * (-1.0 / 8.0
            + z * (1.0 / 128.0
                + z * (5.0 / 1024.0
                    + z * (-21.0 / 32768.0 + z * (-399.0 / 262_144.0 + z * 869.0 / 4_194_304.0)))));
    factor * shifted.sqrt() * series
}

/// The continued fraction of the incomplete beta function, I_x(a, b) = x^a (1 − x)^b / (a B(a, b)) times it,
/// by Lentz's method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    // The number of terms grows with the root of the larger parameter; this is enough for 10⁹.
    const TERMS_MAX: u32 = 100_000;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..=TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// Cohen's d: the difference of means in pooled standard deviations.
pub(crate) fn cohens_d(pair: &Pair<'_>) -> f64 {
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    let ((mean1, variance1), (mean2, variance2)) =
        (pair.reference().moments(), pair.current().moments());
    (mean2 - mean1) / ((variance1 * n1 + variance2 * n2) / (n1 + n2 - 2.0)).sqrt()
}

/// Where the characteristic functions are compared, in half interquartile ranges.
const POINTS: [f64; 2] = [0.4, 0.8];
/// Sizes below this make the small-sample factor necessary.
const SMALL: f64 = 25.0;
/// Below this size the approximation is not given at all.
const TOO_SMALL: usize = 5;

type Vector = [f64; 4];
type Matrix = [[f64; 4]; 4];

/// The Epps–Singleton test (T. W. Epps and K. J. Singleton 1986, with the correction of S.-J. Goerg and
/// J. Kaiser 2009). NaN under five values a side.
pub(crate) fn epps_singleton(pair: &Pair<'_>) -> Result<f64, String> {
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    let (low, high) = (pooled_quantile(pair, 0.25), pooled_quantile(pair, 0.75));
    if low == high {
        return Err(format!(
            "es needs values that vary: a quarter and three quarters of them are at most {low}"
        ));
    }
    if pair.reference_len().min(pair.current_len()) < TOO_SMALL {
        return Ok(f64::NAN);
    }
    let points = POINTS.map(|point| point / ((high - low) / 2.0));
    let (mean1, covariance1) = characteristic(pair.reference(), points);
    let (mean2, covariance2) = characteristic(pair.current(), points);
    let size = n1 + n2;
    let mut covariance = [[0.0; 4]; 4];
    for (i, row) in covariance.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = size / n1 * covariance1[i][j] + size / n2 * covariance2[i][j];
        }
    }
    let (inverse, rank) = pseudo_inverse(covariance);
    let gap: Vector = std::array::from_fn(|i| mean1[i] - mean2[i]);
    if rank == 0 {
        // Each side is one value, and they are two: else the quartiles would be equal.
        return Ok(0.0);
    }
    let mut statistic = 0.0;
    for (row, left) in inverse.iter().zip(gap) {
        statistic += left * row.iter().zip(gap).map(|(cell, right)| cell * right).sum::<f64>();
    }
    statistic *= size;
    if n1.max(n2) < SMALL {
        statistic /= 1.0 + size.powf(-0.45) + 10.1 * (n1.powf(-1.7) + n2.powf(-1.7));
    }
    Ok(chi_square_sf(statistic, f64::from(rank)))
}

/// Mean and biased covariance of (cos t₁x, cos t₂x, sin t₁x, sin t₂x).
fn characteristic(numbers: &Numbers, points: [f64; 2]) -> (Vector, Matrix) {
    let at = |value: f64| -> Vector {
        let (sin1, cos1) = (points[0] * value).sin_cos();
        let (sin2, cos2) = (points[1] * value).sin_cos();
        [cos1, cos2, sin1, sin2]
    };
    let size = numbers.len() as f64;
    let mut mean = [0.0; 4];
    numbers.for_each_run(|value, count| {
        let features = at(value);
        mean.iter_mut().zip(features).for_each(|(sum, feature)| *sum += feature * count as f64);
    });
    mean = mean.map(|sum| sum / size);
    let mut covariance = [[0.0; 4]; 4];
    numbers.for_each_run(|value, count| {
        let features = at(value);
        for i in 0..4 {
            for j in 0..4 {
                covariance[i][j] +=
                    (features[i] - mean[i]) * (features[j] - mean[j]) * count as f64;
            }
        }
    });
    (mean, covariance.map(|row| row.map(|cell| cell / size)))
}

/// The quantile of both sides together, with linear interpolation.
fn pooled_quantile(pair: &Pair<'_>, probability: f64) -> f64 {
    let position = probability * (pair.reference_len() + pair.current_len() - 1) as f64;
    let (lower, upper) = (position.floor() as u64, position.ceil() as u64);
    let (mut below, mut low, mut high) = (0, f64::NAN, f64::NAN);
    pair.for_each(|step| {
        let next = below + step.reference + step.current;
        if (below..next).contains(&lower) {
            low = step.value;
        }
        if (below..next).contains(&upper) {
            high = step.value;
        }
        below = next;
    });
    low + (high - low) * (position - position.floor())
}

/// Singular values below these shares of the largest count as zero (numpy's `pinv` and `matrix_rank`).
const INVERSE_CUTOFF: f64 = 1e-15;
const RANK_CUTOFF: f64 = 4.0 * f64::EPSILON;
/// Jacobi's method on four rows converges in about six sweeps.
const SWEEPS_MAX: usize = 50;

/// Moore–Penrose inverse of a symmetric matrix by Jacobi's eigenvalue method, and its rank.
fn pseudo_inverse(mut matrix: Matrix) -> (Matrix, u32) {
    let mut vectors: Matrix =
        std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    for _ in 0..SWEEPS_MAX {
        let off: f64 = (0..4)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| matrix[i][j].powi(2))
            .sum();
        if off == 0.0 {
            break;
        }
        for p in 0..3 {
            for q in p + 1..4 {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    let values: Vector = std::array::from_fn(|i| matrix[i][i]);
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let mut inverse = [[0.0; 4]; 4];
    let mut inverted = [0.0; 4];
    for k in 0..4 {
        if values[k].abs() <= INVERSE_CUTOFF * largest {
            continue;
        }
        inverted[k] = 1.0 / values[k];
        for i in 0..4 {
            for j in 0..4 {
                inverse[i][j] += vectors[i][k] * vectors[j][k] * inverted[k];
            }
        }
    }
    let largest = inverted.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let rank = inverted.iter().filter(|value| value.abs() > RANK_CUTOFF * largest).count();
    (inverse, rank as u32)
}

/// One Jacobi rotation that makes `matrix[p][q]` zero.
fn rotate(matrix: &mut Matrix, vectors: &mut Matrix, p: usize, q: usize) {
    if matrix[p][q] == 0.0 {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for row in matrix.iter_mut() {
        let (a, b) = (row[p], row[q]);
        row[p] = cosine * a - sine * b;
        row[q] = sine * a + cosine * b;
    }
    let (upper, lower) = (matrix[p], matrix[q]);
    matrix[p] = std::array::from_fn(|k| cosine * upper[k] - sine * lower[k]);
    matrix[q] = std::array::from_fn(|k| sine * upper[k] + cosine * lower[k]);
    matrix[p][q] = 0.0;
    matrix[q][p] = 0.0;
    for row in vectors.iter_mut() {
        let (a, b) = (row[p], row[q]);
        row[p] = cosine * a - sine * b;
        row[q] = sine * a + cosine * b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Sorted;

    #[test]
    fn student_tails() {
        assert!((student_two_sided(1.0, 1.0) - 0.5).abs() < 1e-14);
        assert!((student_two_sided(0.0, 7.0) - 1.0).abs() < 1e-15);
        assert_eq!(student_two_sided(f64::INFINITY, 3.0), 0.0);
    }

    #[test]
    fn two_constants_differ_for_certain() {
        let constant = |value: f64| Numbers::F64(Sorted::from_ordered(vec![value; 60]));
        assert_eq!(epps_singleton(&Pair::new(&constant(3.7), &constant(3.8))), Ok(0.0));
    }

    #[test]
    fn the_inverse_of_a_regular_and_of_a_singular_matrix() {
        let matrix = [
            [4.0, 1.0, 0.5, 0.0],
            [1.0, 3.0, 0.0, 0.2],
            [0.5, 0.0, 2.0, 0.1],
            [0.0, 0.2, 0.1, 1.0],
        ];
        let (inverse, rank) = pseudo_inverse(matrix);
        assert_eq!(rank, 4);
        for (i, row) in matrix.iter().enumerate() {
            for j in 0..4 {
                let cell: f64 = row.iter().zip(inverse).map(|(cell, line)| cell * line[j]).sum();
                assert!((cell - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        let one = [[1.0; 4]; 4];
        let (inverse, rank) = pseudo_inverse(one);
        assert_eq!(rank, 1);
        assert!((inverse[0][3] - 1.0 / 16.0).abs() < 1e-15);
    }
}
