//! Numbers as people read them.

/// About four significant digits, without trailing zeros: `0.04158`, `1250`, `3.2e-7`.
///
/// ```
/// assert_eq!(trainyard_chart::short(0.041_586_078), "0.04159");
/// ```
pub fn short(value: f64) -> String {
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs();
    let text = if (1e-4..1e7).contains(&magnitude) {
        let digits = (3 - magnitude.log10().floor() as i32).clamp(0, 8) as usize;
        trimmed(format!("{value:.digits$}"))
    } else {
        format!("{value:.2e}")
    };
    signed(&text)
}

/// For text beside a single point: whole numbers whole, what is short with about four significant digits, huge
/// and tiny ones with six.
pub(crate) fn full(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < WHOLE_MAX {
        // Zero has no sign.
        return signed(&format!("{:.0}", value + 0.0));
    }
    if !size.is_finite() || (1e-4..PLAIN_MAX).contains(&size) {
        return short(value);
    }
    let text = format!("{value:.5e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    signed(&format!("{}e{exponent}", trimmed(digits.to_owned())))
}

/// Whole numbers below this are written whole: a double holds all of their digits.
const WHOLE_MAX: f64 = 1e15;

/// From this size on, and below its inverse, ticks are written with an exponent.
const PLAIN_MAX: f64 = 1e7;

/// A multiple of `step` with the digits that tell it from its neighbours; `largest` is the largest of
/// them. What is not far from 1 has no exponent.
pub(crate) fn at_step(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = |value: f64| value.abs().log10().floor() as i32;
    if !(1.0 / PLAIN_MAX..PLAIN_MAX).contains(&largest) {
        let digits = (exponent(value) - exponent(step)).clamp(0, 16) as usize;
        return signed(&format!("{value:.digits$e}"));
    }
    let digits = (-exponent(step)).clamp(0, 16) as usize;
    signed(&trimmed(format!("{value:.digits$}")))
}

/// Without zeros at the end of a fraction.
fn trimmed(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// With a minus sign that is as wide as a plus.
fn signed(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.041_586_078, "0.04159"),
            (1250.0, "1250"),
            (0.1, "0.1"),
            (-2.5, "−2.5"),
            (3.2e-7, "3.20e-7"),
            (123_456.7, "123457"),
            (0.0, "0"),
            (1e300, "1.00e300"),
            (99.995, "100"),
            (f64::INFINITY, "∞"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_point_is_told_from_its_neighbours() {
        for (value, text) in [
            (12_345_678.0, "12345678"),
            (-12_345_678.9, "−1.23457e7"),
            (1e300, "1e300"),
            (3.21e-7, "3.21e-7"),
            (0.041_586_078, "0.04159"),
            (0.0, "0"),
            (f64::NAN, "not a number"),
        ] {
            assert_eq!(full(value), text);
        }
    }
}
