//! Support vector machines as libsvm computes them: kernels, one-against-one, coupled probabilities.

/// A kernel function with its parameters, in libsvm's names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KernelFunction {
    Linear,
    Poly { gamma: f64, coef0: f64, degree: f64 },
    Rbf { gamma: f64 },
    Sigmoid { gamma: f64, coef0: f64 },
}

impl KernelFunction {
    pub(crate) fn of(self, a: &[f64], b: &[f64]) -> f64 {
        let dot = || a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        match self {
            Self::Linear => dot(),
            Self::Poly { gamma, coef0, degree } => {
                let base = gamma * dot() + coef0;
                if degree.fract() == 0.0 && degree.abs() < 1e6 {
                    base.powi(degree as i32)
                } else {
                    base.powf(degree)
                }
            }
            Self::Rbf { gamma } => {
                (-gamma * a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>()).exp()
            }
            Self::Sigmoid { gamma, coef0 } => (gamma * dot() + coef0).tanh(),
        }
    }
}

/// Decision values of all pairs `(i, j)`, `i < j`, and the pairs each class won. `similar` holds the
/// kernel of the row with each support vector, grouped by class; `coefficients` is libsvm's
/// `(classes - 1) x vectors` matrix; `rho` is added (libsvm subtracts its negative).
pub(crate) fn one_against_one(
    similar: &[f64],
    coefficients: &[f64],
    rho: &[f64],
    vectors_per_class: &[usize],
) -> (Vec<f64>, Vec<usize>) {
    let classes = vectors_per_class.len();
    let starts: Vec<usize> = vectors_per_class
        .iter()
        .scan(0, |next, &count| {
            let start = *next;
            *next += count;
            Some(start)
        })
        .collect();
    let of_class = |class: usize, row: usize| -> f64 {
        let (Some(&start), Some(&count)) = (starts.get(class), vectors_per_class.get(class)) else {
            return 0.0;
        };
        let weights = coefficients.get(row * similar.len() + start..).unwrap_or_default();
        weights
            .iter()
            .zip(similar.get(start..start + count).unwrap_or_default())
            .map(|(c, k)| c * k)
            .sum()
    };
    let mut decisions = Vec::with_capacity(rho.len());
    let mut votes = vec![0; classes];
    let mut rho = rho.iter();
    for i in 0..classes {
        for j in i + 1..classes {
            let sum = of_class(i, j - 1) + of_class(j, i) + rho.next().copied().unwrap_or(0.0);
            decisions.push(sum);
            if let Some(votes) = votes.get_mut(if sum > 0.0 { i } else { j }) {
                *votes += 1;
            }
        }
    }
    (decisions, votes)
}

/// Probabilities of classes from those of pairs, by the second method of Wu, Lin and Weng (2004), with
/// libsvm's bounds and stopping rule. `pairwise` holds the probability of `i` against `j` for `i < j`.
pub(crate) fn couple_probabilities(pairwise: &[f64], classes: usize) -> Vec<f64> {
    const SMALLEST: f64 = 1e-7;
    let mut r = vec![vec![0.0; classes]; classes];
    let mut next = pairwise.iter();
    for i in 0..classes {
        for j in i + 1..classes {
            let p = next.next().copied().unwrap_or(0.5).clamp(SMALLEST, 1.0 - SMALLEST);
            set(&mut r, i, j, p);
            set(&mut r, j, i, 1.0 - p);
        }
    }
    let mut q = vec![vec![0.0; classes]; classes];
    for t in 0..classes {
        for j in (0..classes).filter(|&j| j != t) {
            let diagonal = get(&q, t, t) + get(&r, j, t) * get(&r, j, t);
            set(&mut q, t, t, diagonal);
            set(&mut q, t, j, -get(&r, j, t) * get(&r, t, j));
        }
    }
    let mut p = vec![1.0 / classes as f64; classes];
    let tolerance = 0.005 / classes as f64;
    for _ in 0..classes.max(100) {
        let mut qp: Vec<f64> =
            q.iter().map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        if qp.iter().map(|x| (x - pqp).abs()).fold(0.0, f64::max) < tolerance {
            break;
        }
        for t in 0..classes {
            let diagonal = get(&q, t, t);
            let difference = (pqp - qp.get(t).copied().unwrap_or(0.0)) / diagonal;
            if let Some(p) = p.get_mut(t) {
                *p += difference;
            }
            let qp_t = qp.get(t).copied().unwrap_or(0.0);
            let scale = 1.0 + difference;
            pqp = (pqp + difference * (difference * diagonal + 2.0 * qp_t)) / scale / scale;
            for j in 0..classes {
                let q_tj = get(&q, t, j);
                if let (Some(qp), Some(p)) = (qp.get_mut(j), p.get_mut(j)) {
                    *qp = (*qp + difference * q_tj) / scale;
                    *p /= scale;
                }
            }
        }
    }
    p
}

fn get(matrix: &[Vec<f64>], i: usize, j: usize) -> f64 {
    matrix.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0)
}

fn set(matrix: &mut [Vec<f64>], i: usize, j: usize, value: f64) {
    if let Some(slot) = matrix.get_mut(i).and_then(|row| row.get_mut(j)) {
        *slot = value;
    }
}
