//! Folders and small files of a file store.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use trainyard_mlflow::entities::KeyValue;

use super::problem::{Problem, Problems, Read};

/// Names of the files that describe what a folder is of.
pub(super) const META: &str = "meta.yaml";
/// A dataset's profile may have 16 MiB.
const META_BYTES_MAX: u64 = 64 << 20;
/// No value that the client logs is longer.
const VALUE_BYTES_MAX: u64 = 1 << 20;
/// Characters of a key: the databases' columns hold no more.
const KEY_MAX: usize = 250;
/// Folders within folders; keys with so many slashes are longer than a key may be.
const DEPTH_MAX: usize = 128;

fn failed(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(path, error.to_string())
}

/// The names of the folders in a folder, sorted; none if it is not there.
pub(super) fn subfolders(folder: &Path, problems: &mut Problems) -> Vec<String> {
    let mut names = Vec::new();
    for path in entries(folder, problems) {
        if path.is_dir()
            && let Some(name) = problems.note(name_of(&path))
        {
            names.push(name);
        }
    }
    names
}

/// What is in a folder, sorted; nothing if it is not there.
fn entries(folder: &Path, problems: &mut Problems) -> Vec<PathBuf> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.add(failed(folder, &error));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in listed {
        if let Some(entry) = problems.note(entry.map_err(|error| failed(folder, &error))) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths
}

fn name_of(path: &Path) -> Read<String> {
    let name = path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    name.ok_or_else(|| Problem::new(path, "its name is not UTF-8"))
}

/// The files below a folder with their paths in it, which are joined by `/` as keys are.
pub(super) fn files_below(folder: &Path, problems: &mut Problems) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    let mut pending = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = pending.pop() {
        if depth > DEPTH_MAX {
            problems.add(Problem::new(&folder, format!("more than {DEPTH_MAX} folders deep")));
            continue;
        }
        for path in entries(&folder, problems) {
            let Some(name) = problems.note(name_of(&path)) else { continue };
            // Whoever made it may not read all that the importer may; and it may lead in a circle.
            if path.is_symlink() {
                problems.add(Problem::new(&path, "a symbolic link, which is not followed"));
                continue;
            }
            // What a desktop leaves behind is nobody's key.
            if name == ".DS_Store" {
                continue;
            }
            let key = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if path.is_dir() {
                pending.push((path, key, depth + 1));
            } else {
                files.push((key, path));
            }
        }
    }
    files.sort();
    files
}

/// The same, of which each is a key of something that was logged.
pub(super) fn keys_below(folder: &Path, problems: &mut Problems) -> Vec<(String, PathBuf)> {
    let mut keys = files_below(folder, problems);
    keys.retain(|(key, path)| {
        let fits = key.chars().count() <= KEY_MAX;
        if !fits {
            let reason = format!("the key has more than {KEY_MAX} characters");
            problems.add(Problem::new(path, reason));
        }
        fits
    });
    keys
}

/// Keys and values: a file for each key. Values of more than `characters_max` are problems.
pub(super) fn values(
    folder: &Path,
    characters_max: usize,
    problems: &mut Problems,
) -> Vec<KeyValue> {
    let mut values = Vec::new();
    for (key, path) in keys_below(folder, problems) {
        let value = text(&path, VALUE_BYTES_MAX).and_then(|value| {
            let characters = value.chars().count();
            if characters > characters_max {
                let reason =
                    format!("{characters} characters; the database holds {characters_max}");
                return Err(Problem::new(&path, reason));
            }
            Ok(value)
        });
        if let Some(value) = problems.note(value) {
            values.push(KeyValue::new(key, value));
        }
    }
    values
}

/// A text file of at most so many bytes.
fn text(path: &Path, bytes_max: u64) -> Read<String> {
    // Reading a pipe would never end.
    let is_file = std::fs::metadata(path).map_err(|error| failed(path, &error))?.is_file();
    if !is_file {
        return Err(Problem::new(path, "not a file"));
    }
    let file = File::open(path).map_err(|error| failed(path, &error))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| failed(path, &error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Problem::new(path, format!("more than {bytes_max} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| Problem::new(path, "not UTF-8"))?;
    if text.contains('\0') {
        return Err(Problem::new(path, "a NUL character, which databases do not hold"));
    }
    Ok(text)
}

/// A one-line text without the white space around it.
pub(super) fn word(path: &Path) -> Read<String> {
    Ok(text(path, VALUE_BYTES_MAX)?.trim().to_owned())
}

/// A YAML file of this shape. A key that is there twice is a problem: which of the two was meant?
pub(super) fn yaml<T: DeserializeOwned>(path: &Path) -> Read<T> {
    let text = text(path, META_BYTES_MAX)?;
    // Ids of digits only, which writers of other rules left without quotes, stay what they are.
    let options = serde_saphyr::options! {
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(&text, options)
        .map_err(|error| Problem::new(path, error.without_snippet().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_slashes_and_what_is_bad_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        write("a/b c", b"x\ny");
        write("empty", b"");
        write("nul", b"a\0b");
        write("latin", b"\xe9");
        write("long", "é".repeat(11).as_bytes());
        write(".DS_Store", b"\xff");
        let mut problems = Problems::default();
        let read = values(folder.path(), 10, &mut problems);
        assert_eq!(read, [KeyValue::new("a/b c", "x\ny"), KeyValue::new("empty", "")]);
        let said: Vec<String> = problems.first().iter().map(ToString::to_string).collect();
        for (name, reason) in
            [("latin", "not UTF-8"), ("long", "11 characters"), ("nul", "NUL character")]
        {
            let found = said.iter().any(|said| said.contains(name) && said.contains(reason));
            assert!(found, "{name}: {said:?}");
        }
        assert_eq!(problems.total(), 3);
        assert_eq!(subfolders(&folder.path().join("none"), &mut problems), [""; 0]);
    }

    #[test]
    fn a_link_leads_nowhere() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("own"), "1").unwrap();
        std::fs::write(elsewhere.path().join("secret"), "2").unwrap();
        for (to, name) in [
            (elsewhere.path().join("secret"), "file"),
            (elsewhere.path().to_owned(), "folder"),
            (folder.path().to_owned(), "circle"),
        ] {
            std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
        }
        let mut problems = Problems::default();
        let found = files_below(folder.path(), &mut problems);
        assert_eq!(found, [("own".to_owned(), folder.path().join("own"))]);
        assert_eq!(problems.total(), 3, "{:?}", problems.first());
    }

    #[test]
    fn yaml_that_is_broken_or_says_a_thing_twice_is_a_problem() {
        #[derive(Debug, serde::Deserialize)]
        struct Meta {
            name: String,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(META);
        for (text, name) in [("name: 007\n", "007"), ("name: 'no'\nother: [1]\n", "no")] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(yaml::<Meta>(&path).unwrap().name, name);
        }
        for text in ["name: [", "name: a\nname: b\n", "", "name: \0\n"] {
            std::fs::write(&path, text).unwrap();
            let problem = yaml::<Meta>(&path).unwrap_err();
            assert!(problem.to_string().contains("meta.yaml: "), "{problem}");
        }
    }
}
