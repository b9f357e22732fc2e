//! Logged requests, answered again by the versions that answered them: the same bits, or which rows differ, and which
//! version cannot be asked any more. A segment of the log is in memory at a time, so it may be a month of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_select::filter::filter_record_batch;
use chrono::Utc;
use serde::Serialize;
use trainyard_base::words::log_columns::{
    MODEL, MODEL_VERSION, PREDICTION, PROBABILITY, REQUEST_ID, TIME,
};
use trainyard_data::{ReadOptions, RowFilter, files};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::uri::ModelUri;
use trainyard_serve::{LogReading, PythonOptions, logged};

use super::models::{Refusal, ScoringModels};
use super::options::{AskedModel, PredictOptions};
use super::shard::Shard;
use crate::monitor::Settings;
use crate::remote::is_remote;
use crate::{Error, Result};

/// Rows that differ and are told one by one; all are counted.
const TOLD_MAX: usize = 20;

/// Versions that are loaded at a time: a month of a busy service has seen few.
const VERSIONS_MAX: usize = 16;

/// Which requests are answered again, and by what.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// Folder, file or pattern of a prediction log.
    pub log: String,
    pub request_id: Option<String>,
    /// A time, or how long ago.
    pub since: Option<String>,
    pub until: Option<String>,
    /// What answers for a name of the log that is no registered model, or that is wanted to.
    pub models: Vec<AskedModel>,
    /// Workers for models that only Python scores.
    pub python: Option<PythonOptions>,
}

/// A row that is answered otherwise now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differing {
    pub request_id: String,
    pub model: String,
    pub version: String,
    /// `prediction` or `probability`.
    pub column: String,
    pub logged: String,
    pub now: String,
}

/// Rows of a version that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotReplayed {
    pub model: String,
    pub version: String,
    pub rows: u64,
    pub reason: String,
}

/// Result of `trainyard replay`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReplaySummary {
    pub rows: u64,
    /// Rows whose answer has the same bits.
    pub identical: u64,
    pub different: u64,
    /// The first of those that differ.
    pub differing: Vec<Differing>,
    pub not_replayed: Vec<NotReplayed>,
}

/// Answers logged requests again.
///
/// # Errors
///
/// If the log cannot be read, or holds nothing that was asked for.
pub async fn replay(options: &ReplayOptions, tracking: Option<&Tracking>) -> Result<ReplaySummary> {
    if is_remote(&options.log) {
        let hint = "fetch it first, and name the folder that it is in";
        return Err(Error::predict("a log in an object store is not replayed", hint));
    }
    let _nothing_is_removed = LogReading::begin(Path::new(&options.log));
    let reading =
        ReadOptions { rows: options.rows(), allow_no_rows: true, ..ReadOptions::default() };
    let mut replay = Replay { options, tracking, loaded: BTreeMap::new() };
    let mut summary = ReplaySummary::default();
    for path in files(&options.log)? {
        let table = trainyard_data::read(&path.to_string_lossy(), &reading)?;
        let (Some(models), Some(versions)) = (text(&table, MODEL), text(&table, MODEL_VERSION))
        else {
            let what = format!("{} was not written by a model server", path.display());
            return Err(Error::predict(
                what,
                "name the folder that `serve --prediction-log` wrote",
            ));
        };
        let pairs: BTreeSet<(String, String)> =
            models.iter().cloned().zip(versions.iter().cloned()).collect();
        for (model, version) in pairs {
            let is_its = models.iter().zip(&versions).map(|(m, v)| *m == model && *v == version);
            let is_its = BooleanArray::from(is_its.collect::<Vec<bool>>());
            let rows = filter_record_batch(&table, &is_its)
                .map_err(|error| Error::predict(error.to_string(), "this is a bug"))?;
            Box::pin(replay.rows(&model, &version, &rows, &mut summary)).await?;
        }
    }
    replay.close().await;
    if summary.rows == 0 {
        let what = format!("{} holds no such requests", options.log);
        return Err(Error::predict(
            what,
            "a server writes its log within a minute, and at its end",
        ));
    }
    Ok(summary)
}

