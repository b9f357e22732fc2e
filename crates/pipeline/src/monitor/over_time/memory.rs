//! What somebody was told of windows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use trainyard_drift::{News, Told, Window};

/// What somebody was told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Alerts that are not over, as far as he knows.
    #[serde(default)]
    pub told: Vec<Told>,
    /// The last window that had ended when he was told, or there was nothing to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_until: Option<Window>,
    /// Windows of which labels said something else since then.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) relabelled: BTreeSet<Window>,
}

impl Memory {
    /// Notes that nothing is to be told, or that these news were.
    pub(super) fn learn(&mut self, news: &News, last_ended: Option<Window>) {
        self.told.clone_from(&news.told);
        self.told_until = last_ended;
        self.relabelled.clear();
    }
}
