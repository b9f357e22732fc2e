//! Sums of many numbers.

/// Neumaier's sum: the rounding of each addition is carried along.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CompensatedSum {
    sum: f64,
    rest: f64,
}

impl CompensatedSum {
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.rest += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    pub(crate) fn value(self) -> f64 {
        // After an overflow the rest is NaN, and the sum alone is what plain addition gives.
        if self.rest.is_finite() { self.sum + self.rest } else { self.sum }
    }
}
