//! The volume of a service: what its instances keep on a node over restarts (models to start from when the registry
//! cannot be reached). Each node has its own; only that of the engine's own node can be removed from here.

use std::path::Path;

use bollard::models::{Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::super::engine::Engine;
use super::owner::Owner;
use crate::error::Result;

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

/// Removes the volume from this node. One that a container still has stays.
pub(super) async fn remove_all(engine: &Engine, owner: &Owner) -> Result<()> {
    let options = ListVolumesOptions { filters: Some(owner.filters()) };
    let request = || engine.docker.list_volumes(Some(options.clone()));
    let found = engine.call(|| "cannot list volumes".to_owned(), request).await?;
    for volume in found.volumes.unwrap_or_default() {
        let name = volume.name.as_str();
        let request = || engine.docker.remove_volume(name, None::<RemoveVolumeOptions>);
        let doing = || format!("cannot remove volume {name}");
        engine.call_unless(&[404, 409], doing, request).await?;
    }
    Ok(())
}
