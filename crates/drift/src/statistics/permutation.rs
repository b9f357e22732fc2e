//! Permutation tests: total variation distance and maximum mean discrepancy.

use super::counts::Frequency;

/// Regroupings of the total variation test.
const TVD_PERMUTATIONS: u32 = 1000;
/// More values than this would take longer than anybody waits.
const TVD_MAX: usize = 2_000_000;
/// Regroupings of the maximum mean discrepancy test.
const MMD_PERMUTATIONS: u32 = 100;
/// The kernel matrix of this many values takes 200 MB.
const MMD_MAX: usize = 5000;

/// The share of 1000 regroupings whose total variation distance is at least the observed one.
///
/// `codes` are the values of the reference, then of current, in row order, as indices of `counts`.
/// Distances are compared as whole numbers, so that equal ones count as equal.
pub(crate) fn total_variation(
    counts: &[Frequency],
    codes: &[u32],
    reference_len: usize,
    seed: u32,
) -> Result<f64, String> {
    if codes.len() > TVD_MAX {
        return Err(format!(
            "TVD regroups all values a thousand times: {} are too many (at most {TVD_MAX}); use jensenshannon",
            codes.len()
        ));
    }
    let (n1, n2) = (reference_len as i64, (codes.len() - reference_len) as i64);
    let totals: Vec<i64> =
        counts.iter().map(|count| (count.reference + count.current) as i64).collect();
    let distance = |reference: &[i64]| -> i64 {
        reference
            .iter()
            .zip(&totals)
            .map(|(before, total)| (before * n2 - (total - before) * n1).abs())
            .sum()
    };
    let observed: Vec<i64> = counts.iter().map(|count| count.reference as i64).collect();
    let observed = distance(&observed);
    let mut random = MersenneTwister::new(seed);
    let mut order: Vec<u32> = Vec::new();
    let mut grouped = vec![0; totals.len()];
    let mut hits = 0;
    for _ in 0..TVD_PERMUTATIONS {
        random.permutation(codes.len(), &mut order);
        grouped.fill(0);
        for row in order.iter().take(reference_len) {
            grouped[codes[*row as usize] as usize] += 1;
        }
        hits += u32::from(observed <= distance(&grouped));
    }
    Ok(f64::from(hits) / f64::from(TVD_PERMUTATIONS))
}

/// The share of 100 regroupings whose maximum mean discrepancy is at least the observed one. The kernel is
/// exp(−(a − b)² / 2σ²) with σ² half the median squared distance within the reference.
///
/// `values` are those of the reference, then of current, in row order.
pub(crate) fn maximum_mean_discrepancy(
    values: &[f64],
    reference_len: usize,
    seed: u32,
) -> Result<f64, String> {
    let size = values.len();
    if size > MMD_MAX {
        return Err(format!(
            "empirical_mmd compares all pairs: {size} values are too many (at most {MMD_MAX}); use wasserstein"
        ));
    }
    if reference_len < 2 || size - reference_len < 2 {
        return Err("empirical_mmd needs at least two values on each side".to_owned());
    }
    let variance = kernel_variance(values.get(..reference_len).unwrap_or_default());
    let mut kernel = vec![0.0; size * size];
    let mut row_sums = vec![0.0; size];
    for i in 0..size {
        for j in 0..size {
            if i != j {
                // Written as numpy code expands it, for equal rounding.
                let square =
                    values[j] * values[j] - 2.0 * (values[i] * values[j]) + values[i] * values[i];
                kernel[i * size + j] = (-square / (2.0 * variance)).exp();
            }
        }
        row_sums[i] = kernel[i * size..(i + 1) * size].iter().sum();
    }
    let total: f64 = row_sums.iter().sum();
    let statistic = |order: &[u32]| {
        let first = order.get(..reference_len).unwrap_or_default();
        let (mut within, mut rows) = (0.0, 0.0);
        for row in first {
            let line = &kernel[*row as usize * size..(*row as usize + 1) * size];
            within += first.iter().map(|column| line[*column as usize]).sum::<f64>();
            rows += row_sums[*row as usize];
        }
        let across = rows - within;
        let other = total - within - 2.0 * across;
        let (n, m) = (reference_len as f64, (size - reference_len) as f64);
        within / (n * (n - 1.0)) + other / (m * (m - 1.0)) - 2.0 * across / (n * m)
    };
    let mut order: Vec<u32> = (0..size as u32).collect();
    let observed = statistic(&order);
    let mut random = MersenneTwister::new(seed);
    let mut hits = 0;
    for _ in 0..MMD_PERMUTATIONS {
        random.permutation(size, &mut order);
        hits += u32::from(observed <= statistic(&order));
    }
    Ok(f64::from(hits) / f64::from(MMD_PERMUTATIONS))
}

