//! The runs of an experiment as CSV, a part at a time however many there are.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use trainyard_mlflow::entities::Run;
use trainyard_mlflow::{Error as StoreError, SearchRuns, Tracking, Wanted};

use crate::columns::{self, Available, Column, Kind};
use crate::error::Result;
use crate::of_histories::OfHistories;
use crate::query::Query;
use crate::run_list;
use crate::site::Web;

/// Runs that are read at once; the store gives fewer where much was logged to them. Each part is looked for from the
/// first run on, so many small ones of a long list take long.
const PART: i64 = 1_000;
/// Runs by which columns are chosen where nobody did.
const SAMPLED: i64 = 20;
/// Runs whose histories are read at once, and values of them. A file is no page that somebody waits for; a history that is
/// longer still has an empty cell, as what is known of it is no number.
const READ_AT_ONCE: usize = 100;
const VALUES_MAX: usize = 4_000_000;
/// Columns that are known of every run.
const FIXED: [&str; 5] = ["run_id", "run_name", "status", "start_time", "end_time"];

/// What is left to write.
struct Export {
    tracking: Tracking,
    columns: Vec<Column>,
    /// The next part; none after the last.
    next: Option<SearchRuns>,
    /// What is read of the runs.
    wanted: Wanted,
    /// Written before the next part.
    head: String,
    /// Runs of the part before: one that starts meanwhile comes first and moves them into the next.
    last: BTreeSet<String>,
}

pub(crate) async fn download(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let query = Query::read(raw.as_deref().unwrap_or_default());
    let search = run_list::search(&experiment.experiment_id, &query.without(&["page"]));
    if let Some(refused) = run_list::unsortable(&query) {
        return Err(refused.into());
    }
    // A filter that is refused is an answer of its own, not a file that ends early.
    let some = SearchRuns { max_results: Some(SAMPLED), ..search.clone() };
    let first = web.tracking.runs.search(some).await?;
    let mut columns = columns::chosen(&query);
    if columns.is_empty() {
        columns = Available::of(first.items.iter()).usual();
    }
    let names = columns.iter().map(|column| text(&column.name()));
    let head: Vec<String> = FIXED.map(str::to_owned).into_iter().chain(names).collect();
    let wanted = run_list::metrics(columns.iter());
    let export = Export {
        tracking: web.tracking.clone(),
        wanted,
        columns,
        next: Some(SearchRuns { max_results: Some(PART), ..search }),
        head: format!("{}\r\n", head.join(",")),
        last: BTreeSet::new(),
    };
    let body = Body::from_stream(stream::try_unfold(export, part));
    let name = format!("attachment; filename=\"runs-{}.csv\"", experiment.experiment_id);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    let response: Response = (headers, body).into_response();
    Ok(response)
}

async fn part(mut export: Export) -> Result<Option<(String, Export)>, StoreError> {
    let Some(search) = export.next.take() else { return Ok(None) };
    let mut found = export.tracking.runs.search_for(search.clone(), export.wanted.clone()).await?;
    for runs in found.items.chunks_mut(READ_AT_ONCE) {
        let columns = &export.columns;
        let of_histories =
            OfHistories::read(&export.tracking, runs.iter(), columns, VALUES_MAX).await?;
        of_histories.put_into(runs, columns);
    }
    let mut lines = std::mem::take(&mut export.head);
    for run in found.items.iter().filter(|run| !export.last.contains(&run.info.run_id)) {
        lines.push_str(&line(run, &export.columns));
    }
    export.last = found.items.into_iter().map(|run| run.info.run_id).collect();
    export.next =
        found.next_page_token.map(|token| SearchRuns { page_token: Some(token), ..search });
    Ok(Some((lines, export)))
}

fn line(run: &Run, columns: &[Column]) -> String {
    let info = &run.info;
    let time = |millis: Option<i64>| {
        let time = millis.and_then(chrono::DateTime::from_timestamp_millis);
        time.map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).unwrap_or_default()
    };
    let status = serde_json::to_value(info.status).unwrap_or_default();
    let fixed = [
        text(&info.run_id),
        text(&info.run_name),
        text(status.as_str().unwrap_or_default()),
        time(info.start_time),
        time(info.end_time),
    ];
    let values = columns.iter().map(|column| match column.kind {
        Kind::Metric => column.metric(run).map(number).unwrap_or_default(),
        Kind::Param | Kind::Tag => text(&column.text(run).unwrap_or_default()),
    });
    let cells: Vec<String> = fixed.into_iter().chain(values).collect();
    format!("{}\r\n", cells.join(","))
}

/// A metric with all of its digits.
fn number(value: f64) -> String {
    // MLflow stores infinities as the largest number.
    if value.abs() >= f64::MAX {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    value.to_string()
}

/// A text as a cell. One that a spreadsheet would calculate gets a `'` before it, by which spreadsheets know
/// texts (OWASP, CSV injection); numbers stay numbers.
fn text(value: &str) -> String {
    let is_formula =
        value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_number = value.parse::<f64>().is_ok();
    let value = if is_formula && !is_number { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', ';', '"', '\n', '\r', '\t']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::CreateRun;
    use trainyard_tracking::OpenOptions;

    use super::*;

    #[tokio::test]
    async fn a_run_that_starts_meanwhile_has_none_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let uri = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
        let root = folder.path().join("runs").display().to_string();
        let options = OpenOptions { default_artifact_root: Some(root), ..OpenOptions::default() };
        let tracking = trainyard_tracking::open(&uri, options).unwrap();
        let start = |start_time| {
            let experiment_id = "0".to_owned();
            tracking.runs.create(CreateRun { experiment_id, start_time, ..CreateRun::default() })
        };
        for at in 1..=4 {
            start(at).await.unwrap();
        }
        let search = SearchRuns {
            experiment_ids: vec!["0".to_owned()],
            max_results: Some(2),
            ..SearchRuns::default()
        };
        let export = Export {
            wanted: Wanted::Nothing,
            tracking: tracking.clone(),
            columns: Vec::new(),
            next: Some(search),
            head: String::new(),
            last: BTreeSet::new(),
        };
        let (mut text, mut export) = part(export).await.unwrap().unwrap();
        start(5).await.unwrap();
        while let Some((more, next)) = part(export).await.unwrap() {
            text.push_str(&more);
            export = next;
        }
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn formulas_are_texts_and_numbers_numbers() {
        for (value, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
            ("\t=1", "\"'\t=1\""),
            ("-1.5e3", "-1.5e3"),
            ("plain", "plain"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
        ] {
            assert_eq!(text(value), cell);
        }
        assert_eq!([number(0.1), number(f64::MAX), number(f64::NAN)], ["0.1", "inf", "NaN"]);
    }
}
