//! `compare FILE.gz FOLDER`: the models of a corpus (tests/python/old_*.py) against what their libraries answered.
//!
//! A line for each that is refused or differs; what was unpacked stays in FOLDER.

#![expect(clippy::unwrap_used, clippy::panic, reason = "it shares its reader with the tests")]

use std::path::Path;

#[path = "../tests/it/corpus.rs"]
mod corpus;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/support.rs"]
mod support;

#[expect(clippy::print_stdout, reason = "printing is what this example does")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, folder] = arguments.as_slice() else { panic!("compare FILE.gz FOLDER") };
    let outcomes = corpus::outcomes(Path::new(file), Path::new(folder));
    let count =
        |wanted: corpus::Kind| outcomes.iter().filter(|outcome| outcome.kind == wanted).count();
    for outcome in outcomes.iter().filter(|outcome| outcome.kind != corpus::Kind::Equal) {
        println!("{:?} {}: {}", outcome.kind, outcome.name, outcome.reason);
    }
    println!(
        "{} models: {} equal, {} refused, {} differ",
        outcomes.len(),
        count(corpus::Kind::Equal),
        count(corpus::Kind::Refused),
        count(corpus::Kind::Differs)
    );
}
