//! The instances of one release: they run the same, and are started, judged and stopped as one.

use std::time::Duration;

use futures::future::try_join_all;

use super::dispatch::Runtimes;
use super::instance::{Instance, InstanceStatus};
use crate::error::Result;
use crate::replica_id::release_of;

/// The instances of a release, of which there is one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replicas {
    first: Instance,
    further: Vec<Instance>,
}

impl Replicas {
    /// Instances of one release in their order; none where there are none.
    pub(crate) fn of(all: Vec<Instance>) -> Option<Self> {
        let mut all = all.into_iter();
        Some(Self { first: all.next()?, further: all.collect() })
    }

    /// Id of the release.
    pub(crate) fn id(&self) -> &str {
        release_of(&self.first.id)
    }

    /// The first, which stands for all where one is asked something.
    pub(crate) fn first(&self) -> &Instance {
        &self.first
    }

    /// Those beside the first.
    pub(crate) fn further(&self) -> &[Instance] {
        &self.further
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Instance> {
        std::iter::once(&self.first).chain(&self.further)
    }
}

impl Runtimes {
    /// The first instance that does not run any more, and how it ended.
    pub(crate) async fn ended<'a>(
        &self,
        replicas: &'a Replicas,
    ) -> Result<Option<(&'a Instance, String)>> {
        for instance in replicas.all() {
            if let InstanceStatus::Ended(how) = self.status(instance).await? {
                return Ok(Some((instance, how)));
            }
        }
        Ok(None)
    }

    /// Whether one of the instances runs, or will without anybody's doing, so that the release serves.
    pub(crate) async fn any_runs(&self, replicas: &Replicas) -> Result<bool> {
        for instance in replicas.all() {
            if !matches!(self.status(instance).await?, InstanceStatus::Ended(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those that run serve for good: from now on the runtime brings them back if it can. Whether any runs.
    pub(crate) async fn keep_running(&self, replicas: &Replicas) -> Result<bool> {
        let mut any_runs = false;
        for instance in replicas.all() {
            if !matches!(self.status(instance).await?, InstanceStatus::Ended(_)) {
                self.keep(instance).await?;
                any_runs = true;
            }
        }
        Ok(any_runs)
    }

    /// Ends all instances at the same time. Returns when they are gone.
    pub(crate) async fn stop_all(&self, replicas: &Replicas, grace: Duration) -> Result<()> {
        try_join_all(replicas.all().map(|instance| self.stop(instance, grace))).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_written_down_stands_for_its_release() {
        let instance = |id: &str| Instance {
            id: id.to_owned(),
            address: ([127, 0, 0, 1], 9).into(),
            runtime: crate::workload::RuntimeKind::Process,
            handle: "1".to_owned(),
            started: 1,
            log_path: "output.log".into(),
        };
        assert_eq!(Replicas::of(Vec::new()), None);
        let two = Replicas::of(vec![instance("r7.2"), instance("r7.3")]).unwrap();
        assert_eq!((two.id(), two.first().id.as_str(), two.all().count()), ("r7", "r7.2", 2));
    }
}
