//! The file of tokens: a line for each. Programs add and take lines, people may as well; the gateway reads it again
//! when it changes.

use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use trainyard_base::file::{Access, NewFile};

use super::entry::Entry;
use crate::error::{Error, Result};

/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Tokens of a file: each request is compared with all of them, and each is a label of metrics.
const TOKENS_MAX: usize = 1000;

/// A secret that nobody has yet: 244 random bits in hex, with a mark by which it is found where it should not be.
pub fn new_secret() -> String {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    format!("ty_{}{}", half(), half())
}

/// All tokens of a file.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    parse(path, &text(path)?)
}

fn text(path: &Path) -> Result<String> {
    let failed = |source| Error::io("cannot read", path, source);
    let mut text = String::new();
    let mut file = File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1);
    let bytes = file.read_to_string(&mut text).map_err(failed)?;
    if bytes as u64 > FILE_BYTES_MAX {
        return Err(wrong(path, format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn wrong(path: &Path, reason: String) -> Error {
    Error::Tokens { path: path.to_owned(), reason }
}

/// Reads the lines of a file.
fn parse(path: &Path, text: &str) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |problem: String| wrong(path, format!("line {number}: {problem}"));
        let entry: Entry = line.parse().map_err(at)?;
        if entries.iter().any(|known| known.name == entry.name) {
            return Err(at(format!("there are two tokens {:?}", entry.name)));
        }
        entries.push(entry);
    }
    if entries.len() > TOKENS_MAX {
        return Err(wrong(path, format!("it has more than {TOKENS_MAX} tokens")));
    }
    Ok(entries)
}

/// Adds a token. A file that is not there is made, for its owner alone.
pub fn add(path: &Path, entry: &Entry) -> Result<()> {
    change(path, |before| {
        let is_cut = !before.is_empty() && !before.ends_with('\n');
        Ok(format!("{before}{}{entry}\n", if is_cut { "\n" } else { "" }))
    })
}

/// Takes a token away.
pub fn revoke(path: &Path, name: &str) -> Result<()> {
    change(path, |before| {
        let is_it = |line: &&str| line.split_whitespace().next() == Some(name);
        if !before.lines().any(|line| is_it(&line)) {
            return Err(wrong(path, format!("it has no token {name:?}")));
        }
        let rest = before.lines().filter(|line| !is_it(line));
        Ok(rest.fold(String::new(), |text, line| text + line + "\n"))
    })
}

/// Replaces the file as a whole, one change at a time: a token that was taken away must not come back with another
/// change. Whoever could read it can.
fn change(path: &Path, edit: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let failed = |source| Error::io("cannot write", path, source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // The folder is locked, as the file itself is replaced.
    let folder = File::open(folder.unwrap_or_else(|| Path::new("."))).map_err(failed)?;
    flock(&folder, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
    let about = std::fs::metadata(path).ok();
    let before = if about.is_some() { text(path)? } else { String::new() };
    let after = edit(&before)?;
    parse(path, &after)?;
    let mut new = NewFile::beside(path, Access::Private).map_err(failed)?;
    new.file().write_all(after.as_bytes()).map_err(failed)?;
    if let Some(about) = about {
        let mode = Permissions::from_mode(about.mode() & 0o777);
        new.file().set_permissions(mode).map_err(failed)?;
        let (user, group) = (Some(about.uid()), Some(about.gid()));
        // Only the superuser may give files away; who may not, keeps its own.
        let _given = std::os::unix::fs::fchown(new.file(), user, group);
    }
    new.put_in_place().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_so_many_tokens() {
        let entry = |number| format!("{}\n", Entry::new(&format!("t{number}"), "x").unwrap());
        let many: String = (0..=TOKENS_MAX).map(entry).collect();
        let path = Path::new("tokens");
        let error = parse(path, &many).unwrap_err().to_string();
        assert!(error.contains("more than 1000 tokens"), "{error}");
        let less: String = (0..TOKENS_MAX).map(entry).collect();
        assert_eq!(parse(path, &less).unwrap().len(), TOKENS_MAX);
    }

    #[test]
    fn tokens_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let secrets = [new_secret(), new_secret()];
        assert_ne!(secrets[0], secrets[1]);
        for (name, secret) in ["shop", "ci"].into_iter().zip(&secrets) {
            add(&path, &Entry::new(name, secret).unwrap()).unwrap();
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let twice = add(&path, &Entry::new("ci", "x").unwrap()).unwrap_err().to_string();
        assert!(twice.contains("there are two tokens \"ci\""), "{twice}");
        let names = |path: &Path| -> Vec<String> {
            read(path).unwrap().into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(&path), ["shop", "ci"]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{text}");
        std::fs::write(&path, format!("# for people\n\n{text}")).unwrap();
        revoke(&path, "shop").unwrap();
        assert_eq!(names(&path), ["ci"]);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# for people\n"));
        assert_eq!(mode(&path), 0o640);
        let gone = revoke(&path, "shop").unwrap_err().to_string();
        assert!(gone.contains("it has no token \"shop\""), "{gone}");
        revoke(&path, "ci").unwrap();
        assert!(names(&path).is_empty());
    }
}
