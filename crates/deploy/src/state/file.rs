//! How the files of a service change: whole or not at all; and what is read of them, within limits.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use trainyard_base::file::{self, Access};

use crate::error::{Error, Result};

/// State files are small; a larger one is not ours.
const STATE_BYTES_MAX: u64 = 16 << 20;

/// Bytes read from the end of a log for its last lines.
const TAIL_BYTES_MAX: u64 = 256 << 10;

/// Replaces a state file, durably. Readable by the owner alone.
pub(crate) fn replace_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |source| Error::io("cannot write", path, source);
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    file::replace(path, &bytes, Access::Private).map_err(failed)
}

/// Reads a state file; `None` when it is not there.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let failed = |source| Error::io("cannot read", path, source);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(STATE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::State { path: path.to_owned(), reason: error.to_string() })
}

/// Appends one line and syncs it. What a crash or a full disk left of a line before stays a line of its
/// own, and a line that cannot be written whole is taken back.
pub(crate) fn append_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |source| Error::io("cannot append to", path, source);
    let mut line = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
    line.push(b'\n');
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut last = [b'\n'];
    if let Some(place) = length.checked_sub(1) {
        file.read_exact_at(&mut last, place).map_err(failed)?;
    }
    if last != *b"\n" {
        line.insert(0, b'\n');
    }
    let written = file.write_all(&line).and_then(|()| file.sync_data());
    written.map_err(|error| {
        let _stays_cut = file.set_len(length);
        failed(error)
    })
}

/// All readable lines of a journal; one that was cut by a crash is left out.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let lines = tail(path, usize::MAX)?;
    Ok(lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// A log to append to, for both outputs of a program.
pub(crate) fn open_log(path: &Path) -> Result<(File, File)> {
    let open = || {
        let log = OpenOptions::new().create(true).append(true).open(path)?;
        Ok((log.try_clone()?, log))
    };
    open().map_err(|source| Error::io("cannot open", path, source))
}

/// The last lines of a text file; none when it is not there.
pub(crate) fn tail(path: &Path, lines: usize) -> Result<Vec<String>> {
    let failed = |source| Error::io("cannot read", path, source);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len();
    let limit = if lines == usize::MAX { STATE_BYTES_MAX } else { TAIL_BYTES_MAX };
    let start = length.saturating_sub(limit);
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line is cut unless the file was read from its start.
    let all: Vec<&str> = text.lines().skip(usize::from(start > 0)).collect();
    let skip = all.len().saturating_sub(lines);
    Ok(all.into_iter().skip(skip).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_and_cut_journals() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        assert!(tail(&path, 5).unwrap().is_empty());
        for number in 0..10 {
            append_json(&path, &number).unwrap();
        }
        std::fs::write(&path, [std::fs::read(&path).unwrap(), b"{\"cut".to_vec()].concat())
            .unwrap();
        assert_eq!(read_lines::<u32>(&path).unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(tail(&path, 2).unwrap(), ["9", "{\"cut"]);
        append_json(&path, &10).unwrap();
        assert_eq!(tail(&path, 2).unwrap(), ["{\"cut", "10"]);
        assert_eq!(read_lines::<u32>(&path).unwrap(), (0..=10).collect::<Vec<_>>());
    }

    #[test]
    fn replaced_files_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.json");
        replace_json(&path, &[1, 2]).unwrap();
        replace_json(&path, &[3]).unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), Some(vec![3]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
        std::fs::write(&path, "nonsense").unwrap();
        assert!(matches!(read_json::<Vec<u32>>(&path), Err(Error::State { .. })));
    }
}
