//! Settings as they are read from a file, and which are refused.

use std::path::Path;

use serde::Deserialize;
use trainyard_data::{Metric, RowRule, instant};
use trainyard_drift::{Bins, metric};
use trainyard_engine::Source;

use super::settings::Settings;
use crate::{Error, Result, toml_error};

/// A file of settings alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    monitor: Settings,
}

/// A settings file is written by hand.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Metrics that a project defines, and bytes of a name: each is read of all rows by itself.
const METRICS_MAX: usize = 50;
const METRIC_NAME_MAX: usize = 100;

/// What each window has.
const USUAL_METRICS: [&str; 11] = [
    metric::ROWS,
    metric::VERDICT,
    metric::FEATURES_VERDICT,
    metric::PREDICTION_VERDICT,
    metric::TARGET_VERDICT,
    metric::DRIFT_SHARE,
    metric::SERIOUS_FINDINGS,
    metric::DRIFT_SCORE,
    metric::MISSING_SHARE,
    metric::MEAN,
    metric::UNKNOWN,
];

impl Settings {
    /// Reads a file that holds a `[monitor]` table and nothing else.
    pub fn read(path: &Path) -> Result<Self> {
        let unreadable = |error| Error::config(path, format!("it cannot be read: {error}"));
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(Error::config(path, format!("{size} bytes: a settings file is small")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let file: File = toml::from_str(&text)
            .map_err(|error| Error::config(path, toml_error::describe(&text, &error)))?;
        file.monitor.check().map_err(|reason| Error::config(path, reason))?;
        Ok(file.monitor)
    }

    /// Rules that types do not hold; the error names key and value.
    pub fn check(&self) -> Result<(), String> {
        let shares = [
            ("drift_share", self.drift_share),
            ("missing_share_change", self.missing_share_change),
            ("duplicate_share_change", self.duplicate_share_change),
            ("check_tolerance", self.check_tolerance),
        ];
        for (key, share) in shares {
            if let Some(share) = share
                && !(0.0..=1.0).contains(&share)
            {
                return Err(format!("monitor.{key} = {share}: a share between 0 and 1"));
            }
        }
        if let Some(decimal) = self.decimal
            && !matches!(decimal, '.' | ',')
        {
            return Err(format!("monitor.decimal = {decimal:?}: a point or a comma"));
        }
        let is_factor = |factor: f64| factor == 0.0 || (1.0..=f64::MAX).contains(&factor);
        let factors = [
            ("volume_factor", self.volume_factor),
            ("window_volume_factor", self.window_volume_factor),
        ];
        for (key, factor) in factors {
            if let Some(factor) = factor
                && !is_factor(factor)
            {
                return Err(format!("monitor.{key} = {factor}: 1 or more, or 0 for never"));
            }
        }
        for text in self.checks.iter().flatten() {
            RowRule::parse(text).map_err(|error| format!("monitor.checks: {error}"))?;
        }
        self.check_metrics()?;
        let rules = self.alerts.as_deref().unwrap_or_default();
        for (at, rule) in rules.iter().enumerate() {
            rule.check().map_err(|error| format!("monitor.alert: {error}"))?;
            if rules[..at].iter().any(|other| rule.is_taken_for(other)) {
                return Err(format!(
                    "monitor.alert: two alerts on the same are called {:?}: give each a `name`",
                    rule.title()
                ));
            }
        }
        for until in self.silences.iter().filter_map(|silence| silence.until.as_ref()) {
            if instant(until).is_none() {
                return Err(format!("monitor.silence: until = {until:?} is no time; 2026-01-31"));
            }
        }
        if let Some(bins) = self.bins
            && !(2..=Bins::MAX).contains(&bins)
        {
            return Err(format!("monitor.bins = {bins}: from 2 to {}", Bins::MAX));
        }
        let sides = [("reference", &self.reference), ("current", &self.current)];
        for (key, side) in sides {
            if self.segments.is_some() && side.as_deref() == Some(trainyard_data::STDIN) {
                return Err(format!(
                    "monitor.segment reads both sides several times, and {key} is standard input"
                ));
            }
        }
        self.check_engines()?;
        let thresholds =
            [self.threshold, self.num_threshold, self.cat_threshold, self.text_threshold];
        let by_column = self.per_column_threshold.iter().map(|(_, threshold)| *threshold);
        let mut thresholds = thresholds.into_iter().flatten().chain(by_column);
        match thresholds.find(|threshold| !(threshold.is_finite() && *threshold >= 0.0)) {
            Some(wrong) => Err(format!("monitor: {wrong} is no threshold; 0 or more")),
            None => Ok(()),
        }
    }

    /// What is no metric, and what is called as something that each window has.
    fn check_metrics(&self) -> Result<(), String> {
        if self.metrics.len() > METRICS_MAX {
            return Err(format!("monitor.metrics: at most {METRICS_MAX} are computed"));
        }
        for (name, text) in &self.metrics {
            let is_fine = |one: char| one.is_ascii_alphanumeric() || one == '_';
            if name.is_empty() || name.len() > METRIC_NAME_MAX || !name.chars().all(is_fine) {
                return Err(format!("monitor.metrics: {name:?} is no name; letters, digits and _"));
            }
            if USUAL_METRICS.contains(&name.as_str()) {
                return Err(format!("monitor.metrics: each window has {name:?} already"));
            }
            let metric = text.parse::<Metric>();
            metric.map_err(|error| format!("monitor.metrics.{name}: {error}"))?;
        }
        Ok(())
    }

    /// What of engines is not asked.
    fn check_engines(&self) -> Result<(), String> {
        let is_in_engine = self.current.as_deref().is_some_and(Source::is_one);
        let Some(window) = self.window.filter(|_| is_in_engine) else { return Ok(()) };
        let what = if window.milliseconds().is_none() {
            "counts rows, which have no order in an engine; take windows of time: 1d"
        } else if self.segments.is_some() {
            "and monitor.segment read rows, and those of current stay in their engine; name the segment: --where 'a = b'"
        } else if self.labels.is_some() {
            "and monitor.labels read rows, and those of current stay in their engine; give the predictions as a file"
        } else {
            return Ok(());
        };
        Err(format!("monitor.window {what}"))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use trainyard_drift::{Correction, Kind, Method, Options};

    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monitor.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_evidentlys() {
        let settings = read(
            "[monitor]\nnum_method = \"psi\"\ncorrect = \"bh\"\nbins = 10\nmemory = \"512MB\"\nwhere = [\"x > 1\"]\n[monitor.per_column_method]\n\"a b\" = \"ks\"\n[monitor.kinds]\nid = \"unknown\"\n",
        )
        .unwrap();
        let options = settings.options();
        assert_eq!(options.num_method, Some(Method::Psi));
        assert_eq!(options.per_column_method["a b"], Method::KolmogorovSmirnov);
        assert_eq!(options.correction, Correction::BenjaminiHochberg);
        assert_eq!(options.kinds["id"], Kind::Unknown);
        assert_eq!(options.bins, Bins::ReferenceQuantiles(10));
        assert_eq!(settings.memory.unwrap().0, 512_000_000);
    }

    #[test]
    fn wrong_values_are_named() {
        for (text, expected) in [
            ("[monitor]\nmethod = \"kss\"\n", "no drift method is called \"kss\""),
            ("[monitor]\nmetod = \"ks\"\n", "metod"),
            ("[monitor]\nbins = 1\n", "from 2 to"),
            ("[monitor]\nthreshold = -0.5\n", "-0.5"),
            ("[monitor]\ndrift_share = 2\n", "share"),
            ("[monitor]\nmemory = \"lots\"\n", "lots"),
            ("[monitor]\nfail_on = [\"red\"]\n", "red"),
            ("[monitor.metrics]\nprofit = \"median(x)\"\n", "there is no median(…)"),
            ("[monitor.metrics]\nrows = \"count(*)\"\n", "has \"rows\" already"),
            ("[monitor.metrics]\n\"a b\" = \"count(*)\"\n", "is no name"),
            ("[other]\n", "other"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn flags_go_over_files() {
        let file = read(
            "[monitor]\nseed = 1\ndrift_share = 0.3\nwhere = [\"x > 1\"]\n[monitor.per_column_method]\na = \"ks\"\nb = \"ks\"\n",
        )
        .unwrap();
        let flags = Settings {
            seed: Some(2),
            conditions: Some(vec!["y > 1".to_owned()]),
            per_column_method: vec![("b".to_owned(), Method::Psi)],
            ..Settings::default()
        };
        let both = flags.over(file);
        assert_eq!(both.rows(DateTime::UNIX_EPOCH).conditions, ["y > 1"]);
        assert_eq!(both.reference_rows().unwrap().conditions, ["y > 1"]);
        let options = both.options();
        assert_eq!((options.seed, options.drift_share), (2, 0.3));
        assert_eq!(options.per_column_method["a"], Method::KolmogorovSmirnov);
        assert_eq!(options.per_column_method["b"], Method::Psi);
        assert_eq!(options.min_samples, Options::default().min_samples);
    }
}
