//! One side of a comparison: a table, read a column at a time, or a profile, which may have come out of an engine.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use arrow_array::{Array, ArrayRef, RecordBatch};
use futures::StreamExt as _;
use rayon::prelude::*;
use tokio::io::AsyncWriteExt as _;
use trainyard_base::TemporaryFolder;
use trainyard_data::arrow_schema::DataType;
use trainyard_data::{
    Columns, Kept, ReadOptions, Reading as TextReading, Remark, Remarks, RowFilter, RowRule,
};
use trainyard_drift::{
    Column, ColumnBuilder, Options, PROFILE_MAGIC, Profile, RowCounts, RowHashes,
};
use trainyard_engine::{Limits, Source};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::uri::ModelUri;
use trainyard_serve::LogReading;

use super::engine::{self, InEngine};
use super::log;
use crate::temporary::temporary;
use crate::{Error, Result, remote};

/// Where training puts the data it learned from, below the run's artifacts: as a profile, which is
/// read faster and says how columns are compared, and as a table.
const REFERENCE_PROFILE: &str = "train_reference.profile";
const REFERENCE_TABLE: &str = "train_reference.parquet";

/// One side of a comparison.
#[derive(Debug)]
pub(crate) struct Data {
    columns: Stored,
    /// Files that were fetched for it.
    _folder: Option<TemporaryFolder>,
    /// Its files stay, if they are a prediction log's: they are read when a column is asked for.
    _log: Option<LogReading>,
    /// What is known of the engine that summed it up.
    engine: Option<InEngine>,
}

#[derive(Debug)]
enum Stored {
    Table(Box<Columns>),
    Profile(Profile),
}

/// How a side is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// Only these columns.
    pub(crate) columns: Option<Vec<String>>,
    /// Only these rows.
    pub(crate) rows: RowFilter,
    /// Bytes of memory to spend on it, about.
    pub(crate) memory: Option<u64>,
    /// Whether no rows are an answer and not an error: of a segment.
    pub(crate) allow_no_rows: bool,
    /// Whether a table is wanted even where there is a profile, which has no rows.
    pub(crate) table_only: bool,
    /// How text is read.
    pub(crate) text: Box<ReadOptions>,
    /// How an engine is asked.
    pub(crate) engine: Limits,
}

impl Reading {
    /// What is text in the reference is text here, whatever it looks like; numbers are numbers, times are
    /// times, and written as there where that is possible.
    #[must_use]
    pub(super) fn like(mut self, reference: &Data) -> Self {
        if let Some(natural) = &mut self.text.natural {
            natural.numbers.extend(reference.columns_of(DataType::is_numeric));
            natural.times.extend(reference.columns_of(|data_type| {
                matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
            }));
            natural.clocks.extend(reference.columns_of(|data_type| {
                matches!(data_type, DataType::Time32(_) | DataType::Time64(_))
            }));
            natural.texts.extend(reference.columns_of(|data_type| {
                matches!(data_type, DataType::Utf8 | DataType::Dictionary(..))
            }));
            // What is asked for goes before what the reference seems to be.
            natural.texts.retain(|name| !natural.numbers.contains(name));
            let names = reference.names().into_iter();
            let form = |name: &str| Some((name.to_owned(), reference.reading(name)?.form.clone()));
            natural.forms.extend(names.filter_map(form));
        }
        self
    }

    /// Text is read as training reads it.
    #[must_use]
    pub(super) fn trained(mut self) -> Self {
        self.text.natural = None;
        self
    }
}

impl Data {
    /// Reads a file, folder or pattern, or a profile.
    pub(crate) fn open(source: &str, reading: &Reading) -> Result<Self> {
        if is_profile(source) {
            if reading.rows != RowFilter::default() {
                return Err(Error::Missing {
                    what: format!("{source} is a profile: its rows cannot be chosen any more"),
                    hint: "leave --since, --until and --where out, give the table, or a profile of these rows (`trainyard profile --where`)".to_owned(),
                });
            }
            return read_profile(Path::new(source)).map(Self::from);
        }
        let log_reading = LogReading::begin(Path::new(source));
        let mut options = ReadOptions {
            columns: reading.columns.clone(),
            skip_missing_columns: true,
            // Segments of a prediction log may come from versions with different columns.
            fill_missing_columns: Path::new(source).is_dir(),
            rows: reading.rows.clone(),
            allow_no_rows: reading.allow_no_rows,
            remarks: Remarks::default(),
            ..ReadOptions::clone(&reading.text)
        };
        if options.rows.time_column.is_none()
            && (options.rows.since.is_some() || options.rows.until.is_some())
        {
            // A prediction log has a time of its own.
            let all = ReadOptions { rows: RowFilter::default(), ..options.clone() };
            let columns = Columns::open(source, &all, reading.memory)?;
            if log::is_prediction_log(columns.names().iter().map(String::as_str)) {
                options.rows = log::with_log_time(options.rows);
            }
        }
        let columns = Columns::open(source, &options, reading.memory)?;
        // What a model server logs has the types of the model's signature.
        let is_log = log::is_prediction_log(columns.names().iter().map(String::as_str));
        let columns = if is_log { columns.into_written() } else { columns };
        Ok(Self { _log: log_reading, ..columns.into() })
    }

