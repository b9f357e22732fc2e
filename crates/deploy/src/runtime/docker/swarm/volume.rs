//! The volume of a service: what its instances keep on a node over restarts (models to start from when the registry
//! cannot be reached). Each node has its own; only that of the engine's own node can be removed from here.

use std::path::Path;
use std::time::Duration;

use bollard::models::{Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use tokio::time::Instant;

use super::super::engine::Engine;
use super::owner::Owner;
use crate::error::Result;

/// How often a volume that a container still has is tried.
const LOOK: Duration = Duration::from_millis(200);

/// How long the containers of tasks that ended may be there: their node removes them when it comes to it.
const FREE_LIMIT: Duration = Duration::from_secs(30);

/// The volume as a container sees it. A node makes it when it has its first task.
pub(super) fn mount(owner: &Owner, target: &Path) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(owner.name()),
        target: Some(target.display().to_string()),
        volume_options: Some(MountVolumeOptions {
            labels: Some(owner.labels()),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

/// Removes the volume from this node.
pub(super) async fn remove_all(engine: &Engine, owner: &Owner) -> Result<()> {
    let start = Instant::now();
    loop {
        let left = list(engine, owner).await?;
        for name in &left {
            let request = || engine.docker.remove_volume(name, None::<RemoveVolumeOptions>);
            let doing = || format!("cannot remove volume {name}");
            // Gone, or a container still has it.
            engine.call_unless(&[404, 409], doing, request).await?;
        }
        if left.is_empty() {
            return Ok(());
        }
        if start.elapsed() > FREE_LIMIT {
            tracing::warn!(?left, "a container still has a volume, which stays");
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn list(engine: &Engine, owner: &Owner) -> Result<Vec<String>> {
    let options = ListVolumesOptions { filters: Some(owner.filters()) };
    let request = || engine.docker.list_volumes(Some(options.clone()));
    let found = engine.call(|| "cannot list volumes".to_owned(), request).await?;
    Ok(found.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect())
}
