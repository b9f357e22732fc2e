//! `SHA256SUMS`: what each artifact must be, in the form that `sha256sum --check` reads.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// The file's name.
const NAME: &str = "SHA256SUMS";

/// SHA-256 of a file in hexadecimal digits.
pub(super) fn of(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(hex::encode(Sha256::digest(&bytes)))
}

/// Writes those of all files of a folder, and says how large they are.
pub(super) fn write(folder: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && name != NAME {
            names.push(name);
        }
    }
    names.sort();
    let mut sums = String::new();
    for name in &names {
        let path = folder.join(name);
        let sum = of(&path)?;
        writeln!(sums, "{sum}  {name}")?;
        let megabytes = std::fs::metadata(&path)?.len() as f64 / 1e6;
        eprintln!("{megabytes:8.1} MB  {}  {name}", &sum[..12]);
    }
    std::fs::write(folder.join(NAME), sums)?;
    Ok(())
}
