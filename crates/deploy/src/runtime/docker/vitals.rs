//! How a container is: since when it runs and what it holds, by the engine's word.

use std::time::{Duration, SystemTime};

use bollard::models::ContainerMemoryStats;
use bollard::query_parameters::StatsOptions;
use futures::StreamExt as _;

use super::container;
use super::engine::Engine;
use crate::runtime::instance::Vitals;

/// How a container is; what the engine does not tell is left out.
pub(super) async fn vitals(engine: &Engine, container: &str) -> Vitals {
    let Ok(Some((_, state))) = container::inspect(engine, container).await else {
        return Vitals::default();
    };
    if state.running != Some(true) {
        return Vitals::default();
    }
    let started = state.started_at.as_deref().and_then(|at| humantime::parse_rfc3339(at).ok());
    let options = StatsOptions { stream: false, one_shot: true };
    let mut stats = Box::pin(engine.docker.stats(container, Some(options)));
    let memory = match stats.next().await {
        Some(Ok(stats)) => stats.memory_stats,
        Some(Err(_)) | None => None,
    };
    Vitals { up: started.and_then(since), memory_bytes: memory.as_ref().and_then(held) }
}

fn since(started: SystemTime) -> Option<Duration> {
    SystemTime::now().duration_since(started).ok()
}

/// What is held beside pages of files that the kernel may take back at any time, as `docker stats` counts it.
fn held(memory: &ContainerMemoryStats) -> Option<u64> {
    let stats = memory.stats.as_ref();
    // The name in version 2 of control groups, and that in version 1.
    let cache =
        stats.and_then(|stats| stats.get("inactive_file").or(stats.get("total_inactive_file")));
    Some(memory.usage?.saturating_sub(cache.copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_files_are_not_held() {
        let memory = |usage: Option<u64>, stats: &[(&str, u64)]| ContainerMemoryStats {
            usage,
            stats: Some(stats.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()),
            ..ContainerMemoryStats::default()
        };
        assert_eq!(held(&memory(Some(100), &[("inactive_file", 30)])), Some(70));
        assert_eq!(held(&memory(Some(100), &[("total_inactive_file", 40)])), Some(60));
        assert_eq!(held(&memory(Some(100), &[])), Some(100));
        assert_eq!(held(&memory(None, &[])), None);
    }
}
