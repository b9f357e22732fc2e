//! Secrets of receivers: in a variable of the environment or in a file, never in the project's own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A password or token is short.
const BYTES_MAX: u64 = 64 << 10;

/// Whether this is the name of an environment variable, and not what should be in it.
pub(super) fn check_variable(table: &str, name: &str) -> Result<(), String> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !plain {
        return Err(format!(
            "{table} has {name:?} where the name of an environment variable is wanted"
        ));
    }
    Ok(())
}

/// What a variable that `[notify]` names holds.
pub(super) fn variable(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
        _ => Err(format!("the variable {name}, which [notify] names, is not set")),
    }
}

/// What a file that `[notify]` names holds, relative to the project's folder; without the line break that editors add.
pub(super) fn file(project: &Path, path: &Path) -> Result<String, String> {
    let path = project.join(path);
    let wrong = |why: &str| format!("{}, which [notify] names, {why}", path.display());
    let file =
        std::fs::File::open(&path).map_err(|error| wrong(&format!("is not read: {error}")))?;
    let mut text = String::new();
    file.take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| wrong(&format!("is not read: {error}")))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(wrong("is empty"));
    }
    if text.len() as u64 > BYTES_MAX {
        return Err(wrong("is too large for a secret"));
    }
    Ok(text.to_owned())
}

/// The secret that one of two keys names; none where neither does.
pub(super) fn secret(
    project: &Path,
    of_variable: Option<&String>,
    of_file: Option<&PathBuf>,
) -> Result<Option<String>, String> {
    match (of_variable, of_file) {
        (Some(name), _) => variable(name).map(Some),
        (None, Some(path)) => file(project, path).map(Some),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = variable("TRAINYARD_NOT_SET_ANYWHERE").unwrap_err();
        assert!(error.contains("TRAINYARD_NOT_SET_ANYWHERE"), "{error}");
    }

    #[test]
    fn a_file_has_the_secret_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            secret(folder.path(), None, Some(&PathBuf::from("password")))
        };
        assert_eq!(read("hunter2\n").unwrap().as_deref(), Some("hunter2"));
        assert!(read(" \n").unwrap_err().contains("is empty"));
        let long = "x".repeat(BYTES_MAX as usize + 1);
        let error = read(&long).unwrap_err();
        assert!(error.contains("too large") && !error.contains("xxx"), "{error}");
        assert_eq!(secret(folder.path(), None, None), Ok(None));
        let gone = secret(folder.path(), None, Some(&PathBuf::from("gone"))).unwrap_err();
        assert!(gone.contains("gone"), "{gone}");
    }
}
