//! Windows judged by labels, as far as they came, and by what is expected without.

use std::path::Path;

use chrono::Utc;
use trainyard_drift::WindowLength;
use trainyard_serve::Facts;

use super::super::job::MonitorJob;
use crate::Result;
use crate::quality::{QualityJob, QualityOptions, WindowQuality};

impl MonitorJob {
    /// What labels and estimates say of windows of time; nothing where no labels are named, and none are beside the
    /// log.
    pub(super) async fn judged_windows(&self, length: WindowLength) -> Result<Vec<WindowQuality>> {
        let settings = &self.settings;
        let named = settings.current.clone().unwrap_or_default();
        let project = self.project.as_ref().filter(|_project| !self.names_sides);
        let source = project.map_or_else(|| named.clone(), |project| project.source(&named));
        let log = Path::new(&source);
        let has_feedback = || log.is_dir() && Facts::read(log).is_ok_and(|facts| !facts.is_empty());
        let is_asked = settings.labels.is_some() || settings.labelled_reference.is_some();
        if settings.from_summaries
            || length.milliseconds().is_none()
            || !(is_asked || has_feedback())
        {
            return Ok(Vec::new());
        }
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
        match Box::pin(job.windows(length)).await {
            // Whoever may send feedback must not end the look at drift.
            Err(error) if !is_asked => {
                let why = error.message();
                tracing::warn!(why, "feedback beside the log says nothing of windows now");
                Ok(Vec::new())
            }
            judged => judged,
        }
    }
}
