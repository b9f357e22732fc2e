//! What is said to a worker and back: messages, and predictions as Arrow.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use trainyard_models::Prediction;
use trainyard_signature::enforce::Enforced;
use trainyard_signature::model::{ColSpec, Schema};

/// Bytes of a message's head: names of columns and params.
const HEAD_BYTES_MAX: u32 = 4 << 20;

/// Bytes of a message's body: predictions of a million rows of a hundred columns still fit.
const BODY_BYTES_MAX: u64 = 1 << 30;

/// In which form the model is handed its input, as MLflow's own server would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// A pandas data frame.
    Frame,
    /// A dict of one-dimensional arrays: columns of a model without signature, not sent as a frame.
    Arrays,
    /// A numpy array, or a dict of them.
    Tensors,
}

/// A request as a worker reads it: the head, and the rows.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    head: Bytes,
    body: Bytes,
}

#[derive(Debug, Serialize)]
struct QuestionHead<'q> {
    form: Form,
    /// Optional columns that the request does not have.
    absent: &'q [String],
    /// MLflow's type of each column; none for tensors.
    types: &'q [ColSpec],
    params: &'q Map<String, Value>,
    /// Whether the body of MLflow's scoring protocol is wanted.
    scoring: bool,
    /// Whether predictions are wanted as Arrow.
    columns: bool,
}

/// In which forms predictions are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) scoring: bool,
    pub(crate) columns: bool,
}

impl Question {
    /// Writes down a request. `schema` is the signature's, if the model has one.
    pub(crate) fn new(
        request: &Enforced,
        schema: Option<&Schema>,
        wanted: Wanted,
    ) -> Result<Self, ArrowError> {
        let batch = &request.batch;
        let form = match (&request.schema, schema) {
            (Some(Schema::Tensors(_)), _) | (None, Some(Schema::Tensors(_))) => Form::Tensors,
            (Some(_), None) if !request.frame => Form::Arrays,
            _ => Form::Frame,
        };
        let types = match request.schema.as_ref().or(schema) {
            Some(Schema::Columns(columns)) => columns.as_slice(),
            _ => &[],
        };
        let head = serde_json::to_vec(&QuestionHead {
            form,
            absent: &request.absent,
            types,
            params: &request.params,
            scoring: wanted.scoring,
            columns: wanted.columns,
        })
        .map_err(|error| ArrowError::JsonError(error.to_string()))?;
        let mut body = Vec::with_capacity(batch.get_array_memory_size() + 1024);
        let mut writer = StreamWriter::try_new(&mut body, batch.schema_ref())?;
        writer.write(batch)?;
        writer.finish()?;
        drop(writer);
        Ok(Self { head: head.into(), body: body.into() })
    }
}

/// What a worker says.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The model is loaded, in this process.
    Ready { pid: u32, python: String, mlflow: String, pyarrow: String },
    /// The model cannot be loaded.
    Unloadable { reason: String },
    /// Predictions: `scoring` bytes of JSON, then Arrow.
    Answered { scoring: usize, kind: Option<Kind>, width: usize },
    /// The model raised; the body is MLflow's.
    Refused { status: u16 },
    /// The memory limit was reached.
    #[serde(rename = "out of memory")]
    OutOfMemory,
}

/// What the Arrow columns of an answer mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Column,
    Matrix,
    Named,
    /// No table: the JSON text of each row.
    Json,
}

/// Predictions of a worker.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The body of MLflow's scoring protocol; empty if it was not asked for.
    pub(crate) scoring: Bytes,
    /// Predictions as columns; none if they were not asked for.
    pub(crate) prediction: Option<Prediction>,
    /// Whether [`Self::prediction`] is the JSON text of each row.
    pub(crate) is_json: bool,
}

impl Answered {
    pub(crate) fn parse(
        body: &Bytes,
        scoring: usize,
        kind: Option<Kind>,
        width: usize,
    ) -> Result<Self, ArrowError> {
        let short = || ArrowError::IpcError("the answer is shorter than it says".to_owned());
        let text = body.get(..scoring).map(|_| body.slice(..scoring)).ok_or_else(short)?;
        let prediction = match kind {
            None => None,
            Some(kind) => Some(prediction(kind, width, &table(&body.slice(scoring..))?)?),
        };
        Ok(Self { scoring: text, prediction, is_json: kind == Some(Kind::Json) })
    }
}

fn table(stream: &Bytes) -> Result<RecordBatch, ArrowError> {
    let reader = StreamReader::try_new(Cursor::new(stream), None)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    concat_batches(&schema, &batches)
}

fn prediction(kind: Kind, width: usize, table: &RecordBatch) -> Result<Prediction, ArrowError> {
    let first = || {
        let column = table.columns().first().cloned();
        column.ok_or_else(|| ArrowError::IpcError("the answer has no columns".to_owned()))
    };
    Ok(match kind {
        Kind::Column | Kind::Json => Prediction::Column(first()?),
        Kind::Matrix => Prediction::Matrix { values: first()?, width },
        Kind::Named => Prediction::Named(
            table
                .schema_ref()
                .fields()
                .iter()
                .zip(table.columns())
                .map(|(field, column)| (field.name().clone(), Prediction::Column(column.clone())))
                .collect(),
        ),
    })
}

/// Sends a request.
pub(crate) async fn send(stream: &mut UnixStream, question: &Question) -> std::io::Result<()> {
    let head = u32::try_from(question.head.len()).map_err(std::io::Error::other)?;
    stream.write_u32_le(head).await?;
    stream.write_u64_le(question.body.len() as u64).await?;
    stream.write_all(&question.head).await?;
    stream.write_all(&question.body).await
}

/// Receives an answer.
pub(crate) async fn receive(stream: &mut UnixStream) -> std::io::Result<(Outcome, Bytes)> {
    let head = stream.read_u32_le().await?;
    let body = stream.read_u64_le().await?;
    if head > HEAD_BYTES_MAX || body > BODY_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "a message of {head} and {body} bytes is over the limit"
        )));
    }
    let mut text = vec![0; head as usize];
    stream.read_exact(&mut text).await?;
    let outcome = serde_json::from_slice(&text).map_err(std::io::Error::other)?;
    let mut bytes = Vec::new();
    // Grows with what arrives, not with what is claimed.
    let read = stream.take(body).read_to_end(&mut bytes).await?;
    if read as u64 != body {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok((outcome, bytes.into()))
}
