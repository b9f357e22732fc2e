//! What looks at windows recorded: a file of their run. It is people's, so nothing in it is taken on trust.

use futures::StreamExt as _;
use serde::Deserialize;
use trainyard_base::words::{RECENT_WINDOWS, RECENT_WINDOWS_BYTES_MAX};
use trainyard_drift::{Episode, Window, WindowLength, WindowResult};
use trainyard_mlflow::entities::Run;
use trainyard_mlflow::{Error, Result, Tracking};

/// What runs of earlier versions of the program have in place of it: all windows there ever were.
const ALL_WINDOWS: &str = "windows.json";

/// Moments and rows beyond which nothing is: those of ECMAScript's times, a hundred million days.
const PLACE_MAX: i64 = 8_640_000_000_000_000;

/// The newest windows of a history.
#[derive(Debug, Deserialize)]
pub(super) struct Recorded {
    /// What windows are compared with.
    #[serde(default)]
    pub(super) reference: String,
    /// Where their rows come from.
    #[serde(default)]
    pub(super) current: String,
    /// How long they are.
    pub(super) window: WindowLength,
    /// In the order of time.
    pub(super) windows: Vec<WindowResult>,
    /// What was beyond what rules want.
    #[serde(default)]
    pub(super) alerts: Vec<Episode>,
}

impl Recorded {
    /// That of a history's run.
    pub(super) async fn of(tracking: &Tracking, run: &Run) -> Result<Self> {
        let root = &run.info.artifact_uri;
        let bytes = match download(tracking, root, RECENT_WINDOWS).await {
            Err(error) if error.is_not_found() => download(tracking, root, ALL_WINDOWS).await?,
            other => other?,
        };
        Self::read(&bytes)
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut recorded: Self = serde_json::from_slice(bytes).map_err(|error| {
            Error::invalid(format!("the recorded windows are no such: {error}"))
        })?;
        recorded.windows.retain(|result| is_place(result.window));
        recorded.windows.sort_by_key(|result| result.window);
        recorded.windows.dedup_by_key(|result| result.window);
        recorded.alerts.retain(|one| {
            [Some(one.began), Some(one.fired), one.ended].into_iter().flatten().all(is_place)
        });
        Ok(recorded)
    }
}

fn is_place(window: Window) -> bool {
    let places = -PLACE_MAX..=PLACE_MAX;
    window.begins < window.ends && places.contains(&window.begins) && places.contains(&window.ends)
}

async fn download(tracking: &Tracking, root: &str, name: &str) -> Result<Vec<u8>> {
    let mut body = tracking.artifacts.download(root, name).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > RECENT_WINDOWS_BYTES_MAX {
            return Err(Error::invalid(format!(
                "{name} of the run is larger than {RECENT_WINDOWS_BYTES_MAX} bytes; the next look at windows writes a \
                 small file beside it"
            )));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_cannot_be_are_left_out() {
        let window = |begins: i64, ends: i64| serde_json::json!({ "window": { "begins": begins, "ends": ends }, "rows": 1, "measures": [], "more": 1 });
        let windows = [
            window(10, 20),
            window(0, 10),
            window(5, 5),
            window(i64::MAX - 1, i64::MAX),
            window(0, 10),
        ];
        let file = serde_json::json!({ "window": "10 rows", "windows": windows, "more": {} });
        let recorded = Recorded::read(file.to_string().as_bytes()).unwrap();
        let begins: Vec<i64> = recorded.windows.iter().map(|one| one.window.begins).collect();
        assert_eq!(begins, [0, 10]);
        for wrong in ["", "[]", "{\"window\": \"1d\"}", "{\"window\": \"soon\", \"windows\": []}"] {
            assert!(Recorded::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
