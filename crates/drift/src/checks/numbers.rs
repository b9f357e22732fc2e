//! Numbers in messages: short, but precise enough to be true.

/// Significant digits that are enough for most; more are written where numbers would look alike.
const DIGITS_MIN: usize = 6;
/// Digits that tell any two doubles apart.
const DIGITS_MAX: usize = 17;
/// Whole numbers below this are written whole: a double holds all of their digits.
const WHOLE_MAX: f64 = 1e15;

/// The numbers with as many digits as it takes to see which of them differ.
pub(super) fn distinguished<const N: usize>(values: [f64; N]) -> [String; N] {
    let mut digits = DIGITS_MIN;
    loop {
        let texts = values.map(|value| text(value, digits));
        let alike = |i: usize, j: usize| values[i] != values[j] && texts[i] == texts[j];
        if digits >= DIGITS_MAX || !(0..N).any(|i| (0..i).any(|j| alike(i, j))) {
            return texts;
        }
        digits += 1;
    }
}

/// A number with so many significant digits; a whole one with all.
fn text(value: f64, digits: usize) -> String {
    if value.fract() == 0.0 && value.abs() < WHOLE_MAX {
        return value.to_string();
    }
    let rounded: f64 = format!("{value:.0$e}", digits - 1).parse().unwrap_or(value);
    if rounded != 0.0 && !(1e-5..WHOLE_MAX).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

/// A share; what is not all or nothing is not written as that.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 {
        "under 0.1 %".to_owned()
    } else if percent > 99.9 && percent < 100.0 {
        "over 99.9 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ_look_different() {
        assert_eq!(distinguished([0.1, 0.123_456_789]), ["0.1", "0.123457"]);
        assert_eq!(distinguished([0.1, 0.1 + 1e-12]), ["0.1", "0.100000000001"]);
        assert_eq!(distinguished([1_234_567_890.0, 1.5e300]), ["1234567890", "1.5e300"]);
        assert_eq!(distinguished([-0.0, 0.0, f64::NAN]), ["-0", "0", "NaN"]);
        assert_eq!(
            [0.0, 1.0, 0.999_9, 0.999].map(percent),
            ["0.0 %", "100.0 %", "over 99.9 %", "99.9 %"]
        );
    }
}
