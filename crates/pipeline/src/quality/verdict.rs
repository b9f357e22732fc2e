//! What all figures together mean.

use trainyard_drift::DatasetVerdict;
use trainyard_quality::{ROWS_MIN, Standing};
use trainyard_report::quality::{Change, Expected, Labels, Part};

/// The verdict, and why, the worst first.
///
/// Worse by labels is worse: of all predictions, or of the part that is named as `decisive`, the version that is served where
/// there are several. What only other parts or estimates say is a warning, and so is that nobody can tell because
/// labels are few, or of a metric that was asked for. That labels were given and not one was found is broken, unless
/// only some predictions were chosen (`are_chosen`): then they may be of others.
pub(super) fn verdict(
    parts: &[Part],
    decisive: Option<&str>,
    change: Option<&Change>,
    counts: &Labels,
    asked: &[String],
    margin: f64,
    are_chosen: bool,
) -> (DatasetVerdict, Vec<String>) {
    let mut reasons: Vec<(DatasetVerdict, String)> = Vec::new();
    if counts.labels > 0 && counts.labelled == 0 {
        let why = format!("none of {} labels is of one of these predictions", counts.labels);
        let verdict = if are_chosen { DatasetVerdict::Warning } else { DatasetVerdict::Broken };
        reasons.push((verdict, why));
    }
    for part in parts {
        let is_whole = part.name.is_empty();
        let is_decisive = is_whole || Some(part.name.as_str()) == decisive;
        for stand in part.stands.iter().filter(|stand| stand.standing == Standing::Worse) {
            let measured = part.quality.as_ref().and_then(|quality| quality.metric(stand.metric));
            let (Some(measured), Some(before)) = (measured, stand.before) else { continue };
            let of = if is_whole { String::new() } else { format!("{}: ", part.name) };
            let why = format!(
                "{of}{} is {:.4}, worse than {before:.4} before, beyond chance",
                stand.metric, measured.value
            );
            let verdict = if is_decisive { DatasetVerdict::Drift } else { DatasetVerdict::Warning };
            reasons.push((verdict, why));
        }
        if is_whole {
            reasons.extend(of_estimates(&part.expected, margin));
        }
    }
    let judged = parts.first().map_or(0, |whole| whole.labelled);
    if counts.labelled > 0 && judged < ROWS_MIN as u64 {
        let why = if judged == counts.labelled {
            format!("{judged} labels are too few to judge, {ROWS_MIN} are needed")
        } else {
            format!(
                "{judged} of {} labelled predictions can be judged, {ROWS_MIN} are needed: others lack a prediction, \
                 a probability, or a label of its kind",
                counts.labelled
            )
        };
        reasons.push((DatasetVerdict::Warning, why));
    } else if let Some(judged) = of_verdict(parts, decisive).filter(|_| counts.labelled > 0) {
        let untold = asked.iter().filter_map(|metric| untold(judged, metric));
        reasons.extend(untold.map(|why| (DatasetVerdict::Warning, why)));
    }
    let compared = of_verdict(parts, decisive).is_some_and(|whole| {
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

/// The part that the verdict is about.
fn of_verdict<'p>(parts: &'p [Part], decisive: Option<&str>) -> Option<&'p Part> {
    let named = parts.iter().find(|part| Some(part.name.as_str()) == decisive);
    named.or_else(|| parts.first())
}

/// Why nobody can tell how a metric stands, of enough rows; none where somebody can.
fn untold(whole: &Part, metric: &str) -> Option<String> {
    let Some(stand) = whole.stands.iter().find(|stand| stand.metric == metric) else {
        return Some(format!("{metric} is not defined for these labels and predictions"));
    };
    (stand.standing == Standing::Unknown).then(|| match stand.before {
        None => format!("nothing says what {metric} was before: give --before {metric}=NUMBER"),
        Some(_) => format!("{metric} has no interval on these labels, so it is not compared"),
    })
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
            labelled: 500,
            quality: Some(trainyard_quality::quality(&judged).unwrap()),
            stands: vec![Stand { metric: "mae", before: Some(1.0), standing }],
            expected: Vec::new(),
        }
    }

    #[test]
    fn the_worst_decides_and_parts_only_warn() {
        let counts = Labels { predictions: 1000, labelled: 500, labels: 500, ..Labels::default() };
        let of = |parts: &[Part], counts: &Labels| {
            verdict(parts, None, None, counts, &[], 0.02, false).0
        };
        let whole = |standing| part("", standing);
        assert_eq!(of(&[whole(Standing::AsBefore)], &counts), DatasetVerdict::Stable);
        let parts = [whole(Standing::AsBefore), part("country = NL", Standing::Worse)];
        assert_eq!(of(&parts, &counts), DatasetVerdict::Warning);
        assert_eq!(of(&[whole(Standing::Worse)], &counts), DatasetVerdict::Drift);
        let none = Labels { labels: 5, ..Labels::default() };
        assert_eq!(of(&[whole(Standing::AsBefore)], &none), DatasetVerdict::Broken);
        // Of today's predictions there are no labels yet, of last month's there are.
        let today = verdict(&[whole(Standing::AsBefore)], None, None, &none, &[], 0.02, true).0;
        assert_eq!(today, DatasetVerdict::Warning);
        let few = Labels { predictions: 1000, labelled: 5, labels: 5, ..Labels::default() };
        let of_few = Part { labelled: 5, ..whole(Standing::Unknown) };
        assert_eq!(of(&[of_few], &few), DatasetVerdict::Warning);
    }

    #[test]
    fn of_several_versions_the_served_one_decides() {
        let counts = Labels { predictions: 1000, labelled: 500, labels: 500, ..Labels::default() };
        let of = |old: Standing, new: Standing| {
            // Of all together nothing says what quality was.
            let mut whole = part("", Standing::Unknown);
            whole.stands[0].before = None;
            let parts = [whole, part("version = 1", old), part("version = 2", new)];
            verdict(&parts, Some("version = 2"), None, &counts, &["mae".to_owned()], 0.02, false).0
        };
        assert_eq!(of(Standing::AsBefore, Standing::AsBefore), DatasetVerdict::Stable);
        assert_eq!(of(Standing::AsBefore, Standing::Worse), DatasetVerdict::Drift);
        assert_eq!(of(Standing::Worse, Standing::AsBefore), DatasetVerdict::Warning);
    }

    #[test]
    fn what_nobody_can_tell_is_not_stable() {
        let counts = Labels { predictions: 1000, labelled: 500, labels: 500, ..Labels::default() };
        let of = |part: Part, asked: &str| {
            let (verdict, reasons) =
                verdict(&[part], None, None, &counts, &[asked.to_owned()], 0.02, false);
            (verdict, reasons.concat())
        };
        assert_eq!(of(part("", Standing::AsBefore), "mae").0, DatasetVerdict::Stable);
        let (verdict, why) = of(part("", Standing::AsBefore), "meh");
        assert_eq!(verdict, DatasetVerdict::Warning);
        assert!(why.contains("meh is not defined"), "{why}");
        let (verdict, why) = of(part("", Standing::Unknown), "mae");
        assert_eq!(verdict, DatasetVerdict::Warning);
        assert!(why.contains("mae has no interval"), "{why}");
        // Labels that are no numbers where quantities are predicted.
        let useless = Part { labelled: 20, ..part("", Standing::Unknown) };
        let (verdict, why) = of(useless, "mae");
        assert_eq!(verdict, DatasetVerdict::Warning);
        assert!(why.contains("20 of 500 labelled predictions can be judged"), "{why}");
    }
}