impl ReplayOptions {
    fn rows(&self) -> RowFilter {
        let (since, until) = (self.since.clone(), self.until.clone());
        let mut rows = Settings { since, until, ..Settings::default() }.rows(Utc::now());
        if rows.since.is_some() || rows.until.is_some() {
            rows.time_column = Some(TIME.to_owned());
        }
        if let Some(id) = &self.request_id {
            rows.conditions.push(format!("\"{REQUEST_ID}\" = \"{}\"", id.replace('"', "\"\"")));
        }
        rows
    }
}

struct Replay<'a> {
    options: &'a ReplayOptions,
    tracking: Option<&'a Tracking>,
    /// By model and version, or why it cannot be asked.
    loaded: BTreeMap<(String, String), Result<ScoringModels, String>>,
}

impl Replay<'_> {
    /// Answers rows of one version again.
    async fn rows(
        &mut self,
        model: &str,
        version: &str,
        rows: &RecordBatch,
        summary: &mut ReplaySummary,
    ) -> Result<()> {
        summary.rows += rows.num_rows() as u64;
        let key = (model.to_owned(), version.to_owned());
        let is_known = self.loaded.contains_key(&key);
        if !is_known {
            if self.loaded.len() >= VERSIONS_MAX {
                self.close().await;
            }
            let loaded = Box::pin(self.load(model, version)).await;
            self.loaded.insert(key.clone(), loaded.map_err(|error| error.message()));
        }
        let answered = match self.loaded.get(&key) {
            Some(Ok(models)) => again(models, rows).and_then(|answers| comparable(rows, answers)),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it was not loaded".to_owned()),
        };
        match answered {
            Ok(answers) => compare(model, version, rows, &answers, summary),
            Err(reason) => {
                let (model, version) = key;
                let count = rows.num_rows() as u64;
                summary.not_replayed.push(NotReplayed { model, version, rows: count, reason });
            }
        }
        Ok(())
    }

    /// Ends workers, if there are any.
    async fn close(&mut self) {
        for models in std::mem::take(&mut self.loaded).into_values().flatten() {
            models.close().await;
        }
    }

    async fn load(&self, model: &str, version: &str) -> Result<ScoringModels> {
        let given = self.options.models.iter().find(|given| given.answers_for(model));
        let uri = match given {
            Some(given) => given.uri.clone(),
            None => ModelUri::Version { name: model.to_owned(), version: version.to_owned() },
        };
        let options = PredictOptions {
            models: vec![AskedModel { name: None, uri }],
            input: String::new(),
            output: String::new(),
            keep: Vec::new(),
            probabilities: false,
            explain: false,
            format: None,
            bad_rows: None,
            shard: Shard::WHOLE,
            overwrite: false,
            lenient: false,
            python: self.options.python.clone(),
            log: false,
            drift: false,
        };
        Box::pin(ScoringModels::load(&options, None, self.tracking)).await
    }
}

/// The columns of the log that the model would write now.
fn again(models: &ScoringModels, rows: &RecordBatch) -> Result<Vec<(String, ArrayRef)>, String> {
    let model = models.models.first().ok_or("there is no model")?;
    let fields = rows.schema_ref().fields().iter().enumerate();
    let [prediction, probability] = [PREDICTION, PROBABILITY].map(|plain| logged_name(rows, plain));
    let others = [REQUEST_ID, TIME, MODEL, MODEL_VERSION, &prediction, &probability];
    let own = models.input_names().unwrap_or_default();
    let inputs: Vec<usize> = fields
        .filter(|(_, field)| own.contains(field.name()) || !others.contains(&field.name().as_str()))
        .map(|(at, _)| at)
        .collect();
    let inputs = rows.project(&inputs).map_err(|error| error.to_string())?;
    let answer = model.prediction(&inputs).map_err(|refusal| match refusal {
        Refusal::Table(reason) | Refusal::Model(reason) => reason,
        Refusal::Row(bad) => bad.problem,
    })?;
    let (label, certainty) = logged(&answer).map_err(|error| error.to_string())?;
    if label.len() != rows.num_rows() {
        return Err(format!("it answers {} of {} rows", label.len(), rows.num_rows()));
    }
    let certainty = certainty.map(|certainty| (probability, certainty));
    Ok(std::iter::once((prediction, label)).chain(certainty).collect())
}

