//! `trainyard run --watch`: looks for drift at its times and trains anew when there is some, as long as
//! that is not too often. What it did is in the tracking store, so a restart forgets nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use trainyard_mlflow::Tracking;

use crate::agreement::follow_for;
use crate::cron::Cron;
use crate::event::Watcher;
use crate::notify::notify;
use crate::retrain::{Turn, turn};
use crate::run::RunOptions;
use crate::service_record::each_minute;
use crate::troubles::Troubles;
use crate::watch_config::Watch;
use crate::{Error, Project, Result};

/// Time between two looks when the project does not say.
const EVERY: Duration = Duration::from_hours(1);

/// Looks for drift at the project's times, until the future is dropped. `told` hears of every look.
///
/// # Errors
///
/// Only when the times themselves cannot be had: a look that fails is told and followed by the next.
pub async fn watch(
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    watcher: Watcher<'_>,
    told: &(dyn Fn(&Turn) + Send + Sync),
) -> Result<()> {
    let times = Times::of(&project.config.watch)?;
    let looking = look_at(times, project, tracking, options, watcher, told);
    tokio::select! {
        ended = Box::pin(looking) => ended,
        // It goes on for as long.
        () = Box::pin(each_minute(project, tracking)) => Ok(()),
    }
}

async fn look_at(
    times: Times,
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    watcher: Watcher<'_>,
    told: &(dyn Fn(&Turn) + Send + Sync),
) -> Result<()> {
    let mut troubles = Troubles::default();
    loop {
        let now = Utc::now();
        let next = times.after(now).ok_or_else(|| Error::Missing {
            what: "watch.cron has no next time".to_owned(),
            hint: "change `cron` under [watch]".to_owned(),
        })?;
        let pause = (next - now).to_std().unwrap_or_default();
        follow_for(project, tracking, &options.program, watcher, pause).await;
        let looked = turn(project, tracking, options, watcher, &mut troubles).await;
        // What somebody did not hear of what happened before.
        Box::pin(notify(project, &[])).await;
        told(&looked.map_or_else(Turn::Failed, |looked| looked.turn));
    }
}

/// When to look.
pub(crate) enum Times {
    Every(TimeDelta),
    Cron(Cron),
}

impl Times {
    pub(crate) fn of(config: &Watch) -> Result<Self> {
        let wrong = |reason: String| Error::Missing {
            what: format!("[watch]: {reason}"),
            hint: "cron's words are minute, hour, day, month, weekday".to_owned(),
        };
        if let Some(cron) = &config.cron {
            return Ok(Self::Cron(cron.parse().map_err(wrong)?));
        }
        let every = TimeDelta::from_std(config.every.unwrap_or(EVERY));
        Ok(Self::Every(every.map_err(|error| wrong(error.to_string()))?))
    }

    pub(crate) fn after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(every) => now.checked_add_signed(*every),
            Self::Cron(cron) => cron.after(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_usual() {
        let times = Times::of(&Watch::default()).unwrap();
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(times.after(now), Some(now + TimeDelta::hours(1)));
    }
}
