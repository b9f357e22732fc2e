//! What a file of CatBoost holds, in either format, and what is checked whichever it was.

use std::collections::HashMap;
use std::fmt;

use crate::document::{Document, parse_json};
use crate::{Error, Result};

/// Values of one leaf: classes or targets.
const OUTPUTS_MAX: usize = 100_000;

/// Levels of a symmetric tree, as CatBoost limits them.
pub(super) const LEVELS_MAX: usize = 16;

/// Borders and values that splits may ask for: CatBoost keeps those that are asked for alone, and a model has fewer splits.
/// Many features may name one list in a file, which here each has for itself.
const ASKED_MAX: usize = 1 << 22;

/// A refusal of a damaged file.
pub(super) fn malformed(reason: impl fmt::Display) -> Error {
    Error::Malformed { file: "the CatBoost model".to_owned(), reason: reason.to_string() }
}

/// A refusal of what is not evaluated here.
pub(super) fn unsupported(what: impl fmt::Display) -> Error {
    Error::Unsupported {
        what: format!("{what} of CatBoost"),
        hint: "serve the model with Python workers".to_owned(),
    }
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) floats: Vec<FloatFeature>,
    pub(super) categories: Vec<CategoricalFeature>,
    pub(super) one_hot: Vec<OneHotFeature>,
    pub(super) ctrs: Vec<CtrFeature>,
    pub(super) tables: Vec<CtrTable>,
    pub(super) trees: Trees,
    /// Sums are multiplied by it, and then have the bias added, by output.
    pub(super) scale: f64,
    pub(super) bias: Vec<f64>,
    /// What CatBoost says of training, texts of JSON or what these say.
    pub(super) info: Vec<(String, Document)>,
}

/// A column of numbers.
#[derive(Debug, Clone)]
pub(super) struct FloatFeature {
    /// Its number among those, and among all columns.
    pub(super) index: usize,
    pub(super) column: usize,
    /// Empty if training had no names.
    pub(super) name: String,
    /// Ascending; none if no tree asks for it.
    pub(super) borders: Vec<f32>,
    /// Whether what is missing is above all borders, not below.
    pub(super) missing_is_above: bool,
}

/// A column of categories.
#[derive(Debug, Clone)]
pub(super) struct CategoricalFeature {
    pub(super) index: usize,
    pub(super) column: usize,
    pub(super) name: String,
    pub(super) is_used: bool,
}

/// Categories that trees ask for one by one.
#[derive(Debug, Clone)]
pub(super) struct OneHotFeature {
    /// Number of the categorical feature.
    pub(super) index: usize,
    pub(super) values: Vec<i32>,
}

/// What a CTR counts: a combination of categories, and of whether splits hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) categories: Vec<usize>,
    /// Numbers of features, and the bits of borders.
    pub(super) floats: Vec<(usize, u32)>,
    pub(super) one_hot: Vec<(usize, i32)>,
    pub(super) kind: CtrKind,
    /// By which of the cuts of the target.
    pub(super) cuts: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CtrKind {
    Borders,
    Buckets,
    /// Also of the target as it is, which has the same form.
    Mean,
    /// Also of frequencies, which have the same form.
    Counter,
}

impl CtrKind {
    /// In the order of their numbers in a binary file.
    pub(super) const NAMES: [(&str, Self); 6] = [
        ("Borders", Self::Borders),
        ("Buckets", Self::Buckets),
        ("BinarizedTargetMeanValue", Self::Mean),
        ("FloatTargetMeanValue", Self::Mean),
        ("Counter", Self::Counter),
        ("FeatureFreq", Self::Counter),
    ];

    /// Numbers of a combination in a table of so many classes of the target.
    pub(super) fn stride(self, classes: usize) -> usize {
        match self {
            Self::Borders | Self::Buckets => classes,
            Self::Mean => 2,
            Self::Counter => 1,
        }
    }
}

/// A CTR as a column of numbers.
#[derive(Debug, Clone)]
pub(super) struct CtrFeature {
    pub(super) source: Source,
    pub(super) target_border: usize,
    /// Numerator and denominator of what stands for no observations.
    pub(super) prior: (f32, f32),
    pub(super) shift: f32,
    pub(super) scale: f32,
    pub(super) borders: Vec<f32>,
}

/// What training counted of a source.
#[derive(Debug, Clone)]
pub(super) struct CtrTable {
    pub(super) source: Source,
    /// Place of each combination among the counts.
    pub(super) places: HashMap<u64, u32>,
    /// `stride` for each combination: counts, or the bits of a sum of targets and its count.
    pub(super) counts: Vec<i32>,
    pub(super) denominator: i32,
    pub(super) classes: usize,
}

/// Trees, one after the other. A split is a number among all borders and values: of float features, of categories one
/// by one, of CTRs, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Trees {
    pub(super) shape: Shape,
    /// Splits or nodes of each tree.
    pub(super) sizes: Vec<usize>,
    pub(super) splits: Vec<u32>,
    pub(super) leaves: Vec<f64>,
    /// Training rows by leaf; empty where they are not known.
    pub(super) weights: Vec<f64>,
}

#[derive(Debug, Default)]
pub(super) enum Shape {
    /// One split a level: the leaf is the number of which each split that holds is a bit, the first one the lowest.
    #[default]
    Symmetric,
    Nodes {
        /// How far on the next node is, where the split does not hold and where it does; the leaf is this node's if that is 0.
        steps: Vec<(u32, u32)>,
        /// By node, where its values begin.
        places: Vec<u32>,
    },
}

