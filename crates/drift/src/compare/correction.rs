//! P-values adjusted for the number of columns.

use crate::method::ScoreKind;
use crate::options::Correction;
use crate::verdict::{ColumnDrift, Status, Verdict};

/// Adjusts the p-values of counted columns for their number, and the verdicts with them.
pub(super) fn adjust<'a>(
    columns: impl IntoIterator<Item = &'a mut ColumnDrift>,
    correction: Correction,
) {
    if correction == Correction::None {
        return;
    }
    let mut p_values: Vec<&mut Verdict> = columns
        .into_iter()
        .filter_map(|column| match &mut column.status {
            Status::Tested(verdict)
                if verdict.score_kind == ScoreKind::PValue && !verdict.score.is_nan() =>
            {
                Some(verdict)
            }
            _ => None,
        })
        .collect();
    let count = p_values.len() as f64;
    p_values.sort_by(|a, b| b.decisive_score().total_cmp(&a.decisive_score()));
    let mut smallest: f64 = 1.0;
    for (index, verdict) in p_values.into_iter().enumerate() {
        let rank = count - index as f64;
        let adjusted = match correction {
            Correction::BenjaminiHochberg => {
                smallest = smallest.min(verdict.decisive_score() * count / rank);
                smallest
            }
            Correction::Bonferroni | Correction::None => {
                (verdict.decisive_score() * count).min(1.0)
            }
        };
        verdict.adjusted_score = Some(adjusted);
        verdict.drifted = verdict.method.is_drift(adjusted, verdict.threshold);
        verdict.counts_as_drifted = verdict.drifted;
    }
}
