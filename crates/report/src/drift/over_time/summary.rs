//! What a window's measures say together: its verdict, and which columns drifted.

use trainyard_drift::{About, DatasetVerdict, Measure, WindowResult, metric};

/// The verdict of a window on all data.
pub(super) fn verdict(result: &WindowResult) -> Option<DatasetVerdict> {
    verdict_of(result, metric::VERDICT)
}

/// The verdict that a measure of this name is, on all data.
pub(super) fn verdict_of(result: &WindowResult, metric: &str) -> Option<DatasetVerdict> {
    let value = result.whole(About::Drift, metric)?.value;
    DatasetVerdict::ALL.into_iter().find(|verdict| f64::from(*verdict as u8) == value)
}

/// The scores of the columns, on all data.
pub(super) fn scores(result: &WindowResult) -> impl Iterator<Item = (&str, &Measure)> {
    result.measures.iter().filter_map(|measure| {
        let is_score = measure.about == About::Drift && measure.metric == metric::DRIFT_SCORE;
        let is_whole = measure.segment.is_none() && measure.version.is_none();
        (is_score && is_whole).then_some((measure.column.as_deref()?, measure))
    })
}

/// The columns that drifted.
pub(super) fn drifted(result: &WindowResult) -> Vec<&str> {
    let drifted = scores(result).filter(|(_, measure)| measure.is_alarming == Some(true));
    drifted.map(|(column, _)| column).collect()
}

/// Quality and estimates of all data, all versions together; not the share of labels, which is none of how good it was.
pub(super) fn quality(result: &WindowResult) -> impl Iterator<Item = &Measure> {
    result.measures.iter().filter(|measure| {
        matches!(measure.about, About::Quality | About::Estimate)
            && measure.segment.is_none()
            && measure.version.is_none()
            && measure.column.is_none()
            && measure.metric != metric::LABELLED_SHARE
    })
}
