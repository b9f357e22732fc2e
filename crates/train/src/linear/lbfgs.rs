//! Limited-memory BFGS with a strong-Wolfe line search (Nocedal and Wright, *Numerical
//! Optimization*, algorithms 7.4, 7.5, 3.5 and 3.6).

use std::collections::VecDeque;

/// Corrections kept, as scipy's `L-BFGS-B` does by default.
const MEMORY: usize = 10;
/// Evaluations one line search may take, as scikit-learn allows.
const LINE_SEARCH_MAX: usize = 50;
const SUFFICIENT_DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Relative progress below which the objective counts as flat: scikit-learn's `ftol`.
const FLAT: f64 = 64.0 * f64::EPSILON;
/// Flat steps in a row after which the search is over. scikit-learn stops at the first, but on a
/// long valley the gradient still falls by powers of ten after it.
const FLAT_STEPS_MAX: usize = 10;
/// Rounding of the objective relative to its size: differences below it say nothing, the slope
/// decides then.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Where the search ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Minimum {
    pub(crate) point: Vec<f64>,
    pub(crate) iterations: usize,
    pub(crate) converged: bool,
}

/// Minimises a smooth function from `start`. `evaluate` writes the gradient and returns the value;
/// `is_minimum` decides by the gradient whether a point is good enough.
pub(crate) fn minimise(
    start: Vec<f64>,
    iterations_max: usize,
    evaluate: &mut dyn FnMut(&[f64], &mut [f64]) -> f64,
    is_minimum: &dyn Fn(&[f64]) -> bool,
) -> Minimum {
    let size = start.len();
    let mut point = start;
    let mut gradient = vec![0.0; size];
    let mut value = evaluate(&point, &mut gradient);
    let mut corrections: VecDeque<Correction> = VecDeque::with_capacity(MEMORY);
    let mut flat_steps = 0;
    for iteration in 0..iterations_max {
        if is_minimum(&gradient) {
            return Minimum { point, iterations: iteration, converged: true };
        }
        let mut direction = descent(&gradient, &corrections);
        if dot(&direction, &gradient) >= 0.0 {
            // The memory no longer describes the function here: start again downhill.
            corrections.clear();
            direction = gradient.iter().map(|slope| -slope).collect();
        }
        let first = if corrections.is_empty() {
            (1.0 / dot(&gradient, &gradient).sqrt()).min(1.0)
        } else {
            1.0
        };
        let mut line = Line { point: &point, direction: &direction, evaluate };
        let Some(step) = line.search(value, &gradient, first) else {
            // No better point can be told apart: rounding is all that is left.
            return Minimum { point, iterations: iteration, converged: is_minimum(&gradient) };
        };
        let movement: Vec<f64> = direction.iter().map(|d| d * step.length).collect();
        let change: Vec<f64> =
            step.gradient.iter().zip(&gradient).map(|(new, old)| new - old).collect();
        let curvature = dot(&movement, &change);
        if curvature > f64::EPSILON * dot(&change, &change) {
            if corrections.len() == MEMORY {
                corrections.pop_front();
            }
            corrections.push_back(Correction { movement, change, curvature });
        }
        let progress = (value - step.value) / value.abs().max(step.value.abs()).max(1.0);
        point = step.point;
        gradient = step.gradient;
        value = step.value;
        flat_steps = if progress <= FLAT { flat_steps + 1 } else { 0 };
        if flat_steps == FLAT_STEPS_MAX {
            return Minimum { point, iterations: iteration + 1, converged: true };
        }
    }
    let converged = is_minimum(&gradient);
    Minimum { point, iterations: iterations_max, converged }
}

struct Correction {
    movement: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// The two-loop recursion: minus the inverse Hessian times the gradient.
fn descent(gradient: &[f64], corrections: &VecDeque<Correction>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut alphas = Vec::with_capacity(corrections.len());
    for correction in corrections.iter().rev() {
        let alpha = dot(&correction.movement, &direction) / correction.curvature;
        add(&mut direction, -alpha, &correction.change);
        alphas.push(alpha);
    }
    if let Some(last) = corrections.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        for component in &mut direction {
            *component *= scale;
        }
    }
    for (correction, alpha) in corrections.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(&correction.change, &direction) / correction.curvature;
        add(&mut direction, alpha - beta, &correction.movement);
    }
    direction
}

struct Line<'a> {
    point: &'a [f64],
    direction: &'a [f64],
    evaluate: &'a mut dyn FnMut(&[f64], &mut [f64]) -> f64,
}

