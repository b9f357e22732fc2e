//! Distribution functions against SciPy over wide grids: 1e-9 relative, down to 1e-300.

use trainyard_testkit::run_python;

use super::counts::{Frequencies, fisher_exact};
use super::ks::{exact, gcd};
use super::moments::student_two_sided;
use super::special::{chi_square_sf, normal_sf};
use super::{kolmogorov, ranks};
use crate::values::{Numbers, Pair, Sorted};

/// Smaller values have left the range that SciPy keeps exact.
const SMALLEST: f64 = 1e-300;

/// Runs a script that prints one line a point, the arguments and then SciPy's value, and compares.
fn check(script: &str, points_at_least: usize, ours: impl Fn(&[f64]) -> f64) {
    let printed = run_python(script, &[], &[]);
    let mut points = 0;
    let mut wrong = Vec::new();
    for line in printed.lines() {
        let mut numbers: Vec<f64> =
            line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let want = numbers.pop().unwrap();
        points += 1;
        if want < SMALLEST {
            continue;
        }
        let got = ours(&numbers);
        if (got - want).abs() > 1e-9 * want.abs() {
            wrong.push(format!(
                "{numbers:?}: {got:e} is not {want:e} ({:.1e})",
                (got / want - 1.0).abs()
            ));
        }
    }
    assert!(points >= points_at_least, "{points} points");
    assert!(wrong.is_empty(), "{} of {points}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn kolmogorov_one_sample() {
    let script = r"
import numpy as np
from scipy import stats
for n in [1, 2, 3, 5, 9, 20, 60, 139, 140, 141, 200, 500, 909, 1000, 5000, 20000, 100000]:
    for z in np.r_[np.linspace(.28, 4, 63), 5, 6, 7, 9, 12, 15, 18]:
        x = z / np.sqrt(n)
        if 0 < x < 1:
            print(n, repr(float(x)), repr(float(stats.kstwo.sf(x, n))))
";
    check(script, 900, |point| kolmogorov::sf(point[0] as u64, point[1]));
}

#[test]
fn kolmogorov_two_samples_exact() {
    let script = r"
import math, warnings
import numpy as np
from scipy.stats import _stats_py as s
warnings.simplefilter('ignore')
for n1, n2 in [(1, 1), (2, 3), (7, 7), (10, 15), (33, 34), (50, 50), (100, 60), (99, 100), (500, 500), (640, 1000), (997, 1000), (1000, 4000)]:
    g = math.gcd(n1, n2); lcm = n1 // g * n2
    for share in np.r_[np.linspace(.01, 1, 45)]:
        h = max(1, int(round(share * lcm)))
        ok, d, p = s._attempt_exact_2kssamp(n1, n2, g, h / lcm, 'two-sided')
        if ok:
            print(n1, n2, h, repr(float(p)))
";
    check(script, 400, |point| {
        let (n1, n2) = (point[0] as u64, point[1] as u64);
        exact(n1, n2, gcd(n1, n2), point[2] as u64)
    });
}

#[test]
fn chi_square_and_student_and_normal() {
    let script = r"
import numpy as np
from scipy import stats
for df in [1, 2, 3, 4, 7, 12, 30, 99, 250, 999]:
    for x in np.r_[np.geomspace(1e-6, 1400, 60)]:
        print(0, df, repr(float(x)), repr(float(stats.chi2.sf(x, df))))
for df in [1, 2, 3, 5, 8, 30, 198, 1500, 2_000_000]:
    for t in np.geomspace(1e-4, 38, 50):
        print(1, df, repr(float(t)), repr(float(2 * stats.t.sf(t, df))))
for z in np.linspace(-5, 37, 120):
    print(2, 0, repr(float(z)), repr(float(stats.norm.sf(z))))
";
    check(script, 1100, |point| match point[0] as u8 {
        0 => chi_square_sf(point[2], point[1]),
        1 => student_two_sided(point[2], point[1]),
        _ => normal_sf(point[2]),
    });
}

#[test]
fn fisher_tables() {
    let script = r"
import numpy as np
from scipy import stats
rng = np.random.default_rng(3)
for n in [2, 5, 17, 80, 400, 1000, 20000]:
    for _ in range(40):
        a, b = rng.integers(0, n + 1, 2)
        print(n, a, b, repr(float(stats.fisher_exact([[b, n - b], [a, n - a]])[1])))
";
    check(script, 280, |point| {
        let (n, a, b) = (point[0] as u64, point[1] as u64, point[2] as u64);
        let mut frequencies = Frequencies::default();
        frequencies.push(a, b);
        frequencies.push(n - a, n - b);
        fisher_exact(&frequencies).unwrap()
    });
}

#[test]
fn mann_whitney_exact_and_asymptotic() {
    let script = r"
import numpy as np
from scipy import stats
for n1, n2 in [(1, 1), (1, 9), (2, 2), (3, 8), (8, 8), (8, 9), (8, 30), (5, 200), (9, 9), (40, 25), (300, 700)]:
    for shift in np.linspace(-1, 1, 21):
        step = int(shift * (n1 + n2))
        x = np.arange(n1) * 2.0
        y = np.arange(n2) * 2.0 + 1 + 2 * step
        print(n1, n2, step, repr(float(stats.mannwhitneyu(x, y, alternative='less').pvalue)))
";
    check(script, 200, |point| {
        let spread = |count: f64, shift: f64| {
            Numbers::F64(Sorted::from_ordered(
                (0..count as u32).map(|i| f64::from(i) * 2.0 + shift).collect(),
            ))
        };
        let (x, y) = (spread(point[0], 0.0), spread(point[1], 1.0 + 2.0 * point[2]));
        ranks::mann_whitney(&Pair::new(&x, &y)).0
    });
}
