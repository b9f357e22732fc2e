//! What an environment holds: its Python, and the files of its packages by the digests that their installer wrote down.

use std::fs::File;
use std::io::{Read as _, Result};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::cache::DIGITS;

/// Bytes of the list of one package's files: the largest ones have some ten thousand.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// The folder that packages are in.
pub(super) fn packages(environment: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).ok()?;
    let mut found = versions
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python"))
        .map(|entry| entry.path().join("site-packages"))
        .filter(|path| path.is_dir());
    found.next()
}

/// The folders that describe installed packages (`numpy-2.4.6.dist-info`), sorted.
pub(super) fn descriptions(packages: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(packages)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".dist-info") || name.ends_with(".egg-info") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The digest of what an environment holds. It is the same whichever tool made it, and wherever.
pub(super) fn digest(environment: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    };
    let python = std::fs::canonicalize(environment.join("bin/python"))?;
    add(python.as_os_str().as_encoded_bytes());
    add(python_version(environment).as_bytes());
    if let Some(packages) = packages(environment) {
        for name in descriptions(&packages)? {
            add(name.as_bytes());
            // Packages of before there were wheels have no list.
            let record = read(&packages.join(&name).join("RECORD"))
                .or_else(|_no_list| read(&packages.join(&name).join("PKG-INFO")))
                .unwrap_or_default();
            let mut lines: Vec<&str> = record.lines().filter(|line| is_content(line)).collect();
            lines.sort_unstable();
            add(lines.join("\n").as_bytes());
        }
    }
    let digest = hex::encode(digest.finalize());
    Ok(digest.get(..DIGITS).unwrap_or_default().to_owned())
}

/// `version = 3.11.7` as venv writes it, `version_info = 3.11.7` as uv does.
fn python_version(environment: &Path) -> String {
    let text = read(&environment.join("pyvenv.cfg")).unwrap_or_default();
    let mut values = text.lines().filter_map(|line| line.split_once('='));
    let found = values.find(|(key, _)| matches!(key.trim(), "version" | "version_info"));
    let version = found.map(|(_, value)| value.trim()).unwrap_or_default();
    version.split('.').take(3).collect::<Vec<_>>().join(".")
}

/// Whether a line of a `RECORD` is about a file of the package: scripts name their place, and what installers note
/// (who they are, what they compiled) is no part of it.
fn is_content(line: &str) -> bool {
    let mut fields = line.rsplitn(3, ',');
    let (_size, hash, path) = (fields.next(), fields.next(), fields.next());
    let (Some(hash), Some(path)) = (hash, path) else {
        // A line of another kind of file.
        return true;
    };
    let is_note =
        path.contains(".dist-info/") && !(path.ends_with("/METADATA") || path.ends_with("/WHEEL"));
    !hash.is_empty() && !path.trim_start_matches('"').starts_with("..") && !is_note
}

fn read(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(RECORD_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_installers_note_is_no_content() {
        for line in ["numpy/core.py,sha256=x,12", "a-1.dist-info/METADATA,sha256=x,1", "Name: a"] {
            assert!(is_content(line), "{line}");
        }
        for line in [
            "../../../bin/flask,sha256=x,200",
            "numpy/__pycache__/core.cpython-311.pyc,,",
            "a-1.dist-info/RECORD,,",
            "a-1.dist-info/INSTALLER,sha256=x,3",
            "a-1.dist-info/direct_url.json,sha256=x,3",
        ] {
            assert!(!is_content(line), "{line}");
        }
    }

    #[test]
    fn the_version_is_read_as_both_tools_write_it() {
        for text in ["home = /usr/bin\nversion = 3.11.7\n", "version_info = 3.11.7.final.0\n"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("pyvenv.cfg"), text).unwrap();
            assert_eq!(python_version(folder.path()), "3.11.7");
        }
    }
}
