//! What should serve and does not is started again, as it was released, where it answered before.
//!
//! It is done under the lock of the service, which nobody is waited for: whoever has it changes the service, and
//! knows better. What serves is not waited for either: as soon as it listens it gets requests, and the next look says
//! how it is. Nothing here needs the registry, or room on the disk.

use std::time::Duration;

use super::event::ReleaseEvent;
use super::keeper::Keeper;
use super::rollout::target;
use super::spec::ReleaseSpec;
use super::standing::{Condition, Post, route};
use crate::deployment::{Deployment, Progress};
use crate::error::{Error, Result};
use crate::gateway::TargetSpec;
use crate::gateway::control::Switch;
use crate::replica_id::{release_of, replica_ids};
use crate::runtime::{Instance, InstanceSpec, InstanceStatus, Replicas};
use crate::state::folder::Folder;
use crate::workload::RuntimeKind;

/// What is to be started again, as a look found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ills {
    /// The gateway does not run; or it hangs, and why.
    pub gateway: Option<Condition>,
    /// Instances that ended or hang.
    pub instances: Vec<Post>,
}

impl Ills {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.gateway.is_none() && self.instances.is_empty()
    }
}

/// What was started again.
#[derive(Debug, Default)]
pub struct Revived {
    /// Whether a gateway was started.
    pub gateway: bool,
    /// The instances.
    pub instances: Vec<String>,
    /// What could not be, and why.
    pub failures: Vec<Error>,
}

impl Keeper {
    /// Starts again what does not run; `None` where somebody else changes the service now.
    ///
    /// # Errors
    ///
    /// Where it cannot be begun. What fails on the way is in [`Revived::failures`]: one ill must not keep another.
    pub async fn revive(&mut self, ills: &Ills, progress: Progress<'_>) -> Result<Option<Revived>> {
        let folder = Folder::open(&self.service)?;
        let mut hasty = self.service.clone();
        hasty.lock_wait = Duration::ZERO;
        let mut deployment = match Deployment::take(&hasty, folder, "revive", progress).await {
            Err(Error::Locked { .. }) => return Ok(None),
            deployment => deployment?,
        };
        // Its children stay known.
        std::mem::swap(&mut self.runtimes, &mut deployment.runtimes);
        let mut revived = Revived::default();
        let outcome = self.revive_all(&deployment, ills, &mut revived).await;
        std::mem::swap(&mut self.runtimes, &mut deployment.runtimes);
        revived.failures.extend(outcome.err());
        Ok(Some(revived))
    }

    async fn revive_all(
        &mut self,
        deployment: &Deployment<'_>,
        ills: &Ills,
        revived: &mut Revived,
    ) -> Result<()> {
        let Deployment { folder, control, .. } = deployment;
        if route(None, folder)?.current.is_none() {
            // Stopped on purpose since it was looked at.
            return Ok(());
        }
        // First: clients of a gateway that is there wait, those of one that is not are refused.
        if let Some(Condition::Hangs(cause)) = &ills.gateway {
            deployment.kill_gateway(cause).await?;
        }
        if ills.gateway.is_some() {
            let before = control.status().await?.map(|status| status.pid);
            let ready = deployment.ensure_gateway(true).await;
            let after = control.status().await?.map(|status| status.pid);
            revived.gateway = after.is_some() && after != before;
            revived.failures.extend(ready.err());
        }
        let status = control.status().await?;
        let route = route(status.as_ref(), folder)?;
        for ill in &ills.instances {
            let mut targets = route.current.iter().chain(&route.standby);
            // Released meanwhile: another one serves.
            let Some(target) = targets.find(|target| target.id == release_of(&ill.id)) else {
                continue;
            };
            match self.start_again(deployment, &target.id, ill).await {
                Ok(false) => {}
                Ok(true) => revived.instances.push(ill.id.clone()),
                Err(error) => revived.failures.push(error),
            }
        }
        let Some(current) = status.and(route.current) else { return Ok(()) };
        let wanted = self.target_of(folder, &current)?;
        let standby = match &route.standby {
            Some(standby) => Some(self.target_of(folder, standby)?),
            None => None,
        };
        let is_elsewhere = |now: &TargetSpec, before: &TargetSpec| {
            (now.address, &now.replicas) != (before.address, &before.replicas)
        };
        let moved = is_elsewhere(&wanted, &current)
            || standby.iter().zip(&route.standby).any(|(now, before)| is_elsewhere(now, before));
        if moved {
            let bake_limits = route.bake_limits;
            control.switch(&Switch { current: wanted, standby, bake_limits }).await?;
        }
        Ok(())
    }

