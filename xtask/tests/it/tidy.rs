//! Dependency versions stand at the root alone; every crate says what it is and has the lints.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifests() -> Vec<(PathBuf, String)> {
    std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("Cargo.toml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

#[test]
fn versions_stand_at_the_root() {
    for (path, text) in manifests() {
        let mut section = String::new();
        for line in text.lines() {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            }
            if section.contains("dependencies") && line.contains('=') {
                assert!(
                    line.contains("workspace = true"),
                    "{}: `{line}` should be `name.workspace = true`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_crate_has_the_lints_and_a_description() {
    for (path, text) in manifests() {
        assert!(text.contains("[lints]\nworkspace = true"), "{}: no lints", path.display());
        assert!(text.contains("\ndescription = \""), "{}: no description", path.display());
    }
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let mut pending = vec![root().join("crates")];
    let mut silent = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !std::fs::read_to_string(&path).unwrap().starts_with("//! ")
            {
                silent.push(path.display().to_string());
            }
        }
    }
    assert!(silent.is_empty(), "no `//!` line at the top of:\n{}", silent.join("\n"));
}
