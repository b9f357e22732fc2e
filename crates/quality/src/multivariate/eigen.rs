//! Eigenvalues and vectors of a symmetric matrix, by Jacobi's rotations.
//!
//! C. G. J. Jacobi (1846), with the rotations of G. H. Golub and C. F. Van Loan, "Matrix Computations", section 8.5:
//! slow for thousands of columns, exact to the last digits for hundreds, and short.

/// Rounds over all pairs; ten are enough for any matrix that fits here.
const SWEEPS_MAX: usize = 60;

/// An eigenvalue with its vector.
pub(super) type Eigen = (f64, Vec<f64>);

/// Of a symmetric matrix, the largest value first.
pub(super) fn symmetric(mut matrix: Vec<Vec<f64>>) -> Vec<Eigen> {
    let size = matrix.len();
    // Each row is a vector.
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|place| unit(row, place)).collect()).collect();
    for _ in 0..SWEEPS_MAX {
        let diagonal: f64 = (0..size).map(|place| matrix[place][place].powi(2)).sum();
        let others: f64 = pairs(size).map(|(p, q)| 2.0 * matrix[p][q].powi(2)).sum();
        if others <= diagonal * f64::EPSILON * f64::EPSILON {
            break;
        }
        for (p, q) in pairs(size) {
            if matrix[p][q] != 0.0 {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    let mut found: Vec<Eigen> =
        vectors.into_iter().enumerate().map(|(place, v)| (matrix[place][place], v)).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found
}

fn unit(row: usize, place: usize) -> f64 {
    if row == place { 1.0 } else { 0.0 }
}

fn pairs(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).flat_map(move |p| (p + 1..size).map(move |q| (p, q)))
}

/// Turns the plane of two axes so that the matrix has nothing between them.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let slope = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = tangent * cosine;
    for row in matrix.iter_mut() {
        (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
    }
    for rows in [matrix, vectors] {
        // The second of them comes later.
        let (before, from_q) = rows.split_at_mut(q);
        for (of_p, of_q) in before[p].iter_mut().zip(&mut from_q[0]) {
            (*of_p, *of_q) = (cosine * *of_p - sine * *of_q, sine * *of_p + cosine * *of_q);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_what_its_vectors_and_values_say() {
        let matrix = vec![
            vec![4.0, 1.0, -2.0, 0.5],
            vec![1.0, 3.0, 0.0, 1.5],
            vec![-2.0, 0.0, 5.0, -1.0],
            vec![0.5, 1.5, -1.0, 2.0],
        ];
        let found = symmetric(matrix.clone());
        for (row, line) in matrix.iter().enumerate() {
            for (column, expected) in line.iter().enumerate() {
                let again: f64 = found.iter().map(|(value, v)| value * v[row] * v[column]).sum();
                assert!((again - expected).abs() < 1e-13, "{row} {column}: {again}");
            }
        }
        assert!(found.windows(2).all(|pair| pair[0].0 >= pair[1].0));
        assert_eq!(symmetric(vec![vec![7.0]]), [(7.0, vec![1.0])]);
    }
}
