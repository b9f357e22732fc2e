//! A CSV body, as `pandas.DataFrame.to_csv` writes it: a header line, then one line a row.

use super::context::{Casting, Limits};
use super::plan::{Plan, Slot};
use super::rejection::Rejection;
use super::request::{Request, Stop};
use crate::model::{ColSpec, DataType, Schema};

/// What pandas reads as a missing value.
const MISSING: [&str; 17] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Rows that are looked at to type a CSV for a model without signature.
const SAMPLE_ROWS: usize = 1000;

fn reader(text: &str) -> ::csv::Reader<&[u8]> {
    ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes())
}

fn refused(error: impl std::fmt::Display) -> Rejection {
    Rejection::parse(format!(
        "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid \
         CSV-formatted Pandas DataFrame produced using the `pandas.DataFrame.to_csv()` method. \
         Error: '{error}'"
    ))
}

fn header(reader: &mut ::csv::Reader<&[u8]>) -> Result<Vec<String>, Rejection> {
    let header = reader.headers().map_err(refused)?;
    if header.is_empty() {
        return Err(refused("No columns to parse from file"));
    }
    Ok(header.iter().map(ToOwned::to_owned).collect())
}

/// Reads all lines into the buffers of the plan.
pub(crate) fn read<'e>(
    plan: &'e Plan,
    casting: Casting,
    limits: &'e Limits,
    text: &str,
) -> Result<Request<'e>, Rejection> {
    let mut reader = reader(text);
    let header = header(&mut reader)?;
    let mut request = Request::new(plan, casting, limits, text.len());
    request.context.csv = true;
    if plan.tensors {
        return Err(refused(format!(
            "the model takes {}, which CSV cannot hold; send JSON",
            plan.text
        )));
    }
    let rejected = |stop| match stop {
        Stop::Rejected(rejection) => rejection,
        // Only a JSON reader finds JSON's errors.
        Stop::Syntax(syntax) => refused(syntax.describe(text)),
    };
    let targets = request.targets(&header).map_err(rejected)?;
    let mut record = ::csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(refused)? {
        request.context.row = request.rows;
        if record.len() != targets.len() {
            let problem =
                format!("the header has {} columns, this line has {}", targets.len(), record.len());
            request.context.report_row(problem);
        }
        for (cell, target) in record.iter().zip(&targets) {
            let input = target.and_then(|index| plan.inputs.get(index));
            let slot = target.and_then(|index| request.slots.get_mut(index));
            if let (Some(input), Some(Slot::Column(column))) = (input, slot) {
                request.context.enter(input);
                let cell = if MISSING.contains(&cell) { "" } else { cell };
                column.read_text(cell, &mut request.context);
            }
        }
        request.fill_row();
        request.next_row().map_err(rejected)?;
    }
    Ok(request)
}

/// A schema for a model without signature: whole numbers, numbers, booleans, else text.
pub(crate) fn infer(text: &str) -> Result<Schema, Rejection> {
    let mut reader = reader(text);
    let header = header(&mut reader)?;
    let mut types: Vec<Option<DataType>> = vec![None; header.len()];
    for record in reader.records().take(SAMPLE_ROWS) {
        let record = record.map_err(refused)?;
        for (cell, found) in record.iter().zip(&mut types) {
            let cell_type = match cell {
                missing if MISSING.contains(&missing) => continue,
                "True" | "False" | "true" | "false" | "TRUE" | "FALSE" => DataType::Boolean,
                cell if cell.parse::<i64>().is_ok() => DataType::Long,
                cell if cell.parse::<f64>().is_ok() => DataType::Double,
                _ => DataType::String,
            };
            *found = Some(match found.take() {
                None => cell_type,
                Some(known) if known == cell_type => known,
                Some(DataType::Long | DataType::Double)
                    if matches!(cell_type, DataType::Long | DataType::Double) =>
                {
                    DataType::Double
                }
                Some(_) => DataType::String,
            });
        }
    }
    let column = |(name, data_type): (String, Option<DataType>)| ColSpec {
        name: Some(name),
        // Whole numbers may have missing ones further down; floats hold both.
        data_type: data_type.unwrap_or(DataType::Double),
        required: false,
    };
    Ok(Schema::Columns(header.into_iter().zip(types).map(column).collect()))
}
