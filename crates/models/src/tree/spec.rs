//! Trees as libraries describe them: what a format reader fills in.

/// One tree before it is laid out. Node 0 is the root.
#[derive(Debug, Clone, Default)]
pub struct TreeSpec<V> {
    /// Nodes in any order.
    pub nodes: Vec<NodeSpec>,
    /// Leaf values, `leaf_width` of the ensemble for each leaf.
    pub values: Vec<V>,
    /// First output that the leaf values are added to.
    pub target: u32,
    /// Nodes that nothing leads to, as far as the file itself says so: XGBoost keeps the places of nodes
    /// that it took out again.
    pub unused: usize,
    /// For each node the training rows that came by, in whatever weight the library counts them; empty where
    /// the file does not say it. Only explanations ask.
    pub covers: Vec<f64>,
}

/// A node of a tree.
#[derive(Debug, Clone)]
pub enum NodeSpec {
    /// Sends a row to one of two nodes.
    Split(Split),
    /// Ends the walk at the leaf of this number: values `[n * leaf_width ..][.. leaf_width]`.
    Leaf(u32),
}

/// A test on one feature and where its outcomes lead.
#[derive(Debug, Clone)]
pub struct Split {
    /// Column of the input.
    pub feature: u32,
    /// A row for which this holds goes left.
    pub test: Test,
    /// Node for rows that pass.
    pub left: u32,
    /// Node for rows that do not.
    pub right: u32,
    /// Whether a missing value (NaN) goes left.
    pub missing_left: bool,
    /// Whether zero (up to 1e-35, as LightGBM has it) counts as missing.
    pub zero_is_missing: bool,
}

/// What a split asks of the value `x`. NaN never gets here: `missing_left` decides for it.
#[derive(Debug, Clone)]
pub enum Test {
    /// `x <= threshold`
    AtMost(f64),
    /// `x < threshold`
    Below(f64),
    /// `x == value`
    Equals(f64),
    /// `x`, cut to an integer, is in the set.
    Member(CategorySet),
}

/// A set of small non-negative integers.
#[derive(Debug, Clone, Default)]
pub struct CategorySet {
    /// Bit `c % 32` of word `c / 32`.
    pub words: Vec<u32>,
    /// Categories that were seen in training, where others count as missing.
    pub known: Option<Vec<u32>>,
}

impl CategorySet {
    /// The set of these categories.
    pub fn from_categories(categories: impl IntoIterator<Item = u32>) -> Self {
        let mut words = Vec::new();
        for category in categories {
            let word = category as usize / 32;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            if let Some(word) = words.get_mut(word) {
                *word |= 1 << (category % 32);
            }
        }
        Self { words, known: None }
    }

    /// Whether the category is in the set; `None` when it counts as missing.
    pub fn contains(&self, x: f64) -> Option<bool> {
        if let Some(known) = &self.known
            && !has_bit(known, x)
        {
            return None;
        }
        Some(has_bit(&self.words, x))
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.words.as_slice())
            + self.known.as_ref().map_or(0, |known| size_of_val(known.as_slice()))
    }
}

fn has_bit(words: &[u32], x: f64) -> bool {
    let category = x.trunc();
    if !(0.0..4_294_967_296.0).contains(&category) {
        return false;
    }
    let category = category as u32;
    words.get(category as usize / 32).is_some_and(|word| word >> (category % 32) & 1 == 1)
}
