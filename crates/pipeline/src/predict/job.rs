//! The job, from what was asked to a settled output.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;
use trainyard_data::{FilePart, write_atomically};
use trainyard_mlflow::Tracking;

use super::inputs::Inputs;
use super::models::ScoringModels;
use super::options::PredictOptions;
use super::part::PartScoring;
use super::place::OutputPlace;
use super::record::JobRecord;
use super::room::Room;
use super::shard::Shard;
use super::summary::{Done, PredictSummary, ScoredModel, ShareDone};
use super::{threads, tracked};
use crate::monitor::{MonitorJob, Monitored};
use crate::summary::DriftSummary;
use crate::{Error, Result};

/// Scores a table, or the share of it that is this job's, as far as no earlier attempt did. `progress` is told how
/// far it is.
///
/// # Errors
///
/// If the models or the table cannot be read, rows do not fit and must not be left out, or the output was begun with
/// something else.
pub async fn predict(
    options: &PredictOptions,
    tracking: Option<&Tracking>,
    progress: &(dyn Fn(Done) + Sync),
) -> Result<PredictSummary> {
    let started = Instant::now();
    // First: a mistyped name leaves nothing behind.
    let inputs = Inputs::find(&options.input).await?;
    let place = OutputPlace::open(options)?;
    place.check_apart(&inputs, options)?;
    let _alive = place.begin(options.overwrite).await?;
    let begun = JobRecord::read(&place.parts).await?;
    let pinned = begun.as_ref().map(|begun| begun.models.as_slice());
    let models = Box::pin(ScoringModels::load(options, pinned, tracking)).await?;
    let job = Job {
        there: place.parts.names().await?,
        options,
        place,
        models,
        inputs,
        handle: Handle::current(),
        room: Room::of_process(),
        progress,
        bytes: AtomicU64::new(0),
        rows: AtomicU64::new(0),
        found: AtomicU64::new(0),
    };
    let record = Box::pin(job.begin(begun, tracking)).await?;
    let mut share = ShareDone::default();
    for index in 0..job.inputs.len() {
        share = share.plus(Box::pin(job.file(index)).await?);
    }
    job.write_bad_rows().await?;
    let all = job.all_shares(share).await?;
    let mut drift = (None, None);
    if let Some(all) = all
        && !job.place.is_settled().await?
    {
        let names = job.place.whole(all.parts).await?;
        job.place.join(&names)?;
        drift = Box::pin(job.end(&record, all, tracking)).await?;
        let success = serde_json::to_vec(&all).unwrap_or_default();
        job.place.settle(success).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let summary = PredictSummary {
        output: trainyard_mlflow::uri::without_credentials(&options.output),
        models: record.models.iter().map(ScoredModel::from).collect(),
        files: job.inputs.len(),
        rows: share.rows,
        bad_rows: share.bad_rows,
        parts: share.parts,
        parts_found: job.found.load(Ordering::Relaxed),
        shard: options.shard.to_string(),
        is_complete: all.is_some(),
        run_id: record.run_id,
        drift: drift.0,
        drift_left_out: drift.1,
        seconds,
        rows_per_second: job.rows.load(Ordering::Relaxed) as f64 / seconds.max(f64::MIN_POSITIVE),
    };
    job.models.close().await;
    Ok(summary)
}

struct Job<'a> {
    options: &'a PredictOptions,
    place: OutputPlace,
    models: ScoringModels,
    inputs: Inputs,
    /// What was there when this attempt began.
    there: BTreeSet<String>,
    handle: Handle,
    /// For the answers of all parts that are scored at once.
    room: Arc<Room>,
    progress: &'a (dyn Fn(Done) + Sync),
    bytes: AtomicU64,
    rows: AtomicU64,
    found: AtomicU64,
}

