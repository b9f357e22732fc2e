//! What the engine asks of `f32` and `f64`.

use std::fmt::Debug;
use std::ops::AddAssign;

/// The two types that inputs and sums come in.
pub trait Scalar: Copy + PartialOrd + AddAssign + Default + Debug + Send + Sync + 'static {
    /// Larger than or equal to every number.
    const INFINITY: Self;
    /// Compares false with everything.
    const NAN: Self;

    /// Whether this is not a number.
    fn is_nan(self) -> bool;
    /// The nearest value of this type.
    fn nearest(value: f64) -> Self;
    /// The value, exactly.
    fn to_f64(self) -> f64;
    /// The `t` of this type with `x <= t` exactly when `x <= value`, for every `x` of this type.
    fn at_most(value: f64) -> Self;
    /// The `t` of this type with `x <= t` exactly when `x < value`, for every `x` of this type.
    fn below(value: f64) -> Self;
}

impl Scalar for f32 {
    const INFINITY: Self = Self::INFINITY;
    const NAN: Self = Self::NAN;

    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn nearest(value: f64) -> Self {
        value as Self
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn at_most(value: f64) -> Self {
        let nearest = value as Self;
        if f64::from(nearest) > value { nearest.next_down() } else { nearest }
    }

    fn below(value: f64) -> Self {
        let nearest = value as Self;
        if f64::from(nearest) < value {
            nearest
        } else if nearest == Self::NEG_INFINITY {
            Self::NAN // nothing is below: a comparison that is never true
        } else {
            nearest.next_down()
        }
    }
}

impl Scalar for f64 {
    const INFINITY: Self = Self::INFINITY;
    const NAN: Self = Self::NAN;

    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn nearest(value: f64) -> Self {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn at_most(value: f64) -> Self {
        value
    }

    fn below(value: f64) -> Self {
        if value == Self::NEG_INFINITY { Self::NAN } else { value.next_down() }
    }
}

#[cfg(test)]
mod tests {
    use super::Scalar as _;

    #[test]
    fn thresholds_keep_the_meaning_of_the_comparison() {
        let mut interesting: Vec<f64> =
            vec![0.0, -0.0, 0.1, -0.1, 1.0, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY];
        for base in [0.1_f32, 1.0, 16_777_216.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, 0.0] {
            for value in [base, base.next_up(), base.next_down()] {
                let value = f64::from(value);
                interesting.extend([value, value.next_up(), value.next_down(), -value]);
            }
        }
        for &threshold in &interesting {
            for &x in &interesting {
                let x32 = x as f32;
                assert_eq!(
                    x32 <= f32::at_most(threshold),
                    f64::from(x32) <= threshold,
                    "{x32} <= {threshold}"
                );
                assert_eq!(
                    x32 <= f32::below(threshold),
                    f64::from(x32) < threshold,
                    "{x32} < {threshold}"
                );
                assert_eq!(x <= f64::below(threshold), x < threshold, "{x} < {threshold}");
            }
        }
    }
}
