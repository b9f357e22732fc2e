//! Alertmanager (API v2) is told what goes on, again and again, and what is over.
//!
//! An alert there is its labels: the same labels are the same alert. It goes on until it is said to be over, or is not told
//! again for as long as it is valid: what nobody looks at any more is not red for ever. Who hears of it, and how often, is
//! Alertmanager's own affair.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Certificate;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Serialize;
use trainyard_drift::{Series, Window, WindowLength};
use trainyard_mlflow::secrets::hide;

use super::alertmanager_config::Alertmanager;
use super::config::Occasion;
use super::credential::secret;
use super::deliver::{authorities, client, post};
use super::happened::{Alert, Happened, Late};
use super::link::link;
use crate::Project;

/// How long an alert goes on without being told again, where nothing is said: longer than a day, after which many look.
const VALID: Duration = Duration::from_hours(25);

/// So much longer than a window it goes on at least: a look takes its time.
const AFTER_WINDOW: Duration = Duration::from_hours(1);

/// How long something goes on that was over before anybody looked: so long that Alertmanager's groups wait for it.
const PASSED: Duration = Duration::from_mins(15);

/// Alerts of one request, and of one look.
const CHUNK: usize = 200;
const ALERTS_MAX: usize = 10_000;

/// Characters of a text that goes with an alert.
const TEXT_CHARS_MAX: usize = 4000;

/// An alert as Alertmanager reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator: Option<String>,
}

/// When an alert ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Not before it is told once more, or was not told for so long.
    Unless(Duration),
    After(Duration),
    Now,
}

/// What Alertmanager is told, without what depends on which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    labels: BTreeMap<String, String>,
    summary: String,
    starts: DateTime<Utc>,
    ends: Ends,
}

/// Tells the one at this URL, or all that are named so. Those of a cluster tell each other, but not of alerts.
pub(super) async fn tell(project: &Project, happened: &Happened, url: &str) -> Result<(), String> {
    let now = Utc::now();
    let mut said = said(&project.config.model.name, happened, now);
    if said.is_empty() {
        return Ok(());
    }
    if said.len() > ALERTS_MAX {
        tracing::warn!(alerts = said.len(), "Alertmanager is told of the first {ALERTS_MAX}");
        said.truncate(ALERTS_MAX);
    }
    let link = link(project);
    for one in project.config.notify.alertmanager.iter().filter(|one| one.url == url) {
        let given = give(&project.folder, one, &said, link.as_deref(), now).await;
        given.map_err(|reason| format!("{url}: {reason}"))?;
    }
    Ok(())
}

/// Posts all to one.
async fn give(
    project: &Path,
    config: &Alertmanager,
    said: &[Said],
    link: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let roots = match &config.ca_file {
        Some(path) => Certificate::from_pem_bundle(&authorities(project, path)?)
            .map_err(|error| format!("ca_file {}: {error}", path.display()))?,
        None => Vec::new(),
    };
    let client = client(roots)?;
    let headers = headers(project, config)?;
    for chunk in said.chunks(CHUNK) {
        let posted: Vec<Posted> = chunk.iter().map(|one| one.posted(config, link, now)).collect();
        let body = serde_json::to_string(&posted).map_err(|error| error.to_string())?;
        post(&client, &config.endpoint(), &headers, &body).await?;
    }
    Ok(())
}