/// The name of a column of answers, which an input may have taken.
fn logged_name(rows: &RecordBatch, plain: &str) -> String {
    let longer = format!("trainyard.{plain}");
    if rows.column_by_name(&longer).is_some() { longer } else { plain.to_owned() }
}

/// The answers, if the log has a column of them: what is compared with nothing is not the same.
fn comparable(
    rows: &RecordBatch,
    answers: Vec<(String, ArrayRef)>,
) -> Result<Vec<(String, ArrayRef)>, String> {
    if answers.iter().any(|(name, _)| rows.column_by_name(name).is_some()) {
        return Ok(answers);
    }
    Err("the log has no column of its answers".to_owned())
}

fn compare(
    model: &str,
    version: &str,
    rows: &RecordBatch,
    answers: &[(String, ArrayRef)],
    summary: &mut ReplaySummary,
) {
    let ids = text(rows, REQUEST_ID).unwrap_or_default();
    for row in 0..rows.num_rows() {
        let differs = |(name, now): &&(String, ArrayRef)| {
            // What is not logged any more, or was not then, has nothing to be compared with.
            rows.column_by_name(name).is_some_and(|logged| !is_same(logged, now, row))
        };
        let Some((name, now)) = answers.iter().find(differs) else {
            summary.identical += 1;
            continue;
        };
        summary.different += 1;
        if summary.differing.len() < TOLD_MAX {
            let logged = rows.column_by_name(name).map(|logged| shown(logged.as_ref(), row));
            summary.differing.push(Differing {
                request_id: ids.get(row).cloned().unwrap_or_default(),
                model: model.to_owned(),
                version: version.to_owned(),
                column: name.clone(),
                logged: logged.unwrap_or_default(),
                now: shown(now.as_ref(), row),
            });
        }
    }
}

/// Whether a value has the same bits in both.
fn is_same(logged: &ArrayRef, now: &ArrayRef, row: usize) -> bool {
    if logged.data_type() != now.data_type() || logged.is_null(row) != now.is_null(row) {
        return false;
    }
    let doubles = (logged.as_primitive_opt::<Float64Type>(), now.as_primitive_opt::<Float64Type>());
    if let (Some(logged), Some(now)) = doubles {
        return logged.is_null(row) || logged.value(row).to_bits() == now.value(row).to_bits();
    }
    let floats = (logged.as_primitive_opt::<Float32Type>(), now.as_primitive_opt::<Float32Type>());
    if let (Some(logged), Some(now)) = floats {
        return logged.is_null(row) || logged.value(row).to_bits() == now.value(row).to_bits();
    }
    logged.slice(row, 1).to_data() == now.slice(row, 1).to_data()
}

fn shown(values: &dyn Array, row: usize) -> String {
    match ArrayFormatter::try_new(values, &FormatOptions::default().with_null("null")) {
        Ok(formatter) => formatter.value(row).to_string(),
        Err(error) => error.to_string(),
    }
}

