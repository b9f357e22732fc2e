//! Gauss's rule for integrals from 0 to 1.

/// Points and weights that integrate polynomials below degree `2 n` exactly.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    /// Points between 0 and 1.
    pub(super) points: Vec<f64>,
    /// One less the points.
    pub(super) rests: Vec<f64>,
    pub(super) weights: Vec<f64>,
    /// Weights divided by the rests.
    pub(super) weights_by_rest: Vec<f64>,
}

/// Steps of Newton's method, which needs five at most from where it starts here.
const STEPS: usize = 50;

impl Rule {
    /// The rule of so many points, at least one: roots of the Legendre polynomial of that degree.
    pub(super) fn new(count: usize) -> Self {
        let count = count.max(1);
        let mut rule = Self::default();
        for number in 0..count {
            let mut x =
                (std::f64::consts::PI * (number as f64 + 0.75) / (count as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..STEPS {
                let (value, derivative) = legendre(count, x);
                slope = derivative;
                let step = value / derivative;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            let weight = 1.0 / ((1.0 - x * x) * slope * slope);
            let rest = f64::midpoint(1.0, -x);
            rule.points.push(f64::midpoint(1.0, x));
            rule.rests.push(rest);
            rule.weights.push(weight);
            rule.weights_by_rest.push(weight / rest);
        }
        rule
    }
}

/// The Legendre polynomial of a degree from 1 on, and its derivative.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=degree {
        let k = k as f64;
        let next = ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k;
        before = value;
        value = next;
    }
    let derivative = degree as f64 * (x * value - before) / (x * x - 1.0);
    (value, derivative)
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for count in [1, 2, 3, 7, 20, 128] {
            let rule = Rule::new(count);
            for degree in 0..2 * count {
                let terms = rule.points.iter().zip(&rule.weights);
                let degree = i32::try_from(degree).unwrap();
                let sum: f64 = terms.map(|(t, weight)| weight * t.powi(degree)).sum();
                let exact = 1.0 / f64::from(degree + 1);
                assert!((sum - exact).abs() < 1e-14, "{count} points, degree {degree}: {sum}");
            }
        }
    }
}
