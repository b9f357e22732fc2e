//! Ordinary least squares by Householder QR with column pivoting; the solution of least norm when
//! columns depend on each other, as `numpy.linalg.lstsq` and scikit-learn give it.

use super::model::LinearModel;
use crate::matrix::Matrix;
use crate::parameters::LinearParams;

/// Sweeps of the Jacobi rotation; it converges quadratically, 10 are usual.
const SWEEPS_MAX: usize = 60;

/// Fits a model.
pub(crate) fn fit(matrix: &Matrix, targets: &[f64], params: &LinearParams) -> LinearModel {
    let features = matrix.columns();
    let rows = matrix.rows();
    let (centres, target_mean) = if params.fit_intercept {
        let centres = matrix.moments().into_iter().map(|(mean, _)| mean).collect();
        (centres, targets.iter().sum::<f64>() / rows as f64)
    } else {
        (vec![0.0; features], 0.0)
    };
    let columns: Vec<Vec<f64>> = (0..features)
        .map(|feature| {
            let centre = centres[feature];
            matrix.column(feature).iter().map(|&value| f64::from(value) - centre).collect()
        })
        .collect();
    let right = targets.iter().map(|target| target - target_mean).collect();
    let coefficients = solve(columns, right);
    let shift: f64 = coefficients.iter().zip(&centres).map(|(w, centre)| w * centre).sum();
    LinearModel {
        coefficients: vec![coefficients],
        intercepts: vec![target_mean - shift],
        iterations: None,
        converged: true,
    }
}

/// The least-norm minimiser of |A x - b|, A given by columns.
fn solve(mut columns: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let count = columns.len();
    let rows = right.len();
    let order = triangulate(&mut columns, &mut right);
    let size = count.min(rows);
    let condition = f64::EPSILON * count.max(rows) as f64;
    let largest = columns.first().and_then(|column| column.first()).map_or(0.0, |x| x.abs());
    let smallest = (0..size).map(|index| columns[index][index].abs()).fold(f64::INFINITY, f64::min);
    // The diagonal of a pivoted R is within a modest factor of the singular values: far from the
    // limit it proves full rank, near it the singular values themselves decide.
    let full_rank = count <= rows && smallest > 1e3 * condition * largest;
    let permuted = if full_rank {
        back_substitute(&columns, &right)
    } else {
        let triangle: Vec<Vec<f64>> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                (0..size).map(|row| if row <= index { column[row] } else { 0.0 }).collect()
            })
            .collect();
        least_norm(triangle, &right[..size], condition)
    };
    let mut solution = vec![0.0; count];
    for (value, column) in permuted.into_iter().zip(order) {
        solution[column] = value;
    }
    solution
}

/// Turns the columns into R, in place, and the right-hand side into Qᵀb; returns which column of A
/// each column of R is.
fn triangulate(columns: &mut [Vec<f64>], right: &mut [f64]) -> Vec<usize> {
    let rows = right.len();
    let mut order: Vec<usize> = (0..columns.len()).collect();
    for step in 0..columns.len().min(rows) {
        let norm = |column: &Vec<f64>| column[step..].iter().map(|x| x * x).sum::<f64>();
        let pivot = (step..columns.len())
            .max_by(|&a, &b| norm(&columns[a]).total_cmp(&norm(&columns[b])).then(b.cmp(&a)))
            .unwrap_or(step);
        columns.swap(step, pivot);
        order.swap(step, pivot);
        let length = norm(&columns[step]).sqrt();
        if length == 0.0 {
            break;
        }
        let mut reflector = columns[step][step..].to_vec();
        let diagonal = if reflector[0] > 0.0 { -length } else { length };
        reflector[0] -= diagonal;
        let square: f64 = reflector.iter().map(|x| x * x).sum();
        let reflect = |values: &mut [f64]| {
            let product: f64 = reflector.iter().zip(values.iter()).map(|(v, x)| v * x).sum();
            let factor = 2.0 * product / square;
            values.iter_mut().zip(&reflector).for_each(|(x, v)| *x -= factor * v);
        };
        for column in &mut columns[step + 1..] {
            reflect(&mut column[step..]);
        }
        reflect(&mut right[step..]);
        columns[step][step] = diagonal;
        columns[step][step + 1..].fill(0.0);
    }
    order
}

