//! Where the workflows of a new project take `trainyard` from: `init --install-from`.
//!
//! A released binary knows ([`Provenance`](crate::Provenance)). One that was built from a checkout does not, and must
//! not guess: whoever owns the name that is guessed runs code with the secrets of the project's workflows. What comes from
//! a network is built from a commit or pinned by its SHA-256, which `templates/install-trainyard.sh` checks.

use std::path::Path;
use std::str::FromStr;

/// A place that `trainyard` is installed from, with what pins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallFrom {
    /// A binary for Linux by its URL, packed if that ends with `.gz`, and its SHA-256 when unpacked: `URL#sha256=HEX`.
    Binary {
        /// Where it is.
        url: String,
        /// Lower-case hexadecimal digits.
        sha256: String,
    },
    /// An image with the binary at `/trainyard`: `NAME@sha256:HEX`.
    Image {
        /// Its name and its digest.
        reference: String,
    },
    /// A wheel: `URL.whl#sha256=HEX`, or a path on the runner, where the digest may be missing.
    Wheel {
        /// URL or path.
        location: String,
        /// Lower-case hexadecimal digits.
        sha256: Option<String>,
    },
    /// A git repository to build from: `URL#COMMIT`.
    Repository {
        /// Where it is.
        url: String,
        /// Its whole name.
        commit: String,
    },
    /// On the runner: a checkout to build from, or the binary itself.
    Path {
        /// Absolute, or within the project.
        path: String,
    },
}

/// What the workflows take source and revision from, unless they are written into them.
const SOURCE: &str = "${{ vars.TRAINYARD_SOURCE }}";
const REVISION: &str = "${{ vars.TRAINYARD_REVISION }}";

/// Before a digest in a revision.
const SHA256: &str = "sha256:";

/// What stands after `#`.
enum Pin<'t> {
    Nothing,
    Digest(String),
    Commit(&'t str),
}

impl FromStr for InstallFrom {
    type Err = String;

    /// `URL#sha256=HEX`, `NAME@sha256:HEX`, a wheel, `URL#COMMIT` or a path.
    fn from_str(text: &str) -> Result<Self, String> {
        let (source, pin) = match text.split_once('#') {
            None => (text, Pin::Nothing),
            Some((source, pin)) => match pin.strip_prefix("sha256=") {
                Some(digest) => (source, Pin::Digest(sha256(digest)?)),
                None => (source, Pin::Commit(pin)),
            },
        };
        // It is written into YAML and read by a shell; a comma ends the name of a cache.
        let is_plain = |c: char| c.is_alphanumeric() || " /.:_~+@%=-".contains(c);
        if source.is_empty() || source.starts_with('-') || !source.chars().all(is_plain) {
            return Err("neither a URL, an image, a wheel nor a path".to_owned());
        }
        refuse_credentials(source)?;
        let is_url = source.contains("://");
        let is_wheel = Path::new(source).extension().is_some_and(|end| end == "whl");
        let image = source.split_once("@sha256:").filter(|_| !is_url);
        let source = source.to_owned();
        match pin {
            Pin::Nothing if is_wheel && is_url => Err("what is at a URL may be another program \
                 tomorrow: add #sha256= and the SHA-256 of the wheel"
                .to_owned()),
            Pin::Nothing if is_wheel => Ok(Self::Wheel { location: source, sha256: None }),
            Pin::Nothing if is_url => Err("what is at a URL may be another program tomorrow: add \
                 # and the whole name of a commit (`git ls-remote URL HEAD` says the newest), or \
                 #sha256= and the SHA-256 of a binary"
                .to_owned()),
            Pin::Nothing => match image {
                Some((_, digest)) => sha256(digest).map(|_| Self::Image { reference: source }),
                None => Ok(Self::Path { path: source }),
            },
            Pin::Digest(sha256) if is_wheel => {
                Ok(Self::Wheel { location: source, sha256: Some(sha256) })
            }
            Pin::Digest(sha256) if is_url => Ok(Self::Binary { url: source, sha256 }),
            Pin::Commit(commit) if is_url && !is_wheel && is_hex(commit, &[40, 64]) => {
                Ok(Self::Repository { url: source, commit: commit.to_ascii_lowercase() })
            }
            Pin::Commit(_) if is_url && !is_wheel => {
                Err("after # comes the whole name of a commit, 40 \
                 hexadecimal digits, or sha256= and the SHA-256 of a binary"
                    .to_owned())
            }
            _ => Err("only a URL or a wheel has something after #".to_owned()),
        }
    }
}

