//! What has become of what should serve: a look from outside of the gateway that takes no lock and changes nothing,
//! so that it can be had several times a second.
//!
//! An instance has ended, hangs, or is there. It hangs if it is stopped (SIGSTOP), or if nothing comes back from its
//! health check while no request is answered either. One that answers that it is not well (it loads its model, or
//! lost its registry) is no case for a new start: it may be the only one that knows how to serve.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use trainyard_base::words::HEALTH_PATH;

use super::spec::ReleaseSpec;
use super::standing::{Condition, PATIENCE, Post, Standing, route};
use crate::error::{Error, Result};
use crate::gateway::control::{Control, GatewayStatus};
use crate::probe::{self, Look};
use crate::replica_id::replica_ids;
use crate::runtime::{Instance, InstanceStatus, OomWatch, Runtimes, is_stopped};
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::lock;
use crate::workload::RuntimeKind;

/// How long a process may be stopped before it hangs: a job that is put in the background for a moment does not.
const STOPPED_LIMIT: Duration = Duration::from_millis(1500);

/// Time between two looks at the health of an instance that is well; the gateway looks as often.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// Looks in a row without an answer, while no request is answered either, after which something hangs.
const MUTE_MAX: u32 = 3;

/// The same where requests are answered meanwhile: by another replica, or before it hung.
const MUTE_WHILE_OTHERS_ANSWER_MAX: u32 = 10;

/// The least time in which an instance must listen, whatever its release says.
const LISTEN_LIMIT_MIN: Duration = Duration::from_secs(10);

/// Keeps a service up: looks at it, and starts what does not run. It remembers what it saw and what it started.
#[derive(Debug)]
pub struct Keeper {
    pub(super) service: Service,
    /// Those it started are children of this process: only here it is known how they ended.
    pub(super) runtimes: Runtimes,
    gateway: GatewaySeen,
    seen: BTreeMap<String, InstanceSeen>,
    oom: OomWatch,
    /// What was started and could not be written down: the disk is full.
    pub(super) unwritten: BTreeMap<String, Instance>,
}

/// What was seen of the gateway.
#[derive(Debug, Default)]
struct GatewaySeen {
    pid: Option<u32>,
    stopped_since: Option<Instant>,
    mute: u32,
}

/// What was seen of an instance.
#[derive(Debug, Default)]
struct InstanceSeen {
    /// Its process or container: another one is another instance.
    handle: String,
    stopped_since: Option<Instant>,
    /// When it was well last: one that is not is asked at each look.
    well: Option<Instant>,
    /// Since when nobody listens.
    deaf_since: Option<Instant>,
    mute: u32,
    mute_in_all: u32,
    /// Answers to anybody when it was asked last.
    answers: u64,
}

impl Keeper {
    /// One that has seen nothing yet.
    pub fn new(service: Service) -> Self {
        Self {
            service,
            runtimes: Runtimes::default(),
            gateway: GatewaySeen::default(),
            seen: BTreeMap::new(),
            oom: OomWatch::default(),
            unwritten: BTreeMap::new(),
        }
    }

    /// The service as it is to be from now on.
    pub fn set_service(&mut self, service: Service) {
        self.service = service;
    }

    /// What should serve, and what has become of it.
    pub async fn look(&mut self) -> Result<Standing> {
        let folder = match Folder::open(&self.service) {
            Err(Error::NotDeployed { .. }) => return Ok(Standing::nothing()),
            folder => folder?,
        };
        self.oom.look();
        let (gateway, status) = self.gateway.look(&folder).await;
        let route = route(status.as_ref(), &folder)?;
        let Some(current) = route.current else { return Ok(Standing::nothing()) };
        let answers = status.map_or(0, |status| status.answers);
        let mut standing = Standing { gateway, ..Standing::nothing() };
        for (release, is_current) in
            [(Some(&current.id), true), (route.standby.as_ref().map(|target| &target.id), false)]
        {
            let Some(release) = release else { continue };
            let spec = folder.read_spec(release)?;
            for id in replica_ids(release, spec.as_ref().map_or(1, |spec| spec.replicas)) {
                let post = if let Some(instance) = self.instance(&folder, &id)? {
                    standing.uses_engine |= instance.runtime != RuntimeKind::Process;
                    self.look_at(&instance, spec.as_ref(), answers).await
                } else {
                    let condition = Condition::Ended("its start was not written down".into());
                    Post { id, condition, is_by_hand: false }
                };
                standing.instances.push(post);
            }
            if is_current {
                standing.label = spec.map(|spec| spec.label).unwrap_or_default();
            }
        }
        self.seen.retain(|id, _| standing.instances.iter().any(|post| post.id == *id));
        standing.current = Some(current.id);
        Ok(standing)
    }

