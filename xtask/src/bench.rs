//! Builds this tree and another revision in release mode and measures them in turns, so that a change that
//! made something slower is found: `cargo xtask bench --against REV`, and `git bisect` with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::environment::{root, run};

/// `cargo xtask bench --against REV [ARGUMENTS OF bench/against.py]`.
pub(crate) fn against(arguments: &[String]) -> Result<()> {
    let [flag, revision, rest @ ..] = arguments else { bail!("name a revision: --against REV") };
    if flag != "--against" {
        bail!("unknown argument {flag:?}; the form is: --against REV [--rounds N] [--seconds N]");
    }
    let folder = root().join("target/against");
    let other = folder.join("tree");
    if other.try_exists()? {
        run(Command::new("git")
            .current_dir(&other)
            .args(["checkout", "--quiet", "--detach", revision]))?;
    } else {
        run(Command::new("git")
            .current_dir(root())
            .args(["worktree", "add", "--quiet", "--detach"])
            .arg(&other)
            .arg(revision))?;
    }
    let before = build(&other, &folder.join("before"))?;
    let after = build(&root(), &root().join("target"))?;
    run(Command::new("python3")
        .arg(root().join("bench/against.py"))
        .args([before, after])
        .args(rest))
}

/// The release binary of a tree.
fn build(tree: &Path, target: &Path) -> Result<PathBuf> {
    run(Command::new(env!("CARGO"))
        .current_dir(tree)
        .args(["build", "--release", "--bin", "trainyard", "--target-dir"])
        .arg(target))?;
    Ok(target.join("release/trainyard"))
}
