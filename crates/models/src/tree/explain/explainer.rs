//! What explains the answers of a forest.

use super::block::{Block, Branch, Gains, ROWS};
use super::descent::{Descent, Trip};
use super::rule::Rule;
use super::tables::{BITS_MAX, Tables};
use crate::tree::forest::Forest;
use crate::tree::scalar::Scalar;

/// Depth of a tree that is explained: a path is held on the stack. Trees that learn from data are a hundred
/// nodes deep at most.
const DEPTH_MAX: u32 = 1000;

/// Values of a block's rows that are held at once, 64 MB, where there is more than one row.
const CELLS_MAX: usize = 1 << 23;

/// Fewer rows than these are explained one by one, where all trees have tables.
const FEW_ROWS: usize = 7;

/// Why a forest cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// Path-dependent values need the number of training rows that came by each node.
    #[error("the file does not say how many training rows came by each node")]
    NoCovers,
    /// A tree of a depth that no learner makes.
    #[error("tree {tree} is deeper than the limit of {DEPTH_MAX}")]
    TooDeep {
        /// Tree of the file.
        tree: usize,
    },
    /// No row to compare with.
    #[error("the background has no rows")]
    NoBackground,
}

/// Explains the answers of a forest: what each feature adds to the sums of its leaves.
#[derive(Debug)]
pub struct Explainer<X> {
    tables: Tables,
    /// Trees that have no table, with the points that the rule for them has.
    deep: Vec<(usize, usize)>,
    /// By number of points; empty where no tree asks for so many.
    rules: Vec<Rule>,
    /// What rows are compared with, row-major, and how wide they are; the training rows if there is none.
    background: Option<(Vec<X>, usize)>,
    base: Vec<f64>,
}

impl<X: Scalar, V: Scalar> Forest<X, V> {
    /// Path-dependent values: for a feature that is not known stand the training rows that came by.
    pub fn explainer(&self) -> Result<Explainer<X>, ExplainError> {
        if !self.has_covers() {
            return Err(ExplainError::NoCovers);
        }
        let mut explainer = Explainer::empty(self)?;
        for (tree, points) in std::mem::take(&mut explainer.deep) {
            if !explainer.tables.take(self, tree, &explainer.rules) {
                explainer.deep.push((tree, points));
            }
        }
        explainer.make_rules();
        for head in &self.trees {
            self.add_expectation(head.root, head.target as usize, 1.0, &mut explainer.base);
        }
        Ok(explainer)
    }

    /// Interventional values: for a feature that is not known stand the values of the background's rows, each
    /// as likely. Takes as many times as long as that has rows.
    pub fn explainer_against(
        &self,
        background: &[X],
        width: usize,
    ) -> Result<Explainer<X>, ExplainError> {
        let rows = background.len() / width.max(1);
        if rows == 0 {
            return Err(ExplainError::NoBackground);
        }
        let mut explainer = Explainer::empty(self)?;
        explainer.make_rules();
        for row in background.chunks_exact(width.max(1)) {
            self.for_each_leaf(row, |tree, values| {
                let target = self.trees.get(tree).map_or(0, |head| head.target as usize);
                let base = explainer.base.iter_mut().skip(target);
                base.zip(values).for_each(|(base, value)| *base += value.to_f64() / rows as f64);
            });
        }
        explainer.background = Some((background.to_vec(), width));
        Ok(explainer)
    }

    /// Adds the values of the leaves below a node, each as often as training rows came there.
    fn add_expectation(&self, node: u32, target: usize, share: f64, base: &mut [f64]) {
        if let Some(Branch { left, .. }) = self.branch(node) {
            for child in [left, left + 1] {
                self.add_expectation(child, target, share * self.share(node, child), base);
            }
            return;
        }
        let values = self.leaf_values(node as usize);
        let base = base.iter_mut().skip(target);
        base.zip(values).for_each(|(base, value)| *base += share * value.to_f64());
    }

