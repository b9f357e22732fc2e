//! By what a service's containers and networks are found again: labels, and names that differ from one
//! folder to the next.

use std::collections::HashMap;
use std::path::Path;

/// The label: folder of the service.
pub(super) const SERVICE_LABEL: &str = "trainyard.service";
/// The label: id of the instance.
pub(super) const INSTANCE_LABEL: &str = "trainyard.instance";

/// The name of everything of a service: readable, and its own for each folder.
pub(super) fn service_name(service_root: &Path) -> String {
    let name = service_root.file_name().unwrap_or_default().to_string_lossy();
    // FNV-1a: the name must stay the same from one program to the next.
    let hash = service_root
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("trainyard-{name}-{:08x}", hash >> 32)
}

/// The name of an instance's container.
pub(super) fn container_name(service_root: &Path, id: &str) -> String {
    format!("{}-{id}", service_name(service_root))
}

/// The filter for everything that belongs to a service.
pub(super) fn service_filter(service_root: &Path) -> String {
    format!("{SERVICE_LABEL}={}", service_root.display())
}

/// The labels of everything that belongs to a service.
pub(super) fn labels(service_root: &Path) -> HashMap<String, String> {
    [(SERVICE_LABEL.to_owned(), service_root.display().to_string())].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_folder_and_stay_the_same() {
        assert_eq!(service_name(Path::new("/a/iris")), service_name(Path::new("/a/iris")));
        assert_ne!(service_name(Path::new("/a/iris")), service_name(Path::new("/b/iris")));
        assert!(container_name(Path::new("/a/iris"), "r7").ends_with("-r7"));
    }
}
