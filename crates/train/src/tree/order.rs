//! Values in their order: keys that sort as values do, packed with the rows that they are of.

/// An integer that orders as the value does.
pub(super) fn sortable(value: f32) -> u32 {
    // `+ 0.0` makes -0.0 equal to 0.0.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 }
}

/// The value of a packed pair.
pub(super) fn value_of(packed: u64) -> f32 {
    let key = (packed >> 32) as u32;
    f32::from_bits(if key >> 31 == 1 { key & 0x7fff_ffff } else { !key })
}

/// Below this many rows a comparison sort is faster than passes over digit counts.
const RADIX_ROWS_MIN: usize = 1_500;
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Sorts by the upper 32 bits.
pub(super) fn sort_packed(items: &mut Vec<u64>, scratch: &mut Vec<u64>) {
    if items.len() < RADIX_ROWS_MIN {
        items.sort_unstable();
        return;
    }
    scratch.resize(items.len(), 0);
    for pass in 0..3 {
        let shift = 32 + pass * DIGIT_BITS;
        let mut starts = [0_u32; DIGITS];
        for item in items.iter() {
            starts[(item >> shift) as usize & (DIGITS - 1)] += 1;
        }
        let mut next = 0;
        for start in &mut starts {
            next += std::mem::replace(start, next);
        }
        for &item in items.iter() {
            let slot = &mut starts[(item >> shift) as usize & (DIGITS - 1)];
            scratch[*slot as usize] = item;
            *slot += 1;
        }
        std::mem::swap(items, scratch);
    }
}

#[cfg(test)]
mod tests {
    use trainyard_base::random::FastRandom;

    use super::*;

    #[test]
    fn both_sorts_agree() {
        let mut random = FastRandom::new(3, 0);
        let values: Vec<f32> =
            (0..5_000).map(|_| (random.below(2_000) as f32 - 1_000.0) * 0.37).collect();
        let pack = |(row, &value): (usize, &f32)| u64::from(sortable(value)) << 32 | row as u64;
        let mut packed: Vec<u64> = values.iter().enumerate().map(pack).collect();
        let mut expected = packed.clone();
        expected.sort_unstable();
        sort_packed(&mut packed, &mut Vec::new());
        assert_eq!(packed, expected);
        assert!(packed.iter().map(|&item| value_of(item)).is_sorted());
        assert_eq!(sortable(-0.0), sortable(0.0));
    }
}
