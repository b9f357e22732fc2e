//! A request that is a table already (Parquet), against the signature.
//!
//! Its columns have types of their own, so nothing is parsed: a type goes into the signature's without
//! loss or it does not ([`super::convert`]).

use std::collections::HashSet;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};

use super::context::Context;
use super::convert::{Misfit, convert, plain, refuse_nulls, with_nan};
use super::names::numpy_name;
use super::plan::{Content, Input, Plan};
use super::rejection::{Rejection, Violation};
use super::request::Request;
use super::tensor_table;
use crate::model::DataType;

/// Converts the columns of a table to those of the plan. `absent` are optional columns that the
/// table does not have.
pub(super) fn read<'e>(
    plan: &'e Plan,
    mut request: Request<'e>,
    table: &RecordBatch,
) -> Result<(RecordBatch, Vec<String>, Vec<String>), Rejection> {
    let schema = table.schema_ref();
    let mut names = HashSet::with_capacity(schema.fields().len());
    let twice = schema.fields().iter().find(|field| plan.named && !names.insert(field.name()));
    if let Some(name) = twice.map(|field| field.name()) {
        return Err(Rejection::parse(format!("Invalid input. Column '{name}' is given twice.")));
    }
    if let Some(arrays) = tensor_table::side_by_side(plan, table) {
        let array = arrays.map_err(|problem| request.schema_rejection(&problem))?;
        return Ok((plan.batch(vec![array], table.num_rows())?, Vec::new(), Vec::new()));
    }
    let mut missing = Vec::new();
    let mut absent = Vec::new();
    let mut arrays = Vec::with_capacity(plan.inputs.len());
    for (position, input) in plan.inputs.iter().enumerate() {
        let found = if plan.named {
            schema.index_of(&input.name).ok()
        } else {
            Some(position).filter(|position| *position < table.num_columns())
        };
        let Some(found) = found else {
            if input.is_required() {
                missing.push(input.name.as_str());
            } else {
                absent.push(input.name.clone());
            }
            let empty = plan.arrow.field(position).data_type();
            arrays.push(new_null_array(empty, table.num_rows()));
            continue;
        };
        request.context.enter(input);
        match column(table.column(found), input, &request.context) {
            Ok(array) => arrays.push(array),
            Err(misfit) => {
                report(&mut request.context, input, misfit);
                arrays
                    .push(new_null_array(plan.arrow.field(position).data_type(), table.num_rows()));
            }
        }
    }
    for field in schema.fields() {
        if plan.named && plan.lookup(field.name(), 0).is_none() {
            request.note_extra(field.name());
        }
    }
    if !missing.is_empty() {
        return Err(request.missing_rejection(&missing));
    }
    if !request.context.is_clean() {
        return Err(refused(request));
    }
    Ok((plan.batch(arrays, table.num_rows())?, absent, request.extra))
}

/// Upstream finds types that do not fit when it enforces the schema, and says the first.
fn refused(request: Request<'_>) -> Rejection {
    let first = request.context.first_problem().unwrap_or_default();
    let mut rejection = request.schema_rejection(&first);
    (rejection.violations, rejection.violations_total) = request.context.into_violations();
    rejection
}

fn report(context: &mut Context<'_>, input: &Input, misfit: Misfit) {
    let expected = match &input.content {
        Content::Column { data_type, .. } => data_type.to_string(),
        Content::Tensor { dtype, .. } => dtype.clone(),
    };
    let incompatible = |found: &str| {
        let wanted = match &input.content {
            // numpy's name of a text without a length.
            Content::Column { data_type: DataType::String, .. } => "<U0".to_owned(),
            Content::Column { data_type, .. } => numpy_name(data_type),
            Content::Tensor { dtype, .. } => dtype.clone(),
        };
        format!(
            "Incompatible input types for column {}. Can not safely convert {found} to {wanted}.",
            input.name
        )
    };
    let (row, problem) = match (misfit, &input.content) {
        (Misfit::Type(found), _) => (None, incompatible(&found)),
        // pandas makes floats of whole numbers beside a missing one.
        (
            Misfit::Value(row, _),
            Content::Column { data_type: DataType::Integer | DataType::Long, .. },
        ) => (Some(row), incompatible("float64")),
        (Misfit::Value(row, problem), _) => {
            (Some(row), format!("column '{}', row {row}: {problem}", input.name))
        }
        (Misfit::Other(problem), _) => (None, format!("column '{}': {problem}", input.name)),
    };
    let column = Some(input.name.clone());
    context.report(|| Violation { column, row, value: None, expected: Some(expected), problem });
}

fn column(array: &ArrayRef, input: &Input, context: &Context<'_>) -> Result<ArrayRef, Misfit> {
    match &input.content {
        Content::Column { data_type, required } => {
            let array = convert(&plain(array)?, data_type)?;
            refuse_nulls(&array, data_type, *required, false, context.casting)?;
            Ok(with_nan(array))
        }
        Content::Tensor { dtype, shape } => tensor_table::column(&plain(array)?, dtype, shape),
    }
}
