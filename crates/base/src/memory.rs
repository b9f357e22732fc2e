//! Memory that this process can still take: of the machine, and of the control groups it is in.
//!
//! Sources: `proc_meminfo(5)`, and the kernel's documents of control groups, version 1
//! (`memory.limit_in_bytes`) and 2 (`memory.max`).

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const GROUPS: &str = "/sys/fs/cgroup";

/// Version 1 says "no limit" by a number near the largest: nothing has a quarter of an exabyte.
const UNLIMITED: u64 = 1 << 58;

/// Bytes that can be taken now, or below `limit` in all (the process' own); none where nothing says.
pub fn available(limit: Option<u64>) -> Option<u64> {
    let own = limit.map(|limit| limit.saturating_sub(resident().unwrap_or(0)));
    let groups = own_groups().iter().filter_map(Group::available).min();
    [machine("MemAvailable:"), groups, own].into_iter().flatten().min()
}

/// Bytes that this process may take in all: the machine's, or what its control groups or `limit` allow.
/// None where nothing says.
pub fn total(limit: Option<u64>) -> Option<u64> {
    let groups = own_groups().iter().filter_map(Group::limit).min();
    [machine("MemTotal:"), groups, limit].into_iter().flatten().min()
}

fn machine(key: &str) -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, key)
}

/// Bytes of memory that this process holds now.
pub fn resident() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The value of a line such as `MemAvailable:  1234 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The folder of a control group of either version.
#[derive(Debug, PartialEq, Eq)]
struct Group(PathBuf);

fn own_groups() -> Vec<Group> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups(Path::new(GROUPS), &own)
}

/// The groups this process is in, from the innermost outwards: each may have a limit. `own` is
/// `/proc/self/cgroup`. Inside of a container its path may be the host's, and not be there: then the
/// mount's root is the container's own group.
fn groups(root: &Path, own: &str) -> Vec<Group> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(id), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let mount = match (id, controllers) {
            ("0", "") => root.to_owned(),
            (_, names) if names.split(',').any(|name| name == "memory") => root.join("memory"),
            _ => continue,
        };
        let inner = mount.join(path.trim_start_matches('/'));
        let levels = inner.ancestors().take_while(|level| level.starts_with(&mount));
        found.extend(levels.filter(|level| level.is_dir()).map(|level| Group(level.to_owned())));
    }
    for mount in [root.to_owned(), root.join("memory")] {
        if !found.iter().any(|group| group.0 == mount) {
            found.push(Group(mount));
        }
    }
    found
}

impl Group {
    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.0.join(file)).ok()?.trim().parse().ok()
    }

    fn limit(&self) -> Option<u64> {
        self.number("memory.max")
            .or_else(|| self.number("memory.limit_in_bytes"))
            .filter(|limit| *limit < UNLIMITED)
    }

    /// What the group leaves. Pages of files that nobody has used for a while count as used there, but
    /// are given up first.
    fn available(&self) -> Option<u64> {
        let limit = self.limit()?;
        let used =
            self.number("memory.current").or_else(|| self.number("memory.usage_in_bytes"))?;
        let idle = fs::read_to_string(self.0.join("memory.stat")).ok().and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("inactive_file "))?.trim().parse().ok()
        });
        Some(limit.saturating_sub(used.saturating_sub(idle.unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(root: &Path, own: &str) -> Option<u64> {
        groups(root, own).iter().filter_map(Group::available).min()
    }

    #[test]
    fn both_kinds_of_control_groups_are_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(least(root.path(), ""), None);
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("memory/memory.limit_in_bytes", "1000\n");
        write("memory/memory.usage_in_bytes", "900\n");
        write("memory/memory.stat", "cache 5\ninactive_file 100\n");
        assert_eq!(least(root.path(), "5:cpu,memory:/docker/abc"), Some(200));
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(least(root.path(), "5:cpu,memory:/"), None, "no limit of version 1");
        write("memory.max", "max\n");
        assert_eq!(least(root.path(), "0::/"), None, "no limit of version 2");
        write("memory.max", "5000\n");
        write("memory.current", "1000\n");
        assert_eq!(least(root.path(), "0::/"), Some(4000));
    }

    #[test]
    fn the_narrowest_group_around_the_process_counts() {
        let root = tempfile::tempdir().unwrap();
        for (group, limit, used) in [("", 9000, 0), ("a", 700, 100), ("a/b", 5000, 50)] {
            let folder = root.path().join(group);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("memory.max"), format!("{limit}\n")).unwrap();
            fs::write(folder.join("memory.current"), format!("{used}\n")).unwrap();
        }
        assert_eq!(least(root.path(), "0::/a/b\n"), Some(600));
        assert_eq!(least(root.path(), "0::/elsewhere\n"), Some(9000));
    }

    #[test]
    fn this_machine_says_something() {
        assert!(available(None).is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(available(Some(0)), Some(0));
        assert!(total(None) >= available(None));
        assert_eq!(total(Some(1000)), Some(1000));
    }
}
