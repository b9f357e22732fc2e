//! The training rows that came by each node: what stands for a feature that is not known.

use super::block::Branch;
use crate::tree::forest::Forest;
use crate::tree::scalar::Scalar;

/// How far two children may be from adding up to their parent. XGBoost sums up to hundreds of millions of
/// hessians in 32 bits; what other tools write as a placeholder is further off.
const TOLERANCE: f64 = 0.01;

impl<X: Scalar, V: Scalar> Forest<X, V> {
    /// The share of the training rows of a node that went on to this child of it.
    pub(super) fn share(&self, node: u32, child: u32) -> f64 {
        let cover = |node: u32| self.covers.get(node as usize).copied().unwrap_or(0.0);
        let whole = cover(node);
        // Where no row came by, neither child is likelier.
        if whole > 0.0 { cover(child) / whole } else { 0.5 }
    }

    /// Whether the file says what the training rows did: at each split, as many as came go on.
    pub(super) fn has_covers(&self) -> bool {
        let cover = |node: u32| self.covers.get(node as usize).copied().unwrap_or(f64::NAN);
        let mut open: Vec<u32> = self.trees.iter().map(|tree| tree.root).collect();
        while let Some(node) = open.pop() {
            let Some(Branch { left, .. }) = self.branch(node) else { continue };
            let (whole, first, second) = (cover(node), cover(left), cover(left + 1));
            let is_number = first >= 0.0 && second >= 0.0 && whole.is_finite();
            if !is_number || (first + second - whole).abs() > TOLERANCE * whole {
                return false;
            }
            open.extend([left, left + 1]);
        }
        true
    }
}
