//! Shallow trees: what their leaves add, made beforehand for each outcome of their splits.
//!
//! A tree is cut into subtrees of which each has, with the splits on the way to it, [`BITS_MAX`] splits at most.
//! The outcomes of these splits are the bits of a number, and the subtree has an entry for each number: what each
//! feature gets from all of its leaves. A row costs a comparison a split and an entry a subtree.
//!
//! Many rows go through the splits together. One row alone first finds all of its entries and then adds them up: the
//! entries of large forests come from far away, and so they are on their way together.

use super::block::{Block, Gains, ROWS};
use super::rule::Rule;
use crate::tree::forest::{Forest, Nodes, left_bits, padded_width};
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
    /// Of all steps.
    splits: Vec<u32>,
    entries: Vec<Entry>,
    /// Of all subtrees.
    features: Vec<u32>,
}

/// A subtree, for one of the outputs: what is done for each row. The outcomes so far are kept for each number of them.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The outcomes that are known, to which those of the next splits are added up to `depth`.
    known: u8,
    depth: u8,
    /// The entry of the outcomes is added to this output.
    features: u8,
    first_entry: u32,
    first_feature: u32,
    output: u32,
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
    /// Outcomes that are known before the splits that the next step begins with.
    known: usize,
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
        let target = head.target;
        let mut cut = Cut { forest, tables: self, rules, target, width, way: Vec::new(), known: 0 };
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
        if block.count() == 1 {
            let entries = self.entries_of_one(forest, block);
            return self.add_entries(&entries, gains);
        }
        let mut outcomes = [[0_u8; ROWS]; BITS_MAX + 1];
        let mut splits = self.splits.iter();
        for step in &self.steps {
            for depth in step.known..step.depth {
                let (before, after) = outcomes.split_at_mut(usize::from(depth) + 1);
                let parts = (before.last(), after.first_mut(), splits.next());
                if let (Some(from), Some(to), Some(&node)) = parts {
                    block.outcomes(forest, node, depth, from, to);
                }
            }
            let Some(outcomes) = outcomes.get(usize::from(step.depth)) else { continue };
            // Written so, no entry is checked to be there.
            let mask = (1_usize << step.depth) - 1;
            let entries = self.entries.get(step.first_entry as usize..).unwrap_or_default();
            let Some(entries) = entries.get(..mask + 1) else { continue };
            for (place, &feature) in self.features_of(step).iter().enumerate() {
                let place = place & (BITS_MAX - 1);
                let column = gains.column(step.output as usize, feature as usize);
                for (sum, &outcome) in column.iter_mut().zip(outcomes) {
                    *sum += entries[usize::from(outcome) & mask][place];
                }
            }
        }
    }

    fn features_of(&self, step: &Step) -> &[u32] {
        let first = step.first_feature as usize;
        self.features.get(first..first + usize::from(step.features)).unwrap_or_default()
    }

    /// Where the entries of the one row of a block are, a step each.
    fn entries_of_one<X: Scalar, V: Scalar>(
        &self,
        forest: &Forest<X, V>,
        block: &Block<'_, X>,
    ) -> Vec<u32> {
        match &forest.nodes {
            Nodes::Small(nodes) => self.walk_one(|node| {
                nodes.get(node as usize).is_some_and(|small| block.goes_left(small.widened(node)))
            }),
            Nodes::Narrow(nodes) => {
                let left_bits = padded_width(forest.features()).map_or(0, left_bits);
                self.walk_one(|node| {
                    let narrow = nodes.get(node as usize);
                    narrow.is_some_and(|narrow| block.goes_left(narrow.widened(left_bits)))
                })
            }
            Nodes::Wide(nodes) => self.walk_one(|node| {
                nodes.get(node as usize).is_some_and(|wide| block.goes_left(*wide))
            }),
            Nodes::General { .. } => self.walk_one(|node| forest.goes_left(node, block.row(0))),
        }
    }

    fn walk_one(&self, goes_left: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut outcomes = [0_u8; BITS_MAX + 1];
        let mut splits = self.splits.as_slice();
        let entry = |step: &Step| {
            let (mut outcome, known) =
                (outcomes[usize::from(step.known).min(BITS_MAX)], step.known);
            let count = usize::from(step.depth - known).min(splits.len());
            let (own, rest) = splits.split_at(count);
            splits = rest;
            for (depth, &node) in (known..).zip(own) {
                outcome |= u8::from(goes_left(node)) << (depth & 7);
                outcomes[usize::from(depth & 7) + 1] = outcome;
            }
            step.first_entry + u32::from(outcome)
        };
        self.steps.iter().map(entry).collect()
    }

    /// Adds these entries, one a step, to the sums of one row.
    fn add_entries(&self, entries: &[u32], gains: &mut Gains) {
        for (step, &entry) in self.steps.iter().zip(entries) {
            let Some(entry) = self.entries.get(entry as usize) else { continue };
            let sums = gains.of_one(step.output as usize);
            for (gain, &feature) in entry.iter().zip(self.features_of(step)) {
                if let Some(sum) = sums.get_mut(feature as usize) {
                    *sum += gain;
                }
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.steps.as_slice())
            + size_of_val(self.splits.as_slice())
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
                self.split(node, depth);
                for child in [branch.left, branch.left + 1] {
                    self.way.push(self.turn(node, child, depth));
                    self.subtree(child);
                    self.way.pop();
                }
            }
            _ => self.table(node),
        }
    }

    /// The outcome of this split is what `depth` outcomes are followed by.
    fn split(&mut self, node: u32, depth: usize) {
        self.known = self.known.min(depth);
        self.tables.splits.push(node);
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
            self.tables.steps.push(Step {
                // A subtree that is a leaf may know less than the one before it.
                known: self.known.min(splits) as u8,
                depth: splits as u8,
                features: features.len() as u8,
                first_entry: (first_entry + output * size) as u32,
                first_feature,
                output: self.target + output as u32,
            });
            self.known = splits;
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
        self.split(node, bit);
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