    /// Starts one instance of a release again; whether that had to be done.
    async fn start_again(
        &mut self,
        deployment: &Deployment<'_>,
        release: &str,
        ill: &Post,
    ) -> Result<bool> {
        let Deployment { folder, runtimes, .. } = deployment;
        let missing = || Error::State {
            path: folder.instance(release),
            reason: "nothing was kept of what was released".to_owned(),
        };
        let spec = folder.read_spec(release)?.ok_or_else(missing)?;
        let before = self.instance(folder, &ill.id)?;
        let mut cause = ill.condition.cause().unwrap_or_default().to_owned();
        let hangs = matches!(ill.condition, Condition::Hangs(_));
        if let Some(before) = &before {
            match runtimes.status(before).await? {
                // Its engine, or somebody with the lock, was faster.
                InstanceStatus::Running | InstanceStatus::Awaited(_) if !hangs => return Ok(false),
                InstanceStatus::Ended(how) if hangs => cause = how,
                InstanceStatus::Running | InstanceStatus::Awaited(_) | InstanceStatus::Ended(_) => {
                }
            }
        }
        let is_container = spec.workload.runtime() != RuntimeKind::Process;
        if hangs || !is_container {
            // Whatever is left of it, its children too. One that hangs hears nothing, so it is not waited for.
            let removed = runtimes.remove(&folder.root, &ill.id, Duration::ZERO).await;
            match removed {
                // An engine that does not answer is none of a process' business.
                Err(error) if !is_container => tracing::warn!(%error, "containers may be left"),
                removed => removed?,
            }
        }
        if hangs {
            deployment.note(ReleaseEvent::Killed { what: ill.id.clone(), cause: cause.clone() });
        }
        let instance = self.launch(deployment, &ill.id, &spec, before.as_ref()).await?;
        if let Err(error) = folder.count_restart(&ill.id, &cause) {
            tracing::warn!(%error, "a restart of {} is not counted", ill.id);
        }
        let (id, address) = (ill.id.clone(), instance.address);
        deployment.note(ReleaseEvent::Revived { id, address, cause });
        // An engine that does not answer now brings it back once more all the same.
        if let Err(error) = runtimes.keep(&instance).await {
            tracing::warn!(%error, "the engine may not start {} by itself", ill.id);
        }
        Ok(true)
    }

    async fn launch(
        &mut self,
        deployment: &Deployment<'_>,
        id: &str,
        spec: &ReleaseSpec,
        before: Option<&Instance>,
    ) -> Result<Instance> {
        let Deployment { folder, runtimes, .. } = deployment;
        let what = InstanceSpec { id, service_root: &folder.root, release: spec };
        let instance = match before {
            Some(before) => runtimes.restart(&what, before).await?,
            None => runtimes.start(&what).await?,
        };
        self.unwritten.remove(id);
        if let Err(error) = folder.write_instance(&instance) {
            tracing::warn!(%error, "that {id} was started again is only known here");
            self.unwritten.insert(id.to_owned(), instance.clone());
        }
        Ok(instance)
    }

    /// A target of the route, where its instances are now.
    fn target_of(&mut self, folder: &Folder, before: &TargetSpec) -> Result<TargetSpec> {
        let Some(spec) = folder.read_spec(&before.id)? else { return Ok(before.clone()) };
        let ids = replica_ids(&before.id, spec.replicas);
        let found = ids.filter_map(|id| self.instance(folder, &id).transpose());
        let replicas = Replicas::of(found.collect::<Result<Vec<_>>>()?);
        Ok(replicas.map_or_else(|| before.clone(), |replicas| target(&replicas, &spec)))
    }
}