    /// The most features that a path below a node asks for, `asked` having those on the way to it.
    fn features_on_a_path(&self, node: u32, asked: &mut Vec<usize>) -> usize {
        let Some(branch) = self.branch(node) else { return asked.len() };
        let is_new = !asked.contains(&branch.feature);
        if is_new {
            asked.push(branch.feature);
        }
        let left = self.features_on_a_path(branch.left, asked);
        let right = self.features_on_a_path(branch.left + 1, asked);
        if is_new {
            asked.pop();
        }
        left.max(right)
    }
}

impl<X: Scalar> Explainer<X> {
    /// All trees as if they were deep, with the rules that tables ask for.
    fn empty<V: Scalar>(forest: &Forest<X, V>) -> Result<Self, ExplainError> {
        let mut deep = Vec::with_capacity(forest.trees.len());
        for (tree, head) in forest.trees.iter().enumerate() {
            if head.depth > DEPTH_MAX {
                return Err(ExplainError::TooDeep { tree });
            }
            let features = forest.features_on_a_path(head.root, &mut Vec::new());
            deep.push((tree, features.div_ceil(2).max(1)));
        }
        let rules = (0..=BITS_MAX.div_ceil(2)).map(Rule::new).collect();
        let base = vec![0.0; forest.outputs()];
        Ok(Self { tables: Tables::default(), deep, rules, background: None, base })
    }

    /// Makes the rules that the deep trees ask for.
    fn make_rules(&mut self) {
        for &(_, points) in &self.deep {
            if self.rules.len() <= points {
                self.rules.resize(points + 1, Rule::default());
            }
            if let Some(rule) = self.rules.get_mut(points).filter(|rule| rule.points.is_empty()) {
                *rule = Rule::new(points);
            }
        }
    }

    /// What a row adds up to of which nothing is known, by output.
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// Adds to `sums` (rows x outputs x `width`, row-major) what each column adds to each output of each row.
    /// With the base, these are the sums of the row's leaves. `rows` is row-major with `width` columns; the
    /// forest is the one that this was made of.
    pub fn add_to<V: Scalar>(
        &self,
        forest: &Forest<X, V>,
        rows: &[X],
        width: usize,
        sums: &mut [f64],
    ) {
        let outputs = forest.outputs();
        let cells = (outputs * forest.features()).max(1);
        let few = self.deep.is_empty() && rows.len() < FEW_ROWS * width.max(1);
        let count = if few { 1 } else { (CELLS_MAX / cells).clamp(1, ROWS) };
        let of_block = (count * outputs * width).max(1);
        let mut descent = Descent::new(forest);
        for (rows, sums) in rows.chunks(count * width.max(1)).zip(sums.chunks_mut(of_block)) {
            let block = Block::new(forest, rows, width);
            let mut gains = Gains::new(outputs, forest.features(), block.count());
            self.tables.add(forest, &block, &mut gains);
            for &(tree, points) in &self.deep {
                let (Some(&tree), Some(rule)) = (forest.trees.get(tree), self.rules.get(points))
                else {
                    continue;
                };
                descent.meet(tree);
                for number in 0..block.count() {
                    let row = block.row(number);
                    let trip = Trip { tree, rule, row, background: None, weight: 1.0, number };
                    let Some((background, width)) = &self.background else {
                        descent.add(&trip, &mut gains);
                        continue;
                    };
                    let weight = 1.0 / (background.len() / (*width).max(1)).max(1) as f64;
                    for other in background.chunks_exact((*width).max(1)) {
                        let trip = Trip { background: Some(other), weight, ..trip };
                        descent.add(&trip, &mut gains);
                    }
                }
            }
            gains.add_to(sums, outputs, width);
        }
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.tables.size_bytes()
            + size_of_val(self.deep.as_slice())
            + self.background.as_ref().map_or(0, |(rows, _)| size_of_val(rows.as_slice()))
    }
}