impl Job<'_> {
    /// What the job was begun with; begins it, if it was not.
    async fn begin(
        &self,
        begun: Option<JobRecord>,
        tracking: Option<&Tracking>,
    ) -> Result<JobRecord> {
        let (options, output) = (self.options, &self.place.parts);
        let files = self.inputs.records();
        let mut now = JobRecord::new(options, self.place.format, self.models.records(), files);
        if let Some(begun) = begun {
            begun.check(&now, output)?;
            return Ok(begun);
        }
        let tracking = tracking.filter(|_| options.log);
        if let Some(tracking) = tracking {
            let run = tracked::begin(tracking, options, &self.models, &now.files).await?;
            now.run_id = Some(run);
        }
        if now.create(output).await? {
            return Ok(now);
        }
        // Another job that shares the table was faster.
        if let (Some(tracking), Some(run_id)) = (tracking, &now.run_id) {
            tracking.runs.delete(run_id).await?;
        }
        let missing = || Error::predict(format!("{output} changes under this job"), "try again");
        let begun = JobRecord::read(output).await?.ok_or_else(missing)?;
        begun.check(&now, output)?;
        Ok(begun)
    }

    /// Whether a part is this job's. A file that must be fetched is one job's as a whole.
    fn does(&self, file: usize, part: usize) -> bool {
        self.options.shard.does(file, if self.inputs.is_remote(file) { 0 } else { part })
    }

    /// Scores the parts of a file that are this job's.
    async fn file(&self, index: usize) -> Result<ShareDone> {
        let Some(record) = self.inputs.record(index) else { return Ok(ShareDone::default()) };
        if self.inputs.is_remote(index) && !self.does(index, 0) {
            self.advance(record.bytes, 0);
            return Ok(ShareDone::default());
        }
        let mut opened = self.inputs.open(index, self.models.columns()).await?;
        let is_text = self.models.prepare(&mut opened.file)?;
        let scoring = PartScoring {
            models: &self.models,
            file: &opened.file,
            name: &record.name,
            is_text,
            keep: &self.options.keep,
            leaves_out: self.options.bad_rows.is_some(),
            room: &self.room,
        };
        let bytes_a_row = record.bytes as f64 / opened.file.source().rows.max(1) as f64;
        let parts = opened.file.parts();
        threads::each(parts.len(), self.models.parts_at_once(self.options), |number| {
            let Some(part) = parts.get(number) else { return Ok(ShareDone::default()) };
            let bytes = (part.rows as f64 * bytes_a_row) as u64;
            if !self.does(index, number) {
                self.advance(bytes, 0);
                return Ok(ShareDone::default());
            }
            self.part(&scoring, Part { file: index, number }, part, bytes)
        })
    }

    /// Scores a part and commits it, unless that was done. Its object is the last that is written of it.
    fn part(
        &self,
        scoring: &PartScoring<'_>,
        place: Part,
        part: &FilePart,
        bytes: u64,
    ) -> Result<ShareDone> {
        let (output, format) = (&self.place.parts, self.place.format);
        let name = place.name("part", format.ending());
        let (empty, bad) = (place.name("_part", "empty"), place.name("_bad", "jsonl"));
        let mut done = ShareDone { rows: part.rows as u64, bad_rows: 0, parts: 1 };
        if self.there.contains(&name) || self.there.contains(&empty) {
            if self.there.contains(&bad) {
                let lines = self.handle.block_on(output.get(&bad))?.unwrap_or_default();
                done.bad_rows = String::from_utf8_lossy(&lines).lines().count() as u64;
            }
            self.found.fetch_add(1, Ordering::Relaxed);
            self.advance(bytes, 0);
            return Ok(done);
        }
        let scored = scoring.score(part)?;
        done.bad_rows = scored.bad.len() as u64;
        if !scored.bad.is_empty() {
            self.handle.block_on(output.put(&bad, scored.bad_lines()))?;
        }
        match scored.bytes(&name, format)? {
            Some(object) => self.handle.block_on(output.put(&name, object))?,
            None => self.handle.block_on(output.put(&empty, Vec::new()))?,
        }
        self.advance(bytes, done.rows);
        Ok(done)
    }

    fn advance(&self, bytes: u64, rows: u64) {
        (self.progress)(Done {
            bytes: self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes,
            bytes_total: self.inputs.bytes(),
            rows: self.rows.fetch_add(rows, Ordering::Relaxed) + rows,
        });
    }

    /// Writes down which of this job's rows were left out, in their order.
    async fn write_bad_rows(&self) -> Result<()> {
        let Some(path) = &self.options.bad_rows else { return Ok(()) };
        let mut lines = Vec::new();
        for name in self.place.parts.names().await? {
            if Part::of(&name, "_bad").is_some_and(|part| self.does(part.file, part.number)) {
                lines.push(self.place.parts.get(&name).await?.unwrap_or_default());
            }
        }
        write_atomically(path, |file| lines.iter().try_for_each(|line| file.write_all(line)))?;
        Ok(())
    }

    /// Notes that this job did its share; what all of them did together, once they have.
    async fn all_shares(&self, own: ShareDone) -> Result<Option<ShareDone>> {
        let output = &self.place.parts;
        let name = |shard: Shard| format!("_shard-{}.json", shard.to_string().replace('/', "-of-"));
        let text = serde_json::to_vec(&own)
            .map_err(|error| Error::predict(error.to_string(), "this is a bug"))?;
        output.put(&name(self.options.shard), text).await?;
        let mut all = ShareDone::default();
        for shard in self.options.shard.all() {
            let Some(text) = output.get(&name(shard)).await? else { return Ok(None) };
            let share = serde_json::from_slice(&text).map_err(|error| {
                Error::predict(format!("{} in {output}: {error}", name(shard)), "remove it")
            })?;
            all = all.plus(share);
        }
        Ok(Some(all))
    }

    /// Compares the table with what the first model learned from, and ends the run.
    async fn end(
        &self,
        record: &JobRecord,
        all: ShareDone,
        tracking: Option<&Tracking>,
    ) -> Result<(Option<DriftSummary>, Option<String>)> {
        let Some(tracking) = tracking.filter(|_| self.options.log || self.options.drift) else {
            return Ok((None, None));
        };
        let (monitored, reason) = match Box::pin(self.drift(tracking)).await {
            Ok(monitored) => (Some(monitored), None),
            Err(Left(reason)) => (None, reason),
        };
        if let Some(run_id) = &record.run_id {
            tracked::end(tracking, run_id, all, monitored.as_ref()).await?;
        }
        let summary = monitored.map(|Monitored { drift, .. }| DriftSummary {
            verdict: drift.verdict(),
            drifted: drift.dataset_drift,
            drifted_columns: drift.drifted,
            columns: drift.tested,
            untested_columns: drift.untestable(),
            serious_findings: drift.serious_findings(),
            rows: usize::try_from(drift.current_rows).unwrap_or(usize::MAX),
            report: "drift.html".to_owned(),
            run_id: record.run_id.clone(),
        });
        Ok((summary, reason))
    }

    /// The comparison. That there is none is no reason to have scored for nothing.
    async fn drift(&self, tracking: &Tracking) -> Result<Monitored, Left> {
        if !self.options.drift {
            return Err(Left(None));
        }
        let model = self.models.models.first().ok_or(Left(None))?;
        if model.resolved.run_id.is_none() {
            return Err(Left(Some(format!("{} is of no run with its data", model.record.uri))));
        }
        let names = self.models.input_names();
        let names = names.ok_or_else(|| Left(Some("its signature names no columns".to_owned())))?;
        let job = MonitorJob::of_batch(tracking, &model.record.uri, &self.options.input, names);
        Box::pin(job.compare(None, &|_, _| {})).await.map_err(|error| Left(Some(error.message())))
    }
}

/// Why the table is not compared, if there is something to say.
struct Left(Option<String>);

/// Which part of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    file: usize,
    number: usize,
}

impl Part {
    /// The name of one of its objects: their order by name is that of the rows.
    fn name(self, kind: &str, ending: &str) -> String {
        format!("{kind}-{:05}-{:06}.{ending}", self.file, self.number)
    }

    /// The part whose object of this kind has this name.
    fn of(name: &str, kind: &str) -> Option<Self> {
        let (numbers, _ending) = name.strip_prefix(kind)?.strip_prefix('-')?.split_once('.')?;
        let (file, number) = numbers.split_once('-')?;
        Some(Self { file: file.parse().ok()?, number: number.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_the_rows() {
        let part = Part { file: 3, number: 17 };
        assert_eq!(part.name("part", "csv"), "part-00003-000017.csv");
        assert_eq!(Part::of(&part.name("_bad", "jsonl"), "_bad"), Some(part));
        assert_eq!(Part::of("_SUCCESS", "_bad"), None);
    }
}
