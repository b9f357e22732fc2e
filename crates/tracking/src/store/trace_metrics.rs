//! Numbers over many traces, spans and assessments, in groups: what upstream's overview shows.

use std::collections::BTreeMap;

use chrono::DateTime;
use trainyard_mlflow::entities::KeyValue;
use trainyard_mlflow::{Aggregation, Error, MetricPoint, MetricView, QueryTraceMetrics};

use super::database::{Connection, Dialect};
use super::python;
use super::search_runs::experiment_ids;
use crate::error::{Result, invalid};
use crate::search::{Sql, Style, parse, trace_metrics};

/// Most groups of an answer.
const POINTS_MAX: i64 = 1_000;
/// Most aggregations, dimensions and filters of a request.
const PARTS_MAX: usize = 20;
/// Most values that percentiles are made of here, where the database cannot.
const VALUES_MAX: i64 = 1_000_000;

/// What can be asked of a metric.
struct Metric {
    name: &'static str,
    column: &'static str,
    aggregations: &'static [&'static str],
    dimensions: &'static [&'static str],
}

const COUNTED: &[&str] = &["COUNT"];
const MEASURED: &[&str] = &["AVG", "MAX", "MIN", "PERCENTILE"];
const SUMMED: &[&str] = &["AVG", "MAX", "MIN", "PERCENTILE", "SUM"];
const NAMED: &[&str] = &["trace_name"];
const MODELS: &[&str] = &["span_model_name", "span_model_provider"];

const fn metric(
    name: &'static str,
    column: &'static str,
    aggregations: &'static [&'static str],
    dimensions: &'static [&'static str],
) -> Metric {
    Metric { name, column, aggregations, dimensions }
}

const TRACES: &[Metric] = &[
    metric("trace_count", "t.request_id", COUNTED, &["trace_name", "trace_status"]),
    metric("session_count", "DISTINCT t.session_id", COUNTED, &[]),
    metric("latency", "t.execution_time_ms", MEASURED, NAMED),
    metric("input_tokens", "t.input_tokens", SUMMED, NAMED),
    metric("output_tokens", "t.output_tokens", SUMMED, NAMED),
    metric("total_tokens", "t.total_tokens", SUMMED, NAMED),
    metric("cache_read_input_tokens", "t.cache_read_input_tokens", SUMMED, NAMED),
    metric("cache_creation_input_tokens", "t.cache_creation_input_tokens", SUMMED, NAMED),
];
const SPANS: &[Metric] = &[
    metric(
        "span_count",
        "x.span_id",
        COUNTED,
        &["span_model_name", "span_model_provider", "span_name", "span_status", "span_type"],
    ),
    metric(
        "latency",
        "((x.end_time_unix_nano - x.start_time_unix_nano) / 1000000)",
        MEASURED,
        &["span_name", "span_status"],
    ),
    metric("input_cost", "x.input_cost", SUMMED, MODELS),
    metric("output_cost", "x.output_cost", SUMMED, MODELS),
    metric("total_cost", "x.total_cost", SUMMED, MODELS),
];
const ASSESSMENTS: &[Metric] = &[
    metric(
        "assessment_count",
        "a.assessment_id",
        COUNTED,
        &["assessment_name", "assessment_value"],
    ),
    metric("assessment_value", "a.aggregate_value", MEASURED, &["assessment_name"]),
];

/// The column of a dimension that was checked.
fn dimension(name: &str) -> &'static str {
    match name {
        "trace_name" => "t.trace_name",
        "trace_status" => "t.status",
        "span_name" => "x.name",
        "span_type" => "x.type",
        "span_status" => "x.status",
        "span_model_name" => "x.model_name",
        "span_model_provider" => "x.model_provider",
        "assessment_value" => "a.value",
        _ => "a.name",
    }
}

fn kind(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Count => "COUNT",
        Aggregation::Sum => "SUM",
        Aggregation::Avg => "AVG",
        Aggregation::Min => "MIN",
        Aggregation::Max => "MAX",
        Aggregation::Percentile(_) => "PERCENTILE",
    }
}

