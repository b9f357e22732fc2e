//! Builds the fuzz targets of `fuzz/` with coverage on the stable compiler, and runs them one after the
//! other.
//!
//! There is no address sanitizer, which needs a nightly compiler: no `unsafe` here is ours. Inputs that
//! found something new are kept in `fuzz/corpus` (not committed), those that are worth keeping in
//! `fuzz/seeds` (committed).

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::environment::{root, run};

/// Seconds for each target, if nothing is said.
const SECONDS: u64 = 60;

/// Bytes of memory at which an input counts as found, in MiB.
const MEMORY_MB: u32 = 2048;

/// Bytes of an input at the most: limits of the readers are larger, but bytes cost time.
const INPUT_BYTES_MAX: u32 = 200_000;

/// What libFuzzer needs to know of the code: counters for its edges, and what it compares.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 \
                        -Cdebug-assertions=on -Coverflow-checks=on";

/// `cargo xtask fuzz [TARGET…] [--seconds N]`.
pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let (names, seconds) = parse(arguments)?;
    let folder = root().join("fuzz");
    let known = targets(&folder)?;
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        bail!("no fuzz target {unknown}; there are {}", known.join(", "));
    }
    let chosen = if names.is_empty() { known } else { names };
    let target = root().join("target/fuzz");
    let host = host()?;
    let mut build = Command::new(env!("CARGO"));
    build
        .current_dir(&folder)
        .args(["build", "--release", "--target", &host])
        .env("RUSTFLAGS", COVERAGE)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_TARGET_DIR", &target);
    for name in &chosen {
        build.args(["--bin", name]);
    }
    run(&mut build)?;
    let mut found = Vec::new();
    for name in &chosen {
        eprintln!("{name}: {seconds} s");
        let (corpus, seeds) = (folder.join("corpus").join(name), folder.join("seeds").join(name));
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&seeds)?;
        let status = Command::new(target.join(&host).join("release").join(name))
            .current_dir(&folder)
            .args([
                format!("-max_total_time={seconds}"),
                format!("-rss_limit_mb={MEMORY_MB}"),
                format!("-max_len={INPUT_BYTES_MAX}"),
                "-timeout=20".to_owned(),
                "-print_final_stats=1".to_owned(),
            ])
            .args([&corpus, &seeds])
            .status()
            .with_context(|| name.clone())?;
        if !status.success() {
            found.push(name.as_str());
        }
    }
    if !found.is_empty() {
        bail!(
            "inputs that break {}: see the files crash-*, oom-*, timeout-* in fuzz/",
            found.join(", ")
        );
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<(Vec<String>, u64)> {
    let (mut names, mut seconds) = (Vec::new(), SECONDS);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let value = arguments.next().context("--seconds needs a number")?;
            seconds = value.parse().with_context(|| format!("--seconds {value}"))?;
        } else {
            names.push(argument.clone());
        }
    }
    Ok((names, seconds))
}

/// Each file of `fuzz_targets` is a target.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}
