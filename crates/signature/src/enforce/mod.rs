//! A request checked against a model's signature, straight into Arrow columns.
//!
//! [`Enforcer`] is made once for a model and reads any number of requests: JSON in MLflow's five
//! forms (`dataframe_split`, `dataframe_records`, `instances`, `inputs`, and for
//! [`Protocol::Predict`] the bare forms), or CSV. It walks the text once and writes each value
//! into the buffer of its column; there is no tree in between. Everything that does not fit is
//! reported, with column, row, value and expected type, not only the first.
//!
//! What becomes of a value that is not quite of its type is decided by [`Casting`]. Missing
//! numbers are NaN under a null, so a model sees a missing value whichever of the two it looks at.
//!
//! Pure: no I/O, no clock, no global state.

mod cast;
mod column;
mod context;
mod csv;
mod datetime;
mod infer;
mod inference;
mod names;
mod params;
mod plan;
mod rejection;
mod request;
mod table;
mod tensor;
mod tensor_table;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use serde_json::{Map, Value};

pub(crate) use trainyard_base::json;

pub use context::{Casting, Limits};
pub use names::schema_text;
pub use rejection::{Rejection, Step, Violation};

use json::{Kind, Reader};
use plan::{Plan, Slot};
use request::{Request, Stop};

use crate::model::{ParamSpec, Schema, Signature, infer_schema};

/// Which bodies are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MLflow's scoring protocol: an object with one of the four keys. Binary columns are base64
    /// in data frames only, as upstream reads them.
    Invocations,
    /// The same, and without a key around them: a list of records, a split, or an object of
    /// columns (a single record is one of those). Binary columns are always base64.
    Predict,
}

/// A request that fits.
#[derive(Debug, Clone)]
pub struct Enforced {
    /// The columns of the signature, in its order. Absent optional columns are null throughout.
    /// Types and names are those of [`Schema::arrow_schema`]; every column is nullable.
    pub batch: RecordBatch,
    /// Inference params with defaults filled in.
    pub params: Map<String, Value>,
    /// Columns that the signature does not know and that were read past (the first 20).
    pub ignored: Vec<String>,
    /// Optional columns that the request does not have.
    pub absent: Vec<String>,
    /// The schema that was made of the request, for a model without signature.
    pub schema: Option<Schema>,
    /// Whether the request was a data frame (which Python answers as one) or arrays.
    pub frame: bool,
}

/// A signature, ready to read requests.
#[derive(Debug)]
pub struct Enforcer {
    /// None when the model has no signature: then each request is its own.
    plan: Option<Plan>,
    params: Vec<ParamSpec>,
    casting: Casting,
    limits: Limits,
}

/// The keys that hold the data in MLflow's protocol, in the order upstream prints them.
const FORMATS: [&str; 4] = ["dataframe_records", "inputs", "instances", "dataframe_split"];

/// What upstream says first when there is not exactly one of [`FORMATS`].
const EXACTLY_ONE: &str = "The input must be a JSON dictionary with exactly one of the input \
                           fields {'dataframe_records', 'inputs', 'instances', 'dataframe_split'}.";

const NO_ROWS: &str = "Invalid input. The request holds no rows.";

impl Enforcer {
    /// Prepares to read requests for `signature`.
    pub fn new(signature: Option<&Signature>, casting: Casting, limits: Limits) -> Self {
        let inputs = signature.and_then(|signature| signature.inputs.as_ref());
        let params = signature.and_then(|signature| signature.params.clone());
        Self { plan: inputs.map(Plan::new), params: params.unwrap_or_default(), casting, limits }
    }

    /// The columns of every batch; none without a signature.
    pub fn arrow_schema(&self) -> Option<SchemaRef> {
        Some(self.plan.as_ref()?.arrow.clone())
    }

    /// Names of the columns that are read, where a signature names them: all others are read past.
    pub fn column_names(&self) -> Option<impl Iterator<Item = &str>> {
        let plan = self.plan.as_ref().filter(|plan| plan.named && !plan.tensors)?;
        Some(plan.inputs.iter().map(|input| input.name.as_str()))
    }

    /// Rows that a request may have.
    pub fn rows_max(&self) -> usize {
        self.limits.rows_max
    }

    /// Reads a JSON body.
    pub fn json(&self, body: &[u8], protocol: Protocol) -> Result<Enforced, Rejection> {
        self.read_json(body, protocol).map_err(Rejection::bounded)
    }

    /// Reads a CSV body with a header line.
    pub fn csv(&self, body: &[u8]) -> Result<Enforced, Rejection> {
        self.read_csv(body).map_err(Rejection::bounded)
    }

    /// Reads a table whose columns have types already, such as a Parquet file's.
    pub fn table(&self, table: &RecordBatch) -> Result<Enforced, Rejection> {
        self.read_table(table).map_err(Rejection::bounded)
    }

    /// Reads a request of the Open Inference Protocol; returns the id that it gives itself, too.
    pub fn inference(&self, body: &[u8]) -> Result<(Option<String>, Enforced), Rejection> {
        self.read_inference(body).map_err(Rejection::bounded)
    }

