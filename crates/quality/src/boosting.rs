//! Gradient boosted regression trees, for what this crate has to learn by itself: how large a loss is, and from which
//! side a row comes.
//!
//! J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001), with
//! squared error; trees grow leaf by leaf over binned features (G. Ke et al., "LightGBM", 2017). The settings are
//! LightGBM's defaults; its arithmetic in 32-bit floats and its choice of bins are not followed, so single
//! predictions differ from its by about as much as with another seed.

use rayon::prelude::*;

/// Trees.
const TREES: usize = 100;
/// How much of each tree counts.
const LEARNING_RATE: f64 = 0.1;
/// Leaves of a tree at most.
const LEAVES_MAX: usize = 31;
/// Rows of a leaf at least.
const LEAF_ROWS_MIN: usize = 20;
/// Bins of a feature; the last position is that of missing values.
const BINS: usize = 255;
/// Rows whose values decide the bins, evenly taken.
const BIN_ROWS_MAX: usize = 200_000;
/// Values below which handing work to other threads takes longer than the work.
const PARALLEL_MIN: usize = 50_000;
/// Gains below this are rounding.
const GAIN_MIN: f64 = 1e-12;

/// A fitted sum of trees.
#[derive(Debug, Clone)]
pub(crate) struct Boosted {
    base: f64,
    trees: Vec<Tree>,
    /// What splits on each feature gained, summed over the trees.
    gains: Vec<f64>,
}

/// Nodes; the first is the root.
#[derive(Debug, Clone, Default)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    Leaf(f64),
    /// Values up to the threshold go to the left, missing ones to the side that they fit better.
    Split {
        feature: usize,
        threshold: f64,
        is_missing_left: bool,
        left: usize,
        right: usize,
    },
}

/// Features as small numbers.
struct Binned {
    /// Upper ends of the bins of each feature, rising.
    ends: Vec<Vec<f64>>,
    /// One column a feature: the bin of each row, or the number of ends for a missing value.
    bins: Vec<Vec<u8>>,
}

/// A leaf that may be split.
struct Leaf {
    node: usize,
    rows: Vec<u32>,
    best: Option<Best>,
}

/// The best split of a leaf.
#[derive(Clone, Copy)]
struct Best {
    gain: f64,
    feature: usize,
    bin: usize,
    is_missing_left: bool,
}

impl Boosted {
    /// Fits `target` by columns of equal length; NaN is a missing value.
    pub(crate) fn fit(columns: &[Vec<f64>], target: &[f64]) -> Self {
        let base = target.iter().sum::<f64>() / target.len().max(1) as f64;
        let binned = Binned::new(columns);
        let mut residuals: Vec<f64> = target.iter().map(|value| value - base).collect();
        let mut gains = vec![0.0; columns.len()];
        let mut trees = Vec::with_capacity(TREES);
        for _ in 0..TREES {
            let tree = grow(&binned, &mut residuals, &mut gains);
            let is_stump = tree.nodes.len() == 1;
            trees.push(tree);
            // Nothing is left that a split would tell.
            if is_stump {
                break;
            }
        }
        Self { base, trees, gains }
    }

    /// The prediction for a row, given what its columns say.
    pub(crate) fn predict(&self, value: impl Fn(usize) -> f64) -> f64 {
        self.base + self.trees.iter().map(|tree| tree.predict(&value)).sum::<f64>()
    }

    /// The share of each column in what all splits gained; zeros without any.
    pub(crate) fn importances(&self) -> Vec<f64> {
        let all: f64 = self.gains.iter().sum();
        let share = |gain: &f64| if all > 0.0 { gain / all } else { 0.0 };
        self.gains.iter().map(share).collect()
    }
}

impl Tree {
    fn predict(&self, value: impl Fn(usize) -> f64) -> f64 {
        let mut place = 0;
        loop {
            match self.nodes.get(place) {
                Some(Node::Leaf(value)) => return *value,
                Some(&Node::Split { feature, threshold, is_missing_left, left, right }) => {
                    let found = value(feature);
                    let is_left = if found.is_nan() { is_missing_left } else { found <= threshold };
                    place = if is_left { left } else { right };
                }
                None => return 0.0,
            }
        }
    }
}

