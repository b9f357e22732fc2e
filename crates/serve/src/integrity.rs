//! Whether a model folder is what was registered: digests, where somebody wrote them down.
//!
//! MLflow records no digests. A folder may carry `checksums.sha256`, as `sha256sum` writes it
//! (`<digest>  <path>` a line); then every file of it must be there and match. A registered version
//! may have the tag `trainyard.checksums_sha256`, the digest of that file: then the file must be
//! there, and nobody who can write to the artifact store, but not to the registry, can put another
//! model in its place.

use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use trainyard_mlflow::entities::ModelVersion;
use trainyard_signature::model::{open_file, read_file};

use crate::error::{Error, Result};

/// The file of a model folder with the digests of the others.
const FILE: &str = "checksums.sha256";

/// The tag of a version with the digest of that file.
const TAG: &str = "trainyard.checksums_sha256";

/// Bytes of the list: some thousand files.
const LIST_BYTES_MAX: u64 = 1 << 20;

fn broken(reason: String) -> Error {
    Error::Integrity { reason }
}

/// Compares the folder with what is written down about it.
pub(crate) fn check(folder: &Path, version: Option<&ModelVersion>) -> Result<()> {
    let tag = version.and_then(|version| version.tags.iter().find(|tag| tag.key == TAG));
    let unreadable = |error: trainyard_signature::Error| broken(format!("{FILE}: {error}"));
    let Some(list) = read_file(folder, FILE, LIST_BYTES_MAX).map_err(unreadable)? else {
        return match tag {
            Some(_) => Err(broken(format!("the version has the tag {TAG}, but no {FILE}"))),
            None => Ok(()),
        };
    };
    let list = String::from_utf8(list).map_err(|_| broken(format!("{FILE} is not UTF-8")))?;
    if let Some(tag) = tag {
        let found = hex::encode(Sha256::digest(list.as_bytes()));
        if !found.eq_ignore_ascii_case(tag.value.trim()) {
            return Err(broken(format!("{FILE} is {found}, the version's tag says {}", tag.value)));
        }
    }
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let Some((expected, name)) = line.split_once([' ', '\t']) else {
            return Err(broken(format!("{FILE}: no digest and path: {line:?}")));
        };
        let name = name.trim_start().trim_start_matches('*');
        let found = digest(folder, name)?;
        if !found.eq_ignore_ascii_case(expected) {
            return Err(broken(format!("{name} is {found}, {FILE} says {expected}")));
        }
    }
    Ok(())
}

fn digest(folder: &Path, name: &str) -> Result<String> {
    let unreadable = |error: &dyn std::fmt::Display| broken(format!("{FILE}: {name}: {error}"));
    let file = open_file(folder, name).map_err(|error| unreadable(&error))?;
    let mut file = file.ok_or_else(|| broken(format!("{FILE} names {name}, which is gone")))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).map_err(|error| unreadable(&error))?;
        if count == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(buffer.get(..count).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::KeyValue;

    use super::*;

    #[test]
    fn digests_are_compared_where_there_are_some() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let tagged = |value: &str| ModelVersion {
            tags: vec![KeyValue::new(TAG, value)],
            ..ModelVersion::default()
        };
        assert!(check(folder.path(), None).is_ok());
        let error = check(folder.path(), Some(&tagged("00"))).unwrap_err().to_string();
        assert!(error.contains("but no checksums"), "{error}");
        // printf hello | sha256sum
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        write("model", "hello");
        write(FILE, &format!("{hello}  model\n{hello} *./model\n\n"));
        assert!(check(folder.path(), None).is_ok());
        let of_list = digest(folder.path(), FILE).unwrap();
        assert!(check(folder.path(), Some(&tagged(&of_list))).is_ok());
        let error = check(folder.path(), Some(&tagged(hello))).unwrap_err().to_string();
        assert!(error.contains("tag says"), "{error}");
        write("model", "hellO");
        let error = check(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("model is") && error.contains(hello), "{error}");
        for (list, message) in [
            (format!("{hello}  ../model\n"), "leaves the model folder"),
            (format!("{hello}  gone\n"), "gone"),
            ("nonsense\n".to_owned(), "no digest"),
        ] {
            write(FILE, &list);
            let error = check(folder.path(), None).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
