//! Runs every test of the workspace and counts them.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::environment::root;

/// Where proptest reads its seed.
const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

/// Asks tests for their long forms; with a bar for waiting times that a busy machine may miss.
const LONG: (&str, &str) = ("TRAINYARD_TEST_LONG", "1");

/// `cargo test` over the whole workspace, with a line at the end that counts.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let is_long = arguments.first().is_some_and(|argument| argument == "--long");
    let arguments = arguments.get(usize::from(is_long)..).unwrap_or_default();
    let mut command = Command::new(env!("CARGO"));
    // One sequence of inputs for the property tests, so that a run that fails fails again; a plain
    // `cargo test` draws new ones each time.
    if std::env::var_os(PROPERTY_SEED).is_none() {
        command.env(PROPERTY_SEED, "20260");
    }
    if is_long {
        command.env(LONG.0, LONG.1).env("TRAINYARD_SOAK_SECONDS", "600");
    }
    let mut child = command
        .current_dir(root())
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo test did not start")?;
    let output = child.stdout.take().context("no output of cargo test")?;
    let mut counted = Counted::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        counted.add(&line);
        eprintln!("{line}");
    }
    let status = child.wait()?;
    eprintln!(
        "\n{} tests passed, {} failed, {} ignored, in {} test programs",
        counted.passed, counted.failed, counted.ignored, counted.programs
    );
    if !counted.skipped.is_empty() {
        // They passed by doing nothing, so they must not look as if they had done something.
        eprintln!("{} of those that passed could not run here:", counted.skipped.len());
        for skipped in &counted.skipped {
            eprintln!("  {skipped}");
        }
    }
    if !status.success() || counted.failed > 0 {
        bail!("the tests failed");
    }
    if counted.passed == 0 && arguments.is_empty() {
        bail!("no test ran");
    }
    Ok(())
}

/// The tests that ask a Spark server, which takes a minute to start and half a gigabyte.
pub(crate) fn spark() -> Result<()> {
    let tests = ["test", "-p", "trainyard-engine", "--test", "it", "spark"];
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(tests).env("TRAINYARD_TEST_SPARK", "1");
    crate::environment::run(&mut command)
}

/// Sums over the `test result:` lines.
#[derive(Debug, Default)]
struct Counted {
    passed: u64,
    failed: u64,
    ignored: u64,
    programs: u64,
    /// Tests that said that they could not run, and why.
    skipped: Vec<String>,
}

/// How a test says that; it may stand behind what the harness wrote on the same line.
const SKIPPED: &str = "SKIPPED: ";

impl Counted {
    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        if let Some((_, skipped)) = line.split_once(SKIPPED) {
            self.skipped.push(skipped.to_owned());
        }
        let Some(result) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        let words: Vec<&str> =
            result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [count, what] = pair else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match *what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counted;

    #[test]
    fn result_lines_are_summed() {
        let mut counted = Counted::default();
        counted.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        counted
            .add("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 9 filtered out");
        counted.add("running 3 tests");
        counted.add("test a ... SKIPPED: a: no Docker Engine can run here");
        assert_eq!(
            (counted.passed, counted.failed, counted.ignored, counted.programs),
            (5, 4, 1, 2)
        );
        assert_eq!(counted.skipped, ["a: no Docker Engine can run here"]);
    }
}
