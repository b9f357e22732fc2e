//! Sorting numbers by bit patterns that order like them.
//!
//! Eleven bits at a time, the least significant first, but only over the 44 highest bits that differ: with
//! four passes continuous values are in order already, up to a few neighbours that share all those bits.
//! Those are put in order by comparing.

/// Below this size comparing is faster than counting digits.
const COMPARED_MAX: usize = 2048;
/// Bits of a digit: its 2048 counters stay in the cache.
const DIGIT: u32 = 11;
/// Digits that are sorted by.
const PASSES_MAX: u32 = 4;

/// A bit pattern whose order as an unsigned number is the order of the values.
trait Key: Copy + Ord + Default {
    fn bits(self) -> u64;
}

impl Key for u64 {
    fn bits(self) -> u64 {
        self
    }
}

impl Key for u32 {
    fn bits(self) -> u64 {
        u64::from(self)
    }
}

const SIGN_64: u64 = 1 << 63;
const SIGN_32: u32 = 1 << 31;

/// Sorts numbers that are not NaN.
pub(crate) fn sort_f64(values: Vec<f64>) -> Vec<f64> {
    if values.is_sorted() {
        return values;
    }
    // Positive numbers order like their bits once the sign is on top; negative ones the other way round.
    let keys = values.into_iter().map(|value| {
        let bits = value.to_bits();
        if bits & SIGN_64 == 0 { bits | SIGN_64 } else { !bits }
    });
    sort(keys.collect())
        .into_iter()
        .map(|key| f64::from_bits(if key & SIGN_64 == 0 { !key } else { key ^ SIGN_64 }))
        .collect()
}

/// Sorts numbers that are not NaN.
pub(crate) fn sort_f32(values: Vec<f32>) -> Vec<f32> {
    if values.is_sorted() {
        return values;
    }
    let keys = values.into_iter().map(|value| {
        let bits = value.to_bits();
        if bits & SIGN_32 == 0 { bits | SIGN_32 } else { !bits }
    });
    sort(keys.collect())
        .into_iter()
        .map(|key| f32::from_bits(if key & SIGN_32 == 0 { !key } else { key ^ SIGN_32 }))
        .collect()
}

pub(crate) fn sort_i64(values: Vec<i64>) -> Vec<i64> {
    if values.is_sorted() {
        return values;
    }
    let keys = values.into_iter().map(|value| value.cast_unsigned() ^ SIGN_64);
    sort(keys.collect()).into_iter().map(|key| (key ^ SIGN_64).cast_signed()).collect()
}

pub(crate) fn sort_u64(values: Vec<u64>) -> Vec<u64> {
    sort(values)
}

fn sort<K: Key>(mut keys: Vec<K>) -> Vec<K> {
    if keys.len() < COMPARED_MAX || u32::try_from(keys.len()).is_err() {
        keys.sort_unstable();
        return keys;
    }
    let first = keys[0].bits();
    let differing = keys.iter().fold(0, |differing, key| differing | (key.bits() ^ first));
    let bits = u64::BITS - differing.leading_zeros();
    let passes = bits.div_ceil(DIGIT).min(PASSES_MAX);
    let ignored = bits.saturating_sub(passes * DIGIT);
    let digit = |key: K, pass: u32| {
        ((key.bits() >> (ignored + pass * DIGIT)) & ((1 << DIGIT) - 1)) as usize
    };
    let mut counts = vec![[0_u32; 1 << DIGIT]; passes as usize];
    for key in &keys {
        for (pass, counts) in (0..passes).zip(&mut counts) {
            counts[digit(*key, pass)] += 1;
        }
    }
    let mut sorted = vec![K::default(); keys.len()];
    for (pass, places) in (0..passes).zip(&mut counts) {
        let mut below = 0;
        for place in places.iter_mut() {
            let count = *place;
            *place = below;
            below += count;
        }
        for key in &keys {
            let place = &mut places[digit(*key, pass)];
            sorted[*place as usize] = *key;
            *place += 1;
        }
        std::mem::swap(&mut keys, &mut sorted);
    }
    if ignored > 0 {
        for run in keys.chunk_by_mut(|a, b| a.bits() >> ignored == b.bits() >> ignored) {
            if !run.is_sorted() {
                run.sort_unstable();
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Repeats a short list with small changes until it is long enough for the byte sort.
    fn stretched<T: Copy>(short: &[T], change: impl Fn(T, usize) -> T) -> Vec<T> {
        (0..COMPARED_MAX + 500).map(|index| change(short[index * 7 % short.len()], index)).collect()
    }

    #[test]
    fn values_that_differ_only_in_their_last_bits_are_in_order() {
        let near = |i: u32| 1.0 + f64::from(i.wrapping_mul(7919) % 5000) * f64::EPSILON;
        let values: Vec<f64> = (0..5000).map(near).chain([-1e300, 1e300, 0.0]).collect();
        let mut expected = values.clone();
        expected.sort_by(f64::total_cmp);
        assert_eq!(sort_f64(values), expected);
        assert_eq!(sort_u64(vec![7; 5000]), vec![7; 5000]);
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_comparing(short in prop::collection::vec(any::<f64>().prop_filter("nan", |x| !x.is_nan()), 1..40)) {
            let values = stretched(&short, |value, index| value + (index % 13) as f64);
            let mut expected = values.clone();
            expected.sort_by(f64::total_cmp);
            prop_assert_eq!(sort_f64(values.clone()).iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
            let singles: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            let mut expected = singles.clone();
            expected.sort_by(f32::total_cmp);
            prop_assert_eq!(sort_f32(singles), expected);
        }

        #[test]
        fn integers_too(short in prop::collection::vec(any::<i64>(), 1..40)) {
            let values = stretched(&short, |value, index| value.wrapping_add(index as i64));
            let mut expected = values.clone();
            expected.sort_unstable();
            prop_assert_eq!(sort_i64(values), expected);
        }
    }
}
