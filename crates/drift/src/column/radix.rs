//! Sorting numbers by the bytes of bit patterns that order like them.
//!
//! Least significant byte first: every pass is stable, so after the last byte everything is in order.
//! A byte that all values share costs nothing, which makes rounded and small numbers cheap.

/// Below this size comparing is faster than counting bytes.
const SMALL: usize = 2048;

/// A bit pattern whose order as an unsigned number is the order of the values.
trait Key: Copy + Ord + Default {
    const BYTES: usize;
    fn byte(self, index: usize) -> usize;
}

impl Key for u64 {
    const BYTES: usize = 8;
    fn byte(self, index: usize) -> usize {
        usize::from((self >> (8 * index)) as u8)
    }
}

impl Key for u32 {
    const BYTES: usize = 4;
    fn byte(self, index: usize) -> usize {
        usize::from((self >> (8 * index)) as u8)
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
    sort(keys.collect()).into_iter().map(|key| f64::from_bits(if key & SIGN_64 == 0 { !key } else { key ^ SIGN_64 })).collect()
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
    sort(keys.collect()).into_iter().map(|key| f32::from_bits(if key & SIGN_32 == 0 { !key } else { key ^ SIGN_32 })).collect()
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
    if keys.len() < SMALL || u32::try_from(keys.len()).is_err() {
        keys.sort_unstable();
        return keys;
    }
    let mut counts = vec![[0_u32; 256]; K::BYTES];
    for key in &keys {
        for (index, counts) in counts.iter_mut().enumerate() {
            counts[key.byte(index)] += 1;
        }
    }
    let mut sorted = vec![K::default(); keys.len()];
    for (index, counts) in counts.iter().enumerate() {
        let shared = counts.iter().any(|count| *count as usize == keys.len());
        if shared {
            continue;
        }
        let mut places = [0_u32; 256];
        let mut below = 0;
        for (place, count) in places.iter_mut().zip(counts) {
            *place = below;
            below += count;
        }
        for key in &keys {
            let place = &mut places[key.byte(index)];
            sorted[*place as usize] = *key;
            *place += 1;
        }
        std::mem::swap(&mut keys, &mut sorted);
    }
    keys
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Repeats a short list with small changes until it is long enough for the byte sort.
    fn stretched<T: Copy>(short: &[T], change: impl Fn(T, usize) -> T) -> Vec<T> {
        (0..SMALL + 500).map(|index| change(short[index * 7 % short.len()], index)).collect()
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
