//! Columns of a table of runs: which there are, and which are shown where nobody chose.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::http::HeaderMap;
use trainyard_mlflow::entities::{Run, Tag};

use crate::cookies;
use crate::query::Query;

/// Columns of a kind that are shown where nobody chose.
const USUAL_MAX: usize = 8;
/// Columns that can be chosen: more would be a page of megabytes.
const CHOSEN_MAX: usize = 50;
/// Of them those that histories are read for.
pub(crate) const OF_HISTORIES_MAX: usize = 6;
/// The cookie that remembers an experiment's columns.
pub(crate) const COOKIE: &str = "trainyard-columns";
/// MLflow's own tags that are worth a column.
const SYSTEM_TAGS: [&str; 4] =
    ["mlflow.user", "mlflow.source.name", "mlflow.source.git.commit", "mlflow.note.content"];

/// What a column is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Metric,
    Param,
    Tag,
}

/// A value that runs may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) kind: Kind,
    pub(crate) key: String,
    /// What of a metric's history; its last value if none.
    pub(crate) of_history: Option<OfHistory>,
}

/// One value of a metric's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfHistory {
    Extreme(End),
    /// The value at the step where another metric has its extreme first.
    At(End, String),
}

/// Which extreme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Min,
    Max,
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Min, Self::Max].into_iter().find(|end| end.name() == text)
    }
}

impl OfHistory {
    /// `min`, `max`, `min:other` or `max:other`, of the metric `key`.
    fn read(text: &str, key: &str) -> Option<Self> {
        let (end, other) = text.split_once(':').unwrap_or((text, key));
        let end = End::read(end)?;
        (!other.is_empty()).then(|| {
            if other == key { Self::Extreme(end) } else { Self::At(end, other.to_owned()) }
        })
    }

    /// The metric of `key` whose extreme it is.
    pub(crate) fn extreme_of<'a>(&'a self, key: &'a str) -> (End, &'a str) {
        match self {
            Self::Extreme(end) => (*end, key),
            Self::At(end, other) => (*end, other),
        }
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Metric, Self::Param, Self::Tag];

    /// As filters call it.
    pub(crate) fn entity(self) -> &'static str {
        match self {
            Self::Metric => "metrics",
            Self::Param => "params",
            Self::Tag => "tags",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Metric => "Metrics",
            Self::Param => "Params",
            Self::Tag => "Tags",
        }
    }
}

impl Column {
    pub(crate) fn new(kind: Kind, key: &str) -> Self {
        Self { kind, key: key.to_owned(), of_history: None }
    }

    /// `metrics.loss`, `metrics.loss@min` or `metrics.accuracy@min:loss`; none for anything else. No metric has an `@`
    /// in its name.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (entity, key) = text.split_once('.')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.entity() == entity)?;
        let of = (kind == Kind::Metric).then(|| key.split_once('@')).flatten();
        let column = match of {
            Some((key, of)) => {
                Self { of_history: Some(OfHistory::read(of, key)?), ..Self::new(kind, key) }
            }
            None => Self::new(kind, key),
        };
        (!column.key.is_empty()).then_some(column)
    }

    /// As addresses have it.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.kind.entity(), self.metric_key())
    }

    /// As filters and orders have it; none of what is not stored, by which nothing can be found or sorted.
    pub(crate) fn field(&self) -> Option<String> {
        let quote = if self.key.contains('`') { '"' } else { '`' };
        let field = || format!("{}.{quote}{}{quote}", self.kind.entity(), self.key);
        self.of_history.is_none().then(field)
    }

    /// As people read it.
    pub(crate) fn title(&self) -> String {
        match &self.of_history {
            None => self.key.clone(),
            Some(OfHistory::Extreme(end)) => format!("{} {}", end.name(), self.key),
            Some(OfHistory::At(end, other)) => format!("{} at {} {other}", self.key, end.name()),
        }
    }

    /// The key under which the run has its value: that of what is read of a history is put there under its name.
    pub(crate) fn metric_key(&self) -> Cow<'_, str> {
        let key = &self.key;
        match &self.of_history {
            None => Cow::Borrowed(key),
            Some(OfHistory::Extreme(end)) => Cow::Owned(format!("{key}@{}", end.name())),
            Some(OfHistory::At(end, other)) => Cow::Owned(format!("{key}@{}:{other}", end.name())),
        }
    }

    /// The metrics that it is read from.
    pub(crate) fn metric_keys(&self) -> impl Iterator<Item = &str> {
        let own = (self.kind == Kind::Metric).then_some(self.key.as_str());
        let other = self.of_history.as_ref().map(|of| of.extreme_of(&self.key).1);
        own.into_iter().chain(other)
    }

    /// A metric's value, if that is what it is of.
    pub(crate) fn metric(&self, run: &Run) -> Option<f64> {
        (self.kind == Kind::Metric).then(|| run.data.metric(&self.metric_key())).flatten()
    }

    /// The run's value as it is stored.
    pub(crate) fn text<'a>(&self, run: &'a Run) -> Option<Cow<'a, str>> {
        match self.kind {
            Kind::Metric => self.metric(run).map(|value| Cow::Owned(value.to_string())),
            Kind::Param => Tag::find(&run.data.params, &self.key).map(Cow::Borrowed),
            Kind::Tag => Tag::find(&run.data.tags, &self.key).map(Cow::Borrowed),
        }
    }

    /// The run's value as a finite number, if it is one.
    pub(crate) fn number(&self, run: &Run) -> Option<f64> {
        let value: f64 = match self.kind {
            Kind::Metric => self.metric(run)?,
            Kind::Param | Kind::Tag => self.text(run)?.trim().parse().ok()?,
        };
        // MLflow stores infinities as the largest number.
        (value.is_finite() && value.abs() < f64::MAX).then_some(value)
    }
}