    fn read_json(&self, body: &[u8], protocol: Protocol) -> Result<Enforced, Rejection> {
        let text = utf8(body)?;
        let Some(plan) = &self.plan else {
            let mut reader = self.reader(text);
            let schema =
                infer::schema(&mut reader, protocol).map_err(|stop| rejection(stop, text))?;
            let enforced = self.json_by(&Plan::new(&schema), text, protocol)?;
            return Ok(Enforced { schema: Some(schema), ..enforced });
        };
        self.json_by(plan, text, protocol)
    }

    fn read_csv(&self, body: &[u8]) -> Result<Enforced, Rejection> {
        let text = utf8(body)?;
        let Some(plan) = &self.plan else {
            let schema = csv::infer(text)?;
            let plan = Plan::new(&schema);
            let request = csv::read(&plan, self.casting(), &self.limits, text)?;
            return Ok(Enforced { schema: Some(schema), ..self.finish(request, None)? });
        };
        self.finish(csv::read(plan, self.casting, &self.limits, text)?, None)
    }

    fn read_inference(&self, body: &[u8]) -> Result<(Option<String>, Enforced), Rejection> {
        let text = utf8(body)?;
        let stopped = |stop| rejection(stop, text);
        let mut reader = self.reader(text);
        let body = inference::Body::read(&mut reader).map_err(stopped)?;
        reader.end().map_err(|syntax| stopped(syntax.into()))?;
        let schema = match &self.plan {
            Some(_) => None,
            None => Some(body.schema(&reader).map_err(stopped)?),
        };
        let inferred = schema.as_ref().map(Plan::new);
        let Some(plan) = self.plan.as_ref().or(inferred.as_ref()) else {
            return Err(Rejection::parse(NO_ROWS));
        };
        let mut request = Request::new(plan, self.casting(), &self.limits, text.len());
        body.fill(&mut request, &mut reader).map_err(stopped)?;
        let enforced = self.finish(request, None)?;
        Ok((body.id, Enforced { schema, ..enforced }))
    }

    fn reader<'t>(&self, text: &'t str) -> Reader<'t> {
        Reader::new(text, self.limits.depth_max)
    }

    /// A schema that was made of the request itself is no reason to be strict with it: `true` beside 2 is
    /// a number.
    fn casting(&self) -> Casting {
        match self.casting {
            Casting::Strict if self.plan.is_none() => Casting::Lossless,
            casting => casting,
        }
    }

    fn read_table(&self, table: &RecordBatch) -> Result<Enforced, Rejection> {
        self.check_row_count(table.num_rows())?;
        if table.num_rows() == 0 {
            return Err(Rejection::parse(NO_ROWS));
        }
        let inferred = if self.plan.is_some() {
            None
        } else {
            let schema = infer_schema(table)
                .map_err(|error| Rejection::parse(format!("Invalid input. {error}")))?;
            Some((Plan::new(&schema), schema))
        };
        let Some(plan) = self.plan.as_ref().or(inferred.as_ref().map(|(plan, _)| plan)) else {
            return Err(Rejection::parse("Invalid input. The table has no columns."));
        };
        let mut request = Request::new(plan, self.casting(), &self.limits, 0);
        request
            .check_table(table.num_columns(), table.num_rows())
            .map_err(|stop| rejection(stop, ""))?;
        let (batch, absent, ignored) = table::read(plan, request, table)?;
        let params = params::enforce(&self.params, None)?;
        let schema = inferred.map(|(_, schema)| schema);
        Ok(Enforced { batch, params, ignored, absent, schema, frame: true })
    }

    /// Refuses a request of more rows than the limit, before it is read.
    pub fn check_row_count(&self, rows: usize) -> Result<(), Rejection> {
        let max = self.limits.rows_max;
        if rows <= max {
            return Ok(());
        }
        Err(Rejection::parse(format!(
            "Invalid input. The request has more than {max} rows; send it in parts."
        )))
    }

    fn json_by(&self, plan: &Plan, text: &str, protocol: Protocol) -> Result<Enforced, Rejection> {
        let mut request = Request::new(plan, self.casting(), &self.limits, text.len());
        let mut reader = self.reader(text);
        let params =
            read_body(&mut request, &mut reader, protocol, &self.params).and_then(|params| {
                reader.end()?;
                Ok(params)
            });
        match params {
            Ok(params) => self.finish(request, params),
            Err(stop) => Err(rejection(stop, text)),
        }
    }

    fn finish(&self, request: Request<'_>, params: Option<Value>) -> Result<Enforced, Rejection> {
        if !request.context.is_clean() {
            return Err(request.context.into_rejection());
        }
        request.check_schema().map_err(|rejection| *rejection)?;
        if request.rows == 0 {
            return Err(Rejection::parse(NO_ROWS));
        }
        let params = params::enforce(&self.params, params)?;
        let absent = request.absent_optional();
        let Request { plan, slots, rows, extra, frame, .. } = request;
        let batch = batch(plan, slots, rows)
            .map_err(|error| Rejection::parse(format!("Invalid input. {error}")))?;
        Ok(Enforced { batch, params, ignored: extra, absent, schema: None, frame })
    }
}

