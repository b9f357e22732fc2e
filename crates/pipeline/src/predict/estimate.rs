//! What a job would be: its first rows are scored, the rest is reckoned from them.

use std::time::Instant;

use serde::Serialize;
use trainyard_mlflow::Tracking;

use super::inputs::Inputs;
use super::models::ScoringModels;
use super::options::PredictOptions;
use super::part::PartScoring;
use super::place;
use super::room::Room;
use super::summary::ScoredModel;
use crate::{Error, Result};

/// What a job would be. Of several files the first is looked at, and the others are taken to be like it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    pub models: Vec<ScoredModel>,
    pub files: usize,
    /// Bytes of the input as it is stored.
    pub bytes: u64,
    pub rows: u64,
    pub parts: u64,
    pub output_bytes: u64,
    /// Columns of the output.
    pub columns: Vec<String>,
    /// Rows of one part that cannot be scored.
    pub bad_rows: u64,
    pub rows_per_second: f64,
    pub seconds: f64,
}

/// Scores the first part of a table, and writes nothing.
///
/// # Errors
///
/// Those of the job itself.
pub async fn estimate(options: &PredictOptions, tracking: Option<&Tracking>) -> Result<Estimate> {
    let (format, _file) = place::shape(options)?;
    let models = Box::pin(ScoringModels::load(options, None, tracking)).await?;
    let inputs = Inputs::find(&options.input).await?;
    let mut opened = inputs.open(0, models.columns()).await?;
    let is_text = models.prepare(&mut opened.file)?;
    let empty = || Error::predict(format!("{} has no rows", options.input), "name another table");
    let part = opened.file.parts().first().ok_or_else(empty)?;
    let room = Room::of_process();
    let scoring = PartScoring {
        models: &models,
        file: &opened.file,
        name: &options.input,
        is_text,
        keep: &options.keep,
        leaves_out: options.bad_rows.is_some(),
        room: &room,
    };
    let started = Instant::now();
    let scored = scoring.score(part)?;
    let written = scored.bytes(&options.output, format)?.unwrap_or_default().len() as f64;
    let seconds = started.elapsed().as_secs_f64().max(1e-6);
    let source = opened.file.source();
    let files_alike = inputs.bytes() as f64 / source.bytes.max(1) as f64;
    let rows = source.rows as f64 * files_alike;
    let parts = opened.file.parts().len() as f64 * files_alike;
    let own = 1.0 / options.shard.of() as f64;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cores.min(models.parts_at_once(options)) as f64;
    let threads = threads.min(parts.max(1.0));
    let rows_per_second = part.rows as f64 / seconds * threads;
    let first = scored.batches.first();
    let columns = first.map(|batch| batch.schema_ref().fields().clone()).unwrap_or_default();
    let estimate = Estimate {
        models: models.records().iter().map(ScoredModel::from).collect(),
        files: inputs.len(),
        bytes: inputs.bytes(),
        rows: (rows * own) as u64,
        parts: (parts * own).ceil() as u64,
        output_bytes: (written / part.rows.max(1) as f64 * rows * own) as u64,
        columns: columns.iter().map(|field| field.name().clone()).collect(),
        bad_rows: scored.bad.len() as u64,
        rows_per_second,
        seconds: rows * own / rows_per_second,
    };
    models.close().await;
    Ok(estimate)
}
