//! What settings ask for: how columns are compared, how text and engines are read, which rows count. What they do not say is
//! as [`Options`] has it.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use trainyard_base::duration;
use trainyard_data::{Decimal, Metric, Natural, ReadOptions, RowFilter, RowRule};
use trainyard_drift::{Bins, Compat, IGNORED_PREFIX, Kind, Options};
use trainyard_engine::{Limits, Source};

use super::bytes::half_of_free;
use super::fail_on::FailOn;
use super::log;
use super::quality::Quality;
use super::settings::Settings;
use super::text_options::ShortRows;
use crate::Result;

/// Windows that say what is usual: a week of days.
const VOLUME_WINDOWS: u32 = 7;
/// Days differ by less: a Sunday has half the rows of a Monday, an hour's outage costs a few percent.
const WINDOW_VOLUME_FACTOR: f64 = 3.0;

/// Where the page is written if nothing else is said.
const REPORT: &str = "reports/drift.html";

impl Settings {
    /// The metrics that are defined, by name.
    pub(super) fn parsed_metrics(&self) -> Result<Vec<(String, Metric)>> {
        let one = |(name, text): (&String, &String)| Ok((name.clone(), text.parse()?));
        self.metrics.iter().map(one).collect()
    }

    /// Metrics that a rule holds to the reference.
    pub(super) fn relative_metrics(&self) -> BTreeSet<String> {
        let rules = self.alerts.iter().flatten().filter(|rule| rule.needs_reference());
        rules.filter_map(|rule| rule.metric.clone()).collect()
    }

    /// How columns are compared.
    pub fn options(&self) -> Options {
        let usual = Options::default();
        Options {
            columns: self.columns.clone(),
            method: self.method,
            num_method: self.num_method,
            cat_method: self.cat_method,
            text_method: self.text_method,
            per_column_method: self.per_column_method.iter().cloned().collect(),
            threshold: self.threshold,
            num_threshold: self.num_threshold,
            cat_threshold: self.cat_threshold,
            text_threshold: self.text_threshold,
            per_column_threshold: self.per_column_threshold.iter().cloned().collect(),
            kinds: self.kinds.iter().cloned().collect(),
            rules: self.rules.clone(),
            drift_share: self.drift_share.unwrap_or(usual.drift_share),
            correction: self.correct.unwrap_or(usual.correction),
            bins: self.bins.map_or(usual.bins, Bins::ReferenceQuantiles),
            min_samples: self.min_samples,
            missing_share_change: self.missing_share_change.unwrap_or(usual.missing_share_change),
            duplicate_share_change: self
                .duplicate_share_change
                .unwrap_or(usual.duplicate_share_change),
            volume_factor: self.volume_factor.unwrap_or(usual.volume_factor),
            is_window: self.since.is_some() || self.until.is_some(),
            seed: self.seed.unwrap_or(usual.seed),
            compat: self.compat.unwrap_or(usual.compat),
            target: self.target.clone(),
            prediction: self.prediction.clone(),
        }
    }

    /// What current is held to beyond its columns, at this time.
    pub(super) fn quality(&self, now: DateTime<Utc>) -> Result<Quality> {
        let rules = self.checks.iter().flatten().map(|text| RowRule::parse(text));
        Ok(Quality {
            rules: rules.collect::<trainyard_data::Result<_>>()?,
            tolerance: self.check_tolerance.unwrap_or(0.0),
            freshness: self.freshness.as_ref().map(|age| age.at(now)),
            window_factor: self.window_volume_factor.unwrap_or(WINDOW_VOLUME_FACTOR),
            ..Quality::default()
        })
    }

    /// How many windows before that of current are counted.
    pub(super) fn volume_windows(&self) -> u32 {
        self.volume_windows.unwrap_or(VOLUME_WINDOWS)
    }

    /// How text is read: as people mean it, or, where Evidently is followed, as pandas does.
    pub fn text(&self) -> ReadOptions {
        let of_kinds = |wanted: &[Kind]| -> BTreeSet<String> {
            let of_kind = self.kinds.iter().filter(|(_, kind)| wanted.contains(kind));
            of_kind.map(|(column, _)| column.clone()).collect()
        };
        let decimal = self.decimal.map(|sign| match sign {
            ',' => Decimal::Comma,
            _ => Decimal::Point,
        });
        let natural = Natural {
            decimal,
            labels: of_kinds(&[Kind::Categorical, Kind::Text]),
            numbers: of_kinds(&[Kind::Numerical]),
            ..Natural::default()
        };
        ReadOptions {
            natural: (self.compat != Some(Compat::Evidently)).then_some(natural),
            delimiter: self.delimiter.map(|delimiter| delimiter.0),
            nulls: self.null.clone(),
            encoding: self.encoding.clone(),
            fill_short_records: self.short_rows == Some(ShortRows::Fill),
            ..ReadOptions::default()
        }
    }

