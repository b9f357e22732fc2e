//! Tests on ranks: Mann–Whitney, Cramér–von Mises, Anderson–Darling.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use super::ks::gcd;
use super::special::normal_sf;
use crate::values::Pair;

/// Up to this size of the smaller sample, and without ties, U has its exact distribution.
const MANN_WHITNEY_EXACT_MAX: u128 = 8;
/// Sizes of the larger sample up to which the exact counts fit 128 bits.
const MANN_WHITNEY_SIZE_MAX: u128 = 200_000;

/// The Mann–Whitney U test with the alternative "the reference is stochastically smaller".
/// Returns the p-value and U of the reference.
pub(crate) fn mann_whitney(pair: &Pair<'_>) -> (f64, f64) {
    let (n1, n2) = (pair.reference_len() as u128, pair.current_len() as u128);
    // Twice the rank sum is a whole number even with midranks.
    let (mut below, mut twice_rank_sum, mut tie_term, mut ties) = (0_u128, 0_u128, 0.0, false);
    pair.for_each(|step| {
        let (a, tied) = (u128::from(step.reference), u128::from(step.reference + step.current));
        twice_rank_sum += a * (2 * below + tied + 1);
        tie_term += (tied * tied * tied - tied) as f64;
        ties |= tied > 1;
        below += tied;
    });
    let twice_u1 = twice_rank_sum - n1 * (n1 + 1);
    let twice_u = 2 * n1 * n2 - twice_u1;
    let (size, u) = ((n1 + n2) as f64, twice_u as f64 / 2.0);
    let p_value =
        if !ties && n1.min(n2) <= MANN_WHITNEY_EXACT_MAX && n1.max(n2) <= MANN_WHITNEY_SIZE_MAX {
            mann_whitney_exact(n1.min(n2) as usize, n1.max(n2) as usize, (twice_u / 2) as usize)
        } else {
            let product = n1 as f64 * n2 as f64;
            let deviation =
                (product / 12.0 * ((size + 1.0) - tie_term / (size * (size - 1.0)))).sqrt();
            let gap = u - product / 2.0 - 0.5;
            normal_sf(if deviation == 0.0 { gap.signum() * f64::INFINITY } else { gap / deviation })
        };
    (p_value, twice_u1 as f64 / 2.0)
}

/// P(U ≥ u). The number of orders with each U are the coefficients of the Gaussian binomial
/// Π (1 − q^(large+i)) / (1 − q^i), i = 1..small.
fn mann_whitney_exact(small: usize, large: usize, u: usize) -> f64 {
    let mut orders = vec![0_u128; small * large + 1];
    orders[0] = 1;
    for i in 1..=small {
        for k in (large + i..orders.len()).rev() {
            orders[k] = orders[k].wrapping_sub(orders[k - large - i]);
        }
        for k in i..orders.len() {
            orders[k] = orders[k].wrapping_add(orders[k - i]);
        }
    }
    let total: u128 = orders.iter().sum();
    let beyond: u128 = orders.iter().skip(u).sum();
    beyond as f64 / total as f64
}

/// Rank-biserial correlation: how much more often a current value exceeds a reference value than the
/// other way round, −1 to 1.
pub(crate) fn rank_biserial(pair: &Pair<'_>, u_reference: f64) -> f64 {
    1.0 - 2.0 * u_reference / (pair.reference_len() as f64 * pair.current_len() as f64)
}

/// Up to this size of the larger sample SciPy counts all arrangements.
const CRAMER_EXACT_MAX: usize = 20;

/// The two-sample Cramér–von Mises test. With `evidently`, the exact branch rounds as SciPy 1.17 does.
pub(crate) fn cramer_von_mises(pair: &Pair<'_>, evidently: bool) -> Result<f64, String> {
    let (n, m) = (pair.reference_len(), pair.current_len());
    if n.min(m) <= 1 {
        return Err("cramer_von_mises needs at least two values on each side".to_owned());
    }
    let u = cramer_von_mises_u(pair);
    let (nf, mf) = (n as f64, m as f64);
    let (size, product) = (nf + mf, nf * mf);
    let t = u / (product * size) - (4.0 * product - 1.0) / (6.0 * size);
    if n.max(m) <= CRAMER_EXACT_MAX {
        return cramer_von_mises_exact(u, n as u64, m as u64, evidently);
    }
    let expected = (1.0 + 1.0 / size) / 6.0;
    let variance = (size + 1.0)
        * (4.0 * product * size - 3.0 * (nf * nf + mf * mf) - 2.0 * product)
        / (45.0 * size * size * 4.0 * product);
    let normalised = 1.0 / 6.0 + (t - expected) / (45.0 * variance).sqrt();
    if normalised < 0.003 {
        return Ok(1.0);
    }
    Ok((1.0 - cramer_von_mises_limit(normalised)).max(0.0))
}