/// A point on the line.
#[derive(Clone)]
struct Step {
    length: f64,
    value: f64,
    slope: f64,
    point: Vec<f64>,
    gradient: Vec<f64>,
}

impl Line<'_> {
    fn at(&mut self, length: f64) -> Step {
        let point: Vec<f64> =
            self.point.iter().zip(self.direction).map(|(x, d)| x + length * d).collect();
        let mut gradient = vec![0.0; point.len()];
        let value = (self.evaluate)(&point, &mut gradient);
        Step { length, value, slope: dot(&gradient, self.direction), point, gradient }
    }

    /// A step that fulfils the strong Wolfe conditions, or at least lowers the value; none if there
    /// is no such step.
    fn search(&mut self, value: f64, gradient: &[f64], first: f64) -> Option<Step> {
        let start = Step {
            length: 0.0,
            value,
            slope: dot(gradient, self.direction),
            point: Vec::new(),
            gradient: Vec::new(),
        };
        let mut previous = start.clone();
        let mut length = first;
        for tried in 0..LINE_SEARCH_MAX {
            let step = self.at(length);
            let noise = ROUNDING * value.abs();
            let limit = value + SUFFICIENT_DECREASE * length * start.slope + noise;
            let too_high = step.value.is_nan() || step.value > limit;
            if too_high || (tried > 0 && step.value >= previous.value + noise) {
                return self.zoom(&start, previous, step, LINE_SEARCH_MAX - tried);
            }
            if step.slope.abs() <= -CURVATURE * start.slope {
                return Some(step);
            }
            if step.slope >= 0.0 {
                return self.zoom(&start, step, previous, LINE_SEARCH_MAX - tried);
            }
            length *= 2.0;
            previous = step;
        }
        (previous.length > 0.0).then_some(previous)
    }

    /// Narrows an interval that holds a good step; `low` is its better end.
    fn zoom(&mut self, start: &Step, low: Step, high: Step, tries: usize) -> Option<Step> {
        let (mut low, mut high) = (low, high);
        for _ in 0..tries {
            let length = interpolate(&low, &high);
            if !(length - low.length).abs().is_normal() {
                break;
            }
            let step = self.at(length);
            let noise = ROUNDING * start.value.abs();
            let limit = start.value + SUFFICIENT_DECREASE * length * start.slope + noise;
            if step.value.is_nan() || step.value > limit || step.value >= low.value + noise {
                high = step;
            } else {
                if step.slope.abs() <= -CURVATURE * start.slope {
                    return Some(step);
                }
                if step.slope * (high.length - low.length) >= 0.0 {
                    high = std::mem::replace(&mut low, step);
                } else {
                    low = step;
                }
            }
        }
        (low.length > 0.0 && low.value < start.value).then_some(low)
    }
}

/// Minimum of the cubic through both ends, kept away from them; the middle if there is none.
fn interpolate(low: &Step, high: &Step) -> f64 {
    let width = high.length - low.length;
    let middle = low.length + width / 2.0;
    let theta = low.slope + high.slope - 3.0 * (high.value - low.value) / width;
    let square = theta * theta - low.slope * high.slope;
    if square.is_nan() || square < 0.0 {
        return middle;
    }
    let root = square.sqrt() * width.signum();
    let minimum =
        high.length - width * (high.slope + root - theta) / (high.slope - low.slope + 2.0 * root);
    let margin = 0.1 * width.abs();
    let (from, to) =
        if width > 0.0 { (low.length, high.length) } else { (high.length, low.length) };
    if minimum > from + margin && minimum < to - margin { minimum } else { middle }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn add(target: &mut [f64], factor: f64, other: &[f64]) {
    for (x, y) in target.iter_mut().zip(other) {
        *x += factor * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_valley_of_rosenbrock() {
        let mut rosenbrock = |x: &[f64], gradient: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            gradient[0] = -2.0 * a - 400.0 * x[0] * b;
            gradient[1] = 200.0 * b;
            a * a + 100.0 * b * b
        };
        let small = |gradient: &[f64]| gradient.iter().all(|slope| slope.abs() < 1e-9);
        let minimum = minimise(vec![-1.2, 1.0], 200, &mut rosenbrock, &small);
        assert!(minimum.converged, "{minimum:?}");
        assert!(minimum.point.iter().all(|x| (x - 1.0).abs() < 1e-8), "{minimum:?}");
        assert!(minimum.iterations < 60, "{minimum:?}");
    }
}
