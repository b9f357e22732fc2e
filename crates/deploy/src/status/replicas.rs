//! Which instances a release has: the first bears its id, further ones a number behind it (`r3`, `r3.2`, `r3.3`).

use crate::error::{Error, Result};
use crate::state::folder::Folder;

/// Ids of all instances of a release whose folders are there, the first one always.
pub(crate) fn replicas(folder: &Folder, release: &str) -> Result<Vec<String>> {
    let path = folder.instances();
    let failed = |source| Error::io("cannot read", &path, source);
    let mut numbers = Vec::new();
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(vec![release.to_owned()]);
        }
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(release)?.strip_prefix('.'));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    let further = numbers.into_iter().map(|number| format!("{release}.{number}"));
    Ok(std::iter::once(release.to_owned()).chain(further).collect())
}

/// The release that an instance belongs to.
pub(super) fn release_of(id: &str) -> &str {
    id.split_once('.').map_or(id, |(release, _number)| release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_a_release_are_in_order() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder { root: temporary.path().to_owned() };
        assert_eq!(replicas(&folder, "r1").unwrap(), ["r1"]);
        for name in ["r1", "r1.10", "r1.2", "r11", "r11.2", "r2", "r1.x"] {
            std::fs::create_dir_all(folder.instance(name)).unwrap();
        }
        assert_eq!(replicas(&folder, "r1").unwrap(), ["r1", "r1.2", "r1.10"]);
        assert_eq!((release_of("r1.10"), release_of("r2")), ("r1", "r2"));
    }
}