/// n Σ (rank of x_i − i)² + m Σ (rank of y_j − j)², with midranks.
fn cramer_von_mises_u(pair: &Pair<'_>) -> f64 {
    let (n, m) = (pair.reference_len() as f64, pair.current_len() as f64);
    let (mut below1, mut below2) = (0_u64, 0_u64);
    let (mut sum1, mut sum2) = (0.0, 0.0);
    pair.for_each(|step| {
        let rank = (below1 + below2) as f64 + (step.reference + step.current + 1) as f64 / 2.0;
        let squares = |below: u64, count: u64| {
            (1..=count).map(|k| (rank - (below + k) as f64).powi(2)).sum::<f64>()
        };
        sum1 += squares(below1, step.reference);
        sum2 += squares(below2, step.current);
        below1 += step.reference;
        below2 += step.current;
    });
    n * sum1 + m * sum2
}

/// The limiting distribution function (Anderson and Darling 1952), summed until a term falls below 1e-7.
fn cramer_von_mises_limit(x: f64) -> f64 {
    let mut sum = 0.0;
    // Γ(j + ½) / Γ(j + 1)
    let mut ratio = PI.sqrt();
    let mut j = 0.0;
    loop {
        let y: f64 = 4.0 * j + 1.0;
        let q = y * y / (16.0 * x);
        // The Bessel function comes with e^q taken out, so both exponentials are one.
        let term = ratio / (PI.powf(1.5) * x.sqrt())
            * y.sqrt()
            * (-2.0 * q).exp()
            * bessel_k_quarter_scaled(q);
        sum += term;
        if term.abs() < 1e-7 {
            return sum;
        }
        ratio *= (j + 0.5) / (j + 1.0);
        j += 1.0;
    }
}

/// e^q K_¼(q) = ∫ exp(−q (cosh t − 1)) cosh(t/4) dt by the trapezoidal rule, which converges
/// geometrically for this integrand; the step resolves the peak to full precision.
fn bessel_k_quarter_scaled(q: f64) -> f64 {
    let step = (0.5 / q.sqrt()).min(0.1);
    let mut sum = 0.5;
    let mut k = 1.0;
    loop {
        let t: f64 = k * step;
        // cosh t − 1 without cancellation
        let exponent = q * 2.0 * (t / 2.0).sinh().powi(2);
        let term = (-exponent).exp() * (t / 4.0).cosh();
        sum += term;
        if term < 1e-18 * sum {
            return sum * step;
        }
        k += 1.0;
    }
}

