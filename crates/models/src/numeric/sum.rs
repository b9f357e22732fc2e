//! Sums as NumPy adds them up: by halves, so that what is rounded stays little.

/// Up to so many numbers are added in one go, eight sums beside each other.
const BLOCK: usize = 128;

/// The sum of the numbers in NumPy's order; `round` is done to what each addition gives.
pub(crate) fn sum(values: &[f64], round: impl Fn(f64) -> f64 + Copy) -> f64 {
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % 8);
        return round(sum(first, round) + sum(second, round));
    }
    let add = |sum: f64, x: &f64| round(sum + x);
    let (eights, rest) = values.as_chunks::<8>();
    let Some((first, more)) = eights.split_first() else {
        return rest.iter().fold(0.0, add);
    };
    let mut sums = *first;
    for eight in more {
        for (sum, x) in sums.iter_mut().zip(eight) {
            *sum = add(*sum, x);
        }
    }
    let [one, two, three, four, five, six, seven, eight] = sums;
    let low = round(round(one + two) + round(three + four));
    let high = round(round(five + six) + round(seven + eight));
    rest.iter().fold(round(low + high), add)
}

#[cfg(test)]
mod tests {
    use super::sum;

    /// What NumPy 2.4 gives for `numpy.sum(1 / numpy.arange(1, n + 1))`; one after the other they give something else.
    #[test]
    fn numbers_are_added_as_numpy_does() {
        let harmonic = |n: usize| (1..=n).map(|x| 1.0 / x as f64).collect::<Vec<f64>>();
        for (n, expected) in [
            (1, 1.0),
            (7, 2.5928571428571425),
            (8, 2.7178571428571425),
            (100, 5.187377517639621),
            (128, 5.433147092589173),
            (129, 5.440899030573669),
            (1000, 7.485470860550345),
            (5003, 9.095108613096379),
        ] {
            assert_eq!(sum(&harmonic(n), |x| x).to_bits(), f64::to_bits(expected), "{n}");
        }
        assert_eq!(sum(&[], |x| x), 0.0);
    }
}
