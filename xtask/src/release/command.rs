//! `cargo xtask release`: builds, packs and sums up, target by target.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::options::Options;
use super::target::{OF_RUNNERS, Target};
use super::{build, checksums, deb, image, share};
use crate::environment::{root, run};

/// Makes the artifacts of a release.
pub(crate) fn release(arguments: &[String]) -> Result<()> {
    let options = Options::read(arguments)?;
    let version = env!("CARGO_PKG_VERSION");
    if let Some(tag) = &options.tag
        && tag.strip_prefix('v') != Some(version)
    {
        bail!(
            "the tag is {tag} and the sources are of version {version}: the tag must be v{version}"
        );
    }
    fs::create_dir_all(&options.out)?;
    let out = options.out.canonicalize()?;
    let mut of_runners = build::told_digest();
    for target in &options.targets {
        let digest = make(*target, options.pack.as_deref(), &out, of_runners.as_deref())
            .with_context(|| format!("for {}", target.name))?;
        if target.name == OF_RUNNERS {
            of_runners = Some(digest);
        }
    }
    fs::remove_dir_all(out.join("work"))?;
    checksums::write(&out)?;
    eprintln!("artifacts are in {}", out.display());
    Ok(())
}

/// All that is made for a target; SHA-256 of its binary.
fn make(
    target: Target,
    given: Option<&Path>,
    out: &Path,
    of_runners: Option<&str>,
) -> Result<String> {
    let work = out.join("work").join(target.name);
    if work.try_exists()? {
        fs::remove_dir_all(&work)?;
    }
    let folder = |name: &str| -> Result<_> {
        let folder = work.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    let stem = format!("trainyard-{}-{}", env!("CARGO_PKG_VERSION"), target.name);
    // Where it is packed it is called as users call it.
    let binary = folder("binary")?.join("trainyard");
    if let Some(given) = given {
        fs::copy(given, &binary).with_context(|| given.display().to_string())?;
    } else {
        let built = build::build(target, &folder("build")?, of_runners)?;
        fs::copy(&built.binary, &binary)?;
        // It names the folder of the sources, which is another one on every machine.
        let sources = root().canonicalize()?.display().to_string();
        let sbom = fs::read_to_string(&built.sbom)?.replace(&sources, "/trainyard");
        fs::write(out.join(format!("{stem}.cdx.json")), sbom)?;
        if let Some(name) = built.wheel.file_name().filter(|_| target.has_wheel) {
            fs::copy(&built.wheel, out.join(name))?;
        }
    }
    run(Command::new("chmod").arg("755").arg(&binary))?;
    let digest = checksums::of(&binary)?;
    fs::write(out.join(format!("{stem}.sha256")), format!("{digest}  trainyard\n"))?;
    compressed(&binary, &out.join(format!("{stem}.gz")))?;
    let epoch = build::epoch()?;
    if let Some(architecture) = target.debian {
        let share = share::share(target, &binary, out)?;
        let package = format!("trainyard_{}_{architecture}.deb", env!("CARGO_PKG_VERSION"));
        let package = out.join(package);
        deb::pack(&binary, &share, architecture, &epoch, &folder("deb")?, &package)?;
    }
    if let Some(image) = target.image {
        let archive = out.join(format!("{stem}.image.tar.gz"));
        if !image::pack(&binary, image, &epoch, &folder("image")?, &archive)? {
            eprintln!(
                "warning: no Docker Engine runs here, so there is no image for {}",
                target.name
            );
        }
    }
    Ok(digest)
}

/// Packs a file in the same way on all machines: without its name and its time.
fn compressed(file: &Path, packed: &Path) -> Result<()> {
    let packed = fs::File::create(packed)?;
    run(Command::new("gzip").args(["--best", "--no-name", "--stdout"]).arg(file).stdout(packed))
}