/// The numbers of each group, in the order of the groups.
pub(crate) fn query(
    connection: &mut dyn Connection,
    query: &QueryTraceMetrics,
) -> Result<Vec<MetricPoint>> {
    let metric = checked(query)?;
    let ids = experiment_ids(&query.experiment_ids)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut groups: Vec<String> = Vec::new();
    let (source, time) = match query.view {
        MetricView::Traces => ("trace_info t", "t.timestamp_ms"),
        MetricView::Spans => (
            "trace_info t JOIN spans x ON x.trace_id = t.request_id",
            "(x.start_time_unix_nano / 1000000)",
        ),
        MetricView::Assessments => {
            ("trace_info t JOIN assessments a ON a.trace_id = t.request_id", "t.timestamp_ms")
        }
    };
    if let Some(seconds) = query.time_interval_seconds {
        let width = seconds.saturating_mul(1000);
        groups.push(format!("(({time} / {width}) * {width})"));
    }
    groups.extend(query.dimensions.iter().map(|name| dimension(name).to_owned()));
    let mut tail = Sql::new(connection.dialect());
    tail.push(&format!(" FROM {source} WHERE t.experiment_id IN ")).push_list(ids);
    if query.view == MetricView::Assessments {
        let truth = connection.dialect().truth(true);
        tail.push(&format!(" AND a.valid = {truth}"));
    }
    if let Some(start) = query.start_time_ms {
        tail.push(&format!(" AND {time} >= ")).push_value(start);
    }
    if let Some(end) = query.end_time_ms {
        tail.push(&format!(" AND {time} <= ")).push_value(end);
    }
    for filter in &query.filters {
        let expression = parse(filter, Style::Plain)?;
        tail.push(" AND ");
        trace_metrics::push(&mut tail, query.view, filter, expression.as_ref())?;
    }
    // Groups without a value of a dimension are none.
    for name in &query.dimensions {
        tail.push(&format!(" AND {} IS NOT NULL", dimension(name)));
    }
    Grouped { query, metric, groups, tail }.read(connection)
}

fn checked(query: &QueryTraceMetrics) -> Result<&'static Metric> {
    let metrics = match query.view {
        MetricView::Traces => TRACES,
        MetricView::Spans => SPANS,
        MetricView::Assessments => ASSESSMENTS,
    };
    let Some(metric) = metrics.iter().find(|metric| metric.name == query.metric_name) else {
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name).collect();
        return invalid!(
            "metric_name must be one of {}, got '{}'",
            python::repr_list(&names),
            query.metric_name
        );
    };
    if query.aggregations.is_empty() {
        return invalid!(
            "aggregations must name at least one of {}",
            python::repr_list(metric.aggregations)
        );
    }
    let wrong: Vec<&str> = query
        .aggregations
        .iter()
        .map(|aggregation| kind(*aggregation))
        .filter(|kind| !metric.aggregations.contains(kind))
        .collect();
    if !wrong.is_empty() {
        return invalid!(
            "Found invalid aggregation_type(s): {}. Supported aggregation types: {}",
            python::repr_list(&wrong),
            python::repr_list(metric.aggregations)
        );
    }
    let wrong: Vec<&String> = query
        .dimensions
        .iter()
        .filter(|name| !metric.dimensions.contains(&name.as_str()))
        .collect();
    if !wrong.is_empty() {
        return invalid!(
            "Found invalid dimension(s): {}. Supported dimensions: {}",
            python::repr_list(&wrong),
            python::repr_list(metric.dimensions)
        );
    }
    for count in [query.aggregations.len(), query.dimensions.len(), query.filters.len()] {
        if count > PARTS_MAX {
            return invalid!(
                "at most {PARTS_MAX} aggregations, dimensions and filters are allowed, got {count}"
            );
        }
    }
    let is_open = query.start_time_ms.is_none() || query.end_time_ms.is_none();
    match query.time_interval_seconds {
        Some(seconds) if seconds < 1 => {
            invalid!("time_interval_seconds must be a positive integer, got {seconds}")
        }
        Some(_) if is_open => {
            invalid!("start_time_ms and end_time_ms are required if time_interval_seconds is set")
        }
        _ => Ok(metric),
    }
}

/// A query whose parts are known.
struct Grouped<'a> {
    query: &'a QueryTraceMetrics,
    metric: &'static Metric,
    /// Expressions by which rows are grouped: the bucket of time, and the dimensions.
    groups: Vec<String>,
    /// From FROM on, without GROUP BY.
    tail: Sql,
}

