//! SECURITY.md names a test for each limit; each of them must be there.

use std::collections::BTreeSet;
use std::path::Path;

fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("fn ") {
                let name = &text[at + 3..];
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0);
                names.insert(name[..end].to_owned());
            }
        }
    }
}

#[test]
fn each_limit_has_a_test_that_reaches_it() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut names = BTreeSet::new();
    tests_below(&root.join("crates"), &mut names);
    let text = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_resource, _limit, _flag, _answer, test] = cells[..] else { panic!("{line}") };
        for test in test.split(", ") {
            let test = test.trim_matches('`');
            assert!(names.contains(test), "no test {test}: {line}");
        }
        rows += 1;
    }
    assert!(rows > 30, "{rows} rows");
}
