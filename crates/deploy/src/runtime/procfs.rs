//! The few facts about processes that `/proc` tells.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::Pid;

/// A process that runs, as far as a deployer needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessFacts {
    /// Process group.
    pub(super) group: i32,
    /// Start time in clock ticks since boot: with the id it names a process for good.
    pub(super) started: u64,
}

/// Facts about a process that runs; `None` when it is gone or a zombie.
pub(super) fn facts(pid: Pid) -> Option<ProcessFacts> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    parse_stat(&stat)
}

/// Whether a process runs; a zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    to_pid(pid).and_then(facts).is_some()
}

/// A process id as the kernel's calls want it.
pub(super) fn to_pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}

/// Whether a process is stopped, as by SIGSTOP: it exists, and answers nobody until it is told to go on. One that a
/// debugger holds is none.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// When a process that runs was started, in clock ticks since boot; none when it is gone.
pub(crate) fn started(pid: u32) -> Option<u64> {
    to_pid(pid).and_then(facts).map(|facts| facts.started)
}

/// Whether a process was started with this among its arguments.
pub(crate) fn has_argument(pid: u32, argument: &Path) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|&byte| byte == 0).any(|found| found == argument.as_os_str().as_bytes())
}

/// The name in parentheses may contain anything, so fields are counted from its end.
fn parse_stat(stat: &str) -> Option<ProcessFacts> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // man 5 proc_pid_stat: state is field 3, pgrp 5, starttime 22.
    let field = |number: usize| fields.get(number - 3).copied();
    if matches!(field(3)?, "Z" | "X" | "x") {
        return None;
    }
    Some(ProcessFacts { group: field(5)?.parse().ok()?, started: field(22)?.parse().ok()? })
}

/// How long ago a process started, by its start time in clock ticks since boot.
pub(super) fn up(started: u64) -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let since_boot: f64 = text.split_whitespace().next()?.parse().ok()?;
    let at = started as f64 / clock_ticks_per_second() as f64;
    Duration::try_from_secs_f64((since_boot - at).max(0.0)).ok()
}

/// Bytes of memory that a process holds with all that it started (workers of a model server): the resident pages
/// of its group, so that what they share counts more than once.
pub(super) fn memory_of_group(leader: Pid) -> Option<u64> {
    let group = facts(leader)?.group;
    let entries = std::fs::read_dir("/proc").ok()?;
    let pids =
        entries.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?));
    let members = pids.filter(|pid| facts(*pid).is_some_and(|facts| facts.group == group));
    Some(members.filter_map(resident).sum())
}

/// Bytes of a process that are in memory.
fn resident(pid: Pid) -> Option<u64> {
    // man 5 proc_pid_statm: the second field, in pages.
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_nonzero())).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(page_size() as u64))
}

/// All processes whose environment carries `variable=value`, with the value of `wanted`.
///
/// Processes of other users cannot be read and are not ours.
pub(super) fn find_by_environment(label: &str, wanted: &str) -> Vec<(Pid, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<(Pid, String)> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid = Pid::from_raw(name.to_str()?.parse().ok()?)?;
            let environment = std::fs::read(Path::new("/proc").join(name).join("environ")).ok()?;
            let mut variables = environment.split(|&byte| byte == 0);
            variables.clone().find(|variable| *variable == label.as_bytes())?;
            let value = variables.find_map(|variable| variable.strip_prefix(wanted.as_bytes()))?;
            facts(pid)?;
            Some((pid, String::from_utf8_lossy(value).into_owned()))
        })
        .collect();
    found.sort_by_key(|(pid, _)| pid.as_raw_nonzero());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parentheses_do_not_confuse() {
        let stat = "7 (a) R (b) S 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9";
        assert_eq!(parse_stat(stat), Some(ProcessFacts { group: 7, started: 12345 }));
        assert_eq!(parse_stat(&stat.replace(") S", ") Z")), None);
        assert_eq!(parse_stat("7 (cut"), None);
    }

    #[test]
    fn this_process_runs() {
        let me = rustix::process::getpid();
        assert!(facts(me).is_some_and(|facts| facts.started > 0));
        let me = std::process::id();
        assert!(started(me).is_some_and(|started| started > 0) && !is_stopped(me));
        let program = std::env::args().next().unwrap();
        assert!(has_argument(me, Path::new(&program)) && !has_argument(me, Path::new("/none")));
    }

    #[test]
    fn a_stopped_process_is_known_as_one() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = to_pid(child.id()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        // The signal is on its way for a moment.
        while !is_stopped(child.id()) {
            std::thread::yield_now();
        }
        assert!(runs(child.id()), "it is there all the same");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_stopped(child.id()));
    }
}