impl File {
    /// Values of a leaf.
    pub(super) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// What training said under this name.
    pub(super) fn said(&self, name: &str) -> Option<Document> {
        let (_, said) = self.info.iter().find(|(key, _)| key == name)?;
        match said {
            Document::Text(text) => parse_json(text).ok(),
            other => Some(other.clone()),
        }
    }

    /// The number among the categories that trees look at of a categorical feature.
    pub(super) fn used_category(&self, index: usize) -> Result<usize> {
        let mut used = self.categories.iter().filter(|feature| feature.is_used);
        let number = used.position(|feature| feature.index == index);
        number.ok_or_else(|| {
            malformed(format!("categorical feature {index} is used and is not there"))
        })
    }

    /// Refuses lists that do not fit together.
    pub(super) fn check(&self) -> Result<()> {
        let outputs = self.outputs();
        if outputs == 0 || outputs > OUTPUTS_MAX {
            return Err(malformed(format!("{outputs} outputs")));
        }
        let numbers = self.bias.iter().chain([&self.scale]);
        if numbers.chain(&self.trees.leaves).any(|x| x.is_nan()) {
            return Err(malformed("a value is not a number"));
        }
        let of_floats = self.floats.iter().map(|feature| feature.borders.len());
        let of_categories = self.one_hot.iter().map(|feature| feature.values.len());
        let of_ctrs = self.ctrs.iter().map(|ctr| ctr.borders.len());
        let asked: usize = of_floats.chain(of_categories).chain(of_ctrs).sum();
        if asked > ASKED_MAX {
            return Err(malformed(format!("{asked} borders; it may have {ASKED_MAX}")));
        }
        let borders = self.floats.iter().map(|feature| &feature.borders);
        for borders in borders.chain(self.ctrs.iter().map(|ctr| &ctr.borders)) {
            // Not a number is in no order.
            if !borders.is_sorted_by(|a, b| a < b) || borders.iter().any(|x| x.is_nan()) {
                return Err(malformed("borders that do not ascend"));
            }
        }
        self.check_columns()?;
        self.tables.iter().try_for_each(CtrTable::check)?;
        self.trees.check(outputs)
    }

    /// Each column is there once, and each number of a kind.
    fn check_columns(&self) -> Result<()> {
        let mut columns: Vec<usize> = self.floats.iter().map(|feature| feature.column).collect();
        columns.extend(self.categories.iter().map(|feature| feature.column));
        let floats = self.floats.iter().map(|feature| feature.index);
        let categories = self.categories.iter().map(|feature| feature.index);
        for mut numbers in [columns, floats.collect(), categories.collect()] {
            numbers.sort_unstable();
            if let Some(pair) = numbers.windows(2).find(|pair| pair.first() == pair.last()) {
                return Err(malformed(format!("feature {pair:?} is there twice")));
            }
        }
        Ok(())
    }
}

impl CtrTable {
    fn check(&self) -> Result<()> {
        let stride = self.source.kind.stride(self.classes);
        let least = if self.source.kind == CtrKind::Borders { 2 } else { 1 };
        if stride < least || self.places.len().checked_mul(stride) != Some(self.counts.len()) {
            return Err(malformed(format!(
                "{} counts of a CTR for {} combinations",
                self.counts.len(),
                self.places.len()
            )));
        }
        let count = self.places.len() as u64;
        if self.places.values().any(|&place| u64::from(place) >= count) {
            return Err(malformed("a combination of categories without counts"));
        }
        Ok(())
    }
}

impl Trees {
    fn check(&self, outputs: usize) -> Result<()> {
        let splits = self.sizes.iter().fold(0, |sum: usize, &size| sum.saturating_add(size));
        if splits != self.splits.len() {
            return Err(malformed(format!("{} splits for {splits}", self.splits.len())));
        }
        let leaves = match &self.shape {
            Shape::Symmetric => {
                if let Some(levels) = self.sizes.iter().find(|&&levels| levels > LEVELS_MAX) {
                    return Err(malformed(format!("a symmetric tree of {levels} levels")));
                }
                self.sizes.iter().fold(0, |sum: usize, &levels| sum.saturating_add(1 << levels))
            }
            Shape::Nodes { steps, places } => {
                if steps.len() != splits || places.len() != splits || self.sizes.contains(&0) {
                    return Err(malformed(format!("{} steps for {splits} nodes", steps.len())));
                }
                self.leaves.len() / outputs
            }
        };
        if leaves.checked_mul(outputs) != Some(self.leaves.len()) {
            return Err(malformed(format!(
                "{} values for {leaves} leaves of {outputs} outputs",
                self.leaves.len()
            )));
        }
        if !self.weights.is_empty() && self.weights.len() != leaves {
            return Err(malformed(format!("{} weights of {leaves} leaves", self.weights.len())));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_limited_in_sum() {
        let float = |index: usize| FloatFeature {
            index,
            column: index,
            name: String::new(),
            borders: (0..u16::MAX).map(f32::from).collect(),
            missing_is_above: false,
        };
        let file = |features: usize| File {
            floats: (0..features).map(float).collect(),
            categories: Vec::new(),
            one_hot: Vec::new(),
            ctrs: Vec::new(),
            tables: Vec::new(),
            trees: Trees::default(),
            scale: 1.0,
            bias: vec![0.0],
            info: Vec::new(),
        };
        assert!(file(64).check().is_ok());
        let refused = file(65).check().unwrap_err().to_string();
        assert!(refused.contains("borders"), "{refused}");
    }
}
