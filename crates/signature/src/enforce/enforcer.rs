//! A signature, ready to read requests of every form.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use serde_json::{Map, Value};
use trainyard_base::json::Reader;

use super::buffer::Buffer;
use super::cast::Casting;
use super::context::Limits;
use super::forms::open_inference::InferenceRequest;
use super::forms::{body, csv};
use super::plan::Plan;
use super::protocol::Protocol;
use super::rejection::Rejection;
use super::request::{Request, Result};
use super::{inferred_schema, params, table, text_table};
use crate::model::{ParamSpec, Schema, Signature, infer_schema};

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
    /// Whether Python's model is given a data frame, which it answers as one, or arrays: a signature of tensors makes
    /// arrays of a data frame.
    pub frame: bool,
    /// The id that a request of [`Protocol::OpenInference`] gives itself.
    pub id: Option<String>,
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

impl Enforcer {
    /// Prepares to read requests for `signature`.
    pub fn new(signature: Option<&Signature>, casting: Casting, limits: Limits) -> Self {
        let inputs = signature.and_then(|signature| signature.inputs.as_ref());
        let params = signature.and_then(|signature| signature.params.clone());
        // A schema that is made of the request itself is no reason to be strict with it: `true` beside 2
        // is a number.
        let casting = match casting {
            Casting::Strict if inputs.is_none() => Casting::Lossless,
            casting => casting,
        };
        Self { plan: inputs.map(Plan::new), params: params.unwrap_or_default(), casting, limits }
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
        let text = utf8(body)?;
        let read = match protocol {
            Protocol::OpenInference => self.read_open_inference(text),
            Protocol::Invocations | Protocol::Predict => self.read_json(text, protocol),
        };
        read.map_err(|stop| stop.into_rejection(text))
    }

    /// Reads a CSV body with a header line.
    pub fn csv(&self, body: &[u8]) -> Result<Enforced, Rejection> {
        let text = utf8(body)?;
        let read = self.by_plan(
            || Ok(csv::infer(text)?),
            |plan| self.finish(csv::read(plan, self.casting, &self.limits, text)?, None),
        );
        read.map_err(|stop| stop.into_rejection(text))
    }

    /// Reads a table whose columns have types already, such as a Parquet file's.
    pub fn table(&self, table: &RecordBatch) -> Result<Enforced, Rejection> {
        self.read_table(table).map_err(|stop| stop.into_rejection(""))
    }

    /// Whether [`Self::texts`] reads tables of text: the signature says of which types their columns are.
    pub fn reads_texts(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| !plan.tensors)
    }

    /// Reads a table whose columns are all text, by the rules of a CSV body whose cells they are.
    pub fn texts(&self, table: &RecordBatch) -> Result<Enforced, Rejection> {
        let Some(plan) = self.plan.as_ref().filter(|plan| !plan.tensors) else {
            let message =
                "Invalid input. The signature of the model names no columns, so text stays text.";
            return Err(Rejection::parse(message));
        };
        let request = Request::new(plan, self.casting, &self.limits, 0);
        let read = text_table::read(plan, request, table);
        let read = read.and_then(|request| self.finish(request, None));
        read.map_err(|stop| stop.into_rejection(""))
    }

    fn read_json(&self, text: &str, protocol: Protocol) -> Result<Enforced> {
        let reader = self.reader(text);
        self.by_plan(
            || inferred_schema::schema(&mut reader.clone(), protocol),
            |plan| {
                let mut reader = reader.clone();
                let mut request = Request::new(plan, self.casting, &self.limits, text.len());
                let params = body::read(&mut request, &mut reader, protocol, &self.params)?;
                reader.end()?;
                self.finish(request, params)
            },
        )
    }

    fn read_open_inference(&self, text: &str) -> Result<Enforced> {
        let mut reader = self.reader(text);
        let inputs = InferenceRequest::read(&mut reader)?;
        reader.end()?;
        let enforced = self.by_plan(
            || inputs.schema(&reader),
            |plan| {
                let mut request = Request::new(plan, self.casting, &self.limits, text.len());
                inputs.fill(&mut request, &mut reader.clone())?;
                self.finish(request, None)
            },
        )?;
        Ok(Enforced { id: inputs.id, ..enforced })
    }

    fn read_table(&self, table: &RecordBatch) -> Result<Enforced> {
        let infer = || infer_schema(table).map_err(|error| Rejection::invalid(&error).into());
        self.by_plan(infer, |plan| {
            let mut request = Request::new(plan, self.casting, &self.limits, 0);
            request.check_table(table.num_columns(), table.num_rows())?;
            let (batch, absent, ignored) = table::read(plan, request, table)?;
            let params = params::enforce(&self.params, None)?;
            let frame = !plan.tensors;
            Ok(Enforced { batch, params, ignored, absent, schema: None, frame, id: None })
        })
    }

    fn reader<'t>(&self, text: &'t str) -> Reader<'t> {
        Reader::new(text, self.limits.depth_max)
    }

    /// Reads by the plan of the signature; without one by that of the schema which the request makes.
    fn by_plan(
        &self,
        infer: impl FnOnce() -> Result<Schema>,
        read: impl FnOnce(&Plan) -> Result<Enforced>,
    ) -> Result<Enforced> {
        if let Some(plan) = &self.plan {
            return read(plan);
        }
        let schema = infer()?;
        let enforced = read(&Plan::new(&schema))?;
        Ok(Enforced { schema: Some(schema), ..enforced })
    }

    fn finish(&self, request: Request<'_>, params: Option<Value>) -> Result<Enforced> {
        if !request.context.is_clean() {
            return Err(request.context.into_rejection().into());
        }
        request.check_schema().map_err(|rejection| *rejection)?;
        request.check_rows()?;
        let params = params::enforce(&self.params, params)?;
        let absent = request.absent_optional();
        let Request { plan, buffers, rows, extra, frame, .. } = request;
        // A signature of columns makes a data frame of arrays, too.
        let frame = (frame || self.plan.is_some()) && !plan.tensors;
        let arrays =
            buffers.into_iter().map(Buffer::finish).collect::<Result<Vec<_>, ArrowError>>();
        let batch = plan.batch(arrays.map_err(|error| Rejection::invalid(&error))?, rows)?;
        Ok(Enforced { batch, params, ignored: extra, absent, schema: None, frame, id: None })
    }
}

fn utf8(body: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(body).map_err(|error| {
        Rejection::parse(format!(
            "Invalid input. Ensure that input is a valid UTF-8 encoded string. Error: '{error}'"
        ))
    })
}
