//! The trees of a booster, and what its file says of them all.

use super::fields::{count, malformed, missing};
use super::tree;
use crate::Result;
use crate::document::Document;
use crate::refusal::Refusal;
use crate::tree::Forest;

/// What is known of a booster before its trees are read.
pub(super) struct Shape {
    pub(super) features: usize,
    pub(super) outputs: usize,
    /// What answers; all if nothing stopped training early.
    pub(super) kept: Option<Kept>,
    /// Trees that a round grows for each output, where the model itself does not say it.
    pub(super) parallel: Option<usize>,
}

/// Which trees answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    /// Those of the first rounds.
    Rounds(usize),
    /// So many of each output.
    Trees(usize),
}

/// Reads the trees of a `gbtree` model; `weights` scales each, where trees were dropped in training.
pub(super) fn read(
    model: &Document,
    weights: Option<&[f64]>,
    shape: &Shape,
) -> Result<Forest<f32, f32>> {
    let trees = model.get("trees").and_then(Document::list).ok_or_else(|| missing("trees"))?;
    let parameters =
        model.get("gbtree_model_param").ok_or_else(|| missing("gbtree_model_param"))?;
    let said = count(parameters, "num_trees").map_err(malformed)?;
    let targets =
        model.get("tree_info").and_then(Document::numbers).ok_or_else(|| missing("tree_info"))?;
    if said != trees.len() || targets.len() != trees.len() {
        return Err(malformed(format!(
            "{} trees, but num_trees is {said} and tree_info is of {}",
            trees.len(),
            targets.len()
        )));
    }
    if weights.is_some_and(|weights| weights.len() != trees.len()) {
        return Err(malformed("weight_drop holds not one weight a tree"));
    }
    let mut leaf_width = 1;
    let mut specs = Vec::with_capacity(trees.len());
    for (number, tree) in trees.iter().enumerate() {
        let in_tree = |reason: Refusal| malformed(format!("tree {number}: {reason}"));
        // XGBoost puts trees where their numbers say.
        if tree.get("id").is_some() && count(tree, "id") != Ok(number) {
            return Err(in_tree("its id is another".into()));
        }
        let weight = weights.and_then(|weights| weights.get(number)).map_or(1.0, |&x| x as f32);
        let (mut spec, width) = tree::read(tree, weight, shape.features).map_err(in_tree)?;
        if width != 1 && width != shape.outputs || number > 0 && width != leaf_width {
            return Err(in_tree(format!("its leaves have {width} values").into()));
        }
        leaf_width = width;
        let target = targets.get(number).copied().unwrap_or_default();
        let groups = if width == 1 { shape.outputs } else { 1 };
        if target.fract() != 0.0 || !(0.0..groups as f64).contains(&target) {
            return Err(in_tree(format!("tree_info says output {target} of {groups}").into()));
        }
        spec.target = target as u32;
        specs.push(spec);
    }
    let groups = if leaf_width == 1 { shape.outputs } else { 1 };
    let parallel = match parameters.get("num_parallel_tree") {
        Some(_) => Some(count(parameters, "num_parallel_tree").map_err(malformed)?.max(1)),
        None => shape.parallel.map(|said| said.max(1)),
    };
    // Before 1.6 nothing said how many trees of an output stand together.
    let together = parallel.unwrap_or_else(|| match groups {
        1 => 1,
        _ => targets.iter().take_while(|&&target| target == 0.0).count().max(1),
    });
    let starts = rounds(model, trees.len(), groups.saturating_mul(together))?;
    check_order(&starts, &targets, groups)?;
    let keep = shape.kept.map(|kept| match kept {
        Kept::Rounds(rounds) if parallel.is_some() || model.get("iteration_indptr").is_some() => {
            starts.get(rounds).copied().ok_or_else(|| {
                malformed(format!(
                    "the best round is {} of {}",
                    rounds.saturating_sub(1),
                    starts.len().saturating_sub(1)
                ))
            })
        }
        // Versions that did not write it take it for one.
        Kept::Rounds(trees) | Kept::Trees(trees) => Ok(trees.saturating_mul(groups)),
    });
    if let Some(keep) = keep {
        specs.truncate(keep?);
    }
    Forest::build(&specs, shape.features, leaf_width, shape.outputs).map_err(malformed)
}

/// Where the trees of each round begin, and where those of the last one end. XGBoost writes it since 2.0.
fn rounds(model: &Document, trees: usize, in_round: usize) -> Result<Vec<usize>> {
    let Some(starts) = model.get("iteration_indptr") else {
        let in_round = in_round.max(1);
        if !trees.is_multiple_of(in_round) {
            return Err(malformed(format!("{trees} trees are no whole rounds of {in_round}")));
        }
        return Ok((0..=trees).step_by(in_round).collect());
    };
    let starts = starts.numbers().ok_or_else(|| missing("iteration_indptr"))?;
    let (first, last) = (starts.first().copied(), starts.last().copied());
    let fits = starts.is_sorted_by(|a, b| a < b)
        && starts.iter().all(|start| start.fract() == 0.0)
        && first == Some(0.0)
        && last == Some(trees as f64);
    // A model without trees may say so by nothing at all.
    let is_empty = trees == 0 && starts.iter().all(|&start| start == 0.0);
    if !fits && !is_empty {
        return Err(malformed(format!("iteration_indptr does not lead from 0 to {trees}")));
    }
    Ok(starts.into_iter().map(|start| start as usize).collect())
}

/// Within a round the trees of an output stand together, those of the first output first.
fn check_order(starts: &[usize], targets: &[f64], groups: usize) -> Result<()> {
    for round in starts.windows(2) {
        let &[start, end] = round else { continue };
        let targets = targets.get(start..end).unwrap_or_default();
        let each = targets.len() / groups.max(1);
        let fits = targets.len().is_multiple_of(groups.max(1))
            && targets.iter().enumerate().all(|(at, &target)| target == (at / each.max(1)) as f64);
        if !fits {
            return Err(malformed(format!(
                "tree_info of trees {start} to {end} is no round of {groups} outputs"
            )));
        }
    }
    Ok(())
}
