//! Both ways to sum up against the definition, feature by feature and set by set.

use crate::tree::{CategorySet, Forest, NodeSpec, Scalar, Split, Test, TreeSpec};

const FEATURES: usize = 5;

/// Numbers that only depend on the seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn cell(&mut self) -> f64 {
        if self.below(10) == 0 { f64::NAN } else { self.below(8) as f64 }
    }
}

/// Which splits a tree has.
#[derive(Clone, Copy)]
struct Plan {
    depth: u32,
    /// Whether each split has a leaf on one side.
    chain: bool,
    categories: bool,
    width: usize,
}

fn grow(draw: &mut Draw, plan: Plan, level: u32, cover: f64, tree: &mut TreeSpec<f64>) -> u32 {
    let number = tree.nodes.len();
    tree.covers.push(cover);
    if level == plan.depth {
        tree.nodes.push(NodeSpec::Leaf((tree.values.len() / plan.width) as u32));
        let values = (0..plan.width).map(|_| draw.below(1000) as f64 / 100.0 - 5.0);
        tree.values.extend(values);
        return number as u32;
    }
    tree.nodes.push(NodeSpec::Leaf(0));
    let threshold = draw.below(7) as f64;
    let test = if plan.categories && draw.below(2) == 0 {
        Test::Member(CategorySet::from_categories([draw.below(8) as u32, 3]))
    } else {
        Test::AtMost(threshold)
    };
    let share = (draw.below(9) + 1) as f64 / 10.0;
    let end = if plan.chain { plan.depth } else { level + 1 };
    let left = grow(draw, plan, level + 1, cover * share, tree);
    let right = grow(draw, plan, end, cover * (1.0 - share), tree);
    tree.nodes[number] = NodeSpec::Split(Split {
        feature: draw.below(FEATURES as u64) as u32,
        test,
        left,
        right,
        missing_left: draw.below(2) == 0,
        zero_is_missing: false,
    });
    number as u32
}

fn trees(seed: u64, plan: Plan, count: u32) -> Vec<TreeSpec<f64>> {
    let mut draw = Draw(seed);
    let grown = (0..count).map(|number| {
        let mut tree = TreeSpec {
            target: if plan.width == 1 { number % 2 } else { 0 },
            ..TreeSpec::default()
        };
        grow(&mut draw, plan, 0, 1000.0, &mut tree);
        tree
    });
    grown.collect()
}