/// What runs have, by kind: what differs among them first, what was measured of the machine last, and what
/// most of them have before what few have.
#[derive(Debug, Default)]
pub(crate) struct Available {
    metrics: Vec<String>,
    params: Vec<String>,
    tags: Vec<String>,
}

impl Available {
    pub(crate) fn of<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> Self {
        let metrics = runs.clone().flat_map(|run| &run.data.metrics);
        let params = runs.clone().flat_map(|run| &run.data.params);
        let tags = runs.flat_map(|run| &run.data.tags).filter(|tag| {
            !tag.key.starts_with("mlflow.") || SYSTEM_TAGS.contains(&tag.key.as_str())
        });
        Self {
            metrics: ranked(metrics.map(|metric| (metric.key.as_str(), metric.value.to_bits()))),
            params: ranked(params.map(|param| (param.key.as_str(), param.value.as_str()))),
            tags: ranked(tags.map(|tag| (tag.key.as_str(), tag.value.as_str()))),
        }
    }

    /// The same where these runs were read with some metrics alone, and `known` is of some of them with all.
    pub(crate) fn with_metrics_of(self, known: Self) -> Self {
        let mut metrics = known.metrics;
        let others =
            self.metrics.into_iter().filter(|key| !metrics.contains(key)).collect::<Vec<_>>();
        metrics.extend(others);
        Self { metrics, ..self }
    }

    /// The same with these metrics, of those that there are, before the others.
    pub(crate) fn with_first(mut self, metrics: &[&str]) -> Self {
        let place = |key: &String| metrics.iter().position(|metric| metric == key);
        self.metrics.sort_by_key(|key| place(key).unwrap_or(metrics.len()));
        self
    }

    pub(crate) fn keys(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Metric => &self.metrics,
            Kind::Param => &self.params,
            Kind::Tag => &self.tags,
        }
    }

    /// What is shown where nobody chose.
    pub(crate) fn usual(&self) -> Vec<Column> {
        let of = |kind: Kind| {
            self.keys(kind).iter().take(USUAL_MAX).map(move |key| Column::new(kind, key))
        };
        of(Kind::Metric).chain(of(Kind::Param)).collect()
    }
}

fn ranked<'a, V: PartialEq>(pairs: impl Iterator<Item = (&'a str, V)>) -> Vec<String> {
    let mut seen: BTreeMap<&str, (usize, V, bool)> = BTreeMap::new();
    for (key, value) in pairs {
        match seen.entry(key) {
            Entry::Vacant(place) => {
                place.insert((1, value, false));
            }
            Entry::Occupied(mut place) => {
                let (count, first, differs) = place.get_mut();
                *count += 1;
                *differs = *differs || *first != value;
            }
        }
    }
    let mut keys: Vec<_> = seen
        .into_iter()
        .map(|(key, (count, _, differs))| {
            (key.starts_with("system/"), !differs, Reverse(count), key)
        })
        .collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, _, _, key)| key.to_owned()).collect()
}

