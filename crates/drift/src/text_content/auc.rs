//! The area under the ROC curve, and its standard error.

/// The score of a row or a text, and how often it occurs on each side.
pub type Scored = (f32, [u64; 2]);

/// The probability that a current row has a higher score than one of the reference (equal ones count
/// half), and its standard error; `None` where a side has no row.
///
/// The error is Hanley's and McNeil's (1982). Texts that occur several times count as fewer: Kish's
/// effective number, (Σw)² / Σw².
pub fn auc(mut scored: Vec<Scored>) -> Option<(f64, f64)> {
    scored.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins) = (0_u64, 0.0);
    for equal in scored.chunk_by(|a, b| a.0 == b.0) {
        let [reference, current] = totals(equal);
        wins += current as f64 * (below as f64 + reference as f64 / 2.0);
        below += reference;
    }
    let [reference, current] = totals(&scored);
    if reference == 0 || current == 0 {
        return None;
    }
    let auc = wins / (reference as f64 * current as f64);
    let [n1, n2] = [0, 1].map(|side| effective(scored.iter().map(|(_, counts)| counts[side])));
    let square = auc * auc;
    let variance = (auc * (1.0 - auc)
        + (n2 - 1.0) * (auc / (2.0 - auc) - square)
        + (n1 - 1.0) * (2.0 * square / (1.0 + auc) - square))
        / (n1 * n2);
    Some((auc, variance.max(0.0).sqrt()))
}

fn totals(scored: &[Scored]) -> [u64; 2] {
    scored.iter().fold([0, 0], |sum, (_, counts)| [sum[0] + counts[0], sum[1] + counts[1]])
}

fn effective(counts: impl Iterator<Item = u64>) -> f64 {
    let (sum, squares) = counts.fold((0.0, 0.0), |(sum, squares), count| {
        let count = count as f64;
        (sum + count, squares + count * count)
    });
    sum * sum / squares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_counted_by_hand() {
        assert_eq!(auc(vec![(0.0, [2, 0]), (1.0, [0, 3])]), Some((1.0, 0.0)));
        assert_eq!(auc(vec![(0.0, [5, 5]), (1.0, [7, 7])]).unwrap().0, 0.5);
        // Of six pairs four are won and one is even.
        let (area, error) = auc(vec![(0.0, [1, 1]), (1.0, [1, 0]), (2.0, [0, 2])]).unwrap();
        assert!((area - 4.5 / 6.0).abs() < 1e-12 && error > 0.0, "{area} {error}");
        assert_eq!(auc(vec![(0.0, [1, 0])]), None);
    }
}
