//! What all figures together mean.

use trainyard_drift::DatasetVerdict;
use trainyard_quality::{ROWS_MIN, Standing};
use trainyard_report::quality::{Change, Expected, Labels, Part};

/// The verdict, and why, the worst first.
///
/// Worse by labels is worse. What only parts or estimates say is a warning, and so is that nobody can tell because
/// labels are few. That labels were given and not one was found is broken.
pub(super) fn verdict(
    parts: &[Part],
    change: Option<&Change>,
    counts: &Labels,
    margin: f64,
) -> (DatasetVerdict, Vec<String>) {
    let mut reasons: Vec<(DatasetVerdict, String)> = Vec::new();
    if counts.labels > 0 && counts.labelled == 0 {
        let why = format!("none of {} labels is of one of these predictions", counts.labels);
        reasons.push((DatasetVerdict::Broken, why));
    }
    for part in parts {
        let is_whole = part.name.is_empty();
        for stand in part.stands.iter().filter(|stand| stand.standing == Standing::Worse) {
            let measured = part.quality.as_ref().and_then(|quality| quality.metric(stand.metric));
            let (Some(measured), Some(before)) = (measured, stand.before) else { continue };
            let of = if is_whole { String::new() } else { format!("{}: ", part.name) };
            let why = format!(
                "{of}{} is {:.4}, worse than {before:.4} before, beyond chance",
                stand.metric, measured.value
            );
            let verdict = if is_whole { DatasetVerdict::Drift } else { DatasetVerdict::Warning };
            reasons.push((verdict, why));
        }
        if is_whole {
            reasons.extend(of_estimates(&part.expected, margin));
        }
    }
    if (1..ROWS_MIN as u64).contains(&counts.labelled) {
        let why = format!("{} labels are too few to judge, {ROWS_MIN} are needed", counts.labelled);
        reasons.push((DatasetVerdict::Warning, why));
    }
    let compared = parts.first().is_some_and(|whole| {
        whole.stands.iter().any(|stand| stand.before.is_some())
            || whole.expected.iter().any(|expected| expected.before.is_some())
    });
    if !compared {
        let why = "nothing says what quality was before: give --reference or --before".to_owned();
        reasons.push((DatasetVerdict::Warning, why));
    }
    reasons.extend(change.into_iter().flat_map(of_change));
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.0));
    let verdict = reasons.first().map_or(DatasetVerdict::Stable, |reason| reason.0);
    let mut reasons: Vec<String> = reasons.into_iter().map(|(_, why)| why).collect();
    if reasons.is_empty() {
        reasons.push("quality is as it was, as far as labels and estimates tell".to_owned());
    }
    (verdict, reasons)
}

/// Whether the whole band of an estimate is worse than the reference, and no label contradicts it.
pub(super) fn is_expected_worse(expected: &Expected, margin: f64) -> bool {
    let estimate = &expected.estimate;
    // Losses are better when they are small; only regressions have such estimates.
    let is_loss = trainyard_quality::estimate::LOSSES.contains(&estimate.metric);
    let is_worse = expected.before.is_some_and(|before| {
        if is_loss {
            estimate.low > before * (1.0 + margin)
        } else {
            estimate.high < before - margin
        }
    });
    is_worse && !expected.is_contradicted
}

/// Estimates whose whole band is worse than the reference, and such as labels contradict.
fn of_estimates(all: &[Expected], margin: f64) -> Vec<(DatasetVerdict, String)> {
    let mut reasons = Vec::new();
    for expected in all {
        let estimate = &expected.estimate;
        if expected.is_contradicted {
            let why = format!(
                "labels contradict the estimate of {}: equal inputs have other labels than before, \
                 so estimates without labels do not hold",
                estimate.metric
            );
            reasons.push((DatasetVerdict::Warning, why));
        }
        if is_expected_worse(expected, margin) {
            let why = format!(
                "{} is expected to be {:.4} by the inputs, worse than {:.4} on the reference",
                estimate.metric,
                estimate.value,
                expected.before.unwrap_or(f64::NAN)
            );
            reasons.push((DatasetVerdict::Warning, why));
        }
    }
    reasons
}

fn of_change(change: &Change) -> Vec<(DatasetVerdict, String)> {
    let mut reasons = Vec::new();
    if let Some((before, now)) = change.reconstruction.filter(|(b, n)| n.differs_from(b)) {
        let why = format!(
            "columns do not go together as they did: reconstruction error {:.3}, {:.3} on the reference",
            now.value, before.value
        );
        reasons.push((DatasetVerdict::Warning, why));
    }
    if let Some(domain) = change.domain.as_ref().filter(|domain| domain.is_told_apart()) {
        let why = format!(
            "a classifier tells predictions from the reference (area {:.3} ± {:.3})",
            domain.area, domain.error
        );
        reasons.push((DatasetVerdict::Warning, why));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use trainyard_report::quality::Stand;

    use super::*;

    fn part(name: &str, standing: Standing) -> Part {
        let truth: Vec<f64> = (0..10).map(f64::from).collect();
        let judged =
            trainyard_quality::metrics::Judged::Quantities { truth: &truth, predicted: &truth };
        Part {
            name: name.to_owned(),
            predictions: 10,
            labelled: 10,
            quality: Some(trainyard_quality::quality(&judged).unwrap()),
            stands: vec![Stand { metric: "mae", before: Some(1.0), standing }],
            expected: Vec::new(),
        }
    }

    #[test]
    fn the_worst_decides_and_parts_only_warn() {
        let counts = Labels { predictions: 1000, labelled: 500, labels: 500, ..Labels::default() };
        let of = |parts: &[Part], counts: &Labels| verdict(parts, None, counts, 0.02).0;
        let whole = |standing| part("", standing);
        assert_eq!(of(&[whole(Standing::AsBefore)], &counts), DatasetVerdict::Stable);
        let parts = [whole(Standing::AsBefore), part("country = NL", Standing::Worse)];
        assert_eq!(of(&parts, &counts), DatasetVerdict::Warning);
        assert_eq!(of(&[whole(Standing::Worse)], &counts), DatasetVerdict::Drift);
        let none = Labels { labels: 5, ..Labels::default() };
        assert_eq!(of(&[whole(Standing::AsBefore)], &none), DatasetVerdict::Broken);
        let few = Labels { predictions: 1000, labelled: 5, labels: 5, ..Labels::default() };
        assert_eq!(of(&[whole(Standing::Unknown)], &few), DatasetVerdict::Warning);
    }
}
