//! Shallow trees: what their leaves add, made beforehand for each outcome of their splits.
//!
//! A tree is cut into subtrees of which each has, with the splits on the way to it, [`BITS_MAX`] splits at most.
//! The outcomes of these splits are the bits of a number, and the subtree has an entry for each number: what each
//! feature gets from all of its leaves. A row costs a comparison a split and an entry a subtree.

use super::block::{Block, Gains, ROWS};
use super::rule::Rule;
use crate::tree::forest::Forest;
use crate::tree::scalar::Scalar;

/// Splits whose outcomes are one number, and so the features that an entry has at most. Trees that are deeper
/// have no tables.
pub(super) const BITS_MAX: usize = 8;

/// Entries of all tables of a forest, 64 MB: five hundred trees of depth 6. Later trees go without.
const ENTRIES_MAX: usize = 1 << 20;

/// What each feature of a subtree gets; a cache line.
type Entry = [f64; BITS_MAX];

/// The tables of a forest.
#[derive(Debug, Default)]
pub(super) struct Tables {
    steps: Vec<Step>,
    entries: Vec<Entry>,
    /// Of all subtrees.
    features: Vec<u32>,
}

/// What is done for each row; the outcomes so far are kept for each number of them.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The outcome of a split is added to the first `depth`.
    Split { node: u32, depth: u8 },
    /// The entry of the first `depth` outcomes is added to the output.
    Add { depth: u8, first_entry: u32, first_feature: u32, features: u8, output: u32 },
}

/// A split on the way to a leaf, and which way it is taken.
#[derive(Debug, Clone, Copy)]
struct Turn {
    feature: u32,
    bit: u8,
    left: bool,
    share: f64,
}

/// A feature on the way to a leaf.
#[derive(Debug, Clone, Copy)]
struct Player {
    /// Place in the entries of the subtree.
    place: usize,
    /// Outcomes of its splits, and what they are on the way to the leaf.
    mask: u8,
    wanted: u8,
    share: f64,
}

/// A tree that is cut into subtrees.
struct Cut<'a, X: Scalar, V: Scalar> {
    forest: &'a Forest<X, V>,
    tables: &'a mut Tables,
    rules: &'a [Rule],
    target: u32,
    width: usize,
    way: Vec<Turn>,
}

impl Tables {
    /// Makes the tables of a tree, if there is room for them; `rules` have 0, 1, 2, … points.
    pub(super) fn take<X: Scalar, V: Scalar>(
        &mut self,
        forest: &Forest<X, V>,
        tree: usize,
        rules: &[Rule],
    ) -> bool {
        let Some(head) = forest.trees.get(tree) else { return true };
        if head.depth as usize > BITS_MAX {
            return false;
        }
        let width = forest.leaf_width();
        let mut cut =
            Cut { forest, tables: self, rules, target: head.target, width, way: Vec::new() };
        let entries = cut.entries(head.root, 0).saturating_mul(width);
        if cut.tables.entries.len().saturating_add(entries) > ENTRIES_MAX {
            return false;
        }
        cut.subtree(head.root);
        true
    }

    /// Adds what the features of the rows get from these trees.
    pub(super) fn add<X: Scalar, V: Scalar>(
        &self,
        forest: &Forest<X, V>,
        block: &Block<'_, X>,
        gains: &mut Gains,
    ) {
        let mut outcomes = [[0_u8; ROWS]; BITS_MAX + 1];
        for step in &self.steps {
            match *step {
                Step::Split { node, depth } => {
                    let (before, after) = outcomes.split_at_mut(usize::from(depth) + 1);
                    if let (Some(from), Some(to)) = (before.last(), after.first_mut()) {
                        block.outcomes(forest, node, depth, from, to);
                    }
                }
                Step::Add { depth, first_entry, first_feature, features, output } => {
                    let first = first_feature as usize;
                    let features = self.features.get(first..first + usize::from(features));
                    let Some(outcomes) = outcomes.get(usize::from(depth)) else { continue };
                    // Written so, no entry is checked to be there.
                    let mask = (1_usize << depth) - 1;
                    let entries = self.entries.get(first_entry as usize..).unwrap_or_default();
                    let Some(entries) = entries.get(..mask + 1) else { continue };
                    for (place, &feature) in features.unwrap_or_default().iter().enumerate() {
                        let place = place & (BITS_MAX - 1);
                        let column = gains.column(output as usize, feature as usize);
                        for (sum, &outcome) in column.iter_mut().zip(outcomes) {
                            *sum += entries[usize::from(outcome) & mask][place];
                        }
                    }
                }
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.steps.as_slice())
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.features.as_slice())
    }
}

