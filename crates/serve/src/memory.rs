//! Whether there is room for one more model before it is loaded, not after.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes in memory for each byte of a model's files: compressed trees grow, and while a file is
/// parsed its text and its values are there together. What a loaded model takes is less.
const FACTOR_MAX: u64 = 3;

/// Refuses a model folder for which there is no room.
pub(crate) fn check(folder: &Path, available: Option<u64>) -> Result<()> {
    let Some(available) = available else { return Ok(()) };
    let needed = folder_bytes(folder, 0)
        .map_err(|source| Error::Io { path: folder.to_owned(), source })?
        .saturating_mul(FACTOR_MAX);
    if needed > available {
        return Err(Error::Memory { needed, available });
    }
    Ok(())
}

/// Folders within folders; a model's are two or three deep.
const DEPTH_MAX: usize = 32;

/// Bytes of the files of a folder that lies `depth` folders below that of the model.
pub(crate) fn folder_bytes(folder: &Path, depth: usize) -> std::io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            bytes = bytes.saturating_add(metadata.len());
        } else if metadata.is_dir() && depth < DEPTH_MAX {
            bytes = bytes.saturating_add(folder_bytes(&entry.path(), depth + 1)?);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_room_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/model"), vec![0; 1000]).unwrap();
        assert!(check(folder.path(), None).is_ok());
        assert!(check(folder.path(), Some(3000)).is_ok());
        let error = check(folder.path(), Some(2999)).unwrap_err().to_string();
        assert!(error.contains("3000") && error.contains("2999"), "{error}");
    }
}