impl Binned {
    fn new(columns: &[Vec<f64>]) -> Self {
        let ends: Vec<Vec<f64>> = columns.par_iter().map(|column| ends(column)).collect();
        let bins = columns.par_iter().zip(&ends).map(|(column, ends)| {
            let bin = |value: &f64| {
                if value.is_nan() { ends.len() } else { bin_of(ends, *value) }
            };
            column.iter().map(|value| bin(value) as u8).collect::<Vec<u8>>()
        });
        Self { bins: bins.collect(), ends }
    }
}

/// The bin of a value: the first whose end is not below it. The last has no end.
fn bin_of(ends: &[f64], value: f64) -> usize {
    ends.partition_point(|end| *end < value).min(ends.len().saturating_sub(1))
}

/// Upper ends of bins with about equal numbers of rows: half-way between neighbouring values, and infinity.
fn ends(column: &[f64]) -> Vec<f64> {
    let step = column.len().div_ceil(BIN_ROWS_MAX).max(1);
    let mut values: Vec<f64> =
        column.iter().step_by(step).copied().filter(|value| !value.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let rows_a_bin = values.len() as f64 / BINS as f64;
    let mut distinct = values.clone();
    distinct.dedup();
    let mut ends = Vec::new();
    let is_small = distinct.len() <= BINS;
    let mut rows_before = 0;
    for pair in distinct.windows(2) {
        rows_before += values[rows_before..].partition_point(|value| *value <= pair[0]);
        if is_small || rows_before as f64 >= rows_a_bin * (ends.len() as f64 + 1.0) {
            ends.push(f64::midpoint(pair[0], pair[1]));
        }
    }
    ends.push(f64::INFINITY);
    ends
}

/// Grows a tree for the residuals, takes what it explains off them, and notes what splits gained.
fn grow(binned: &Binned, residuals: &mut [f64], gains: &mut [f64]) -> Tree {
    let rows: Vec<u32> = (0..residuals.len() as u32).collect();
    let mut tree = Tree { nodes: vec![Node::Leaf(0.0)] };
    let best = best_split(binned, residuals, &rows);
    let mut leaves = vec![Leaf { node: 0, rows, best }];
    while leaves.len() < LEAVES_MAX {
        let gain = |leaf: &Leaf| leaf.best.map_or(0.0, |best| best.gain);
        let place =
            (0..leaves.len()).max_by(|a, b| gain(&leaves[*a]).total_cmp(&gain(&leaves[*b])));
        let Some((place, best)) = place.and_then(|place| Some((place, leaves[place].best?))) else {
            break;
        };
        let Leaf { node, rows, .. } = leaves.swap_remove(place);
        let column = &binned.bins[best.feature];
        let missing = binned.ends[best.feature].len();
        let is_left = |row: &u32| match usize::from(column[*row as usize]) {
            bin if bin == missing => best.is_missing_left,
            bin => bin <= best.bin,
        };
        let (left, right): (Vec<u32>, Vec<u32>) = rows.into_iter().partition(is_left);
        gains[best.feature] += best.gain;
        let next = tree.nodes.len();
        tree.nodes[node] = Node::Split {
            feature: best.feature,
            threshold: binned.ends[best.feature][best.bin],
            is_missing_left: best.is_missing_left,
            left: next,
            right: next + 1,
        };
        for (number, rows) in [left, right].into_iter().enumerate() {
            tree.nodes.push(Node::Leaf(0.0));
            let best = best_split(binned, residuals, &rows);
            leaves.push(Leaf { node: next + number, rows, best });
        }
    }
    for leaf in leaves {
        let sum: f64 = leaf.rows.iter().map(|&row| residuals[row as usize]).sum();
        let value = LEARNING_RATE * sum / leaf.rows.len().max(1) as f64;
        tree.nodes[leaf.node] = Node::Leaf(value);
        for row in leaf.rows {
            residuals[row as usize] -= value;
        }
    }
    tree
}

/// The split that explains most; none if a leaf is too small or nothing explains anything.
fn best_split(binned: &Binned, residuals: &[f64], rows: &[u32]) -> Option<Best> {
    if rows.len() < 2 * LEAF_ROWS_MIN {
        return None;
    }
    let of_feature = |feature: usize| best_of_feature(binned, residuals, rows, feature);
    let features = 0..binned.bins.len();
    let found: Vec<Best> = if rows.len() * features.len() < PARALLEL_MIN {
        features.filter_map(of_feature).collect()
    } else {
        features.into_par_iter().filter_map(of_feature).collect()
    };
    // Of equal gains the first column's, whatever thread was first.
    found.into_iter().reduce(|best, other| if other.gain > best.gain { other } else { best })
}

fn best_of_feature(
    binned: &Binned,
    residuals: &[f64],
    rows: &[u32],
    feature: usize,
) -> Option<Best> {
    let column = &binned.bins[feature];
    let missing = binned.ends[feature].len();
    let mut sums = vec![(0.0, 0_usize); missing + 1];
    for &row in rows {
        let bin = &mut sums[usize::from(column[row as usize])];
        *bin = (bin.0 + residuals[row as usize], bin.1 + 1);
    }
    let all = sums.iter().fold((0.0, 0), |all, bin| (all.0 + bin.0, all.1 + bin.1));
    let of_missing = sums[missing];
    let mut best: Option<Best> = None;
    let sides = if of_missing.1 > 0 { &[false, true][..] } else { &[false][..] };
    for &is_missing_left in sides {
        let mut left = if is_missing_left { of_missing } else { (0.0, 0) };
        for (bin, sum) in sums.iter().take(missing.saturating_sub(1)).enumerate() {
            left = (left.0 + sum.0, left.1 + sum.1);
            let right = (all.0 - left.0, all.1 - left.1);
            if left.1 < LEAF_ROWS_MIN || right.1 < LEAF_ROWS_MIN {
                continue;
            }
            let gain = explained(left) + explained(right) - explained(all);
            if gain > best.map_or(GAIN_MIN, |best| best.gain) {
                best = Some(Best { gain, feature, bin, is_missing_left });
            }
        }
    }
    best
}

/// What a mean explains of the squares of its rows: (Σx)² / n.
fn explained((sum, rows): (f64, usize)) -> f64 {
    sum * sum / rows as f64
}

#[cfg(test)]
mod tests {
    use trainyard_base::random::FastRandom;

    use super::*;

    fn uniform(rows: usize, stream: u64) -> Vec<f64> {
        let mut random = FastRandom::new(5, stream);
        (0..rows).map(|_| random.below(10_000) as f64 / 10_000.0).collect()
    }

    #[test]
    fn a_function_of_two_columns_is_learned_and_a_third_is_not_used() {
        let columns = [uniform(2_000, 1), uniform(2_000, 2), uniform(2_000, 3)];
        let truth = |a: f64, b: f64| if a > 0.5 { 2.0 * b } else { -1.0 };
        let target: Vec<f64> =
            columns[0].iter().zip(&columns[1]).map(|(a, b)| truth(*a, *b)).collect();
        let model = Boosted::fit(&columns, &target);
        let error = |a: f64, b: f64| {
            let row = [a, b, 0.5];
            (model.predict(|column| row[column]) - truth(a, b)).abs()
        };
        for (a, b) in [(0.2, 0.9), (0.8, 0.1), (0.7, 0.8), (0.1, 0.1)] {
            assert!(error(a, b) < 0.1, "{a} {b}: {}", error(a, b));
        }
        let shares = model.importances();
        assert!(shares[0] > shares[1] && shares[1] > 0.05 && shares[2] < 0.01, "{shares:?}");
    }

    #[test]
    fn missing_values_go_where_they_fit() {
        let mut column = uniform(1_000, 1);
        let target: Vec<f64> =
            (0..1_000).map(|row| f64::from(u8::from(column[row] > 0.5 || row % 4 == 0))).collect();
        for row in (0..1_000).step_by(4) {
            column[row] = f64::NAN;
        }
        let model = Boosted::fit(&[column], &target);
        assert!(model.predict(|_| f64::NAN) > 0.9);
        assert!(model.predict(|_| 0.1) < 0.1);
    }

    #[test]
    fn what_has_no_spread_is_its_mean() {
        let model = Boosted::fit(&[uniform(100, 1)], &[3.0; 100]);
        assert_eq!(model.predict(|_| 0.5), 3.0);
        assert_eq!(model.importances(), [0.0]);
        assert_eq!(Boosted::fit(&[vec![]], &[]).predict(|_| 0.0), 0.0);
    }
}