/// The share of the C(n+m, n) arrangements whose statistic is at least the observed one
/// (Y. Xiao, A. Gordon, A. Yakovlev 2006).
///
/// SciPy keeps the table in the smallest float that holds C(n+m, n), half precision up to 65504 and
/// single above, and refuses when a whole-number type would do; `evidently` asks for that.
fn cramer_von_mises_exact(u: f64, n: u64, m: u64, evidently: bool) -> Result<f64, String> {
    let lcm = i128::from(n / gcd(n, m) * m);
    let (a, b) = (lcm / i128::from(n), lcm / i128::from(m));
    let (nm, sum) = (i128::from(n * m), i128::from(n + m));
    // Six times u is whole: ranks are halves and their squares quarters, times 6 u is a multiple of 3/2;
    // SciPy's formula divides exactly for arrangements without ties and truncates for others.
    let six_u = (6.0 * u).round() as i128;
    let zeta = (lcm * lcm * sum * (six_u - nm * (4 * nm - 1))).div_euclid(6 * nm * nm);
    let arrangements = (1..=m.min(n))
        .fold(1_u128, |product, i| product * u128::from(n.max(m) + i) / u128::from(i));
    let bound = (lcm * lcm * sum) as u128;
    let round: fn(f64) -> f64 = match (evidently, arrangements > bound) {
        (false, _) => |value| value,
        (true, false) => {
            return Err("UFuncTypeError: SciPy cannot cast its table of whole numbers".to_owned());
        }
        (true, true) if arrangements <= 65_504 => round_half,
        (true, true) => |value| f64::from(value as f32),
    };
    let mut row: Vec<BTreeMap<i128, f64>> = vec![BTreeMap::new(); n as usize + 1];
    row[0].insert(0, 1.0);
    for second in 0..=i128::from(m) {
        let mut carried: BTreeMap<i128, f64> = BTreeMap::new();
        for (first, cell) in row.iter_mut().enumerate() {
            for (key, ways) in cell.iter() {
                carried.entry(*key).and_modify(|sum| *sum = round(*sum + ways)).or_insert(*ways);
            }
            let step = (a * first as i128 - b * second).pow(2);
            carried = carried
                .into_iter()
                .map(|(key, ways)| (round((key + step) as f64) as i128, ways))
                .collect();
            cell.clone_from(&carried);
        }
    }
    let table = row.pop().unwrap_or_default();
    let beyond: Vec<f64> = table.range(zeta..).map(|(_, ways)| *ways).collect();
    Ok(round(round_sum(&beyond, round) / round(arrangements as f64)))
}

fn round_half(value: f64) -> f64 {
    type Half = <arrow_array::types::Float16Type as arrow_array::types::ArrowPrimitiveType>::Native;
    Half::from_f64(value).to_f64()
}

/// numpy's pairwise sum of a short array: eight running sums, then the rest.
fn round_sum(values: &[f64], round: fn(f64) -> f64) -> f64 {
    // numpy adds half precision in single precision and rounds once at the end.
    let single =
        |value: f64| if round(1.0 / 3.0) == 1.0 / 3.0 { value } else { f64::from(value as f32) };
    let lanes = values.chunks_exact(8);
    let rest = lanes.remainder();
    if values.len() < 8 {
        return round(values.iter().fold(0.0, |sum, value| single(sum + value)));
    }
    let mut sums = [0.0; 8];
    for lane in lanes {
        sums.iter_mut().zip(lane).for_each(|(sum, value)| *sum = single(*sum + value));
    }
    let pair = |a: f64, b: f64| single(a + b);
    let total = pair(
        pair(pair(sums[0], sums[1]), pair(sums[2], sums[3])),
        pair(pair(sums[4], sums[5]), pair(sums[6], sums[7])),
    );
    round(rest.iter().fold(total, |sum, value| single(sum + value)))
}

/// Significance levels and the three coefficients of their critical values (Scholz and Stephens 1987).
const ANDERSON_LEVELS: [f64; 7] = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];
const ANDERSON_COEFFICIENTS: [[f64; 3]; 7] = [
    [0.675, -0.245, -0.105],
    [1.281, 0.25, -0.305],
    [1.645, 0.678, -0.362],
    [1.96, 1.149, -0.391],
    [2.326, 1.822, -0.396],
    [2.573, 2.364, -0.345],
    [3.085, 3.615, -0.154],
];

/// The two-sample Anderson–Darling test with midranks; p between 0.001 and 0.25.
pub(crate) fn anderson_darling(pair: &Pair<'_>) -> Result<f64, String> {
    if pair.distinct_up_to(1) < 2 {
        return Err("anderson needs at least two distinct values".to_owned());
    }
    let (n1, n2) = (pair.reference_len() as f64, pair.current_len() as f64);
    let size = n1 + n2;
    if size < 4.0 {
        return Err("anderson needs at least four values".to_owned());
    }
    let (mut below1, mut below2) = (0.0, 0.0);
    let (mut sum1, mut sum2) = (0.0, 0.0);
    pair.for_each(|step| {
        let (a, b) = (step.reference as f64, step.current as f64);
        let tied = a + b;
        let middle = below1 + below2 + tied / 2.0;
        let weight = tied / size / (middle * (size - middle) - size * tied / 4.0);
        sum1 += weight * (size * (below1 + a / 2.0) - middle * n1).powi(2);
        sum2 += weight * (size * (below2 + b / 2.0) - middle * n2).powi(2);
        below1 += a;
        below2 += b;
    });
    let statistic = (sum1 / n1 + sum2 / n2) * (size - 1.0) / size;
    let normalised = (statistic - 1.0) / anderson_variance(n1, n2).sqrt();
    Ok(anderson_p_value(normalised))
}