impl<X: Scalar, V: Scalar> Cut<'_, X, V> {
    fn splits(&self, node: u32) -> usize {
        let below = |left| self.splits(left) + self.splits(left + 1);
        self.forest.branch(node).map_or(0, |branch| 1 + below(branch.left))
    }

    /// Entries of the tables of what is below a node that so many splits lead to.
    fn entries(&self, node: u32, depth: usize) -> usize {
        let splits = depth + self.splits(node);
        match self.forest.branch(node) {
            Some(branch) if splits > BITS_MAX => {
                self.entries(branch.left, depth + 1) + self.entries(branch.left + 1, depth + 1)
            }
            _ => 1 << splits.min(BITS_MAX),
        }
    }

    /// Cuts what is below a node, which the turns of `way` lead to.
    fn subtree(&mut self, node: u32) {
        let depth = self.way.len();
        match self.forest.branch(node) {
            Some(branch) if depth + self.splits(node) > BITS_MAX => {
                self.tables.steps.push(Step::Split { node, depth: depth as u8 });
                for child in [branch.left, branch.left + 1] {
                    self.way.push(self.turn(node, child, depth));
                    self.subtree(child);
                    self.way.pop();
                }
            }
            _ => self.table(node),
        }
    }

    fn turn(&self, node: u32, child: u32, bit: usize) -> Turn {
        let branch = self.forest.branch(node);
        Turn {
            feature: branch.map_or(0, |branch| branch.feature as u32),
            bit: bit as u8,
            left: branch.is_some_and(|branch| branch.left == child),
            share: self.forest.share(node, child),
        }
    }

    /// Makes the tables of a subtree, one an output.
    fn table(&mut self, root: u32) {
        let mut leaves = Vec::new();
        let mut splits = self.way.len();
        self.leaves(root, &mut splits, &mut leaves);
        let mut features: Vec<u32> =
            leaves.iter().flat_map(|(_, way)| way).map(|turn| turn.feature).collect();
        features.sort_unstable();
        features.dedup();
        if features.is_empty() {
            return;
        }
        let size = 1 << splits;
        let first_feature = self.tables.features.len() as u32;
        let first_entry = self.tables.entries.len();
        for output in 0..self.width {
            self.tables.steps.push(Step::Add {
                depth: splits as u8,
                first_entry: (first_entry + output * size) as u32,
                first_feature,
                features: features.len() as u8,
                output: self.target + output as u32,
            });
        }
        self.tables.entries.resize(first_entry + self.width * size, [0.0; BITS_MAX]);
        let entries = self.tables.entries.get_mut(first_entry..).unwrap_or_default();
        for (leaf, way) in &leaves {
            let players = players(way, &features);
            let Some(rule) = self.rules.get(players.len().div_ceil(2)) else { continue };
            let gains: Vec<Entry> =
                (0..1_usize << players.len()).map(|agree| gains(&players, agree, rule)).collect();
            let values = self.forest.leaf_values(*leaf as usize);
            for (table, value) in entries.chunks_exact_mut(size).zip(values) {
                let value = value.to_f64();
                for (outcomes, entry) in table.iter_mut().enumerate() {
                    let gains = gains.get(agreement(&players, outcomes as u8));
                    for (player, gain) in players.iter().zip(gains.into_iter().flatten()) {
                        entry[player.place & (BITS_MAX - 1)] += value * gain;
                    }
                }
            }
        }
        self.tables.features.extend(features);
    }

    /// The leaves below a node with the ways to them. Splits get the next bits in the order of their steps.
    fn leaves(&mut self, node: u32, splits: &mut usize, leaves: &mut Vec<(u32, Vec<Turn>)>) {
        let Some(branch) = self.forest.branch(node) else {
            leaves.push((node, self.way.clone()));
            return;
        };
        let bit = *splits;
        *splits += 1;
        self.tables.steps.push(Step::Split { node, depth: bit as u8 });
        for child in [branch.left, branch.left + 1] {
            self.way.push(self.turn(node, child, bit));
            self.leaves(child, splits, leaves);
            self.way.pop();
        }
    }
}

/// The features on a way, each with all of its splits.
fn players(way: &[Turn], features: &[u32]) -> Vec<Player> {
    let mut players: Vec<Player> = Vec::new();
    for turn in way {
        let place = features.iter().position(|&feature| feature == turn.feature).unwrap_or(0);
        let (mask, wanted) = (1 << turn.bit, u8::from(turn.left) << turn.bit);
        match players.iter_mut().find(|player| player.place == place) {
            Some(player) => {
                player.mask |= mask;
                player.wanted |= wanted;
                player.share *= turn.share;
            }
            None => players.push(Player { place, mask, wanted, share: turn.share }),
        }
    }
    players
}

/// Which players the outcomes agree with, a bit each.
fn agreement(players: &[Player], outcomes: u8) -> usize {
    let bit =
        |(at, player): (usize, &Player)| usize::from(outcomes & player.mask == player.wanted) << at;
    players.iter().enumerate().map(bit).sum()
}

/// What each player gets of a leaf of value 1; `agree` has a bit for each.
fn gains(players: &[Player], agree: usize, rule: &Rule) -> Entry {
    let mut gains = [0.0; BITS_MAX];
    let agrees = |at: usize| if agree >> at & 1 == 1 { 1.0 } else { 0.0 };
    for ((t, rest), weight) in rule.points.iter().zip(&rule.rests).zip(&rule.weights) {
        let factor = |at: usize, player: &Player| agrees(at) * t + player.share * rest;
        let mut product = *weight;
        let mut before = [0.0; BITS_MAX];
        for (at, (player, before)) in players.iter().zip(&mut before).enumerate() {
            *before = product;
            product *= factor(at, player);
        }
        let mut after = 1.0;
        for (at, player) in players.iter().enumerate().rev() {
            if let (Some(gain), Some(before)) = (gains.get_mut(at), before.get(at)) {
                *gain += before * after;
            }
            after *= factor(at, player);
        }
    }
    for (at, (player, gain)) in players.iter().zip(&mut gains).enumerate() {
        *gain *= agrees(at) - player.share;
    }
    gains
}
