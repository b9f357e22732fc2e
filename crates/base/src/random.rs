//! Random numbers that are the same on every machine, in every version and with every number of
//! threads: a seed in a project file must mean the same model next year.
//!
//! Two generators: numpy's legacy Mersenne Twister, so that a holdout equals the one that
//! scikit-learn's `train_test_split(random_state=seed)` makes, and xoshiro256** for the forests,
//! which need many numbers quickly.

const MT_STATE_LENGTH: usize = 624;
const MT_SHIFT: usize = 397;

/// `numpy.random.RandomState(seed)`: MT19937 with numpy's legacy seeding and shuffling.
#[derive(Debug, Clone)]
pub struct NumpyRandom {
    key: Vec<u32>,
    position: usize,
}

impl NumpyRandom {
    pub fn new(seed: u32) -> Self {
        let mut key = Vec::with_capacity(MT_STATE_LENGTH);
        let mut word = seed;
        for position in 1..=MT_STATE_LENGTH as u32 {
            key.push(word);
            word = 1_812_433_253_u32.wrapping_mul(word ^ (word >> 30)).wrapping_add(position);
        }
        Self { key, position: MT_STATE_LENGTH }
    }

    fn refill(&mut self) {
        for index in 0..MT_STATE_LENGTH {
            let upper = self.key[index] & 0x8000_0000;
            let lower = self.key[(index + 1) % MT_STATE_LENGTH] & 0x7fff_ffff;
            let mixed = upper | lower;
            let twist = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.key[index] = self.key[(index + MT_SHIFT) % MT_STATE_LENGTH] ^ (mixed >> 1) ^ twist;
        }
        self.position = 0;
    }

    fn next_u32(&mut self) -> u32 {
        if self.position == MT_STATE_LENGTH {
            self.refill();
        }
        let mut word = self.key[self.position];
        self.position += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Uniform in `0..=max` by masked rejection, as numpy's `random_interval`.
    fn interval(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let value = self.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// `RandomState.shuffle` of a one-dimensional array.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.interval(last as u32) as usize;
            items.swap(other, last);
        }
    }

    /// `RandomState.permutation(n)`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..n).collect();
        self.shuffle(&mut items);
        items
    }
}

/// xoshiro256** by Blackman and Vigna, seeded with splitmix64.
#[derive(Debug, Clone)]
pub struct FastRandom {
    state: [u64; 4],
}

impl FastRandom {
    /// An independent stream for each pair of seed and stream number.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut word = seed ^ stream.wrapping_add(1).wrapping_mul(0xd134_2543_de82_ef95);
        let mut next = || {
            word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = word;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        Self { state: [next(), next(), next(), next()] }
    }

    fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// Uniform in `0..bound` (Lemire's multiply and reject); 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            let low = wide as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound.max(1) {
                return (wide >> 64) as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mersenne_twister_is_numpys() {
        // numpy.random.RandomState(42).permutation(10) and (0).permutation(5)
        assert_eq!(NumpyRandom::new(42).permutation(10), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
        assert_eq!(NumpyRandom::new(0).permutation(5), [2, 0, 1, 3, 4]);
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut random = FastRandom::new(7, 0);
        let mut seen = [0_usize; 5];
        for _ in 0..1_000 {
            seen[random.below(5)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 120), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn streams_differ() {
        let a = FastRandom::new(1, 0).next_u64();
        let b = FastRandom::new(1, 1).next_u64();
        let c = FastRandom::new(2, 0).next_u64();
        assert!(a != b && b != c && a != c);
    }
}