    /// How engines are asked.
    pub(super) fn engine_limits(&self) -> Limits {
        Limits {
            // A variable that is set to nothing is none.
            driver: self.engine_driver.clone().filter(|path| !path.as_os_str().is_empty()),
            time: self.engine_timeout.unwrap_or(Limits::TIME),
            sample: self.engine_sample.unwrap_or_default(),
            ..Limits::default()
        }
    }

    /// A source with the engine that it leaves out.
    pub(super) fn in_engine(&self, source: &str) -> String {
        // What runs without flags, as `run --watch`, has the variable all the same.
        let engine = self.engine.clone().or_else(|| std::env::var("TRAINYARD_ENGINE").ok());
        match engine.filter(|engine| !engine.is_empty()) {
            Some(engine) => Source::within(&engine, source),
            None => source.to_owned(),
        }
    }

    /// Both sides with the engine that they leave out.
    #[must_use]
    pub(super) fn sides_in_engine(self) -> Self {
        let whole = |side: &Option<String>| side.as_deref().map(|side| self.in_engine(side));
        Self { reference: whole(&self.reference), current: whole(&self.current), ..self }
    }

    /// The verdicts that are not accepted, with these that a command adds.
    pub fn fails_on(&self, further: &[FailOn], drift: bool) -> Vec<FailOn> {
        let drift = (drift || self.fail_on_drift).then_some(FailOn::Drift);
        self.fail_on.iter().chain(further).copied().chain(drift).collect()
    }

    /// Where the page is written.
    pub fn report(&self) -> &Path {
        self.report.as_deref().unwrap_or_else(|| Path::new(REPORT))
    }

    /// Bytes to spend on data: what was asked for, or half of what is free.
    pub fn memory(&self) -> u64 {
        self.memory.map_or_else(half_of_free, |bytes| bytes.0)
    }

    /// Which rows of the reference count: those that conditions choose, which are about the data. Windows of
    /// time are about current, as are conditions on what a prediction log alone has.
    pub fn reference_rows(&self) -> Result<RowFilter> {
        let mut rows = RowFilter::default();
        for condition in self.conditions.iter().flatten() {
            let one = RowFilter { conditions: vec![condition.clone()], ..RowFilter::default() };
            if !one.columns()?.iter().any(|name| name.starts_with(IGNORED_PREFIX)) {
                rows.conditions.extend(one.conditions);
            }
        }
        Ok(rows)
    }

    /// Which rows of current count.
    pub fn rows(&self, now: DateTime<Utc>) -> RowFilter {
        let time = |text: &Option<String>| {
            text.as_ref().map(|text| match duration::parse(text) {
                Ok(ago) => log::time(now - ago),
                Err(_) => text.clone(),
            })
        };
        RowFilter {
            time_column: self.time_column.clone(),
            since: time(&self.since),
            until: time(&self.until),
            conditions: self.conditions.clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_prediction_log_has_chooses_rows_of_current_alone() {
        let settings = Settings {
            since: Some("7d".to_owned()),
            conditions: Some(vec![
                "\"trainyard.model\" = a and x > 1".to_owned(),
                "x > 2".to_owned(),
            ]),
            ..Settings::default()
        };
        let rows = settings.reference_rows().unwrap();
        assert_eq!((rows.conditions, rows.since), (vec!["x > 2".to_owned()], None));
        assert_eq!(settings.rows(DateTime::UNIX_EPOCH).conditions.len(), 2);
    }

    #[test]
    fn a_window_may_be_said_by_its_length() {
        let now = DateTime::parse_from_rfc3339("2026-03-08T12:00:00Z").unwrap().to_utc();
        let settings = Settings {
            since: Some("7d".to_owned()),
            until: Some("2026-03-05".to_owned()),
            ..Settings::default()
        };
        let rows = settings.rows(now);
        assert_eq!(rows.since.as_deref(), Some("2026-03-01T12:00:00.000Z"));
        assert_eq!(rows.until.as_deref(), Some("2026-03-05"));
    }
}
