//! What a fitted tree is, and how one row walks it.

/// Child index of a leaf.
pub(super) const LEAF: u32 = u32::MAX;

/// A node; a leaf if it has no children.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Column of the matrix that is compared.
    pub feature: u32,
    /// A row goes left if its value is at most this.
    pub threshold: f32,
    /// Index of the left child.
    pub left: u32,
    /// Index of the right child.
    pub right: u32,
    /// Impurity of the training rows that reached the node.
    pub impurity: f64,
    /// Sum of their weights.
    pub weight: f64,
}

impl Node {
    /// Whether the node has no children.
    pub fn is_leaf(&self) -> bool {
        self.left == LEAF
    }
}

/// A fitted tree. Node 0 is the root.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Nodes in depth-first order.
    pub nodes: Vec<Node>,
    /// `width` values a node: class shares, or the mean of the target.
    pub values: Vec<f64>,
    /// Values a node.
    pub width: usize,
}

impl Tree {
    /// The leaf that a row ends in; `value(feature)` reads the row.
    #[inline]
    pub fn leaf(&self, value: impl Fn(usize) -> f32) -> usize {
        let mut index = 0;
        while let Some(node) = self.nodes.get(index) {
            if node.is_leaf() {
                break;
            }
            let goes_left = value(node.feature as usize) <= node.threshold;
            index = if goes_left { node.left } else { node.right } as usize;
        }
        index
    }

    /// Values of a node; empty if there is no such node.
    pub fn values_of(&self, node: usize) -> &[f64] {
        self.values.get(node * self.width..(node + 1) * self.width).unwrap_or_default()
    }

    /// Number of edges from the root to the deepest leaf.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0_usize; self.nodes.len()];
        let mut deepest = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            deepest = deepest.max(depths[index]);
            if !node.is_leaf() {
                depths[node.left as usize] = depths[index] + 1;
                depths[node.right as usize] = depths[index] + 1;
            }
        }
        deepest
    }

    /// How much each feature reduced the impurity, normalised to a sum of 1 (scikit-learn's
    /// `feature_importances_`); all zero for a tree of one leaf.
    pub fn importances(&self, features: usize) -> Vec<f64> {
        let mut importances = vec![0.0; features];
        for node in self.nodes.iter().filter(|node| !node.is_leaf()) {
            let (left, right) = (&self.nodes[node.left as usize], &self.nodes[node.right as usize]);
            importances[node.feature as usize] += node.weight * node.impurity
                - left.weight * left.impurity
                - right.weight * right.impurity;
        }
        let total: f64 = importances.iter().sum();
        if total > 0.0 {
            for importance in &mut importances {
                *importance /= total;
            }
        }
        importances
    }
}