fn back_substitute(triangle: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let size = triangle.len();
    let mut solution = right[..size].to_vec();
    for index in (0..size).rev() {
        solution[index] /= triangle[index][index];
        let value = solution[index];
        for (row, entry) in triangle[index][..index].iter().enumerate() {
            solution[row] -= value * entry;
        }
    }
    solution
}

/// Least-norm solution through the singular values (one-sided Jacobi), those below `condition`
/// times the largest counted as zero. The matrix is given by columns.
fn least_norm(mut columns: Vec<Vec<f64>>, right: &[f64], condition: f64) -> Vec<f64> {
    let count = columns.len();
    // Rotates columns until they are orthogonal: A V = U S.
    let mut rotations: Vec<Vec<f64>> = (0..count)
        .map(|index| (0..count).map(|other| f64::from(u8::from(index == other))).collect())
        .collect();
    for _ in 0..SWEEPS_MAX {
        let mut rotated = false;
        for first in 0..count {
            for second in first + 1..count {
                if let Some((cosine, sine)) = rotation(&columns[first], &columns[second]) {
                    rotate(&mut columns, first, second, cosine, sine);
                    rotate(&mut rotations, first, second, cosine, sine);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let squares: Vec<f64> =
        columns.iter().map(|column| column.iter().map(|x| x * x).sum()).collect();
    let largest = squares.iter().copied().fold(0.0, f64::max).sqrt();
    let mut solution = vec![0.0; count];
    for ((column, square), direction) in columns.iter().zip(squares).zip(&rotations) {
        if square.sqrt() <= condition * largest || square == 0.0 {
            continue;
        }
        let factor = column.iter().zip(right).map(|(u, b)| u * b).sum::<f64>() / square;
        solution.iter_mut().zip(direction).for_each(|(x, v)| *x += factor * v);
    }
    solution
}

/// The rotation that makes two columns orthogonal; none if they are.
fn rotation(first: &[f64], second: &[f64]) -> Option<(f64, f64)> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (a, b, mixed) = (dot(first, first), dot(second, second), dot(first, second));
    if mixed == 0.0 || mixed.abs() <= f64::EPSILON * (a * b).sqrt() {
        return None;
    }
    let ratio = (b - a) / (2.0 * mixed);
    let tangent = ratio.signum() / (ratio.abs() + (1.0 + ratio * ratio).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    Some((cosine, cosine * tangent))
}

fn rotate(columns: &mut [Vec<f64>], first: usize, second: usize, cosine: f64, sine: f64) {
    let (front, back) = columns.split_at_mut(second);
    for (x, y) in front[first].iter_mut().zip(&mut back[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        assert!(
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-10),
            "{found:?} instead of {expected:?}"
        );
    }

    #[test]
    fn exact_system() {
        // Columns of [[2, 1], [1, 3], [0, 1]] times (1, 2).
        close(
            &solve(vec![vec![2.0, 1.0, 0.0], vec![1.0, 3.0, 1.0]], vec![4.0, 7.0, 2.0]),
            &[1.0, 2.0],
        );
    }

    #[test]
    fn dependent_columns_share_the_coefficient() {
        // The same column twice: 3 is split in halves by the least norm.
        let column = vec![1.0, 2.0, 3.0];
        close(&solve(vec![column.clone(), column], vec![3.0, 6.0, 9.0]), &[1.5, 1.5]);
        // A column of zeros gets nothing.
        close(&solve(vec![vec![0.0; 3], vec![1.0, 1.0, 1.0]], vec![2.0; 3]), &[0.0, 2.0]);
    }

    #[test]
    fn more_columns_than_rows() {
        // numpy.linalg.lstsq([[1, 2, 3]], [14]) = (1, 2, 3)
        close(&solve(vec![vec![1.0], vec![2.0], vec![3.0]], vec![14.0]), &[1.0, 2.0, 3.0]);
    }
}
