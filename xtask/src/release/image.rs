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
    let mut dockerfile = root().join("Dockerfile");
    // Where the one that it is pinned to cannot be had.
    if let Some(base) = std::env::var("PYTHON_IMAGE").ok().filter(|base| !base.is_empty()) {
        let text = on_python(&std::fs::read_to_string(&dockerfile)?, &base);
        dockerfile = work.join("Dockerfile");
        std::fs::write(&dockerfile, text)?;
    }
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "--target", stage, "--tag", &tag, "--file"]).arg(dockerfile);
    build.args(["--label", &format!("org.opencontainers.image.version={version}")]);
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

/// The Dockerfile with another image in the place of the one of Python that it is pinned to.
fn on_python(dockerfile: &str, base: &str) -> String {
    let line = |line: &str| {
        let is_python = line.starts_with("FROM python:");
        if is_python { format!("FROM {base} AS python\n") } else { format!("{line}\n") }
    };
    dockerfile.lines().map(line).collect()
}

/// This machine's, as images call it.
fn own_processor() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_others_are_pinned_and_only_that_of_python_is_another() {
        let text = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
        let from = |text: &str| -> Vec<String> {
            let images = text.lines().filter_map(|line| line.strip_prefix("FROM "));
            images.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect()
        };
        let of_others = |image: &&String| !matches!(image.as_str(), "scratch" | "base");
        let images = from(&text);
        let pinned: Vec<&String> = images.iter().filter(of_others).collect();
        assert_eq!(pinned.len(), 2, "{images:?}");
        for image in pinned {
            let (name, digest) = image.split_once("@sha256:").unwrap_or((image.as_str(), ""));
            assert!(name.contains(':') && digest.len() == 64, "{image}");
            assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{image}");
        }
        let updates = std::fs::read_to_string(root().join(".github/dependabot.yml")).unwrap();
        assert!(updates.contains("  - package-ecosystem: docker\n    directory: /\n"), "{updates}");
        let other = from(&on_python(&text, "localhost/python"));
        let changed = images.iter().zip(&other).filter(|(before, after)| before != after);
        let changed: Vec<&String> = changed.map(|(_, after)| after).collect();
        assert_eq!(changed, ["localhost/python"]);
        assert!(on_python(&text, "localhost/python").contains("FROM localhost/python AS python\n"));
    }
}
