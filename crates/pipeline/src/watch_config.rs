//! `[watch]`: when `trainyard run --watch` looks for drift, and how often it may train.

use std::time::Duration;

use serde::Deserialize;
use trainyard_base::duration;

use crate::cron::Cron;

/// `[watch]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// Time between two looks; an hour if neither this nor `cron` is given.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub every: Option<Duration>,
    /// When to look, in cron's words (UTC).
    pub cron: Option<String>,
    /// Time after a training in which none follows.
    #[serde(deserialize_with = "duration::deserialize")]
    pub cool_down: Duration,
    /// Trainings in 24 hours.
    pub max_per_day: u32,
    /// Requests since the last training without which drift is not looked for.
    pub min_requests: usize,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            every: None,
            cron: None,
            cool_down: Duration::from_hours(6),
            max_per_day: 3,
            min_requests: 100,
        }
    }
}

/// Looks more often than this would only find the same.
const EVERY_MIN: Duration = Duration::from_secs(1);

impl Watch {
    /// Rules that span keys.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (&self.every, &self.cron) {
            (Some(_), Some(_)) => Err("[watch] has both `every` and `cron`; keep one".to_owned()),
            (Some(every), None) if *every < EVERY_MIN => {
                Err("watch.every is shorter than a second".to_owned())
            }
            (None, Some(cron)) => {
                cron.parse::<Cron>().map(drop).map_err(|reason| format!("watch.cron: {reason}"))
            }
            _ => Ok(()),
        }
    }
}
