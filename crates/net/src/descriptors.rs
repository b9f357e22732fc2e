//! File descriptors: each connection is one, and a server that has none left answers nobody.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No more are asked for: children inherit the limit, and some programs walk over all that it allows.
const DESCRIPTORS_MAX: u64 = 65_536;

/// Descriptors for all else: listeners, logs, databases, models that are being loaded.
const OTHERS_MAX: u64 = 128;

/// Raises this process' limit to what it may have, up to 65,536; how many it has then.
pub fn raise() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let hard = now.maximum.unwrap_or(u64::MAX);
    let soft = now.current.unwrap_or(u64::MAX);
    let wanted = DESCRIPTORS_MAX.min(hard);
    if soft >= wanted {
        return soft;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, soft, "the limit of open files stays as it is");
            soft
        }
    }
}

/// Connections for which the descriptors suffice when each takes `per_connection` of them, at most
/// `wanted`. Says so once when that is less.
pub fn connections(wanted: usize, per_connection: u64) -> usize {
    let descriptors = raise();
    let possible = possible(descriptors, per_connection);
    if possible < wanted {
        tracing::warn!(
            descriptors,
            wanted,
            connections = possible,
            "the limit of open files (ulimit -n) allows fewer connections than wanted"
        );
    }
    wanted.min(possible)
}

/// A quarter of few descriptors is for the rest of the process, but no more than it needs.
fn possible(descriptors: u64, per_connection: u64) -> usize {
    let left = descriptors - OTHERS_MAX.min(descriptors / 4);
    // The crowd at the door is beside the connections that are counted.
    let left = left.saturating_sub(crate::places::CROWD_MAX as u64 / 2);
    usize::try_from(left / per_connection.max(1)).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(possible(1024, 1), 864);
        assert_eq!(possible(1024, 2), 432);
        assert_eq!(possible(256, 2), 80);
        assert_eq!(possible(10, 2), 1);
        assert!(raise() >= 128);
        assert_eq!(connections(5, 2), 5);
    }
}
