//! The first rows of a Parquet file.

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use trainyard_data::{BodyError, Head, HeadLimits, parquet_head};

use super::grid::Grid;
use super::measure::{Measure, UNPACKED_MAX, VALUE_CHARS};

/// The first rows, or why they cannot be shown. Decoding is work, so it is done beside the requests; the `turn` lasts as
/// long, also where whoever asked is gone meanwhile.
pub(super) async fn read(
    body: Bytes,
    measure: &Measure,
    turn: Option<OwnedSemaphorePermit>,
) -> Result<Grid, String> {
    let limits = HeadLimits {
        rows: measure.rows,
        columns: measure.columns,
        value_chars: VALUE_CHARS,
        bytes_max: UNPACKED_MAX,
    };
    let decoding = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        parquet_head(&body, limits)
    });
    match decoding.await {
        Ok(Ok(head)) => Ok(grid(head)),
        Ok(Err(error)) => Err(format!("The file is not shown: {}.", told(&error))),
        Err(_stopping) => Err("The file is not shown: the server is stopping.".to_owned()),
    }
}

fn told(error: &BodyError) -> String {
    match error {
        BodyError::TooLarge { bytes_max } => {
            format!("it holds more than {bytes_max} bytes when it is unpacked")
        }
        other => other.to_string(),
    }
}

fn grid(head: Head) -> Grid {
    let columns = head.columns.into_iter().map(|(name, kind)| (name, Some(kind))).collect();
    Grid {
        columns,
        has_more: head.rows_total > head.rows.len(),
        rows: head.rows,
        columns_total: head.columns_total,
        rows_total: Some(head.rows_total),
    }
}
