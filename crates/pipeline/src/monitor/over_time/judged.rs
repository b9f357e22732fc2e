//! Windows judged by labels, as far as they came, and by what is expected without.

use std::path::Path;

use chrono::Utc;
use trainyard_data::Metric;
use trainyard_drift::{About, Measure, WindowLength, WindowResult};
use trainyard_serve::Facts;

use super::super::job::MonitorJob;
use crate::Result;
use crate::quality::{ACTUAL, OfLabels, QualityJob, QualityOptions, WindowQuality};

impl MonitorJob {
    /// The metrics of the project that name what was true, which no column of current is: they are known once labels came.
    pub(super) fn metrics_of_labels(&self, current: &[&str]) -> Result<OfLabels> {
        let settings = &self.settings;
        let of_project = self.project.as_ref().and_then(|p| p.config.train.target.as_deref());
        let truths = [settings.target.as_deref(), Some(ACTUAL), of_project];
        let truths = truths.into_iter().flatten().filter(|name| !current.contains(name));
        let truths: Vec<String> = truths.map(str::to_owned).collect();
        let mut metrics = settings.parsed_metrics()?;
        metrics.retain(|(_, one)| one.columns_of(&truths).iter().any(|name| truths.contains(name)));
        Ok(OfLabels { metrics, truths, relative: settings.relative_metrics() })
    }

    /// Says of windows that metrics of what was true are not known, where no labels are there, nor named.
    pub(super) fn miss_labels<'a>(
        &self,
        length: WindowLength,
        of_labels: &OfLabels,
        results: impl Iterator<Item = &'a mut WindowResult>,
    ) {
        if of_labels.metrics.is_empty() || self.has_labels(length) {
            return;
        }
        // Where rows are not read, it is so each time.
        let is_alarming = (!self.settings.from_summaries).then_some(true);
        let unknown = |(name, _): &(String, Metric)| Measure {
            is_alarming,
            ..Measure::unknown(About::Quality, name, true)
        };
        for result in results {
            result.extend(of_labels.metrics.iter().map(unknown));
        }
    }

    /// Whether labels of windows of this length are there, or named.
    pub(super) fn has_labels(&self, length: WindowLength) -> bool {
        let source = self.current_source();
        let log = Path::new(&source);
        let has_feedback = || log.is_dir() && Facts::read(log).is_ok_and(|facts| !facts.is_empty());
        !self.settings.from_summaries
            && length.milliseconds().is_some()
            && (self.asks_for_labels() || has_feedback())
    }

    fn asks_for_labels(&self) -> bool {
        self.settings.labels.is_some() || self.settings.labelled_reference.is_some()
    }

    /// What labels and estimates say of windows of time, as a whole and of these segments; nothing where no labels are named, and none are beside the
    /// log.
    pub(super) async fn judged_windows(
        &self,
        length: WindowLength,
        of_labels: &OfLabels,
        segments: &[String],
    ) -> Result<Vec<WindowQuality>> {
        if !self.has_labels(length) {
            return Ok(Vec::new());
        }
        let settings = &self.settings;
        let project = self.project.as_ref().filter(|_project| !self.names_sides);
        let source = self.current_source();
        let log = Path::new(&source);
        // Of the log of a project it is known which model's predictions count, and how good that was.
        let is_own = project.is_some_and(|project| log == project.prediction_log());
        let rows = settings.rows(Utc::now());
        let options = QualityOptions {
            predictions: (!is_own).then(|| source.clone()),
            labels: settings.labels.clone(),
            on: settings.on.clone(),
            target: settings.target.clone(),
            prediction: settings.prediction.clone(),
            reference: settings.labelled_reference.clone(),
            conditions: rows.conditions,
            since: rows.since,
            until: rows.until,
            time_column: settings.time_column.clone(),
            ..QualityOptions::default()
        };
        let job = QualityJob::of(self.project.clone(), options);
        match Box::pin(job.windows(length, of_labels, segments)).await {
            // Whoever may send feedback must not end the look at drift.
            Err(error) if !self.asks_for_labels() => {
                let why = error.message();
                tracing::warn!(why, "feedback beside the log says nothing of windows now");
                Ok(Vec::new())
            }
            judged => judged,
        }
    }
}
