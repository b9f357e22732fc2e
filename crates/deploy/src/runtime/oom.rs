//! Whether the kernel killed for want of memory: what it kills ends by the same signal as what a person kills, and
//! only one of the two says something of the program.

use std::time::Duration;

use tokio::time::Instant;

/// How long a process that the kernel kills may take to vanish: its memory is given back first.
const RECENT: Duration = Duration::from_secs(10);

/// Counts what the kernel kills on this machine, in containers too.
#[derive(Debug, Default)]
pub(crate) struct OomWatch {
    kills: Option<u64>,
    killed: Option<Instant>,
}

impl OomWatch {
    /// Looks at the kernel's count; to be called each time before [`is_recent`](Self::is_recent) is asked.
    pub(crate) fn look(&mut self) {
        let now = std::fs::read_to_string("/proc/vmstat").ok().and_then(|text| count(&text));
        if let (Some(before), Some(now)) = (self.kills, now)
            && now > before
        {
            self.killed = Some(Instant::now());
        }
        self.kills = now;
    }

    /// Whether it killed something lately.
    pub(crate) fn is_recent(&self) -> bool {
        self.killed.is_some_and(|at| at.elapsed() < RECENT)
    }
}

/// The count in the text of `/proc/vmstat`.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found() {
        assert_eq!(count("pgfault 12\noom_kill 8\nnuma_hit 3\n"), Some(8));
        assert_eq!(count("pgfault 12\noom_killer 8\n"), None);
        let mut watch = OomWatch::default();
        watch.look();
        assert!(!watch.is_recent(), "the first look has nothing to compare with");
    }
}
