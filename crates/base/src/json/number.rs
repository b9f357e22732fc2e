//! Numbers, read as they are written: which are whole, which overflow, and to the nearest double.

use super::reader::{EXPECTED_COMMA, EXPECTED_VALUE, Reader, Result};

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number<'a> {
    /// Written without point and exponent, and within 64 bits.
    Int(i64),
    /// Written without point and exponent, beyond 64 bits with sign.
    BigInt(&'a str),
    /// Written with a point or an exponent, or one of the three literals.
    Real(f64),
    /// Written with finite digits, but beyond what a double holds (`1e400`).
    Overflow(f64),
}

impl Number<'_> {
    /// The nearest double; infinite when it is beyond.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            // Digits always parse.
            Self::BigInt(text) => text.parse().unwrap_or(f64::NAN),
            Self::Real(value) | Self::Overflow(value) => value,
        }
    }
}

/// 10^0 to 10^22: the powers of ten that a double holds exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

impl<'a> Reader<'a> {
    /// Reads digits into `mantissa` while they fit, and returns how many there were.
    #[inline]
    fn digits(&mut self, mantissa: &mut u64, held: &mut u32) -> u32 {
        let mut count = 0;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            // 19 digits always fit 64 bits.
            if *held < 19 {
                *mantissa = *mantissa * 10 + u64::from(digit - b'0');
                if *mantissa != 0 {
                    *held += 1;
                }
            } else {
                *held = u32::MAX;
            }
            count += 1;
            self.at += 1;
        }
        count
    }

    /// Reads a number, or one of `NaN`, `Infinity`, `-Infinity`.
    #[inline]
    pub fn number(&mut self) -> Result<Number<'a>> {
        self.skip_space();
        let start = self.at;
        let negative = self.byte() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let mut mantissa = 0_u64;
        // Significant digits in `mantissa`; `u32::MAX` once some did not fit.
        let mut held = 0_u32;
        let leading_zero = self.byte() == Some(b'0');
        let whole = self.digits(&mut mantissa, &mut held);
        if whole == 0 {
            return self.number_literal(start, negative);
        }
        if leading_zero && whole > 1 {
            // Python reads the zero, then finds a stray digit.
            self.at = start + usize::from(negative) + 1;
            return self.error(EXPECTED_COMMA);
        }
        let mut integer = true;
        let mut scale = 0_i32;
        if self.byte() == Some(b'.') {
            integer = false;
            self.at += 1;
            let fraction = self.digits(&mut mantissa, &mut held);
            if fraction == 0 {
                return self.error(EXPECTED_VALUE);
            }
            scale = i32::try_from(fraction).map_or(i32::MIN, |fraction| -fraction);
        }
        if let Some(b'e' | b'E') = self.byte() {
            integer = false;
            scale = scale.saturating_add(self.exponent()?);
        }
        if integer {
            return Ok(self.whole(start, negative, mantissa, held));
        }
        // Both operands exact, so one correctly rounded operation gives the nearest double.
        if held <= 19 && mantissa <= 1 << 53 {
            let power = POWERS_OF_TEN.get(scale.unsigned_abs() as usize);
            if let Some(power) = power {
                let value = mantissa as f64;
                let value = if scale < 0 { value / power } else { value * power };
                return Ok(Number::Real(if negative { -value } else { value }));
            }
        }
        let value: f64 = self.since(start).parse().unwrap_or(f64::NAN);
        Ok(if value.is_infinite() { Number::Overflow(value) } else { Number::Real(value) })
    }

    fn whole(&self, start: usize, negative: bool, mantissa: u64, held: u32) -> Number<'a> {
        if held <= 18 {
            // 18 digits always fit, with either sign.
            let value = mantissa as i64;
            return Number::Int(if negative { -value } else { value });
        }
        let text = self.since(start);
        text.parse().map_or(Number::BigInt(text), Number::Int)
    }

    /// `e`, an optional sign and digits; saturates, since what is beyond overflows anyway.
    fn exponent(&mut self) -> Result<i32> {
        self.at += 1;
        let negative = self.byte() == Some(b'-');
        if negative || self.byte() == Some(b'+') {
            self.at += 1;
        }
        let mut value = 0_i32;
        let first = self.at;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            value = value.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
            self.at += 1;
        }
        if self.at == first {
            return self.error(EXPECTED_VALUE);
        }
        Ok(if negative { -value } else { value })
    }

    fn number_literal(&mut self, start: usize, negative: bool) -> Result<Number<'a>> {
        if self.literal("Infinity") {
            return Ok(Number::Real(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        if !negative && self.literal("NaN") {
            return Ok(Number::Real(f64::NAN));
        }
        self.at = start;
        self.error(EXPECTED_VALUE)
    }
}
