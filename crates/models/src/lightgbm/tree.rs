//! One tree of the text.

use super::text::{Section, malformed};
use crate::Result;
use crate::tree::{CategorySet, NodeSpec, Split, Test, TreeSpec};

/// Bits of `decision_type`.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
/// The two bits above: what counts as missing.
const MISSING_ZERO: u8 = 1;
const MISSING_NAN: u8 = 2;

/// Leaves of one tree; LightGBM's own limit is 131,072.
const LEAVES_MAX: usize = 1 << 24;

/// What LightGBM writes about inner nodes and about leaves beyond what predicts.
const OF_SPLITS: [&str; 4] = ["split_gain", "internal_value", "internal_weight", "internal_count"];
const OF_LEAVES: [&str; 2] = ["leaf_weight", "leaf_count"];

/// Reads a tree; every list must be as long as `num_leaves` and `num_cat` say.
pub(super) fn read(tree: &Section<'_>) -> Result<TreeSpec<f64>> {
    let leaves = tree.count("num_leaves")?;
    if leaves == 0 || leaves > LEAVES_MAX {
        return Err(malformed(format!("{leaves} leaves")));
    }
    let splits = leaves - 1;
    for key in OF_SPLITS.into_iter().filter(|key| tree.has(key)) {
        tree.check_length(key, splits)?;
    }
    // A tree of one leaf may say nothing of it.
    let told = |key: &&str| tree.text(key).is_some_and(|list| splits > 0 || !list.is_empty());
    for key in OF_LEAVES.into_iter().filter(told) {
        tree.check_length(key, leaves)?;
    }
    let values: Vec<f64> = tree.numbers("leaf_value", leaves)?;
    if let Some(leaf) = values.iter().position(|value| !value.is_finite()) {
        return Err(malformed(format!("the value of leaf {leaf} is no finite number")));
    }
    let features: Vec<u32> = tree.numbers("split_feature", splits)?;
    let thresholds: Vec<f64> = tree.numbers("threshold", splits)?;
    let decisions: Vec<u8> = if tree.has("decision_type") {
        tree.numbers("decision_type", splits)?
    } else {
        vec![0; splits]
    };
    let left: Vec<i64> = tree.numbers("left_child", splits)?;
    let right: Vec<i64> = tree.numbers("right_child", splits)?;
    let categories = Categories::read(tree)?;
    // Inner nodes first, then the leaves: child -1 is leaf 0.
    let child = |child: i64| {
        let place = if child >= 0 { child } else { splits as i64 - child.saturating_add(1) };
        let is_there = child < splits as i64 && place < (splits + leaves) as i64;
        let place = u32::try_from(place).ok().filter(|_| is_there);
        place.ok_or_else(|| malformed(format!("child {child} is out of range")))
    };
    let mut nodes = Vec::with_capacity(splits + leaves);
    let every = features.iter().zip(&thresholds).zip(decisions.iter().zip(left.iter().zip(&right)));
    for ((&feature, &threshold), (&decision, (&left, &right))) in every {
        let split = Split {
            feature,
            test: Test::AtMost(threshold),
            left: child(left)?,
            right: child(right)?,
            missing_left: decision & DEFAULT_LEFT != 0,
            zero_is_missing: false,
        };
        nodes.push(NodeSpec::Split(if decision & CATEGORICAL != 0 {
            // What is missing is in no set.
            Split { test: Test::Member(categories.set(threshold)?), missing_left: false, ..split }
        } else if threshold.is_nan() {
            return Err(malformed("a threshold is not a number"));
        } else {
            match decision >> 2 {
                // No missing values were seen: they count as zero.
                0 => Split { missing_left: 0.0 <= threshold, ..split },
                MISSING_ZERO => Split { zero_is_missing: true, ..split },
                MISSING_NAN => split,
                _ => return Err(malformed(format!("decision_type {decision}"))),
            }
        }));
    }
    nodes.extend((0..leaves as u32).map(NodeSpec::Leaf));
    let covers = covers(tree, splits, leaves).unwrap_or_default();
    Ok(TreeSpec { nodes, values, covers, ..TreeSpec::default() })
}

/// Training rows of inner nodes and leaves; nothing that predicts depends on whether the text has them.
fn covers(tree: &Section<'_>, splits: usize, leaves: usize) -> Option<Vec<f64>> {
    if splits == 0 {
        return Some(vec![1.0]);
    }
    let mut covers: Vec<f64> = tree.numbers("internal_count", splits).ok()?;
    covers.extend(tree.numbers::<f64>("leaf_count", leaves).ok()?);
    Some(covers)
}

/// The sets of the categorical splits.
struct Categories {
    /// Where each set begins, and where the last one ends.
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

impl Categories {
    fn read(tree: &Section<'_>) -> Result<Self> {
        let sets = if tree.has("num_cat") { tree.count("num_cat")? } else { 0 };
        if sets == 0 {
            return Ok(Self { boundaries: vec![0], words: Vec::new() });
        }
        let boundaries: Vec<usize> = tree.numbers("cat_boundaries", sets.saturating_add(1))?;
        let ascending = boundaries.is_sorted_by(|a, b| a < b);
        let (first, last) = (boundaries.first().copied(), boundaries.last().copied());
        let Some(last) = last.filter(|_| ascending && first == Some(0)) else {
            return Err(malformed("cat_boundaries do not ascend from 0"));
        };
        Ok(Self { boundaries, words: tree.numbers("cat_threshold", last)? })
    }

    /// The set whose number a split has for its threshold.
    fn set(&self, number: f64) -> Result<CategorySet> {
        let wrong = || malformed(format!("categories {number} do not exist"));
        if number < 0.0 || number.fract() != 0.0 {
            return Err(wrong());
        }
        let at = number as usize;
        let bounds = self.boundaries.get(at).zip(self.boundaries.get(at.saturating_add(1)));
        let (&start, &end) = bounds.ok_or_else(wrong)?;
        let words = self.words.get(start..end).ok_or_else(wrong)?.to_vec();
        Ok(CategorySet { words, known: None })
    }
}
