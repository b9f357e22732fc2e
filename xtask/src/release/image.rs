//! Images for containers: a stage of `Dockerfile` around the binary, as an archive that `docker load` reads.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::environment::{root, run};

/// Where machines have the certificates of authorities, which the image has from here.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Builds the stage for a processor, and writes it to `archive`; false where no engine runs. `work` is an empty folder.
pub(super) fn pack(
    binary: &Path,
    (stage, processor): (&str, &str),
    epoch: &str,
    work: &Path,
    archive: &Path,
) -> Result<bool> {
    let probed =
        Command::new("docker").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !probed.is_ok_and(|status| status.success()) {
        return Ok(false);
    }
    std::fs::create_dir_all(work.join("data"))?;
    std::fs::copy(binary, work.join("trainyard"))?;
    std::fs::copy(AUTHORITIES, work.join("ca-certificates.crt"))
        .context("the image wants certificates of authorities: install ca-certificates")?;
    let version = env!("CARGO_PKG_VERSION");
    let variant = if stage == "python" { "-python" } else { "" };
    let tag = format!("localhost/trainyard:{version}{variant}-{processor}");
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "--target", stage, "--tag", &tag, "--file"]);
    build.arg(root().join("Dockerfile"));
    build.args(["--label", &format!("org.opencontainers.image.version={version}")]);
    // By its digest, where whoever releases has looked that up.
    if let Some(base) = std::env::var("PYTHON_IMAGE").ok().filter(|base| !base.is_empty()) {
        build.args(["--build-arg", &format!("PYTHON_IMAGE={base}")]);
    }
    // Only newer builders know it, and builders without a plug-in know no other processor.
    if processor != own_processor() {
        build.args(["--platform", &format!("linux/{processor}")]);
    }
    run(build.arg(work).env("SOURCE_DATE_EPOCH", epoch))?;
    let plain = work.join("image.tar");
    run(Command::new("docker").args(["save", "--output"]).arg(&plain).arg(&tag))?;
    run(Command::new("gzip").args(["--best", "--no-name"]).arg(&plain))?;
    std::fs::rename(work.join("image.tar.gz"), archive)?;
    // The engine gives what it saves to its owner alone.
    run(Command::new("chmod").arg("644").arg(archive))?;
    Ok(true)
}

/// This machine's, as images call it.
fn own_processor() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
