//! Where the workflows of a new project take `trainyard` from.
//!
//! A binary that was built from a checkout does not know where it came from, and must not guess: whoever owns
//! the name that is guessed runs code with the secrets of the project's workflows.

use std::str::FromStr;

/// A git repository and a commit of it, or a path on the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallFrom {
    source: String,
    revision: Option<String>,
}

/// What the workflows take the source and the commit from, unless it is written into them.
const SOURCE: &str = "${{ vars.TRAINYARD_SOURCE }}";
const REVISION: &str = "${{ vars.TRAINYARD_REVISION }}";

impl FromStr for InstallFrom {
    type Err = String;

    /// `URL`, `URL#COMMIT` or a path.
    fn from_str(text: &str) -> Result<Self, String> {
        let (source, revision) = match text.split_once('#') {
            Some((source, revision)) if source.contains("://") => (source, Some(revision)),
            _ => (text, None),
        };
        // It is written into YAML and read by a shell; a comma ends the name of a cache.
        let is_plain = |c: char| c.is_alphanumeric() || " /.:_~+@%=-".contains(c);
        if source.is_empty() || source.starts_with('-') || !source.chars().all(is_plain) {
            return Err("neither the URL of a git repository nor a path".to_owned());
        }
        if let Some((scheme, rest)) = source.split_once("://") {
            let authority = rest.split('/').next().unwrap_or_default();
            let user = authority.rsplit_once('@').map(|(user, _)| user);
            let is_secret = |user: &str| user.contains(':') || scheme.starts_with("http");
            if user.is_some_and(is_secret) {
                return Err(
                    "the URL has credentials in it, which everybody who reads the workflows \
                            would see; leave them to git's own configuration on the runner"
                        .to_owned(),
                );
            }
        }
        let is_commit = |text: &str| {
            matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if revision.is_some_and(|revision| !is_commit(revision)) {
            return Err(
                "after # comes the whole name of a commit, 40 hexadecimal digits".to_owned()
            );
        }
        Ok(Self { source: source.to_owned(), revision: revision.map(str::to_owned) })
    }
}

impl InstallFrom {
    /// The text of a workflow with this source in it.
    pub(crate) fn write_into(&self, workflow: &str) -> String {
        let revision = self.revision.as_deref().unwrap_or_default();
        workflow
            .replace(SOURCE, &format!("\"{}\"", self.source))
            .replace(REVISION, &format!("\"{revision}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn sources_are_plain_and_hold_no_secret() {
        for good in [
            "https://git.example.com/tools/trainyard",
            "ssh://git@git.example.com/trainyard.git",
            "file:///srv/git/trainyard",
            "/opt/trainyard/bin/trainyard",
            "tools/trainyard",
        ] {
            assert!(good.parse::<InstallFrom>().is_ok(), "{good}");
        }
        for (bad, reason) in [
            ("", "neither"),
            ("--config=x", "neither"),
            ("a\nb: c", "neither"),
            ("${{ secrets.TOKEN }}", "neither"),
            ("x\"; rm -rf /", "neither"),
            ("https://me:secret@git.example.com/t", "credentials"),
            ("https://token@git.example.com/t", "credentials"),
            ("ssh://me:secret@git.example.com/t", "credentials"),
            ("https://git.example.com/t#main", "commit"),
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