fn is_hex(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A SHA-256 as tools print it.
fn sha256(digest: &str) -> Result<String, String> {
    if is_hex(digest, &[64]) {
        Ok(digest.to_ascii_lowercase())
    } else {
        Err("a SHA-256 has 64 hexadecimal digits".to_owned())
    }
}

/// Everybody who reads the workflows would see them.
fn refuse_credentials(source: &str) -> Result<(), String> {
    let Some((scheme, rest)) = source.split_once("://") else { return Ok(()) };
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    if user
        .is_some_and(|user| user.contains(':') || scheme.to_ascii_lowercase().starts_with("http"))
    {
        return Err(
            "the URL has credentials in it, which everybody who reads the workflows would see; \
             leave them to git's own configuration on the runner"
                .to_owned(),
        );
    }
    Ok(())
}

impl InstallFrom {
    /// What stands in `TRAINYARD_SOURCE`.
    pub fn source(&self) -> &str {
        match self {
            Self::Binary { url, .. } | Self::Repository { url, .. } => url,
            Self::Image { reference } => reference,
            Self::Wheel { location, .. } => location,
            Self::Path { path } => path,
        }
    }

    /// What stands in `TRAINYARD_REVISION`: `sha256:HEX`, a commit, or nothing where nothing is pinned.
    pub fn revision(&self) -> String {
        let of = |sha256: &str| format!("{SHA256}{sha256}");
        match self {
            Self::Binary { sha256, .. } | Self::Wheel { sha256: Some(sha256), .. } => of(sha256),
            Self::Image { reference } => {
                reference.rsplit_once(SHA256).map_or_else(String::new, |(_, digest)| of(digest))
            }
            Self::Repository { commit, .. } => commit.clone(),
            Self::Wheel { sha256: None, .. } | Self::Path { .. } => String::new(),
        }
    }

    /// The text of a workflow with this source in it.
    pub(crate) fn write_into(&self, workflow: &str) -> String {
        workflow
            .replace(SOURCE, &format!("\"{}\"", self.source()))
            .replace(REVISION, &format!("\"{}\"", self.revision()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn what_it_is_and_what_pins_it_can_be_seen() {
        let digest = format!("sha256:{DIGEST}");
        let known: [(&str, &str, &str); 10] = [
            (
                &format!("ssh://git@git.example.com/t.git#{COMMIT}"),
                "ssh://git@git.example.com/t.git",
                COMMIT,
            ),
            (&format!("file:///srv/git/trainyard#{COMMIT}"), "file:///srv/git/trainyard", COMMIT),
            (&format!("https://git.example.com/t#{COMMIT}"), "https://git.example.com/t", COMMIT),
            (
                &format!("https://git.example.com/t#{}", COMMIT.to_uppercase()),
                "https://git.example.com/t",
                COMMIT,
            ),
            (
                &format!("https://example.com/t.gz#sha256={}", DIGEST.to_uppercase()),
                "https://example.com/t.gz",
                &digest,
            ),
            (
                &format!("https://example.com/t-1-py3-none-any.whl#sha256={DIGEST}"),
                "https://example.com/t-1-py3-none-any.whl",
                &digest,
            ),
            ("wheels/t-1-py3-none-any.whl", "wheels/t-1-py3-none-any.whl", ""),
            (
                &format!("images.example.com/t@{digest}"),
                &format!("images.example.com/t@{digest}"),
                &digest,
            ),
            ("/opt/trainyard/bin/trainyard", "/opt/trainyard/bin/trainyard", ""),
            ("tools/trainyard", "tools/trainyard", ""),
        ];
        for (text, source, revision) in known {
            let from: InstallFrom = text.parse().unwrap();
            assert_eq!((from.source(), from.revision().as_str()), (source, revision), "{text}");
        }
    }

    #[test]
    fn sources_are_plain_pinned_and_hold_no_secret() {
        for (bad, reason) in [
            ("", "neither"),
            ("--config=x", "neither"),
            ("a\nb: c", "neither"),
            ("${{ secrets.TOKEN }}", "neither"),
            ("x\"; rm -rf /", "neither"),
            ("https://me:secret@git.example.com/t", "credentials"),
            ("https://token@git.example.com/t", "credentials"),
            ("https://token@example.com/t.whl", "credentials"),
            ("HTTPS://token@example.com/t", "credentials"),
            ("ssh://me:secret@git.example.com/t", "credentials"),
            ("https://git.example.com/t#main", "commit"),
            ("https://git.example.com/t", "name of a commit"),
            ("file:///srv/git/trainyard", "name of a commit"),
            ("https://example.com/t.gz#sha256=12", "64 hexadecimal digits"),
            ("https://example.com/t.whl", "add #sha256="),
            ("images.example.com/t@sha256:12", "64 hexadecimal digits"),
            ("tools/trainyard#main", "only a URL or a wheel"),
        ] {
            let error = bad.parse::<InstallFrom>().unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_source_replaces_the_variables() {
        let from: InstallFrom = format!("https://git.example.com/t#{COMMIT}").parse().unwrap();
        let text =
            from.write_into("A: ${{ vars.TRAINYARD_SOURCE }}\nB: ${{ vars.TRAINYARD_REVISION }}\n");
        assert_eq!(text, format!("A: \"https://git.example.com/t\"\nB: \"{COMMIT}\"\n"));
    }
}
