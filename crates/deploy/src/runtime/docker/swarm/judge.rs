//! What has become of an instance, by the tasks that Swarm had and has for it.
//!
//! Until it is kept the first task that ends is its end: what Swarm starts after that would hide that a new version
//! crashes. From then on Swarm brings it back, and what it is about to do is waited for.

use bollard::models::{Task, TaskState};

use crate::runtime::instance::InstanceStatus;

/// Exit code of a program that was killed: 128 and the signal's number.
const KILLED: i64 = 137;

/// How Swarm says that a container's own health check failed as often as it may.
const UNHEALTHY: &str = "unhealthy container";

/// The same for people.
const UNHEALTHY_SAID: &str = "the container's own health check says unhealthy";

/// Whether an instance runs. `is_kept` is whether it serves for good.
pub(super) fn judge(tasks: &[Task], is_kept: bool) -> InstanceStatus {
    let ended = tasks.iter().filter(|task| has_ended(task)).max_by_key(|task| version(task));
    if !is_kept && let Some(ended) = ended {
        return InstanceStatus::Ended(how(ended));
    }
    match current(tasks) {
        Some(task) if state(task) == Some(TaskState::RUNNING) => InstanceStatus::Running,
        Some(task) => InstanceStatus::Awaited(waits(task)),
        None => InstanceStatus::Awaited("the swarm has no task for it yet".to_owned()),
    }
}

/// The task that Swarm wants to run, or will once a moment has passed.
pub(super) fn current(tasks: &[Task]) -> Option<&Task> {
    let is_wanted = |task: &&Task| task.desired_state <= Some(TaskState::RUNNING);
    tasks.iter().filter(is_wanted).max_by_key(|task| version(task))
}

/// Whether a task may still have a container.
pub(super) fn lives(task: &Task) -> bool {
    state(task) <= Some(TaskState::RUNNING)
}

/// What happened to each task, oldest first.
pub(super) fn history(tasks: &[Task]) -> Vec<String> {
    let mut tasks: Vec<&Task> = tasks.iter().collect();
    tasks.sort_by_key(|task| version(task));
    let told = tasks.into_iter().map(|task| {
        let state = state(task).map_or_else(String::new, |state| state.to_string());
        let node =
            task.node_id.as_deref().map_or_else(String::new, |node| format!(" on node {node}"));
        format!("{state}{node}: {}", said(task))
    });
    told.collect()
}

/// Why Swarm does not run a task yet.
pub(super) fn waits(task: &Task) -> String {
    match state(task).unwrap_or(TaskState::NEW) {
        TaskState::STARTING => {
            "its container has started, and its own health check has not passed yet".to_owned()
        }
        state => format!("its task is {state}: {}", said(task)),
    }
}

fn state(task: &Task) -> Option<TaskState> {
    task.status.as_ref().and_then(|status| status.state)
}

/// Its program ended by itself or was killed, or could not be started; one that Swarm moved elsewhere did not end.
fn has_ended(task: &Task) -> bool {
    let ended = [TaskState::FAILED, TaskState::REJECTED, TaskState::COMPLETE];
    state(task).is_some_and(|state| ended.contains(&state))
}

fn how(task: &Task) -> String {
    let said = said(task);
    let container = task.status.as_ref().and_then(|status| status.container_status.as_ref());
    let code = container.and_then(|container| container.exit_code);
    match (state(task), code) {
        _ if said.contains(UNHEALTHY) => UNHEALTHY_SAID.to_owned(),
        (Some(TaskState::REJECTED), _) => format!("its node could not start it: {said}"),
        // Swarm ends what is unhealthy as it ends everything: of a program that obeys nothing more is known.
        (Some(TaskState::COMPLETE), _) => {
            format!("exit code 0: it ended by itself, or {UNHEALTHY_SAID}")
        }
        (_, Some(KILLED)) => format!(
            "exit code {KILLED}: killed, probably for want of memory: raise `memory` under [deploy]"
        ),
        (_, Some(code)) if code != 0 => format!("exit code {code}"),
        _ => said,
    }
}