fn kernel_variance(reference: &[f64]) -> f64 {
    let mut squares: Vec<f64> = reference
        .iter()
        .flat_map(|a| reference.iter().map(move |b| b * b - 2.0 * (a * b) + a * a))
        .collect();
    // numpy's "nearest": the rank rounded half to even.
    let rank = ((squares.len() - 1) as f64 * 0.5).round_ties_even() as usize;
    let (_, median, _) = squares.select_nth_unstable_by(rank, f64::total_cmp);
    if *median > 0.0 { 0.5 * *median } else { 0.5 }
}

/// The generator of M. Matsumoto and T. Nishimura (1998), seeded and drawn from as numpy's `RandomState`.
struct MersenneTwister {
    state: [u32; 624],
    next: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [0; 624];
        state[0] = seed;
        for i in 1..624 {
            let last: u32 = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { state, next: 624 }
    }

    fn twist(&mut self) {
        for i in 0..624 {
            let bits = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
            let odd = if bits & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + 397) % 624] ^ (bits >> 1) ^ odd;
        }
        self.next = 0;
    }

    fn next_u32(&mut self) -> u32 {
        if self.next >= 624 {
            self.twist();
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9d2c_5680;
        bits ^= (bits << 15) & 0xefc6_0000;
        bits ^ (bits >> 18)
    }

    /// A number from 0 to `largest`, by masking and rejecting.
    fn up_to(&mut self, largest: u32) -> u32 {
        let mask = u32::MAX.checked_shr(largest.leading_zeros()).unwrap_or(0);
        loop {
            let value = self.next_u32() & mask;
            if value <= largest {
                return value;
            }
        }
    }

    /// 0..size in random order: Fisher–Yates from the top.
    fn permutation(&mut self, size: usize, order: &mut Vec<u32>) {
        order.clear();
        order.extend(0..size as u32);
        for i in (1..size).rev() {
            order.swap(i, self.up_to(i as u32) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_numpys() {
        // numpy.random.RandomState(0).permutation(10)
        let mut order = Vec::new();
        MersenneTwister::new(0).permutation(10, &mut order);
        assert_eq!(order, vec![2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
        // The published first output for seed 5489.
        assert_eq!(MersenneTwister::new(5489).next_u32(), 3_499_211_612);
    }

    #[test]
    fn equal_samples_never_drift_and_disjoint_ones_do() {
        let counts =
            [Frequency { reference: 20, current: 20 }, Frequency { reference: 20, current: 20 }];
        let codes: Vec<u32> = (0..80).map(|row| row % 2).collect();
        assert_eq!(total_variation(&counts, &codes, 40, 0), Ok(1.0));
        let counts =
            [Frequency { reference: 40, current: 0 }, Frequency { reference: 0, current: 40 }];
        let codes: Vec<u32> = (0..80).map(|row| row / 40).collect();
        assert_eq!(total_variation(&counts, &codes, 40, 0), Ok(0.0));
        let values: Vec<f64> =
            (0..80).map(|row| f64::from(row / 40) * 9.0 + f64::from(row % 7)).collect();
        assert_eq!(maximum_mean_discrepancy(&values, 40, 0), Ok(0.0));
    }
}