impl Grouped<'_> {
    fn read(self, connection: &mut dyn Connection) -> Result<Vec<MetricPoint>> {
        let column = self.metric.column;
        let mut selected: Vec<String> =
            self.groups.iter().map(|group| format!("CAST({group} AS TEXT)")).collect();
        for aggregation in &self.query.aggregations {
            selected.push(match aggregation {
                Aggregation::Count => format!("CAST(count({column}) AS DOUBLE PRECISION)"),
                Aggregation::Sum => format!("CAST(sum({column}) AS DOUBLE PRECISION)"),
                Aggregation::Avg => format!("CAST(avg({column}) AS DOUBLE PRECISION)"),
                Aggregation::Min => format!("CAST(min({column}) AS DOUBLE PRECISION)"),
                Aggregation::Max => format!("CAST(max({column}) AS DOUBLE PRECISION)"),
                Aggregation::Percentile(percent) => match connection.dialect() {
                    Dialect::Postgres => format!(
                        "percentile_cont({}) WITHIN GROUP (ORDER BY CAST({column} AS DOUBLE PRECISION))",
                        percent / 100.0
                    ),
                    // An aggregate all the same: rows without groups become one.
                    Dialect::Sqlite => "max(NULL)".to_owned(),
                },
            });
        }
        let limit = self.query.max_results.clamp(1, POINTS_MAX);
        let by = self.groups.join(", ");
        let by = if by.is_empty() { by } else { format!(" GROUP BY {by} ORDER BY {by}") };
        let sql = format!("SELECT {}{}{by} LIMIT {limit}", selected.join(", "), self.tail.text);
        let keys = self.groups.len();
        let count = self.query.aggregations.len();
        let mut rows = connection.rows(&sql, &self.tail.values, |row| {
            let group =
                (0..keys).map(|place| row.text_or_empty(place)).collect::<Result<Vec<_>>>()?;
            let values =
                (keys..keys + count).map(|place| row.real(place)).collect::<Result<Vec<_>>>()?;
            Ok((group, values))
        })?;
        let has_percentile =
            self.query.aggregations.iter().any(|one| matches!(one, Aggregation::Percentile(_)));
        if has_percentile && connection.dialect() == Dialect::Sqlite {
            self.percentiles(connection, &mut rows)?;
        }
        Ok(rows.into_iter().filter_map(|(group, values)| self.point(group, values)).collect())
    }

    /// Fills in percentiles, which SQLite cannot make.
    fn percentiles(
        &self,
        connection: &mut dyn Connection,
        rows: &mut [(Vec<String>, Vec<Option<f64>>)],
    ) -> Result<()> {
        let column = self.metric.column;
        let mut selected: Vec<String> =
            self.groups.iter().map(|group| format!("CAST({group} AS TEXT)")).collect();
        selected.push(format!("CAST({column} AS DOUBLE PRECISION)"));
        let sql = format!(
            "SELECT {}{} AND {column} IS NOT NULL LIMIT {}",
            selected.join(", "),
            self.tail.text,
            VALUES_MAX + 1
        );
        let keys = self.groups.len();
        let mut groups: BTreeMap<Vec<String>, Vec<f64>> = BTreeMap::new();
        let mut count = 0;
        connection.query(&sql, &self.tail.values, &mut |row| {
            let group =
                (0..keys).map(|place| row.text_or_empty(place)).collect::<Result<Vec<_>>>()?;
            groups.entry(group).or_default().extend(row.real(keys)?);
            count += 1;
            Ok(())
        })?;
        if count > VALUES_MAX {
            return Err(Error::invalid(format!(
                "percentiles of more than {VALUES_MAX} values: choose a shorter time"
            ))
            .into());
        }
        for (group, values) in rows {
            let Some(sorted) = groups.get_mut(group) else { continue };
            sorted.sort_by(f64::total_cmp);
            for (aggregation, value) in self.query.aggregations.iter().zip(values) {
                if let Aggregation::Percentile(percent) = aggregation {
                    *value = percentile(sorted, *percent);
                }
            }
        }
        Ok(())
    }

    /// None if no aggregation has a value.
    fn point(&self, group: Vec<String>, values: Vec<Option<f64>>) -> Option<MetricPoint> {
        let mut dimensions = Vec::new();
        let mut group = group.into_iter();
        if self.query.time_interval_seconds.is_some() {
            let bucket = group.next().unwrap_or_default();
            let time = bucket.parse::<i64>().ok().and_then(DateTime::from_timestamp_millis);
            let time = time.map(|time| time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string());
            dimensions.push(KeyValue::new("time_bucket", time.unwrap_or(bucket)));
        }
        dimensions.extend(
            self.query.dimensions.iter().zip(group).map(|(name, value)| KeyValue::new(name, value)),
        );
        let named =
            self.query.aggregations.iter().zip(values).filter_map(|(aggregation, value)| {
                let name = match aggregation {
                    Aggregation::Percentile(percent) => format!("P{}", python::float(*percent)),
                    other => kind(*other).to_owned(),
                };
                Some((name, value?))
            });
        let values: Vec<(String, f64)> = named.collect();
        (!values.is_empty()).then_some(MetricPoint { dimensions, values })
    }
}

/// Of sorted values, between two of them where it falls between them.
fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = percent / 100.0 * last as f64;
    let (low, high) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (percent, expected) in [(0.0, 1.0), (50.0, 3.0), (90.0, 6.8), (100.0, 8.0)] {
            let found = percentile(&sorted, percent).unwrap();
            assert!((found - expected).abs() < 1e-12, "{percent}: {found}");
        }
        assert_eq!(percentile(&[], 50.0), None);
    }
}
