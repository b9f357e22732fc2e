//! The platforms that are released.

use anyhow::{Result, bail};

/// A platform, and what is made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// In names of files.
    pub(super) name: &'static str,
    /// As the compiler calls it.
    pub(super) triple: &'static str,
    pub(super) linkage: Linkage,
    /// Whether its wheel is for everybody with such a machine.
    pub(super) has_wheel: bool,
    /// What Debian calls the processor, where there is a package.
    pub(super) debian: Option<&'static str>,
    /// The stage of `Dockerfile` that its image is, and what images call the processor.
    pub(super) image: Option<(&'static str, &'static str)>,
}

/// How a binary comes by its C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Linkage {
    /// It has it inside: glibc's, which is the faster one, by the linker of this machine.
    Static,
    /// It has it inside: musl's, by the linker of Zig, which needs nothing of the other machine.
    Zig,
    /// It is that of the machine, which can load ONNX Runtime, too.
    Dynamic,
}

/// Runners of workflows are of this kind, so this is the binary that workflows install.
pub(super) const OF_RUNNERS: &str = "x86_64-linux";

const TARGETS: [Target; 5] = [
    Target {
        name: OF_RUNNERS,
        triple: "x86_64-unknown-linux-gnu",
        linkage: Linkage::Static,
        has_wheel: true,
        debian: Some("amd64"),
        image: Some(("prebuilt", "amd64")),
    },
    Target {
        name: "aarch64-linux",
        triple: "aarch64-unknown-linux-musl",
        linkage: Linkage::Zig,
        has_wheel: true,
        debian: Some("arm64"),
        image: Some(("prebuilt", "arm64")),
    },
    // For images with Python beside it.
    Target {
        name: "x86_64-linux-glibc",
        triple: "x86_64-unknown-linux-gnu",
        linkage: Linkage::Dynamic,
        has_wheel: false,
        debian: None,
        image: Some(("python", "amd64")),
    },
    Target {
        name: "aarch64-macos",
        triple: "aarch64-apple-darwin",
        linkage: Linkage::Dynamic,
        has_wheel: true,
        debian: None,
        image: None,
    },
    Target {
        name: "x86_64-macos",
        triple: "x86_64-apple-darwin",
        linkage: Linkage::Dynamic,
        has_wheel: true,
        debian: None,
        image: None,
    },
];

impl Target {
    pub(super) fn named(name: &str) -> Result<Self> {
        let Some(target) = TARGETS.into_iter().find(|target| target.name == name) else {
            let names = TARGETS.map(|target| target.name).join(", ");
            bail!("there is no target {name:?}; there are {names}");
        };
        Ok(target)
    }

    /// That of this machine.
    pub(super) fn of_this_machine() -> Result<Self> {
        let (processor, system) = (std::env::consts::ARCH, std::env::consts::OS);
        Self::named(&format!("{processor}-{system}"))
    }

    /// Whether this machine can run what is built for it.
    pub(super) fn runs_here(&self) -> bool {
        let (processor, system) = (std::env::consts::ARCH, std::env::consts::OS);
        self.name.starts_with(&format!("{processor}-{system}"))
    }
}