fn goes_left(split: &Split, x: f64) -> bool {
    match &split.test {
        _ if x.is_nan() => split.missing_left,
        Test::AtMost(threshold) => x <= *threshold,
        Test::Member(set) => set.contains(x).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The value of an output where only the features of `known` are, by training rows or by a background row.
fn value(
    tree: &TreeSpec<f64>,
    node: u32,
    known: usize,
    rows: (&[f64], Option<&[f64]>),
    output: usize,
    width: usize,
) -> f64 {
    let split = match &tree.nodes[node as usize] {
        NodeSpec::Leaf(leaf) => {
            let at = output.checked_sub(tree.target as usize).filter(|at| *at < width);
            return at.map_or(0.0, |at| tree.values[*leaf as usize * width + at]);
        }
        NodeSpec::Split(split) => split,
    };
    let feature = split.feature as usize;
    let child = |left| if left { split.left } else { split.right };
    let go = |to| value(tree, to, known, rows, output, width);
    if known >> feature & 1 == 1 {
        return go(child(goes_left(split, rows.0[feature])));
    }
    if let Some(background) = rows.1 {
        return go(child(goes_left(split, background[feature])));
    }
    let cover = |node: u32| tree.covers[node as usize];
    (cover(split.left) * go(split.left) + cover(split.right) * go(split.right)) / cover(node)
}

/// Shapley values by the definition: base, then a value a feature.
fn by_definition(
    trees: &[TreeSpec<f64>],
    rows: (&[f64], Option<&[f64]>),
    output: usize,
    width: usize,
) -> Vec<f64> {
    let of =
        |known| trees.iter().map(|tree| value(tree, 0, known, rows, output, width)).sum::<f64>();
    let all: Vec<f64> = (0..1 << FEATURES).map(of).collect();
    let factorial = |n: usize| (1..=n).product::<usize>() as f64;
    let mut values = vec![all[0]];
    for feature in 0..FEATURES {
        let without = (0..1_usize << FEATURES).filter(|known| known >> feature & 1 == 0);
        let term = |known: usize| {
            let size = known.count_ones() as usize;
            let weight = factorial(size) * factorial(FEATURES - 1 - size) / factorial(FEATURES);
            weight * (all[known | 1 << feature] - all[known])
        };
        values.push(without.map(term).sum());
    }
    values
}

fn check<X: Scalar>(seed: u64, plan: Plan, count: u32, against: bool) {
    let outputs = 2;
    let specs = trees(seed, plan, count);
    let forest = Forest::<X, f64>::build(&specs, FEATURES, plan.width, outputs).unwrap();
    let mut draw = Draw(seed + 1);
    let rows: Vec<f64> = (0..300 * FEATURES).map(|_| draw.cell()).collect();
    let background = &rows[..3 * FEATURES];
    let of_x = |values: &[f64]| values.iter().map(|&x| X::nearest(x)).collect::<Vec<X>>();
    let explainer = if against {
        forest.explainer_against(&of_x(background), FEATURES).unwrap()
    } else {
        forest.explainer().unwrap()
    };
    let mut gains = vec![0.0; 300 * outputs * FEATURES];
    explainer.add_to(&forest, &of_x(&rows), FEATURES, &mut gains);
    // One row alone, and rows of both blocks.
    let mut alone = vec![0.0; outputs * FEATURES];
    explainer.add_to(&forest, &of_x(&rows[..FEATURES]), FEATURES, &mut alone);
    assert_eq!(alone, gains[..outputs * FEATURES], "seed {seed}");
    for number in [0, 1, 2, 3, 100, 255, 256, 299] {
        let row = &rows[number * FEATURES..][..FEATURES];
        for output in 0..outputs {
            let mut expected = vec![0.0; FEATURES + 1];
            let others: Vec<Option<&[f64]>> =
                if against { background.chunks(FEATURES).map(Some).collect() } else { vec![None] };
            for other in &others {
                let each = by_definition(&specs, (row, *other), output, plan.width);
                let terms = expected.iter_mut().zip(each);
                terms.for_each(|(sum, x)| *sum += x / others.len() as f64);
            }
            let actual = &gains[(number * outputs + output) * FEATURES..][..FEATURES];
            let actual = std::iter::once(&explainer.base()[output]).chain(actual);
            for (at, (x, y)) in actual.zip(&expected).enumerate() {
                assert!(
                    (x - y).abs() < 1e-11,
                    "seed {seed}, row {number}, {output}, {at}: {x} {y}"
                );
            }
        }
    }
}

#[test]
fn values_are_those_of_the_definition() {
    let plan = |depth, chain, categories, width| Plan { depth, chain, categories, width };
    for (seed, plan) in [
        (1, plan(0, false, false, 1)),
        (2, plan(1, false, false, 1)),
        (3, plan(3, false, false, 1)),
        (4, plan(6, false, false, 1)),
        (5, plan(8, true, false, 1)),
        (6, plan(5, false, true, 1)),
        (7, plan(4, false, true, 2)),
        // These have no tables.
        (8, plan(9, true, false, 1)),
        (9, plan(12, true, true, 2)),
        (10, plan(9, false, false, 1)),
    ] {
        check::<f32>(seed, plan, 3, false);
        check::<f64>(seed + 100, plan, 3, false);
        check::<f64>(seed + 200, plan, 2, true);
    }
}

#[test]
fn what_never_trained_is_not_explained() {
    let plan = Plan { depth: 3, chain: false, categories: false, width: 1 };
    let mut specs = trees(1, plan, 2);
    let explained = |specs: &[TreeSpec<f64>]| {
        Forest::<f32, f64>::build(specs, FEATURES, 1, 2).unwrap().explainer().is_ok()
    };
    assert!(explained(&specs));
    // Some tools write ones, as the format asks for something.
    specs[1].covers.fill(1.0);
    assert!(!explained(&specs));
    specs[1].covers.clear();
    assert!(!explained(&specs));
}
