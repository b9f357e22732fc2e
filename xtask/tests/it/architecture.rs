//! The paths that ARCHITECTURE.md names are there.

use std::path::Path;

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`.
fn expand(path: &str) -> Vec<String> {
    let Some((start, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let (choices, end) = rest.split_once('}').unwrap();
    choices.split(',').map(|choice| format!("{start}{choice}{end}")).collect()
}

#[test]
fn every_path_of_the_architecture_is_there() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut missing = Vec::new();
    let mut paths = 0;
    for quoted in text.split('`').skip(1).step_by(2) {
        let is_path = quoted.contains('/')
            && !quoted.contains([' ', '<', ':'])
            && (Path::new(quoted).extension().is_some_and(|extension| extension == "rs")
                || quoted.contains("/src/")
                || quoted.starts_with("crates/"));
        if !is_path {
            continue;
        }
        for path in expand(quoted) {
            paths += 1;
            // A crate's own files may be named below the crate or its room.
            let places = [root.join(&path), root.join("crates").join(&path)];
            let in_a_crate = || {
                std::fs::read_dir(root.join("crates"))
                    .unwrap()
                    .any(|krate| krate.unwrap().path().join("src").join(&path).exists())
            };
            if !places.iter().any(|place| place.exists()) && !in_a_crate() {
                missing.push(path);
            }
        }
    }
    assert!(paths > 60, "{paths} paths");
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
}
