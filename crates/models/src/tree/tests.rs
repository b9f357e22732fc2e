//! The engine against the plainest possible walk, on random trees of every form.

use proptest::prelude::*;

use super::build::DEPTH_MAX;
use super::*;

/// Follows the specification of one tree, node by node.
fn reference_leaf(tree: &TreeSpec<f64>, row: &[f64]) -> usize {
    let mut at = 0;
    loop {
        match &tree.nodes[at] {
            NodeSpec::Leaf(leaf) => return *leaf as usize,
            NodeSpec::Split(split) => {
                let x = row[split.feature as usize];
                let missing = x.is_nan() || (split.zero_is_missing && x.abs() <= 1e-35);
                let left = if missing {
                    split.missing_left
                } else {
                    match &split.test {
                        Test::AtMost(t) => x <= *t,
                        Test::Below(t) => x < *t,
                        Test::Equals(t) => x == *t,
                        Test::Member(set) => set.contains(x).unwrap_or(split.missing_left),
                    }
                };
                at = if left { split.left } else { split.right } as usize;
            }
        }
    }
}

/// Values that rows and thresholds share, so that rows sit on thresholds and one ulp beside them.
fn value() -> impl Strategy<Value = f64> {
    let grid = prop_oneof![
        Just(0.1),
        Just(0.1_f64.next_up()),
        Just(f64::from(0.1_f32)),
        Just(f64::from(0.1_f32.next_down())),
        Just(0.0),
        Just(1.0),
        Just(2.0),
        Just(1e30),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY)
    ];
    prop_oneof![4 => grid, 1 => -3.0..3.0_f64]
}

fn test(every: bool) -> BoxedStrategy<Test> {
    let plain = prop_oneof![value().prop_map(Test::AtMost), value().prop_map(Test::Below)];
    if !every {
        return plain.boxed();
    }
    let set = proptest::collection::vec(0..70_u32, 0..4)
        .prop_map(|categories| Test::Member(CategorySet::from_categories(categories)));
    prop_oneof![plain, value().prop_map(Test::Equals), set].boxed()
}

/// A tree grown from a list of splits: each takes the place of the leaf its number falls on. Some trees
/// grow at their last leaves only, far deeper than [`super::walk`] walks without looking.
fn tree(every: bool, features: u32) -> impl Strategy<Value = TreeSpec<f64>> {
    let split = (
        any::<usize>(),
        0..features,
        test(every),
        any::<bool>(),
        if every { 0..2_u8 } else { 0..1_u8 },
    );
    (proptest::collection::vec(split, 0..40), proptest::bool::weighted(0.05)).prop_map(
        |(splits, chain)| {
            let mut nodes = vec![NodeSpec::Leaf(0)];
            let mut leaves = 1_u32;
            for (place, feature, test, missing_left, zero) in splits {
                let open: Vec<usize> =
                    (0..nodes.len()).filter(|&at| matches!(nodes[at], NodeSpec::Leaf(_))).collect();
                let at = open[if chain { open.len() - 1 } else { place % open.len() }];
                let (left, right) = (nodes.len() as u32, nodes.len() as u32 + 1);
                let leaf = nodes[at].clone();
                nodes.push(leaf);
                nodes.push(NodeSpec::Leaf(leaves));
                leaves += 1;
                nodes[at] = NodeSpec::Split(Split {
                    feature,
                    test,
                    left,
                    right,
                    missing_left,
                    zero_is_missing: zero == 1,
                });
            }
            TreeSpec { nodes, values: (0..leaves).map(f64::from).collect(), ..TreeSpec::default() }
        },
    )
}

fn rows(features: usize) -> impl Strategy<Value = Vec<f64>> {
    let cell = prop_oneof![6 => value(), 1 => Just(f64::NAN), 1 => Just(5.0)];
    (0..150_usize)
        .prop_flat_map(move |count| proptest::collection::vec(cell.clone(), count * features))
}

