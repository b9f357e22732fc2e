//! Holds the dependencies to `deny.toml` with cargo-deny, which is installed below `target/test-env`.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::environment::{root, run};

/// The crate's version.
const CARGO_DENY: &str = "0.20.2";

/// Checks bans, licences and sources. Advisories need the advisory database, which is fetched with git
/// from its host: `cargo xtask deny advisories` asks for them.
pub(crate) fn run_checks(checks: &[String]) -> Result<()> {
    let home = root().join("target/test-env/cargo-deny");
    if !home.join("bin/cargo-deny").try_exists()? {
        eprintln!("installing cargo-deny {CARGO_DENY} (once, takes some minutes)");
        let build = root().join("target/test-env/cargo-deny-build");
        run(Command::new(env!("CARGO"))
            .args(["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--quiet"])
            // What it does takes a second either way; optimising it takes minutes.
            .args(["--debug", "--root"])
            .arg(&home)
            .env("CARGO_TARGET_DIR", &build))?;
        std::fs::remove_dir_all(&build).with_context(|| build.display().to_string())?;
    }
    let usual = ["bans", "licenses", "sources"].map(str::to_owned);
    let checks = if checks.is_empty() { &usual[..] } else { checks };
    run(Command::new(home.join("bin/cargo-deny"))
        .current_dir(root())
        .args(["--workspace", "check"])
        .args(checks))
}
