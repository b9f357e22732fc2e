//! In which windows of time the rows of a table lie: counted in the engine, by one statement.

use arrow_array::{Array as _, Int64Array, RecordBatch};
use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::limits::{Limits, WINDOWS_MAX};
use crate::session::Session;
use crate::shape::Shape;
use crate::source::Source;
use crate::statements;
use crate::summary::chosen;
use crate::time_limit::within;

/// Where the rows of a table lie in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// The windows that have rows, in the order of time.
    pub windows: Vec<Windowed>,
    /// Rows without a time.
    pub untimed: u64,
    /// The columns of the table, or those of them that were asked for.
    pub columns: Vec<String>,
}

/// A window that rows lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Windowed {
    /// Windows between the base and this one; 0 begins at the base.
    pub number: i64,
    /// Rows.
    pub rows: u64,
    /// Milliseconds from the beginning of the window to its rows, added up: another number tells of other rows.
    pub since_begin: i64,
}

/// Counts the rows of windows of `length` milliseconds, one of which begins at `base` (milliseconds since 1970), by a column of
/// dates or timestamps. Times without a zone are UTC.
///
/// # Errors
///
/// Where the column holds no times, or there are more than [`WINDOWS_MAX`] windows.
pub fn windows(
    source: &Source,
    limits: &Limits,
    column: &str,
    base: i64,
    length: i64,
) -> Result<Windows> {
    let column = column.to_owned();
    let length = length.max(1).unsigned_abs();
    within(source, limits, move |session, source, limits| {
        read(session, source, limits, &column, base, length)
    })
}

fn read(
    session: &mut Session<'_>,
    source: &Source,
    limits: &Limits,
    column: &str,
    base: i64,
    length: u64,
) -> Result<Windows> {
    let (relation, shapes) = chosen(session, source, limits)?;
    let wrong =
        |reason: String| Error::Time { place: source.shown(), column: column.to_owned(), reason };
    let shape = shapes.iter().find(|shape| shape.name == column);
    let shape = shape.ok_or_else(|| wrong("there is no such column".to_owned()))?;
    let milliseconds = milliseconds(source, shape).map_err(wrong)?;
    let sql = statements::windows(source.engine(), &relation, &milliseconds, base, length);
    let what = "how many rows windows have";
    let batches = session.rows(what, &sql, WINDOWS_MAX as u64 + 2)?;
    let (mut windows, mut untimed) = (Vec::new(), 0);
    for batch in batches.iter().filter(|batch| batch.num_columns() > 0) {
        let [numbers, rows, since] = whole(session, what, batch)?;
        for at in 0..batch.num_rows() {
            let rows = rows.value(at).max(0).unsigned_abs();
            if numbers.is_null(at) {
                untimed += rows;
                continue;
            }
            let since_begin = since.value(at);
            windows.push(Windowed { number: numbers.value(at), rows, since_begin });
        }
    }
    if windows.len() > WINDOWS_MAX {
        return Err(Error::TooLarge {
            place: source.shown(),
            found: windows.len() as u64,
            what: "windows or more",
            most: WINDOWS_MAX as u64,
        });
    }
    windows.sort_unstable();
    let columns = shapes.into_iter().map(|shape| shape.name).collect();
    Ok(Windows { windows, untimed, columns })
}

fn whole(session: &Session<'_>, what: &str, batch: &RecordBatch) -> Result<[Int64Array; 3]> {
    let of = |index: usize| session.whole(what, batch.column(index).as_ref());
    if batch.num_columns() != 3 {
        let reason = format!("{} columns, not 3", batch.num_columns());
        return Err(session.answer(what, reason));
    }
    Ok([of(0)?, of(1)?, of(2)?])
}

/// The time of a row in milliseconds since 1970, in SQL; or why there is none.
fn milliseconds(source: &Source, shape: &Shape) -> std::result::Result<String, String> {
    let has_zone = match &shape.data_type {
        DataType::Timestamp(_, zone) => zone.is_some(),
        DataType::Date32 | DataType::Date64 => false,
        other => return Err(format!("it holds no times, but {other}")),
    };
    source
        .engine()
        .milliseconds(&shape.expression, has_zone)
        .ok_or_else(|| "times are text there".to_owned())
}