fn check<X: Scalar>(
    trees: &[TreeSpec<f64>],
    rows: &[f64],
    features: usize,
) -> Result<(), TestCaseError> {
    let rows: Vec<X> = rows.iter().map(|&x| X::nearest(x)).collect();
    for outputs in [1, 3] {
        let trees: Vec<TreeSpec<f64>> = (0..outputs)
            .cycle()
            .zip(trees)
            .map(|(target, tree)| TreeSpec { target, ..tree.clone() })
            .collect();
        let outputs = outputs as usize;
        let forest = Forest::<X, f64>::build(&trees, features, 1, outputs).unwrap();
        let mut expected = vec![0.5; rows.len() / features * outputs];
        for (row, sums) in rows.chunks_exact(features).zip(expected.chunks_exact_mut(outputs)) {
            let row: Vec<f64> = row.iter().map(|x| x.to_f64()).collect();
            for tree in &trees {
                sums[tree.target as usize] += tree.values[reference_leaf(tree, &row)];
            }
        }
        let mut sums = vec![0.5; expected.len()];
        forest.add_to(&rows, features, &mut sums);
        prop_assert_eq!(&sums, &expected);
        for (row, expected) in rows.chunks_exact(features).zip(expected.chunks_exact(outputs)) {
            let mut sums = vec![0.5; outputs];
            forest.add_to(row, features, &mut sums);
            prop_assert_eq!(sums, expected);
        }
    }
    Ok(())
}

