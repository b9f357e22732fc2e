//! Releases as marks on an axis of time.

use trainyard_base::words::tags;
use trainyard_chart::intervals::Event;
use trainyard_mlflow::entities::{Run, Tag};

use crate::format;

/// Those of releases and rollbacks that came about, at their ends, in milliseconds since 1970.
pub(crate) fn of(releases: &[Run]) -> Vec<Event> {
    let of = |run: &Run| {
        let is_done = Tag::find(&run.data.tags, tags::OUTCOME) == Some("released");
        let to = Tag::find(&run.data.params, "to").filter(|_to| is_done)?;
        let at = run.info.end_time.or(run.info.start_time)?;
        Some(Event { x: at as f64, name: format!("v{}", format::short(to, 12)) })
    };
    releases.iter().filter_map(of).collect()
}
