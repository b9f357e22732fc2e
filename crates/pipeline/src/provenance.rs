//! Where this binary came from, as the release workflow said when it built it.
//!
//! No owner and no host is spelt in the sources: whoever owns a name that is guessed runs code with the secrets of other
//! people's workflows. A binary that was built from a checkout came from nowhere, and whoever uses it has to say
//! where others get it ([`InstallFrom`]).

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::install_from::InstallFrom;
use crate::{Error, Result};

/// A release: what it was built from, and where its binary for the runners of workflows (Linux on `x86_64`) is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// URL of the repository, for people.
    pub repository: String,
    /// Its version, without a `v`.
    pub version: String,
    /// The commit that it was built from.
    pub commit: String,
    /// URL of the binary, packed by gzip.
    binary: String,
    /// SHA-256 of the unpacked binary in hexadecimal digits; none within that binary, which cannot hold its own.
    sha256: Option<String>,
}

/// What the release workflow tells the compiler.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    repository: Option<&'static str>,
    commit: Option<&'static str>,
    binary: Option<&'static str>,
    sha256: Option<&'static str>,
}

const TOLD: Told = Told {
    repository: option_env!("TRAINYARD_RELEASE_REPOSITORY"),
    commit: option_env!("TRAINYARD_RELEASE_COMMIT"),
    binary: option_env!("TRAINYARD_RELEASE_BINARY"),
    sha256: option_env!("TRAINYARD_RELEASE_SHA256"),
};

impl Provenance {
    /// That of this binary; none where it was built from a checkout.
    pub fn of_this_binary() -> Option<Self> {
        Self::of(TOLD)
    }

    /// A release is one only as a whole. A variable that is empty counts as unset, as CI writes those it does not know.
    fn of(told: Told) -> Option<Self> {
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            repository: given(told.repository)?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: given(told.commit)?,
            binary: given(told.binary)?,
            sha256: given(told.sha256),
        })
    }

    /// How workflows install the binary of this release and no other: by its URL and its SHA-256.
    ///
    /// # Errors
    ///
    /// The running program cannot be read, or the release workflow named no URL.
    pub fn install_from(&self) -> Result<InstallFrom> {
        let sha256 = match &self.sha256 {
            Some(sha256) => sha256.clone(),
            // Only the binary at that URL was not told a digest: it is its own.
            None => digest_of_this_program()?,
        };
        format!("{}#sha256={sha256}", self.binary).parse::<InstallFrom>().map_err(|reason| {
            Error::Settings(format!(
                "this binary names {} as what it was released as: {reason}",
                self.binary
            ))
        })
    }
}

/// SHA-256 of the program that runs, in hexadecimal digits.
fn digest_of_this_program() -> Result<String> {
    let program =
        std::env::current_exe().map_err(|source| Error::io(Path::new("/proc/self/exe"), source))?;
    let bytes = std::fs::read(&program).map_err(|source| Error::io(&program, source))?;
    Ok(hex::encode(Sha256::digest(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "8d5c0f9b31b5d52f1e1d9e0f1f4c4d3e2b1a09f8e7d6c5b4a392817065f4e3d2";

    fn told() -> Told {
        Told {
            repository: Some("https://git.example.com/tools/trainyard"),
            commit: Some("0123456789abcdef0123456789abcdef01234567"),
            binary: Some("https://git.example.com/tools/trainyard/v1/trainyard.gz"),
            sha256: Some(SHA256),
        }
    }

    #[test]
    fn a_checkout_has_no_provenance_and_half_a_release_neither() {
        assert_eq!(Provenance::of_this_binary(), None);
        for told in [
            Told { repository: None, ..told() },
            Told { commit: None, ..told() },
            Told { binary: Some(""), ..told() },
        ] {
            assert_eq!(Provenance::of(told), None, "{told:?}");
        }
    }

    #[test]
    fn a_release_is_installed_by_its_digest() {
        let release = Provenance::of(told()).unwrap();
        assert_eq!(release.version, env!("CARGO_PKG_VERSION"));
        let from = release.install_from().unwrap();
        assert_eq!(from.source(), told().binary.unwrap());
        assert_eq!(from.revision(), format!("sha256:{SHA256}"));

        // The binary that is at the URL knows its digest by looking at itself.
        let own = Provenance::of(Told { sha256: None, ..told() }).unwrap().install_from().unwrap();
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(own.revision(), format!("sha256:{}", hex::encode(Sha256::digest(&program))));
    }
}