/// Variance of the statistic for two samples.
fn anderson_variance(n1: f64, n2: f64) -> f64 {
    let size = n1 + n2;
    let k = 2.0;
    let harmonic = 1.0 / n1 + 1.0 / n2;
    let (mut h, mut g) = (0.0, 0.0);
    for i in 2..size as u64 {
        // 1/(size − 1) + … + 1/(size − i + 1), weighted by 1/i
        h += 1.0 / (size - i as f64 + 1.0);
        g += h / i as f64;
    }
    let h = h + 1.0;
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * harmonic;
    let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * harmonic - 8.0 * h
        + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * k * k
        + (4.0 * h - 4.0 * g + 6.0) * k
        + (2.0 * h - 6.0) * harmonic
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    (a * size.powi(3) + b * size * size + c * size + d)
        / ((size - 1.0) * (size - 2.0) * (size - 3.0))
}

/// Interpolates ln p by the least-squares parabola through the critical values.
fn anderson_p_value(normalised: f64) -> f64 {
    let critical = ANDERSON_COEFFICIENTS.map(|[b0, b1, b2]| b0 + b1 + b2);
    if normalised < critical[0] {
        return ANDERSON_LEVELS[0];
    }
    if normalised > critical[6] {
        return ANDERSON_LEVELS[6];
    }
    // Polynomials orthogonal on the critical values: each coefficient is a projection of its own.
    let mean = critical.iter().sum::<f64>() / 7.0;
    let x = critical.map(|value| value - mean);
    let square: f64 = x.iter().map(|x| x * x).sum();
    let skew = x.iter().map(|x| x * x * x).sum::<f64>() / square;
    let second = |x: f64| x * x - skew * x - square / 7.0;
    let y = ANDERSON_LEVELS.map(f64::ln);
    let project = |basis: &dyn Fn(f64) -> f64| {
        let top: f64 = x.iter().zip(y).map(|(x, y)| basis(*x) * y).sum();
        top / x.iter().map(|x| basis(*x).powi(2)).sum::<f64>()
    };
    let at = normalised - mean;
    (project(&|_| 1.0) + project(&|x| x) * at + project(&second) * second(at)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_mann_whitney_by_counting() {
        // Two against two: U = 0, 1, 2, 2, 3, 4.
        assert!((mann_whitney_exact(2, 2, 4) - 1.0 / 6.0).abs() < 1e-15);
        assert!((mann_whitney_exact(2, 2, 2) - 4.0 / 6.0).abs() < 1e-15);
        assert_eq!(mann_whitney_exact(3, 5, 0), 1.0);
        // Eight against many: the largest U has one order among C(108, 8).
        let p = mann_whitney_exact(8, 100, 800);
        assert!((p * 352_025_629_371.0 - 1.0).abs() < 1e-12, "{p}");
    }

    #[test]
    fn bessel_values() {
        // scipy.special.kve(0.25, q)
        for (q, want) in [
            (0.1, 2.967_557_285_268_398_5),
            (1.0, 1.170_872_101_678_126_5),
            (50.0, 0.176_916_612_134_904_56),
        ] {
            let got = bessel_k_quarter_scaled(q);
            assert!((got - want).abs() < 1e-14 * want, "{q}: {got}");
        }
    }

    #[test]
    fn critical_values_are_nearly_hit() {
        for (index, [b0, b1, b2]) in ANDERSON_COEFFICIENTS.iter().enumerate() {
            let p = anderson_p_value(b0 + b1 + b2);
            assert!(
                (p / ANDERSON_LEVELS[index] - 1.0).abs() < 0.05,
                "{p} {}",
                ANDERSON_LEVELS[index]
            );
        }
    }
}
