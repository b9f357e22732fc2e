//! Project chores, run as `cargo xtask <chore>`.
//!
//! - `test [FILTER…]`: sets up what the tests need below `target/test-env` and runs them all;
//! - `test --long [FILTER…]`: the same, with the long forms of soaks;
//! - `spark`: sets up Spark and nothing else, and runs what asks it;
//! - `fuzz [TARGET…] [--seconds N]`: runs the fuzz targets;
//! - `bench --against REV`: measures this tree and another revision in turns;
//! - `upstream VERSION`: what a new version of MLflow changes that concerns the tracking server;
//! - `release [TARGET…]`: makes the artifacts of a release;
//! - `deny`: holds dependencies to `deny.toml`;
//! - `setup`: only the set-up.

#![expect(clippy::print_stderr, reason = "a chore talks to whoever runs it")]

mod bench;
mod deny;
mod environment;
mod fuzz;
mod release;
mod test;
mod upstream;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask test [--long] [ARGUMENTS OF cargo test…]\n       \
                     cargo xtask spark\n       cargo xtask fuzz [TARGET…] [--seconds N]\n       cargo xtask bench --against REV \
                     [--rounds N] [--seconds N]\n       cargo xtask release [TARGET…] [--tag TAG] [--out DIR] \
                     [--pack BINARY]\n       cargo xtask upstream VERSION\n       \
                     cargo xtask deny [CHECK…]\n       cargo xtask setup";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("test") => {
            let arguments: Vec<_> = arguments.collect();
            let is_long = arguments.first().is_some_and(|argument| argument == "--long");
            environment::set_up(is_long).and_then(|()| test::run(&arguments))
        }
        Some("spark") => environment::set_up_spark().and_then(|()| test::spark()),
        Some("fuzz") => fuzz::fuzz(&arguments.collect::<Vec<_>>()),
        Some("bench") => bench::against(&arguments.collect::<Vec<_>>()),
        Some("upstream") => upstream::compare(&arguments.collect::<Vec<_>>()),
        Some("release") => release::release(&arguments.collect::<Vec<_>>()),
        Some("deny") => deny::run_checks(&arguments.collect::<Vec<_>>()),
        Some("setup") => environment::set_up(false),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