fn utf8(body: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(body).map_err(|error| {
        Rejection::parse(format!(
            "Invalid input. Ensure that input is a valid UTF-8 encoded string. Error: '{error}'"
        ))
    })
}

fn rejection(stop: Stop, text: &str) -> Rejection {
    match stop {
        Stop::Rejected(rejection) => rejection,
        Stop::Syntax(syntax) => Rejection::parse(format!(
            "Invalid input. Ensure that input is a valid JSON formatted string. Error: '{}'",
            syntax.describe(text)
        )),
    }
}

/// Reads the body and returns the params it gives.
fn read_body(
    request: &mut Request<'_>,
    reader: &mut Reader<'_>,
    protocol: Protocol,
    specs: &[ParamSpec],
) -> request::Result<Option<Value>> {
    let kind = reader.kind()?;
    match (protocol, kind) {
        (_, Kind::Object) => {}
        (Protocol::Predict, Kind::Array) => {
            read_list(request, reader)?;
            return Ok(None);
        }
        (_, Kind::Array) => {
            reader.skip()?;
            return refuse(format!("Invalid input. {EXACTLY_ONE} Received a list."));
        }
        (_, other) => {
            let whole = other == Kind::Number && !reader.clone().skip()?.contains(['.', 'e', 'E']);
            let name = if whole { "int" } else { other.python() };
            return refuse(format!(
                "Invalid input. {EXACTLY_ONE} Received unexpected input type '<class '{name}'>'."
            ));
        }
    }
    let start = reader.position();
    let mut params = None;
    let mut formats: Vec<&'static str> = Vec::new();
    let mut bare_columns = false;
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        let is_column = protocol == Protocol::Predict
            && request.plan.named
            && request.plan.lookup(&key, 0).is_some();
        match FORMATS.iter().find(|format| **format == key) {
            Some(format) if !is_column => {
                formats.push(format);
                if formats.len() == 1 {
                    read_format(request, reader, format, protocol)?;
                } else {
                    reader.skip()?;
                }
            }
            _ if is_column => {
                bare_columns = true;
                request.column(&key, reader)?;
            }
            _ if key == "params" => params = Some(params::read(specs, reader)?),
            _ if protocol == Protocol::Predict && key == "data" && formats.is_empty() => {
                // A split without its key around it: read the whole object as one.
                reader.seek(start);
                request.split(reader)?;
                return Ok(params);
            }
            _ if protocol == Protocol::Predict => {
                request.note_extra(&key);
                reader.skip()?;
            }
            _ => {
                reader.skip()?;
            }
        }
        more = reader.object_next()?;
    }
    if formats.len() == 1 && !bare_columns {
        return Ok(params);
    }
    if protocol == Protocol::Predict && formats.is_empty() {
        request.columns_end()?;
        return Ok(params);
    }
    refuse(format!(
        "{EXACTLY_ONE} Received dictionary with input fields: {}.",
        names::list_text(&formats)
    ))
}

fn refuse<T>(message: String) -> request::Result<T> {
    Err(Stop::Rejected(Rejection::parse(message)))
}

fn read_format(
    request: &mut Request<'_>,
    reader: &mut Reader<'_>,
    format: &str,
    protocol: Protocol,
) -> request::Result<()> {
    match format {
        "dataframe_split" => request.split(reader),
        "dataframe_records" => request.records(reader),
        _ => {
            request.frame = false;
            request.context.base64 = protocol == Protocol::Predict;
            match reader.kind()? {
                Kind::Array => read_list(request, reader),
                Kind::Object if !request.plan.named => {
                    reader.skip()?;
                    refuse(
                        "Invalid input. Failed to parse input data. This model contains an \
                         un-named  model signature which expects a single n-dimensional array or \
                         a single value as input, however, an input of type <class 'dict'> was \
                         found."
                            .to_owned(),
                    )
                }
                Kind::Object => {
                    let mut more = reader.object_start()?;
                    while more {
                        let key = reader.key()?;
                        request.column(&key, reader)?;
                        more = reader.object_next()?;
                    }
                    request.columns_end()
                }
                _ => request.array(reader),
            }
        }
    }
}

/// A list: of records when its first element is one, else of values without names.
fn read_list(request: &mut Request<'_>, reader: &mut Reader<'_>) -> request::Result<()> {
    let mut ahead = reader.clone();
    if ahead.array_start()? && ahead.kind()? == Kind::Object {
        return request.records(reader);
    }
    request.array(reader)
}

fn batch(
    plan: &Plan,
    slots: Vec<Slot<'_>>,
    rows: usize,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(slots.len());
    for slot in slots {
        arrays.push(match slot {
            Slot::Column(column) => column.finish()?,
            Slot::Tensor(tensor) => tensor.finish()?,
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(plan.arrow.clone(), arrays, &options)
}

#[cfg(test)]
mod tests;