/// A task in Swarm's own words.
fn said(task: &Task) -> String {
    let status = task.status.clone().unwrap_or_default();
    let error = status.err.filter(|error| !error.is_empty());
    error.or(status.message).unwrap_or_default()
}

/// When it changed last, in the order of the swarm's changes.
fn version(task: &Task) -> u64 {
    task.version.as_ref().and_then(|version| version.index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerStatus, ObjectVersion, TaskStatus};

    use super::*;

    fn task(version: u64, state: TaskState, desired: TaskState, error: &str, code: i64) -> Task {
        let container = ContainerStatus { exit_code: Some(code), ..ContainerStatus::default() };
        Task {
            version: Some(ObjectVersion { index: Some(version) }),
            desired_state: Some(desired),
            node_id: Some("n1".to_owned()),
            status: Some(TaskStatus {
                state: Some(state),
                err: Some(error.to_owned()),
                message: Some("started".to_owned()),
                container_status: Some(container),
                ..TaskStatus::default()
            }),
            ..Task::default()
        }
    }

    fn ended(tasks: &[Task]) -> String {
        match judge(tasks, false) {
            InstanceStatus::Ended(how) => how,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_crash_is_the_end_until_it_is_kept() {
        let crashed = task(3, TaskState::FAILED, TaskState::SHUTDOWN, "task: non-zero exit (1)", 1);
        let again = task(5, TaskState::RUNNING, TaskState::RUNNING, "", 0);
        let tasks = [crashed.clone(), again];
        assert_eq!(ended(&tasks), "exit code 1");
        assert_eq!(judge(&tasks, true), InstanceStatus::Running);
        let soon = task(5, TaskState::READY, TaskState::READY, "", 0);
        let InstanceStatus::Awaited(why) = judge(&[crashed.clone(), soon], true) else { panic!() };
        assert_eq!(why, "its task is ready: started");
        assert!(matches!(judge(&[], false), InstanceStatus::Awaited(_)));
        let told = history(&[crashed]);
        assert_eq!(told, ["failed on node n1: task: non-zero exit (1)"]);
    }

    #[test]
    fn an_end_is_told_as_that_of_a_container() {
        let failed =
            |error, code| ended(&[task(1, TaskState::FAILED, TaskState::SHUTDOWN, error, code)]);
        assert!(failed("task: non-zero exit (137)", 137).contains("want of memory"));
        let unhealthy = "task: non-zero exit (137): dockerexec: unhealthy container";
        assert_eq!(failed(unhealthy, 137), UNHEALTHY_SAID);
        let complete = task(1, TaskState::COMPLETE, TaskState::SHUTDOWN, "", 0);
        let obeyed = ended(&[complete]);
        assert!(
            obeyed.starts_with("exit code 0: ") && obeyed.ends_with(UNHEALTHY_SAID),
            "{obeyed}"
        );
        let not_started = "starting container failed: address already in use";
        assert_eq!(failed(not_started, 0), not_started);
        let rejected = task(1, TaskState::REJECTED, TaskState::SHUTDOWN, "No such image: a:1", 0);
        assert_eq!(ended(&[rejected]), "its node could not start it: No such image: a:1");
    }

    #[test]
    fn a_task_that_starts_or_moves_is_waited_for() {
        let starting = task(1, TaskState::STARTING, TaskState::RUNNING, "", 0);
        let InstanceStatus::Awaited(why) = judge(&[starting], false) else { panic!() };
        assert!(why.contains("health check has not passed"), "{why}");
        // Its node is gone: nobody knows whether it runs there.
        let left = task(2, TaskState::RUNNING, TaskState::SHUTDOWN, "", 0);
        let pending = task(4, TaskState::PENDING, TaskState::RUNNING, "no suitable node", 0);
        let InstanceStatus::Awaited(why) = judge(&[left, pending], false) else { panic!() };
        assert_eq!(why, "its task is pending: no suitable node");
    }
}