/// The columns that were asked for, each once, by kind; none if none were.
pub(crate) fn chosen(query: &Query) -> Vec<Column> {
    let asked = query.all("col").into_iter().filter_map(Column::read).take(CHOSEN_MAX);
    let mut columns: Vec<Column> = Vec::new();
    let mut of_histories = 0;
    for column in asked {
        of_histories += usize::from(column.of_history.is_some());
        let is_too_many = column.of_history.is_some() && of_histories > OF_HISTORIES_MAX;
        if !is_too_many && !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns.sort_by_key(|column| column.kind);
    columns
}

/// The columns that a browser remembers of the experiment whose page it asks for.
pub(crate) fn remembered(headers: &HeaderMap) -> Vec<Column> {
    let value = cookies::find(headers, COOKIE);
    value.map(|value| chosen(&Query::read(value))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use trainyard_mlflow::entities::Metric;

    use super::*;

    #[test]
    fn what_differs_comes_first_and_the_machine_last() {
        let run = |loss: f64, gpu: f64| {
            let mut run = Run::default();
            run.data.metrics = vec![
                Metric::new("epoch", 3.0, 0, 0),
                Metric::new("system/gpu", gpu, 0, 0),
                Metric::new("val/loss", loss, 0, 0),
            ];
            run.data.params = vec![Tag::new("seed", "7"), Tag::new("lr", loss.to_string())];
            run
        };
        let runs = [run(0.5, 1.0), run(0.25, 2.0)];
        let available = Available::of(runs.iter());
        assert_eq!(available.keys(Kind::Metric), ["val/loss", "epoch", "system/gpu"]);
        let first = Available::of(runs.iter()).with_first(&["none", "system/gpu"]);
        assert_eq!(first.keys(Kind::Metric), ["system/gpu", "val/loss", "epoch"]);
        assert_eq!(available.keys(Kind::Param), ["lr", "seed"]);
        let names: Vec<String> = available.usual().iter().map(Column::name).collect();
        assert_eq!(names[..2], ["metrics.val/loss", "metrics.epoch"]);
        let column = Column::read("params.lr").unwrap();
        assert_eq!(column.number(&runs[0]), Some(0.5));
        assert_eq!(column.field().as_deref(), Some("params.`lr`"));
        assert_eq!(Column::read("metrics.").or(Column::read("loss")), None);
    }

    #[test]
    fn a_column_may_be_of_a_history() {
        for (text, name, title) in [
            ("metrics.val/loss@min", "metrics.val/loss@min", "min val/loss"),
            ("metrics.loss@max:loss", "metrics.loss@max", "max loss"),
            ("metrics.acc@min:a:b", "metrics.acc@min:a:b", "acc at min a:b"),
            ("params.a@min", "params.a@min", "a@min"),
        ] {
            let column = Column::read(text).unwrap();
            assert_eq!((column.name().as_str(), column.title().as_str()), (name, title));
            assert_eq!(Column::read(name).as_ref(), Some(&column));
            assert_eq!(column.field().is_some(), column.of_history.is_none(), "{text}");
        }
        for wrong in ["metrics.@min", "metrics.a@", "metrics.a@mean", "metrics.a@min:"] {
            assert_eq!(Column::read(wrong), None, "{wrong}");
        }
        let at = Column::read("metrics.acc@max:loss").unwrap();
        assert_eq!(at.metric_keys().collect::<Vec<_>>(), ["acc", "loss"]);
        let many = (0..9).map(|n| format!("col=metrics.m{n}@min&col=params.p{n}"));
        let query = Query::read(&many.collect::<Vec<_>>().join("&"));
        assert_eq!(chosen(&query).len(), OF_HISTORIES_MAX + 9, "histories are dear");
    }

    #[test]
    fn columns_are_remembered_by_a_cookie() {
        let mut headers = HeaderMap::new();
        let text = format!("a=b; {COOKIE}=col=params.a%26b&col=metrics.x&col=junk");
        headers.insert(header::COOKIE, text.parse().unwrap());
        let names: Vec<String> = remembered(&headers).iter().map(Column::name).collect();
        assert_eq!(names, ["metrics.x", "params.a&b"]);
        assert!(remembered(&HeaderMap::new()).is_empty());
    }
}
