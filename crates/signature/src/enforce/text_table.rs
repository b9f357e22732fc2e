//! A table whose columns are all text, as a CSV file has them, cut into cells by whoever read it.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use trainyard_base::pandas::is_missing;

use super::buffer::Buffer;
use super::plan::Plan;
use super::request::{Request, Result, refuse};

/// Reads the cells into the buffers of the plan, by the rules of a CSV body.
pub(super) fn read<'e>(
    plan: &'e Plan,
    mut request: Request<'e>,
    table: &RecordBatch,
) -> Result<Request<'e>> {
    request.context.csv = true;
    request.check_table(table.num_columns(), table.num_rows())?;
    let fields = table.schema_ref().fields();
    let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let targets = request.targets(&names)?;
    for (cells, target) in table.columns().iter().zip(targets) {
        let Some(index) = target else { continue };
        let (Some(input), Some(Buffer::Column(column))) =
            (plan.inputs.get(index), request.buffers.get_mut(index))
        else {
            continue;
        };
        let Some(cells) = cells.as_string_opt::<i32>() else {
            return refuse(format!("Invalid input. Column '{}' is not text.", input.name));
        };
        request.context.enter(input);
        for (row, cell) in cells.iter().enumerate() {
            if cell.is_some_and(|cell| column.push_plain_number(cell)) {
                continue;
            }
            request.context.row = row;
            let cell = cell.filter(|cell| !is_missing(cell.as_bytes())).unwrap_or_default();
            column.read_text(cell, &mut request.context);
        }
    }
    for (buffer, absent) in request.buffers.iter_mut().zip(&mut request.absent) {
        if let Buffer::Column(column) = buffer
            && column.len() == 0
        {
            *absent = request.rows;
            for _row in 0..request.rows {
                column.push_missing();
            }
        }
    }
    Ok(request)
}