/// Who says it.
fn headers(project: &Path, config: &Alertmanager) -> Result<HeaderMap, String> {
    let password = secret(project, config.password_env.as_ref(), config.password_file.as_ref())?;
    let token = secret(project, config.token_env.as_ref(), config.token_file.as_ref())?;
    let value = match (config.user.as_ref().zip(password), token) {
        (Some((user, password)), _) => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        }
        (None, Some(token)) => format!("Bearer {token}"),
        (None, None) => return Ok(HeaderMap::new()),
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_value| "the token has characters that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// What is to be said.
fn said(model: &str, happened: &Happened, now: DateTime<Utc>) -> Vec<Said> {
    let of = |occasion, severity: &str, starts, ends| {
        let labels = [("alertname", name(occasion)), ("model", model), ("severity", severity)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let summary = happened.text(model);
        vec![Said { labels: labels.into(), summary, starts, ends }]
    };
    let at = |since: &str| DateTime::parse_from_rfc3339(since).map_or(now, |at| at.to_utc());
    let (warning, critical) = ("warning", "critical");
    let goes_on = Ends::Unless(VALID);
    match happened {
        Happened::Promoted { .. } | Happened::Late(Late { occasion: Occasion::Promoted, .. }) => {
            Vec::new()
        }
        Happened::Alert(alert) => of_windows(model, alert, now),
        Happened::Outage(trouble) => of(Occasion::Outage, critical, at(&trouble.since), goes_on),
        Happened::MonitorFailed(trouble) => {
            of(Occasion::MonitorFailed, warning, at(&trouble.since), goes_on)
        }
        Happened::Recovered { from, since } => {
            let severity = if *from == Occasion::Outage { critical } else { warning };
            of(*from, severity, at(since), Ends::Now)
        }
        Happened::RolledBack { .. }
        | Happened::Drift(_)
        | Happened::GateFailed { .. }
        | Happened::TrainingFailed { .. }
        | Happened::DeployFailed { .. }
        | Happened::Late(_) => of(happened.occasion(), warning, now, goes_on),
    }
}

fn name(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Promoted => "TrainyardPromoted",
        Occasion::RolledBack => "TrainyardRolledBack",
        Occasion::Drift => "TrainyardDriftFound",
        Occasion::GateFailed => "TrainyardGateFailed",
        Occasion::TrainingFailed => "TrainyardTrainingFailed",
        Occasion::DeployFailed => "TrainyardDeployFailed",
        Occasion::MonitorFailed => "TrainyardMonitorFailed",
        Occasion::Outage => "TrainyardOutage",
        Occasion::Recovered => "TrainyardRecovered",
        Occasion::Alert => "TrainyardWindowAlert",
    }
}

/// Alerts on windows: a series that a rule is about is one.
fn of_windows(model: &str, alert: &Alert, now: DateTime<Utc>) -> Vec<Said> {
    let length = alert.length;
    let starts = |began: Window| {
        let is_time = length.milliseconds().is_some();
        let at = is_time.then(|| DateTime::from_timestamp_millis(began.begins)).flatten();
        at.unwrap_or(now).min(now)
    };
    let window = Duration::from_millis(
        length.milliseconds().and_then(|length| u64::try_from(length).ok()).unwrap_or(0),
    );
    let goes_on = Ends::Unless(VALID.max(window.saturating_add(AFTER_WINDOW)));
    let firing = alert.firing.iter().map(|one| (one, goes_on));
    let passed = alert.began.iter().filter(|one| one.ended.is_some());
    let passed = passed.map(|one| (one, Ends::After(PASSED)));
    let mut said: Vec<Said> = firing
        .chain(passed)
        .map(|(one, ends)| Said {
            labels: labels(model, &one.rule, &one.series, length),
            summary: format!("{model}: {}", one.sentence()),
            starts: starts(one.began),
            ends,
        })
        .collect();
    said.extend(alert.over.iter().map(|one| Said {
        labels: labels(model, &one.rule, &one.series, length),
        summary: format!("{model}: back to what is usual: {}", one.series),
        starts: starts(one.began),
        ends: Ends::Now,
    }));
    said
}

fn labels(
    model: &str,
    rule: &str,
    series: &Series,
    length: WindowLength,
) -> BTreeMap<String, String> {
    let Series { about, metric, segment, version, column } = series;
    let mut labels = BTreeMap::from(
        [
            ("alertname", name(Occasion::Alert)),
            ("severity", "warning"),
            ("model", model),
            ("rule", rule),
            ("about", about.name()),
            ("metric", metric.as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    labels.insert("window".to_owned(), length.to_string());
    for (name, value) in [("segment", segment), ("version", version), ("column", column)] {
        if let Some(value) = value {
            labels.insert(name.to_owned(), value.clone());
        }
    }
    labels
}

impl Said {
    /// The alert for one Alertmanager, whose labels it has, too.
    fn posted(&self, config: &Alertmanager, link: Option<&str>, now: DateTime<Utc>) -> Posted {
        let after = |wait: Duration| TimeDelta::from_std(wait).map_or(now, |wait| now + wait);
        let ends = match self.ends {
            Ends::Unless(usual) => after(config.valid_for.unwrap_or(usual)),
            Ends::After(wait) => after(wait),
            Ends::Now => now,
        };
        let mut labels = config.labels.clone();
        labels.extend(self.labels.clone());
        // An empty label is none, and no alert may have one that is.
        labels.retain(|_, value| !value.is_empty());
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let summary: String = hide(&self.summary).chars().take(TEXT_CHARS_MAX).collect();
        Posted {
            labels,
            annotations: BTreeMap::from([("summary", summary)]),
            starts_at: text(self.starts.min(now)),
            ends_at: text(ends),
            generator: link.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{About, Episode, Range, Told};

    use super::super::happened::Trouble;
    use super::*;

    const DAY: i64 = 86_400_000;

    fn series(column: &str) -> Series {
        Series {
            about: About::Drift,
            metric: "drift_score".to_owned(),
            segment: None,
            version: None,
            column: Some(column.to_owned()),
        }
    }

    fn day(day: i64) -> Window {
        Window { begins: day * DAY, ends: (day + 1) * DAY }
    }

    fn episode(column: &str, ended: Option<Window>) -> Episode {
        let range = Range { low: None, high: Some(0.3) };
        let (began, fired) = (day(1), day(1));
        let rule = "r".to_owned();
        Episode { rule, series: series(column), began, fired, ended, value: 0.5, range }
    }

    fn config(more: &str) -> Alertmanager {
        toml::from_str(&format!("url = \"https://h\"\n{more}")).unwrap()
    }

    #[test]
    fn what_goes_on_is_told_until_it_is_over_and_is_the_same_alert() {
        let now = DateTime::from_timestamp_millis(10 * DAY).unwrap();
        let told = Told { rule: "r".to_owned(), series: series("x"), began: day(1), cause: None };
        let alert = |firing: Vec<Episode>, began: Vec<Episode>, over: Vec<Told>| {
            let (text, causes, length) = (String::new(), Vec::new(), "1d".parse().unwrap());
            Happened::Alert(Alert { text, began, over, causes, firing, length })
        };
        let of = |happened: &Happened, more: &str| -> Vec<Posted> {
            let said = said("m", happened, now);
            said.iter().map(|one| one.posted(&config(more), Some("https://p"), now)).collect()
        };
        let goes_on = of(&alert(vec![episode("x", None)], Vec::new(), Vec::new()), "");
        let over = of(&alert(Vec::new(), Vec::new(), vec![told]), "");
        assert_eq!(goes_on[0].labels, over[0].labels);
        assert_eq!((goes_on[0].labels["column"].as_str(), goes_on.len(), over.len()), ("x", 1, 1));
        assert_eq!(goes_on[0].starts_at, "1970-01-02T00:00:00.000Z");
        assert_eq!(goes_on[0].ends_at, "1970-01-12T01:00:00.000Z");
        assert_eq!(over[0].ends_at, "1970-01-11T00:00:00.000Z");
        assert_eq!(goes_on[0].annotations["summary"], "m: drift_score of x is 0.5, above 0.3");
        let passed = of(&alert(Vec::new(), vec![episode("x", Some(day(3)))], Vec::new()), "");
        assert_eq!(passed[0].ends_at, "1970-01-11T00:15:00.000Z");
        let more = "valid_for = \"2h\"\nlabels = { team = \"ml\", model = \"other\", no = \"\" }";
        let own = of(&alert(vec![episode("x", None)], Vec::new(), Vec::new()), more);
        assert_eq!(own[0].ends_at, "1970-01-11T02:00:00.000Z");
        assert_eq!((own[0].labels["team"].as_str(), own[0].labels["model"].as_str()), ("ml", "m"));
        assert!(!own[0].labels.contains_key("no"));
        let json = serde_json::to_value(&own[0]).unwrap();
        assert_eq!(json["generatorURL"], "https://p");
        assert_eq!(json["startsAt"], "1970-01-02T00:00:00.000Z");
    }

    #[test]
    fn an_outage_and_its_end_are_the_same_alert() {
        let now = Utc::now();
        let down = Trouble::new("gone");
        let up = Happened::Recovered { from: Occasion::Outage, since: down.since.clone() };
        let down = Happened::Outage(down);
        let [down, up] = [down, up].map(|one| said("m", &one, now).remove(0));
        assert_eq!(down.labels, up.labels);
        assert_eq!((down.labels["severity"].as_str(), up.ends), ("critical", Ends::Now));
        let promoted = Happened::Promoted { version: "1".to_owned(), url: None };
        assert!(said("m", &promoted, now).is_empty(), "good news is no alert");
    }

    #[test]
    fn who_says_it_is_in_a_header_that_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
        for (more, expected) in [
            ("token_file = \"secret\"", "Bearer hunter2"),
            ("user = \"me\"\npassword_file = \"secret\"", "Basic bWU6aHVudGVyMg=="),
        ] {
            let headers = headers(folder.path(), &config(more)).unwrap();
            assert_eq!(headers[AUTHORIZATION], expected);
            assert!(!format!("{headers:?}").contains("hunter2"), "{headers:?}");
        }
        assert!(headers(folder.path(), &config("")).unwrap().is_empty());
    }
}