    async fn in_engine(source: &str, reading: &Reading) -> Result<Self> {
        let (columns, rows) = (reading.columns.clone(), reading.rows.clone());
        let limits = Limits { columns, rows, ..reading.engine.clone() };
        let (profile, engine) = engine::open(source, limits, reading.allow_no_rows).await?;
        Ok(Self { engine: Some(engine), ..profile.into() })
    }

    /// The engine that summed it up, if one did.
    pub(super) fn engine(&self) -> Option<&InEngine> {
        self.engine.as_ref()
    }

    /// Whether quantiles stand for the values of a column.
    pub(super) fn has_quantiles(&self, name: &str) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.is_quantised(name))
    }

    /// Whether a model server wrote it.
    pub(super) fn is_prediction_log(&self) -> bool {
        log::is_prediction_log(self.names().into_iter())
    }

    /// The columns of a type, as they are read.
    fn columns_of(&self, is_wanted: impl Fn(&DataType) -> bool + Sync) -> BTreeSet<String> {
        let is_of_type = |name: &&str| match &self.columns {
            Stored::Table(columns) => {
                columns.data_type(name).is_some_and(|found| is_wanted(&found))
            }
            Stored::Profile(profile) => {
                profile.column(name).is_some_and(|column| is_wanted(column.data_type()))
            }
        };
        self.names().into_par_iter().filter(is_of_type).map(str::to_owned).collect()
    }

    /// What the text of a column was found to say.
    pub(super) fn reading(&self, name: &str) -> Option<&TextReading> {
        match &self.columns {
            Stored::Table(columns) => columns.reading(name),
            Stored::Profile(_) => None,
        }
    }

    /// Whether its text may be read otherwise than in training.
    pub(super) fn is_guessed(&self) -> bool {
        match &self.columns {
            Stored::Table(columns) => columns.is_natural(),
            Stored::Profile(_) => false,
        }
    }

    /// What was guessed when it was read.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        match &self.columns {
            Stored::Table(columns) => columns.remarks(),
            Stored::Profile(_) => Vec::new(),
        }
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> Vec<&str> {
        match &self.columns {
            Stored::Table(columns) => columns.names().iter().map(String::as_str).collect(),
            Stored::Profile(profile) => {
                profile.columns().iter().map(|(name, _)| name.as_str()).collect()
            }
        }
    }

    /// Rows.
    pub(crate) fn rows(&self) -> u64 {
        match &self.columns {
            Stored::Table(columns) => columns.rows() as u64,
            Stored::Profile(profile) => profile.rows(),
        }
    }

    /// The profile, if it is one.
    pub(crate) fn profile(&self) -> Option<&Profile> {
        match &self.columns {
            Stored::Table(_) => None,
            Stored::Profile(profile) => Some(profile),
        }
    }

    /// How its rows keep a rule; `None` where it has no rows any more.
    pub(super) fn check(&self, rule: &RowRule) -> Option<trainyard_data::Result<Kept>> {
        match &self.columns {
            Stored::Table(columns) => Some(columns.check(rule)),
            Stored::Profile(_) => None,
        }
    }

    /// How often whole rows occur, by these columns as far as it has them. `None` where that cannot be told, or as
    /// soon as some columns tell that less than the share `least` of the rows repeat another one.
    pub(super) fn row_counts(&self, names: &[&str], least: f64) -> Option<RowCounts> {
        let columns = match &self.columns {
            Stored::Table(columns) => columns,
            Stored::Profile(profile) => return profile.row_counts().cloned(),
        };
        let mut hashes = RowHashes::new(columns.rows());
        for (number, name) in names.iter().enumerate() {
            let mut start = 0;
            let read = columns.for_each_piece(name, |piece| {
                hashes.add(number, start, piece.as_ref());
                start += piece.len();
            });
            read.ok()?;
            // Looked at after two columns, four, eight: each look costs about as much as a column.
            let columns_read = number + 1;
            if columns_read > 1 && columns_read.is_power_of_two() && hashes.repeated() < least {
                return None;
            }
        }
        hashes.finish()
    }

    /// What pandas noted of its types.
    pub(super) fn pandas(&self) -> Option<&str> {
        match &self.columns {
            Stored::Table(columns) => columns.pandas(),
            Stored::Profile(_) => None,
        }
    }

    /// Calls `each` with the pieces of a column in the order of its rows; `false` if there is no such column, or no
    /// rows any more.
    pub(super) fn for_each_piece(&self, name: &str, each: impl FnMut(ArrayRef)) -> Result<bool> {
        match &self.columns {
            Stored::Table(columns) => Ok(columns.for_each_piece(name, each)?),
            Stored::Profile(_) => Ok(false),
        }
    }

    /// A column, sorted or counted in about so many bytes of memory; `None` if there is no such column.
    pub(super) fn column(
        &self,
        name: &str,
        options: &Options,
        memory: u64,
    ) -> Result<Option<Column>> {
        if let Some(reason) = self.engine.as_ref().and_then(|engine| engine.stayed(name)) {
            return Err(Error::Missing {
                what: reason.to_owned(),
                hint: "leave the column out (--columns), or make labels of it in a query"
                    .to_owned(),
            });
        }
        match &self.columns {
            Stored::Profile(profile) => Ok(profile.column(name).cloned()),
            // Tests that regroup rows want them all at once.
            Stored::Table(columns) if options.needs_rows() => {
                Ok(columns.read(name)?.map(|pieces| {
                    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
                    Column::with_rows(&pieces)
                }))
            }
            Stored::Table(columns) => {
                let mut builder = ColumnBuilder::new(memory);
                let found = columns.for_each_piece(name, |piece| builder.push(piece))?;
                Ok(found.then(|| builder.finish()))
            }
        }
    }
}

