//! The list of files with their digests, as GNU's `sha256sum` writes and reads it.

use std::fmt::Write as _;
use std::path::{Component, Path};

use trainyard_mlflow::Result;

use crate::error::invalid;

/// Bytes of a list: a hundred million files are another product's.
pub(super) const LIST_BYTES_MAX: u64 = 1 << 30;

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Below the backup's folder.
    pub(super) path: String,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

/// The text of a list.
pub(super) fn write(files: &[Listed]) -> String {
    let mut text = String::new();
    for file in files {
        // A name with a line break is written with a backslash, and the line says so by one of its own.
        let is_escaped = file.path.contains(['\\', '\n', '\r']);
        let mark = if is_escaped { "\\" } else { "" };
        let name = if is_escaped {
            file.path.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
        } else {
            file.path.clone()
        };
        let _a_string_takes_everything = writeln!(text, "{mark}{}  {name}", file.sha256);
    }
    text
}

/// The files of a list.
pub(super) fn read(text: &str) -> Result<Vec<Listed>> {
    text.split_terminator('\n').map(read_line).collect()
}

fn read_line(line: &str) -> Result<Listed> {
    let (is_escaped, rest) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let Some((sha256, name)) = rest.split_once("  ") else {
        return invalid!("no line of a list of digests: {line:?}");
    };
    let path = if is_escaped { unescaped(name) } else { name.to_owned() };
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if path.is_empty() || !Path::new(&path).components().all(is_plain) {
        return invalid!("the list of digests names {path:?}, which is not in the backup");
    }
    Ok(Listed { path, sha256: sha256.to_owned() })
}

fn unescaped(name: &str) -> String {
    let mut text = String::new();
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back_whatever_files_are_called() {
        let names = [
            "mlflow.db",
            "artifacts/a b/ü.txt",
            "artifacts/x\ny",
            "artifacts/a\\nb",
            "artifacts/  c",
        ];
        let files: Vec<Listed> = names
            .iter()
            .map(|name| Listed { path: (*name).to_owned(), sha256: "ab".repeat(32) })
            .collect();
        let text = write(&files);
        assert_eq!(text.lines().count(), names.len());
        assert!(text.starts_with(&format!("{}  mlflow.db\n", "ab".repeat(32))), "{text}");
        assert_eq!(read(&text).unwrap(), files);
        for bad in ["00  ../x", "00  /etc/passwd", "00  ", "00", "\\00  a\\n/../b"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
