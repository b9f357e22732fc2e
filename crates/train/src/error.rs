//! Why a training cannot be done, and what would help.

use trainyard_base::{Advice, Advise, Fault, did_you_mean};

use crate::algorithm::Algorithm;

/// The result of anything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with the value; [`Advise::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No algorithm of this name.
    #[error("unknown algorithm {given:?}")]
    UnknownAlgorithm {
        /// The name given.
        given: String,
    },
    /// The algorithm has no parameter of this name.
    #[error("{algorithm} has no parameter {name:?}")]
    UnknownParameter {
        /// The algorithm configured.
        algorithm: Algorithm,
        /// The name given.
        name: String,
        /// Names it has.
        known: Vec<&'static str>,
    },
    /// A parameter or setting has a value that makes no sense.
    #[error("{name} = {value} is not possible: it must be {allowed}")]
    BadParameter {
        /// Name of the parameter or setting.
        name: String,
        /// The value given.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
    /// The algorithm cannot do this task.
    #[error("{algorithm} does not do {task}")]
    WrongTask {
        /// The algorithm configured.
        algorithm: Algorithm,
        /// `classification` or `regression`.
        task: &'static str,
    },
    /// The table has no rows.
    #[error("the table has no rows")]
    EmptyTable,
    /// A configured column is not in the table.
    #[error("there is no column {name:?} ({role})")]
    MissingColumn {
        /// The name configured.
        name: String,
        /// What it is configured as: target, feature, …
        role: &'static str,
        /// The column whose name is most like it.
        nearest: Option<String>,
        /// Columns there are.
        columns: Vec<String>,
    },
    /// Two columns have the same name.
    #[error("the table has two columns named {name:?}")]
    DuplicateColumn {
        /// The name.
        name: String,
    },
    /// No feature is left.
    #[error("no feature column is left beside the target {target:?}")]
    NoFeatures {
        /// The target column.
        target: String,
    },
    /// Text among the numbers of a column. Rows count from 1, without the header line.
    #[error("column {column:?}, row {row}: {value:?} is not a number")]
    NotANumber {
        /// Column of the table.
        column: String,
        /// Row of the table, from 1.
        row: usize,
        /// The text found.
        value: String,
    },
    /// A value that is no finite 32-bit float. Rows count from 1.
    #[error("column {column:?}, row {row}: {value} is out of range")]
    OutOfRange {
        /// Column of the table.
        column: String,
        /// Row of the table, from 1.
        row: usize,
        /// The value found.
        value: f64,
    },
    /// A column of a type that no model can use.
    #[error("column {column:?} holds {data_type}, which is neither a number nor text")]
    ColumnType {
        /// Column of the table.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },
    /// A column without a single value.
    #[error("column {column:?} has no value in any of the {rows} rows")]
    NoValues {
        /// Column of the table.
        column: String,
        /// Rows looked at.
        rows: usize,
    },
    /// A missing value where none may be. Rows count from 1.
    #[error("column {column:?} has {count} missing values, the first in row {row}")]
    MissingValues {
        /// Column of the table.
        column: String,
        /// First row without a value, from 1.
        row: usize,
        /// How many rows have none.
        count: usize,
    },
    /// A missing boolean, for which a request would have no word. Rows count from 1.
    #[error("column {column:?} of booleans has {count} missing values, the first in row {row}")]
    MissingBoolean {
        /// Column of the table.
        column: String,
        /// First row without a value, from 1.
        row: usize,
        /// How many rows have none.
        count: usize,
    },
    /// A text column with more different values than a category has.
    #[error("column {column:?} has {count} different values, more than {limit}")]
    TooManyCategories {
        /// Column of the table.
        column: String,
        /// Different values found.
        count: usize,
        /// Most that are accepted.
        limit: usize,
    },
    /// The one-hot encoded table would be too large.
    #[error("{rows} rows of {columns} encoded features are more than {limit} values")]
    TooLarge {
        /// Rows of the table.
        rows: usize,
        /// Encoded features.
        columns: usize,
        /// Most values that are accepted.
        limit: usize,
    },
    /// All rows are of one class: there is nothing to learn.
    #[error("target {target:?} has only one class, {class:?}")]
    OneClass {
        /// The target column.
        target: String,
        /// The only value.
        class: String,
    },
    /// The target has so many different values that it cannot be a class.
    #[error("target {target:?} has {count} classes, more than {limit}")]
    TooManyClasses {
        /// The target column.
        target: String,
        /// Different values found.
        count: usize,
        /// Most that are accepted.
        limit: usize,
    },
    /// The class of a row is a number with a fraction.
    #[error("target {target:?}, row {row}: {value} cannot be a class")]
    FractionalClass {
        /// The target column.
        target: String,
        /// Row of the table, from 1.
        row: usize,
        /// The value found.
        value: f64,
    },
    /// A class is too rare to be in both parts of a stratified split.
    #[error("class {class:?} of target {target:?} has {count} row, too few to stratify")]
    TooFewOfClass {
        /// The target column.
        target: String,
        /// The rare class.
        class: String,
        /// Its rows.
        count: usize,
    },
    /// Too few rows for the split asked for.
    #[error("{rows} rows with test_size {test_size} give {part} {got} rows, {needed} are needed")]
    TooFewRows {
        /// Rows with a target.
        rows: usize,
        /// Share of the holdout.
        test_size: f64,
        /// `training` or `the holdout`.
        part: &'static str,
        /// Rows it would get.
        got: usize,
        /// Rows it must have.
        needed: usize,
    },
    /// A row of which nobody can say on which side of the holdout it is. Rows count from 1.
    #[error(
        "column {column:?}, which decides about the holdout, has {count} rows without a value, the first in \
         row {row}"
    )]
    NoSide {
        /// Column of the table.
        column: String,
        /// First row without a value, from 1.
        row: usize,
        /// How many rows have none.
        count: usize,
    },
    /// A text that is no date or time where one is needed.
    #[error("{what}: {value:?} is no moment")]
    NoMoment {
        /// The cell or setting.
        what: String,
        /// What it says.
        value: String,
    },
    /// All rows of a class are in one part.
    #[error(
        "class {class:?} of target {target:?} has no row in {part}: its {count} are in the other part"
    )]
    ClassOnOneSide {
        /// The target column.
        target: String,
        /// The class.
        class: String,
        /// `training` or `the holdout`.
        part: &'static str,
        /// Rows of the class.
        count: usize,
    },
    /// The class named as positive is none.
    #[error("positive = {positive:?} is no class of target {target:?}")]
    UnknownPositive {
        /// The target column.
        target: String,
        /// The name configured.
        positive: String,
        /// Classes there are.
        classes: Vec<String>,
    },
    /// What a version was trained on cannot be told among today's rows.
    #[error("its holdout ({rule}) cannot be found in these rows: {reason}")]
    RuleNotApplicable {
        /// The rule it was trained by.
        rule: String,
        /// Why not.
        reason: String,
    },
    /// Predictions and truth do not fit together.
    #[error("cannot compare predictions with the truth: {0}")]
    Evaluation(String),
    /// The model does not fit into an ONNX file.
    #[error("the model has {bytes} bytes, more than the {limit} of an ONNX file")]
    ModelTooLarge {
        /// Size it would have.
        bytes: usize,
        /// Largest size.
        limit: usize,
    },
    /// The exported graph does not predict what the fitted model predicts.
    #[error(
        "the exported model differs from the fitted one in row {row}: {exported}, not {fitted}"
    )]
    ExportDiffers {
        /// Row of the holdout, from 1.
        row: usize,
        /// What the exported graph says.
        exported: String,
        /// What the fitted model says.
        fitted: String,
    },
    /// The experiment was deleted, so nothing can be logged to it.
    #[error("experiment {name:?} (id {id}) is deleted")]
    DeletedExperiment {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
    /// The training was cancelled.
    #[error("the training was cancelled")]
    Cancelled,
    /// A training program could not be started.
    #[error("cannot run {command:?} in {folder}: {source}")]
    CommandNotStarted {
        /// The command line.
        command: String,
        /// Its working folder.
        folder: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A training program failed.
    #[error("{command:?} ended with {status}")]
    CommandFailed {
        /// The command line.
        command: String,
        /// Exit code or signal.
        status: String,
        /// What is to be done, where its last lines say that a package or a program is not there.
        way_on: Option<String>,
        /// Its last lines.
        last_lines: Vec<String>,
    },
    /// A training program ended well but logged no model.
    #[error("{command:?} logged no model to run {run_id}")]
    CommandLoggedNoModel {
        /// The command line.
        command: String,
        /// The run it was given.
        run_id: String,
    },
    /// A tracking call failed.
    #[error(transparent)]
    Tracking(#[from] trainyard_mlflow::Error),
    /// A model folder could not be written, or no signature can be made from the data.
    #[error(transparent)]
    Signature(#[from] trainyard_signature::Error),
    /// The exported model could not be loaded or run.
    #[error("the exported model does not load: {0}")]
    Model(#[from] trainyard_models::Error),
    /// A table could not be read or written.
    #[error(transparent)]
    Data(#[from] trainyard_data::Error),
    /// A table could not be handled.
    #[error("cannot handle the table: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A local file could not be written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A fault of this program.
    #[error("internal error while training: {0}")]
    Internal(String),
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        Advice::input(match self {
            Self::UnknownAlgorithm { given } => {
                let meant = did_you_mean(given, Algorithm::NAMES.into_iter());
                format!("use one of {}{meant}", Algorithm::NAMES.join(", "))
            }
            Self::UnknownParameter { name, known, .. } => {
                let meant = did_you_mean(name, known.iter().copied());
                format!("it has {}{meant}", known.join(", "))
            }
            Self::WrongTask { task: "regression", .. } => {
                "use random_forest or linear_regression".into()
            }
            Self::WrongTask { .. } => "use random_forest or logistic_regression".into(),
            Self::EmptyTable => "check that the file has lines below its header".into(),
            Self::MissingColumn { nearest: Some(nearest), .. } => {
                format!("did you mean {nearest:?}?")
            }
            Self::MissingColumn { columns, .. } => format!("the table has {}", columns.join(", ")),
            Self::DuplicateColumn { .. } => "rename one of them".into(),
            Self::NoFeatures { .. } => "check `features` and `exclude`".into(),
            Self::NotANumber { column, .. } => format!(
                "correct the value, leave it empty, or list {column:?} under `categorical` or `exclude`"
            ),
            Self::OutOfRange { .. } => "correct the value or leave it empty".into(),
            Self::ColumnType { column, .. } => {
                format!("list {column:?} under `exclude`, or turn it into numbers or text")
            }
            Self::NoValues { column, .. } => format!("list {column:?} under `exclude`"),
            Self::MissingValues { column, .. } => {
                format!("set missing = \"impute\" or \"drop\", or list {column:?} under `exclude`")
            }
            Self::MissingBoolean { column, .. } => format!(
                "fill it, write it as 0 and 1, set missing = \"drop\", or list {column:?} under \
                 `exclude`"
            ),
            Self::TooManyCategories { column, .. } => {
                format!("list {column:?} under `exclude` if it is an identifier or free text")
            }
            Self::TooLarge { .. } => {
                "exclude columns with many categories, or train on a sample".into()
            }
            Self::OneClass { .. } => "check that the table holds rows of every class".into(),
            Self::TooManyClasses { .. } | Self::FractionalClass { .. } => {
                "set task = \"regression\" if the target is a quantity".into()
            }
            Self::TooFewOfClass { .. } => "add rows of this class, or set stratify = false".into(),
            Self::TooFewRows { .. } => "add rows or change test_size".into(),
            Self::NoSide { column, .. } => {
                format!("fill {column:?} in, or leave these rows out of the data")
            }
            Self::NoMoment { .. } => {
                "write 2026-09-01 or 2026-09-01T12:00:00, or numbers in all rows".into()
            }
            Self::ClassOnOneSide { .. } => "add rows of this class, raise test_size, give the \
                holdout a file of its own, or set holdout = \"random\", which is stratified (and \
                drawn anew as the data grow)"
                .into(),
            Self::UnknownPositive { classes, .. } => {
                format!("name one of {}", classes.join(", "))
            }
            Self::RuleNotApplicable { .. } => {
                "hold out by hash, by id, by time, or in a file of its own: `trainyard help releasing`"
                    .into()
            }
            Self::ModelTooLarge { .. } => {
                "train fewer or smaller trees: lower n_estimators, set max_depth, raise \
                 min_samples_leaf"
                    .into()
            }
            Self::DeletedExperiment { id, .. } => {
                format!("restore it (mlflow experiments restore -x {id}) or name another one")
            }
            Self::CommandNotStarted { .. } => {
                "check that the folder exists and that there is a shell (sh)".into()
            }
            Self::BadParameter { .. } => return Fault::Input.into(),
            // The project's own program is not this one: it may have failed for any reason.
            Self::CommandFailed { last_lines, way_on, .. } if !last_lines.is_empty() => {
                return Advice::environment(last_words(way_on.as_deref(), last_lines));
            }
            Self::CommandLoggedNoModel { .. } => {
                return Advice::environment(
                    "let the program log one with mlflow.<flavor>.log_model(…) in the run it is \
                     given (mlflow.start_run() resumes it)",
                );
            }
            Self::CommandFailed { .. } | Self::Cancelled | Self::Io { .. } => {
                return Fault::Environment.into();
            }
            Self::Tracking(error) => return error.advice(),
            Self::Signature(error) => return error.advice(),
            Self::Data(error) => return error.advice(),
            // It is the one that was just written.
            Self::Model(error) => return Advice { fault: Fault::Program, hint: error.hint() },
            Self::ExportDiffers { .. } => {
                let hint = "this is a fault of trainyard; please report it".to_owned();
                return Advice { fault: Fault::Program, hint: Some(hint) };
            }
            Self::Evaluation(_) | Self::Arrow(_) | Self::Internal(_) => {
                return Fault::Program.into();
            }
        })
    }
}

/// What a program said before it failed. That a package is not there is mostly said of the wrong Python: whoever has just
/// begun has an environment with the packages, and not in this shell.
fn last_words(way_on: Option<&str>, lines: &[String]) -> String {
    let way_on = way_on.map(|way_on| format!("{way_on}; ")).unwrap_or_default();
    format!("{way_on}its last lines were:\n{}", lines.join("\n"))
}

impl From<trainyard_quality::Error> for Error {
    fn from(error: trainyard_quality::Error) -> Self {
        Self::Evaluation(error.to_string())
    }
}

impl Error {
    /// An I/O error on `path`.
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }
}
