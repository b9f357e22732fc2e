//! Chance that comes out the same in every process: which side a request goes to must outlive a restart of
//! the gateway, and what is sampled must not cost a system call.

/// A number that looks like chance, from one that does not: the last step of SplitMix64 (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The hash of some bytes (FNV-1a, then mixed: its high bits are weak).
pub(super) fn hash(salt: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ salt;
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mixed(bytes.iter().fold(start, step))
}

/// Whether a random number is within a share of all.
pub(super) fn is_within(random: u64, share: f64) -> bool {
    ((random >> 11) as f64) < share * (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_out() {
        for share in [0.05, 0.25, 0.9] {
            let by_number = (0..10_000).filter(|number| is_within(mixed(*number), share)).count();
            let by_text = (0..10_000)
                .filter(|number| is_within(hash(7, format!("user-{number}").as_bytes()), share))
                .count();
            for count in [by_number, by_text] {
                // Five standard deviations.
                let bound = 5.0 * (10_000.0 * share * (1.0 - share)).sqrt();
                assert!((count as f64 - 10_000.0 * share).abs() < bound, "{count} at {share}");
            }
        }
        assert_ne!(hash(1, b"a"), hash(2, b"a"));
    }
}