/// Trees and rows of few features, of many, and of as many as rows are padded to.
fn forest_and_rows() -> impl Strategy<Value = (usize, Vec<TreeSpec<f64>>, Vec<f64>)> {
    proptest::sample::select(vec![3, 16, 17, 70, 300]).prop_flat_map(|features| {
        let trees = proptest::collection::vec(tree(false, features), 1..40);
        (Just(features as usize), trees, rows(features as usize))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn walks_agree_with_the_plain_one((features, trees, rows) in forest_and_rows()) {
        check::<f32>(&trees, &rows, features)?;
        check::<f64>(&trees, &rows, features)?;
        // One tree of more nodes than a byte counts, and none of them is a small one.
        let trees = [trees, vec![full_tree(features, 8)]].concat();
        check::<f32>(&trees, &rows, features)?;
        check::<f64>(&trees, &rows, features)?;
    }

    #[test]
    fn the_general_form_agrees_too(
        trees in proptest::collection::vec(tree(true, 3), 1..5), rows in rows(3),
    ) {
        check::<f32>(&trees, &rows, 3)?;
        check::<f64>(&trees, &rows, 3)?;
    }
}

fn split(feature: u32, left: u32, right: u32) -> NodeSpec {
    NodeSpec::Split(Split {
        feature,
        test: Test::AtMost(0.0),
        left,
        right,
        missing_left: false,
        zero_is_missing: false,
    })
}

fn build(nodes: Vec<NodeSpec>) -> BuildError {
    let tree = TreeSpec { nodes, values: vec![1.0, 2.0], ..TreeSpec::default() };
    Forest::<f32, f64>::build(&[tree], 2, 1, 1).unwrap_err()
}

#[test]
fn what_is_not_a_tree_is_refused() {
    assert_eq!(build(vec![]), BuildError::Empty { tree: 0 });
    assert_eq!(
        build(vec![split(0, 0, 1), NodeSpec::Leaf(0)]),
        BuildError::NotATree { tree: 0, node: 0 }
    );
    assert_eq!(
        build(vec![split(0, 1, 1), NodeSpec::Leaf(0)]),
        BuildError::NotATree { tree: 0, node: 1 }
    );
    let child = BuildError::OutOfRange { tree: 0, node: 9, what: "child", index: 9 };
    assert_eq!(build(vec![split(0, 9, 1), NodeSpec::Leaf(0)]), child);
    let feature = BuildError::OutOfRange { tree: 0, node: 0, what: "feature", index: 2 };
    assert_eq!(build(vec![split(2, 1, 2), NodeSpec::Leaf(0), NodeSpec::Leaf(1)]), feature);
    let leaf = BuildError::OutOfRange { tree: 0, node: 1, what: "leaf", index: 2 };
    assert_eq!(build(vec![split(0, 1, 2), NodeSpec::Leaf(2), NodeSpec::Leaf(1)]), leaf);
}

#[test]
fn chains_beyond_the_limit_are_refused() {
    let mut nodes = Vec::new();
    for level in 0..=DEPTH_MAX {
        nodes.push(split(0, 2 * level + 2, 2 * level + 1));
        nodes.push(NodeSpec::Leaf(0));
    }
    nodes.push(NodeSpec::Leaf(1));
    assert_eq!(build(nodes), BuildError::TooDeep { tree: 0 });
}

#[test]
fn many_features_and_leaf_vectors_take_the_wide_form() {
    let nodes = vec![split(2_000, 1, 2), NodeSpec::Leaf(0), NodeSpec::Leaf(1)];
    let tree = TreeSpec { nodes, values: vec![0.25_f32, 0.75, 1.0, 0.0], ..TreeSpec::default() };
    let forest = Forest::<f32, f32>::build(&[tree], 2_001, 2, 2).unwrap();
    let mut rows = vec![0.0; 20 * 2_001];
    rows[2_001 * 3 + 2_000] = 1.0;
    let mut sums = vec![0.0; 40];
    forest.add_to(&rows, 2_001, &mut sums);
    assert_eq!(&sums[4..8], &[0.25, 0.75, 1.0, 0.0]);
}

/// A tree that looks at the first, the middle and the last column; or a chain of such looks, as deep as takes
/// another walk.
fn wide_tree(features: u32, depth: u32) -> TreeSpec<f64> {
    let mut nodes = Vec::new();
    for level in 0..depth {
        let feature = [features - 1, 0, features / 2][level as usize % 3];
        nodes.push(NodeSpec::Split(Split {
            feature,
            test: Test::AtMost(f64::from(level % 5) / 4.0),
            left: 2 * level + 1,
            right: 2 * level + 2,
            missing_left: level % 2 == 0,
            zero_is_missing: false,
        }));
        nodes.push(NodeSpec::Leaf(level));
    }
    nodes.push(NodeSpec::Leaf(depth));
    let values = (0..=depth).map(|leaf| f64::from(leaf) * 0.25 + 1.0).collect();
    TreeSpec { nodes, values, ..TreeSpec::default() }
}

/// A tree of this depth whose leaves are all as deep.
fn full_tree(features: usize, depth: u32) -> TreeSpec<f64> {
    let splits = (1_u32 << depth) - 1;
    let split = |number: u32| {
        NodeSpec::Split(Split {
            feature: (number * 7_919 + features as u32 - 1) % features as u32,
            test: Test::Below(f64::from(number % 9) / 8.0),
            left: 2 * number + 1,
            right: 2 * number + 2,
            missing_left: number.is_multiple_of(3),
            zero_is_missing: false,
        })
    };
    let nodes = (0..splits).map(split).chain((0..=splits).map(NodeSpec::Leaf)).collect();
    let values = (0..=splits).map(|leaf| f64::from(leaf) * 0.25).collect();
    TreeSpec { nodes, values, ..TreeSpec::default() }
}

#[test]
fn bytes_count_the_nodes_of_small_trees() {
    let row = |at: usize| [0.0, 0.125, 0.5, 0.875, 1.0, f64::NAN, 0.3, 0.25][at * 5 % 8];
    for features in [1, 16, 17, 64, 65, 256, 257] {
        let rows: Vec<f64> = (0..50 * features).map(|at| row(at + at / 11)).collect();
        for depth in [7, 8] {
            let trees = vec![full_tree(features, depth); 14];
            let forest = Forest::<f32, f64>::build(&trees, features, 1, 1).unwrap();
            let is_small = features <= 256 && depth == 7;
            assert_eq!(format!("{forest:?}").contains("small"), is_small, "{forest:?}");
            for count in [1, 7, 8, 11, 12, 13, 24, 25, 50] {
                check::<f32>(&trees, &rows[..count * features], features).unwrap();
                check::<f64>(&trees, &rows[..count * features], features).unwrap();
            }
        }
    }
}

/// Rows so wide that one of them is more than a block, and every number of them around the sizes of groups.
#[test]
fn rows_of_any_width_and_number_are_walked() {
    let grid = [0.0, 0.25, 0.5, 0.75, 1.0, f64::NAN, 2.0];
    for features in [1_023_usize, 1_024, 1_025, 2_000, 4_095, 4_096, 4_097, 5_000] {
        for depth in [2, 40] {
            let trees = vec![wide_tree(features as u32, depth); 3];
            let all: Vec<f64> = (0..100 * features)
                .map(|at| grid[(at % features + at / features * 3) % grid.len()])
                .collect();
            for rows in [1, 7, 8, 9, 10, 11, 15, 16, 17, 20, 31, 99, 100] {
                check::<f64>(&trees, &all[..rows * features], features).unwrap();
                check::<f32>(&trees, &all[..rows * features], features).unwrap();
            }
        }
    }
}
