//! The newest windows as a file of the run: so many, and so many bytes, as a page reads whenever somebody looks at it.

use std::cmp::Reverse;

use serde::Serialize;
use trainyard_base::words::RECENT_WINDOWS_BYTES_MAX;
use trainyard_drift::{Episode, WindowLength, WindowResult};
use trainyard_report::drift::WINDOWS_SHOWN_MAX;

use super::kept::History;
use crate::{Error, Result};

/// Alerts that are named: those that go on, and the latest of those that are over.
const ALERTS_MAX: usize = 500;

/// Room for what stands around windows: alerts of some hundred bytes, and names.
const AROUND_BYTES: usize = 1 << 20;

/// What `windows.json` has of the newest windows, with the same names.
#[derive(Debug, Serialize)]
struct Recent<'a> {
    schema: &'a str,
    schema_version: u32,
    title: &'a str,
    reference: &'a str,
    current: &'a str,
    window: WindowLength,
    windows: Vec<&'a WindowResult>,
    alerts: Vec<&'a Episode>,
}

/// The newest windows as JSON.
pub(super) fn recent_json(history: &History, alerts: &[Episode]) -> Result<String> {
    let mut windows = Vec::new();
    let mut bytes = AROUND_BYTES;
    for kept in history.windows.iter().rev().take(WINDOWS_SHOWN_MAX) {
        bytes += serde_json::to_string(&kept.result).map_err(wrong)?.len() + 1;
        if bytes > RECENT_WINDOWS_BYTES_MAX {
            break;
        }
        windows.push(&kept.result);
    }
    windows.reverse();
    let mut alerts: Vec<&Episode> = alerts.iter().collect();
    alerts.sort_by_key(|one| Reverse((one.ended.is_none(), one.fired)));
    alerts.truncate(ALERTS_MAX);
    let recent = Recent {
        schema: &history.schema,
        schema_version: history.schema_version,
        title: &history.title,
        reference: &history.reference,
        current: &history.current,
        window: history.window,
        windows,
        alerts,
    };
    serde_json::to_string(&recent).map_err(wrong)
}

fn wrong(error: serde_json::Error) -> Error {
    Error::io("the newest windows", std::io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use trainyard_drift::Window;

    use super::super::kept::KeptWindow;
    use super::*;

    /// The beginnings of those of 200 windows, each with a remark of so many bytes, that are in the file.
    fn begins(remark: usize) -> Vec<i64> {
        let mut history = History::new("10 rows".parse().unwrap());
        let window = |number: i64| {
            let mut result = WindowResult::new(Window { begins: number, ends: number + 1 }, 10);
            result.remarks.push("x".repeat(remark));
            KeptWindow { result, time_sum: 0, settings: String::new() }
        };
        history.windows = (0..200).map(window).collect();
        let json = recent_json(&history, &[]).unwrap();
        assert!(json.len() <= RECENT_WINDOWS_BYTES_MAX, "{} bytes", json.len());
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        let windows = read["windows"].as_array().unwrap();
        windows.iter().map(|one| one["window"]["begins"].as_i64().unwrap()).collect()
    }

    #[test]
    fn the_newest_windows_are_kept_in_bounds() {
        assert_eq!(begins(10), (80..200).collect::<Vec<_>>());
        let few = begins(1 << 20);
        assert_eq!(few.len(), 14, "15 MiB have room for no more");
        assert_eq!(few.last(), Some(&199));
    }
}