/// A column of text; a null is an empty one.
fn text(table: &RecordBatch, name: &str) -> Option<Vec<String>> {
    let column = table.column_by_name(name)?;
    let texts = column.as_string_opt::<i32>()?;
    Some(texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray};
    use serde_json::Value;

    use super::*;

    /// A log of what Python answered to the rows that are recorded with a model.
    fn write_log(path: &Path, expected: &Value, wrong: Option<usize>) {
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        let rows = expected["inputs"]["data"].as_array().unwrap();
        let same = |text: &str| Arc::new(StringArray::from(vec![text; rows.len()])) as ArrayRef;
        let ids: StringArray = (0..rows.len()).map(|row| Some(format!("id-{row}"))).collect();
        columns.push((REQUEST_ID.to_owned(), Arc::new(ids)));
        columns.push((MODEL.to_owned(), same("iris")));
        columns.push((MODEL_VERSION.to_owned(), same("3")));
        for (at, name) in expected["inputs"]["columns"].as_array().unwrap().iter().enumerate() {
            let values = rows.iter().map(|row| row[at].as_f64().unwrap());
            let values = Float64Array::from_iter_values(values);
            columns.push((name.as_str().unwrap().to_owned(), Arc::new(values)));
        }
        let answers = expected["pyfunc_predict"].as_array().unwrap().iter().enumerate();
        let answers = answers.map(
            |(row, answer)| {
                if Some(row) == wrong { 99 } else { answer.as_i64().unwrap() }
            },
        );
        columns.push((PREDICTION.to_owned(), Arc::new(Int64Array::from_iter_values(answers))));
        let table = RecordBatch::try_from_iter(columns).unwrap();
        trainyard_data::write_parquet(path, &table).unwrap();
    }

    #[test]
    fn what_is_compared_with_nothing_is_not_the_same() {
        let ones: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let log = RecordBatch::try_from_iter([("x", Arc::clone(&ones))]).unwrap();
        let answers = |name: &str| vec![(name.to_owned(), Arc::clone(&ones))];
        assert!(comparable(&log, answers(PREDICTION)).unwrap_err().contains("no column"));
        assert_eq!(comparable(&log, answers("x")).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_was_logged_is_answered_again_or_told() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/models/sk_logreg");
        let text = std::fs::read_to_string(model.join("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_log(&folder.path().join("a.parquet"), &expected, None);
        write_log(&folder.path().join("b.parquet"), &expected, Some(7));
        let asked = AskedModel {
            name: Some("iris".to_owned()),
            uri: model.to_string_lossy().parse().unwrap(),
        };
        let all = ReplayOptions {
            log: folder.path().to_string_lossy().into_owned(),
            models: vec![asked],
            ..ReplayOptions::default()
        };
        let summary = replay(&all, None).await.unwrap();
        assert_eq!((summary.rows, summary.identical, summary.different), (100, 99, 1));
        let differing = &summary.differing[0];
        assert_eq!((&*differing.request_id, &*differing.logged), ("id-7", "99"));
        assert_eq!(differing.now, expected["pyfunc_predict"][7].to_string());

        let one = ReplayOptions { request_id: Some("id-3".to_owned()), ..all.clone() };
        assert_eq!(replay(&one, None).await.unwrap().identical, 2);
        let none = ReplayOptions { request_id: Some("id-3000".to_owned()), ..all.clone() };
        assert!(replay(&none, None).await.unwrap_err().to_string().contains("no such requests"));
        // A URI without a name answers for whatever was served; one of another name for nothing of it.
        let named = |name: Option<&str>| {
            let name = name.map(str::to_owned);
            vec![AskedModel { name, uri: all.models[0].uri.clone() }]
        };
        let any = ReplayOptions { models: named(None), ..all.clone() };
        assert_eq!(replay(&any, None).await.unwrap().identical, 99);
        let other = ReplayOptions { models: named(Some("other")), ..all.clone() };
        assert_eq!(replay(&other, None).await.unwrap().identical, 0);
        // A version that nobody can be asked for.
        let gone = replay(&ReplayOptions { models: Vec::new(), ..all }, None).await.unwrap();
        assert_eq!(gone.not_replayed[0].rows, 50);
        assert!(gone.not_replayed[0].reason.contains("models:/iris/3"), "{gone:?}");
    }
}
