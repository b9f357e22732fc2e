//! Trees as the engine for all ensembles walks them: those that are not symmetric, and all that are explained.

use super::file::{Shape, Trees, malformed};
use crate::Result;
use crate::tree::{Forest, NodeSpec, Split, Test, TreeSpec};

/// What a split asks the engine: column, test, and whether rows that pass are those for which CatBoost's split holds.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) column: u32,
    pub(super) test: Test,
    pub(super) passing_holds: bool,
    /// Whether the split holds for what is missing.
    pub(super) missing_holds: bool,
}

/// Makes a forest of trees; `ask` knows what each split asks of the columns that there are.
pub(super) fn build(
    trees: &Trees,
    outputs: usize,
    columns: usize,
    ask: impl Fn(u32) -> Option<Question>,
) -> Result<Forest<f32, f64>> {
    let mut specs = Vec::with_capacity(trees.sizes.len());
    let mut first = 0;
    let taken = vec![false; trees.leaves.len() / outputs.max(1)];
    let mut leaves = Leaves { trees, outputs, next: 0, taken };
    for &size in &trees.sizes {
        let splits = trees.splits.get(first..first + size).unwrap_or_default();
        specs.push(match &trees.shape {
            Shape::Symmetric => symmetric(splits, &mut leaves, &ask)?,
            Shape::Nodes { steps, places } => {
                let steps = steps.get(first..first + size).unwrap_or_default();
                let places = places.get(first..first + size).unwrap_or_default();
                nodes(splits, steps, places, &mut leaves, &ask)?
            }
        });
        first += size;
    }
    if leaves.taken.contains(&false) {
        return Err(malformed("a leaf that no node leads to"));
    }
    Forest::build(&specs, columns, outputs, outputs).map_err(malformed)
}

/// The leaves of all trees, each of which is taken once.
struct Leaves<'a> {
    trees: &'a Trees,
    outputs: usize,
    /// Of symmetric trees the leaves follow each other.
    next: usize,
    taken: Vec<bool>,
}

impl Leaves<'_> {
    /// Adds a leaf to the values of a tree; its node, and its weight where that is known.
    fn take(&mut self, leaf: usize, values: &mut Vec<f64>) -> Result<(NodeSpec, f64)> {
        let first = leaf.saturating_mul(self.outputs);
        let own = self.trees.leaves.get(first..first.saturating_add(self.outputs));
        let taken = self.taken.get_mut(leaf).filter(|taken| !**taken);
        let (Some(own), Some(taken)) = (own, taken) else {
            return Err(malformed(format!("leaf {leaf} does not exist or is there twice")));
        };
        *taken = true;
        let number = (values.len() / self.outputs.max(1)) as u32;
        values.extend_from_slice(own);
        let weight = self.trees.weights.get(leaf).copied().unwrap_or(0.0);
        Ok((NodeSpec::Leaf(number), weight))
    }

    /// The leaf whose values begin at this place.
    fn take_at(&mut self, place: u32, values: &mut Vec<f64>) -> Result<(NodeSpec, f64)> {
        let (place, outputs) = (place as usize, self.outputs.max(1));
        if !place.is_multiple_of(outputs) {
            return Err(malformed(format!("a leaf begins at value {place}")));
        }
        self.take(place / outputs, values)
    }

    /// A tree of nodes with their weights, those of inner nodes still to be summed up.
    fn tree(&self, nodes: Vec<(NodeSpec, f64)>, values: Vec<f64>) -> TreeSpec<f64> {
        let (nodes, mut covers): (Vec<NodeSpec>, Vec<f64>) = nodes.into_iter().unzip();
        for at in (0..nodes.len()).rev() {
            let Some(NodeSpec::Split(Split { left, right, .. })) = nodes.get(at) else { continue };
            let cover = |node: &u32| covers.get(*node as usize).copied().unwrap_or(0.0);
            let sum = cover(left) + cover(right);
            if let Some(slot) = covers.get_mut(at) {
                *slot = sum;
            }
        }
        if self.trees.weights.is_empty() {
            covers.clear();
        }
        TreeSpec { nodes, values, covers, ..TreeSpec::default() }
    }
}

/// A level after the other; the last split is asked first, as its answer is the highest bit.
fn symmetric(
    splits: &[u32],
    leaves: &mut Leaves<'_>,
    ask: impl Fn(u32) -> Option<Question>,
) -> Result<TreeSpec<f64>> {
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    for (level, &split) in splits.iter().rev().enumerate() {
        let first = (1_u32 << level) - 1;
        for node in first..=2 * first {
            nodes.push((split_node(split, 2 * node + 1, 2 * node + 2, &ask)?, 0.0));
        }
    }
    for _ in 0..1_usize << splits.len() {
        nodes.push(leaves.take(leaves.next, &mut values)?);
        leaves.next += 1;
    }
    Ok(leaves.tree(nodes, values))
}

/// Nodes that say how far on the next ones are. A node that is a leaf as well, for one of its answers, has that leaf
/// behind all nodes.
fn nodes(
    splits: &[u32],
    steps: &[(u32, u32)],
    places: &[u32],
    leaves: &mut Leaves<'_>,
    ask: impl Fn(u32) -> Option<Question>,
) -> Result<TreeSpec<f64>> {
    let (mut nodes, mut behind, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (at, ((&split, &(left, right)), &place)) in splits.iter().zip(steps).zip(places).enumerate()
    {
        if (left, right) == (0, 0) {
            nodes.push(leaves.take_at(place, &mut values)?);
            continue;
        }
        let mut next = |step: u32| -> Result<u32> {
            if step != 0 {
                return Ok((at as u32).saturating_add(step));
            }
            behind.push(leaves.take_at(place, &mut values)?);
            Ok((steps.len() + behind.len() - 1) as u32)
        };
        let (left, right) = (next(left)?, next(right)?);
        nodes.push((split_node(split, left, right, &ask)?, 0.0));
    }
    nodes.append(&mut behind);
    Ok(leaves.tree(nodes, values))
}

/// A node whose left child is where the split does not hold.
fn split_node(
    split: u32,
    left: u32,
    right: u32,
    ask: impl Fn(u32) -> Option<Question>,
) -> Result<NodeSpec> {
    let asked = ask(split).ok_or_else(|| malformed(format!("split {split} does not exist")))?;
    let Question { column, test, passing_holds, missing_holds } = asked;
    let (passing, failing) = if passing_holds { (right, left) } else { (left, right) };
    Ok(NodeSpec::Split(Split {
        feature: column,
        test,
        left: passing,
        right: failing,
        missing_left: missing_holds == passing_holds,
        zero_is_missing: false,
    }))
}
