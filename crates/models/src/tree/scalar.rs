//! What the engine asks of `f32` and `f64`.

use std::fmt::Debug;
use std::ops::AddAssign;

/// The two types that inputs and sums come in.
pub trait Scalar: Copy + PartialOrd + AddAssign + Default + Debug + Send + Sync + 'static {
    /// An unsigned integer of the same size, which is compared at once: a comparison of floats waits
    /// several cycles for its flags.
    type Key: Copy + Ord + Default + Debug + Send + Sync + 'static;

    /// The key of what is missing, above that of every number.
    const MISSING: Self::Key;
    /// Larger than or equal to every number.
    const INFINITY: Self;
    /// Compares false with everything.
    const NAN: Self;

    /// Numbers have the order of their keys, with one key for both zeros and none that is zero.
    fn key(self) -> Self::Key;
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

/// What both types do bit by bit.
macro_rules! keys {
    ($key:ty) => {
        type Key = $key;

        const MISSING: $key = <$key>::MAX;
        const INFINITY: Self = Self::INFINITY;
        const NAN: Self = Self::NAN;

        #[inline]
        fn key(self) -> $key {
            const SIGN: $key = 1 << (<$key>::BITS - 1);
            let bits = (self + 0.0).to_bits(); // of -0.0 this is 0.0
            let key = if bits & SIGN == 0 { bits | SIGN } else { !bits };
            if self.is_nan() { Self::MISSING } else { key }
        }

        fn is_nan(self) -> bool {
            self.is_nan()
        }
    };
}

impl Scalar for f32 {
    keys!(u32);

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
    keys!(u64);

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
    use super::Scalar;

    fn keys_keep_the_order<X: Scalar>(ascending: &[X]) {
        for (low, a) in ascending.iter().enumerate() {
            assert!(a.key() > X::Key::default() && a.key() < X::MISSING, "{a:?}");
            for b in &ascending[low..] {
                assert_eq!(a.key().cmp(&b.key()), a.partial_cmp(b).unwrap(), "{a:?} {b:?}");
            }
        }
        assert_eq!(X::NAN.key(), X::MISSING);
    }

    #[test]
    fn keys_have_the_order_of_numbers() {
        let (least, most) = (f32::from_bits(1), f32::MAX);
        let up = [0.0, least, f32::MIN_POSITIVE, 0.1, 1.0, most, f32::INFINITY];
        let down: Vec<f32> = up.iter().rev().map(|x| -x).collect();
        keys_keep_the_order(&[down.as_slice(), &up].concat());
        let up =
            [0.0, f64::from_bits(1), f64::from(least), 0.1, f64::from(most), 1e300, f64::INFINITY];
        let down: Vec<f64> = up.iter().rev().map(|x| -x).collect();
        keys_keep_the_order(&[down.as_slice(), &up].concat());
        assert_eq!((-f64::NAN).key(), u64::MAX);
        assert_eq!((-f32::NAN).key(), u32::MAX);
    }

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