    /// An instance as it was started last. What could not be written down then is, when there is room again.
    pub(super) fn instance(&mut self, folder: &Folder, id: &str) -> Result<Option<Instance>> {
        let Some(started) = self.unwritten.get(id).cloned() else {
            return folder.read_instance(id);
        };
        if folder.write_instance(&started).is_ok() {
            self.unwritten.remove(id);
        }
        Ok(Some(started))
    }

    async fn look_at(
        &mut self,
        instance: &Instance,
        spec: Option<&ReleaseSpec>,
        answers: u64,
    ) -> Post {
        let Self { runtimes, seen, oom, .. } = self;
        let post = |condition: Condition, is_by_hand: bool| Post {
            id: instance.id.clone(),
            condition,
            is_by_hand,
        };
        match runtimes.status(instance).await {
            Ok(InstanceStatus::Running) => {}
            // Its runtime sees to it, and whoever else did would be in its way.
            Ok(InstanceStatus::Awaited(why)) => return post(Condition::Unwell(why), false),
            Ok(InstanceStatus::Ended(how)) => {
                let was_ended = runtimes.was_ended(instance);
                // The kernel kills as people do.
                let is_of_here = instance.runtime == RuntimeKind::Process;
                return if was_ended && is_of_here && oom.is_recent() {
                    post(Condition::Ended(format!("{how}, probably for want of memory")), false)
                } else {
                    post(Condition::Ended(how), was_ended)
                };
            }
            Err(error) => return post(Condition::Unknown(error.to_string()), false),
        }
        let seen = seen.entry(instance.id.clone()).or_default();
        if seen.handle != instance.handle {
            *seen = InstanceSeen { handle: instance.handle.clone(), ..InstanceSeen::default() };
        }
        let process = match instance.runtime {
            RuntimeKind::Process => instance.handle.parse().ok(),
            RuntimeKind::Docker | RuntimeKind::Swarm => None,
        };
        if let Some(stopped) = stopped(process, &mut seen.stopped_since) {
            return post(stopped, true);
        }
        if seen.well.is_some_and(|at| at.elapsed() < HEALTH_INTERVAL) {
            return post(Condition::Well, false);
        }
        let path = spec.map_or(HEALTH_PATH, |spec| spec.health_path.as_str());
        let token = spec.and_then(ReleaseSpec::token);
        let look = probe::look(instance.address, path, token.as_ref(), PATIENCE).await;
        let limit = spec.map_or(LISTEN_LIMIT_MIN, |spec| spec.deadline.max(LISTEN_LIMIT_MIN));
        let condition = match seen.heard(look, answers, limit, Instant::now()) {
            // The swarm asks its containers itself, and ends those that hang.
            Condition::Hangs(how) if instance.runtime == RuntimeKind::Swarm => {
                Condition::Unwell(how)
            }
            condition => condition,
        };
        seen.well = (condition == Condition::Well).then(Instant::now);
        post(condition, false)
    }
}

