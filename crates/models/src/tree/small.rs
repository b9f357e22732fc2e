//! Ensembles of small trees, which most boosted ones are: a node counts its children from the root of its tree, in a byte.
//!
//! Rows of one tree look at nothing but a window of nodes that begins at the root, so a byte and one bit more is where
//! they are, without a check and without a mask. Trees of one row begin at places of their own: they count from node to
//! node, which is another byte.

use super::forest::{Small, TreeHead, WINDOW};
use super::scalar::Scalar;
use super::walk::{Step, walk_tree};

impl<K: Copy + Ord> Small<K> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call in each step costs a third of the speed")]
    fn goes_right<const MISSING: bool, const WIDTH: usize>(
        self,
        row: &[K; WIDTH],
        missing: K,
    ) -> bool {
        let x = row[self.feature as usize & (WIDTH - 1)];
        let mut right = x > self.threshold;
        if MISSING {
            right &= x != missing || !self.missing_left;
        }
        right
    }
}

impl<X: Scalar> Step<X> for Small<X::Key> {
    #[inline]
    fn next<const MISSING: bool, const WIDTH: usize>(self, at: u32, row: &[X::Key; WIDTH]) -> u32 {
        let right = self.goes_right::<MISSING, WIDTH>(row, X::MISSING);
        at.wrapping_add(u32::from(self.ahead)).wrapping_add(u32::from(right))
    }

    #[inline]
    fn number<const WIDTH: usize>(next: u32) -> u32 {
        next
    }

    fn add_tree<V: Scalar, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
        nodes: &[Self],
        values: &[V],
        tree: TreeHead,
        groups: &[[[X::Key; WIDTH]; LANES]],
        sums: &mut [[V; LANES]],
    ) {
        let root = tree.root as usize;
        let window = nodes.get(root..).and_then(|nodes| nodes.first_chunk());
        let of_window = values.get(root..).and_then(|values| values.first_chunk());
        let (Some(window), Some(of_window)) = (window, of_window) else {
            walk_tree::<X, Self, V, MISSING, WIDTH, LANES>(nodes, values, tree, groups, sums);
            return;
        };
        walk_window::<X, V, MISSING, WIDTH, LANES>(window, of_window, tree.depth, groups, sums);
    }
}

/// Groups of rows down one tree. A function of its own, as the walks want all registers.
#[inline(never)]
fn walk_window<X, V, const MISSING: bool, const WIDTH: usize, const LANES: usize>(
    nodes: &[Small<X::Key>; WINDOW],
    values: &[V; WINDOW],
    depth: u32,
    groups: &[[[X::Key; WIDTH]; LANES]],
    sums: &mut [[V; LANES]],
) where
    X: Scalar,
    V: Scalar,
{
    for (rows, sums) in groups.iter().zip(sums) {
        let mut at = [0_u32; LANES];
        for _ in 0..depth {
            for (at, row) in at.iter_mut().zip(rows) {
                let node = nodes[*at as usize & (WINDOW - 1)];
                let right = node.goes_right::<MISSING, WIDTH>(row, X::MISSING);
                *at = u32::from(node.left).wrapping_add(u32::from(right));
            }
        }
        for (sum, at) in sums.iter_mut().zip(at) {
            *sum += values[at as usize & (WINDOW - 1)];
        }
    }
}
