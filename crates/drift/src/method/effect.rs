//! How large differences are, whatever the sample sizes.

use crate::statistics::counts::{self, Frequencies};
use crate::verdict::{Effect, EffectSize};

/// Gaps of cumulative distributions that normal distributions have at Cohen's d of 0.2, 0.5 and 0.8.
pub(super) const GAP_SIZES: [f64; 3] = [0.08, 0.2, 0.31];

pub(super) fn gap_effect(gap: f64) -> Effect {
    effect("largest gap of the cumulative distributions", gap, GAP_SIZES)
}

pub(super) fn cohens_w(frequencies: &Frequencies) -> Effect {
    effect("Cohen's w", counts::cohens_w(frequencies), [0.1, 0.3, 0.5])
}

/// Cohen's h of two proportions; `None` unless the values are binary.
pub(super) fn cohens_h(frequencies: &Frequencies) -> Option<Effect> {
    if frequencies.distinct() > 2 {
        return None;
    }
    let (p1, p2) = frequencies.shares().next()?;
    let angle = |share: f64| 2.0 * share.clamp(0.0, 1.0).sqrt().asin();
    Some(effect("Cohen's h", (angle(p2) - angle(p1)).abs(), [0.2, 0.5, 0.8]))
}

/// Areas under the ROC curve that normal distributions have at Cohen's d of 0.2, 0.5 and 0.8.
const AREA_SIZES: [f64; 3] = [0.556, 0.638, 0.714];

pub(super) fn area_effect(area: f64) -> Effect {
    effect("ROC AUC", area, AREA_SIZES)
}

pub(super) fn effect(name: &'static str, value: f64, sizes: [f64; 3]) -> Effect {
    let size = match sizes.iter().filter(|bound| value.abs() >= **bound).count() {
        0 => EffectSize::Negligible,
        1 => EffectSize::Small,
        2 => EffectSize::Medium,
        _ => EffectSize::Large,
    };
    Effect { name, value, size }
}