impl GatewaySeen {
    async fn look(&mut self, folder: &Folder) -> (Condition, Option<GatewayStatus>) {
        // Not asked while it is stopped: the answer would be waited for.
        if let Some(stopped) = stopped(self.pid, &mut self.stopped_since) {
            return (stopped, None);
        }
        let control = Control::new(folder.gateway_socket());
        let asked = tokio::time::timeout(PATIENCE, control.status());
        match asked.await {
            Ok(Ok(Some(status))) => {
                *self = Self { pid: Some(status.pid), ..Self::default() };
                (Condition::Well, Some(status))
            }
            Ok(Ok(None)) => {
                *self = Self::default();
                (Condition::Ended("it does not run".to_owned()), None)
            }
            Ok(Err(error)) => (Condition::Unwell(error.to_string()), None),
            Err(_elapsed) => {
                self.mute += 1;
                let reason = format!("no answer within {} s", PATIENCE.as_secs());
                if self.mute >= MUTE_MAX {
                    return (Condition::Hangs(reason), None);
                }
                // By its process it is known at once whether it is stopped.
                self.pid = lock::holder(&folder.gateway_lock()).map(|holder| holder.pid);
                (Condition::Unwell(reason), None)
            }
        }
    }
}

/// What a process that is stopped is; none if it is not.
fn stopped(process: Option<u32>, since: &mut Option<Instant>) -> Option<Condition> {
    if !process.is_some_and(is_stopped) {
        *since = None;
        return None;
    }
    let since = *since.get_or_insert_with(Instant::now);
    let reason = "it is stopped".to_owned();
    Some(if since.elapsed() >= STOPPED_LIMIT {
        Condition::Hangs(reason)
    } else {
        Condition::Unwell(reason)
    })
}

impl InstanceSeen {
    /// What follows from a look. `answers` is what requests got from it so far; it must listen within `limit`.
    fn heard(&mut self, look: Look, answers: u64, limit: Duration, now: Instant) -> Condition {
        if answers != self.answers {
            self.mute = 0;
            self.answers = answers;
        }
        match look {
            Look::Nothing(how) => {
                self.mute += 1;
                self.mute_in_all += 1;
                let hangs =
                    self.mute >= MUTE_MAX || self.mute_in_all >= MUTE_WHILE_OTHERS_ANSWER_MAX;
                if hangs { Condition::Hangs(how) } else { Condition::Unwell(how) }
            }
            Look::Gone(how) => {
                (self.mute, self.mute_in_all) = (0, 0);
                let since = *self.deaf_since.get_or_insert(now);
                if now.duration_since(since) > limit {
                    Condition::Hangs(how)
                } else {
                    Condition::Unwell(how)
                }
            }
            Look::Well => {
                self.answered();
                Condition::Well
            }
            Look::Sick(said) => {
                self.answered();
                Condition::Unwell(said)
            }
        }
    }

    /// It said something: what was against it is forgotten.
    fn answered(&mut self) {
        (self.mute, self.mute_in_all, self.deaf_since) = (0, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn nothing() -> Look {
        Look::Nothing("no answer".to_owned())
    }

    fn hangs(condition: &Condition) -> bool {
        matches!(condition, Condition::Hangs(_))
    }

    #[test]
    fn it_hangs_when_nobody_hears_of_it_three_times() {
        let now = Instant::now();
        let mut seen = InstanceSeen::default();
        let mut hear = |look: Look, answers: u64| seen.heard(look, answers, SECOND, now);
        assert_eq!(hear(Look::Well, 5), Condition::Well);
        assert!(!hangs(&hear(nothing(), 5)) && !hangs(&hear(nothing(), 5)));
        assert!(!hangs(&hear(nothing(), 6)), "somebody was answered");
        assert!(!hangs(&hear(nothing(), 6)));
        assert!(hangs(&hear(nothing(), 6)));
        // It says that it is not well: that is an answer.
        assert_eq!(hear(Look::Sick("503".to_owned()), 6), Condition::Unwell("503".to_owned()));
        // Others answer, this one does not: it takes longer to be sure.
        let looks: Vec<bool> = (7..17).map(|answers| hangs(&hear(nothing(), answers))).collect();
        assert_eq!(looks, [vec![false; 9], vec![true]].concat());
    }

    #[test]
    fn one_that_starts_has_its_time_to_listen() {
        let start = Instant::now();
        let mut seen = InstanceSeen::default();
        let mut hear = |after: Duration| {
            seen.heard(Look::Gone("refused".to_owned()), 0, 10 * SECOND, start + after)
        };
        assert!(!hangs(&hear(Duration::ZERO)) && !hangs(&hear(10 * SECOND)));
        assert!(hangs(&hear(11 * SECOND)));
    }
}