impl From<Columns> for Data {
    fn from(columns: Columns) -> Self {
        Self { columns: Stored::Table(Box::new(columns)), _folder: None, _log: None, engine: None }
    }
}

impl From<RecordBatch> for Data {
    fn from(batch: RecordBatch) -> Self {
        Columns::from(batch).into()
    }
}

impl From<Profile> for Data {
    fn from(profile: Profile) -> Self {
        Self { columns: Stored::Profile(profile), _folder: None, _log: None, engine: None }
    }
}

/// Reads what [`Data::open`] reads, also from an object store, or has an engine sum up its table; `state` is where
/// temporary files go.
pub(crate) async fn open(source: &str, state: &Path, reading: &Reading) -> Result<Data> {
    if Source::is_one(source) {
        return Data::in_engine(source, reading).await;
    }
    if !remote::is_remote(source) {
        return Data::open(source, reading);
    }
    let (folder, path) = remote::fetch(source, state).await?;
    let data = Data::open(&path.to_string_lossy(), reading)?;
    Ok(Data { _folder: Some(folder), ..data })
}

/// Whether the source is a file that begins as a profile does.
fn is_profile(source: &str) -> bool {
    let mut start = [0_u8; PROFILE_MAGIC.len()];
    File::open(source).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == PROFILE_MAGIC
}

/// Reads a profile from a file.
fn read_profile(path: &Path) -> Result<Profile> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    Profile::read(&mut BufReader::new(file))
        .map_err(|source| Error::Profile { path: path.to_owned(), source })
}

/// Reads reference data: what [`open`] reads, or `models:/…` and `runs:/…`, which mean the
/// data that the model's run logged.
pub(crate) async fn open_reference(
    tracking: Option<&Tracking>,
    source: &str,
    state: &Path,
    reading: &Reading,
) -> Result<Data> {
    if !source.starts_with("models:/") && !source.starts_with("runs:/") {
        return open(source, state, reading).await;
    }
    let tracking = tracking.ok_or_else(|| Error::Missing {
        what: format!("{source} needs a tracking server"),
        hint: "set MLFLOW_TRACKING_URI".to_owned(),
    })?;
    let uri: ModelUri = source.parse()?;
    let resolved = resolve::resolve(tracking, &uri).await?;
    reference_of(tracking, &resolved, source, state, reading).await
}

/// The reference data that the run of a model logged.
pub(super) async fn reference_of(
    tracking: &Tracking,
    model: &ResolvedModel,
    name: &str,
    state: &Path,
    reading: &Reading,
) -> Result<Data> {
    let missing = || Error::Missing {
        what: format!("no reference data was logged with {name}"),
        hint: format!("log {REFERENCE_TABLE} with its run, or give --reference FILE"),
    };
    let run_id = model.run_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(missing)?;
    let run = tracking.runs.get(run_id).await?;
    let root = &run.info.artifact_uri;
    let folder = temporary(state)?;
    let artifacts: &[&str] =
        if reading.table_only { &[REFERENCE_TABLE] } else { &[REFERENCE_PROFILE, REFERENCE_TABLE] };
    for artifact in artifacts {
        let target = folder.path().join(artifact);
        match download(tracking, root, artifact, &target).await {
            Ok(()) => {
                let data = Data::open(&target.to_string_lossy(), &reading.clone().trained())?;
                return Ok(Data { _folder: Some(folder), ..data });
            }
            Err(Error::Mlflow(error)) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Err(missing())
}

async fn download(tracking: &Tracking, root: &str, path: &str, target: &PathBuf) -> Result<()> {
    let mut body = tracking.artifacts.download(root, path).await?;
    let failed = |source| Error::io(target, source);
    let mut file = tokio::fs::File::create(target).await.map_err(failed)?;
    while let Some(chunk) = body.next().await {
        file.write_all(&chunk?).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}
