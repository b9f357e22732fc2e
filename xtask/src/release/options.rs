//! What `cargo xtask release` is asked for.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::target::Target;
use crate::environment::root;

const FORM: &str = "the form is: release [TARGET…] [--tag vVERSION] [--out DIR] [--pack BINARY]";

#[derive(Debug)]
pub(super) struct Options {
    pub(super) targets: Vec<Target>,
    /// The tag that the release has, which must say the version of the sources.
    pub(super) tag: Option<String>,
    /// Where artifacts are put.
    pub(super) out: PathBuf,
    /// A binary that is packed instead of one that is built.
    pub(super) pack: Option<PathBuf>,
}

impl Options {
    pub(super) fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            targets: Vec::new(),
            tag: None,
            out: root().join("target/release-artifacts"),
            pack: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--tag" => options.tag = Some(value()?.clone()),
                "--out" => options.out = PathBuf::from(value()?),
                "--pack" => options.pack = Some(PathBuf::from(value()?)),
                flag if flag.starts_with('-') => bail!("unknown argument {flag:?}; {FORM}"),
                name => options.targets.push(Target::named(name)?),
            }
        }
        if options.targets.is_empty() {
            options.targets.push(Target::of_this_machine()?);
        }
        if options.pack.is_some() && options.targets.len() > 1 {
            bail!("--pack wants one target; {FORM}");
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options> {
        Options::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn targets_are_known_and_flags_have_values() {
        let options = read(&["x86_64-linux", "aarch64-linux", "--tag", "v1.0.0"]).unwrap();
        assert_eq!(options.targets.len(), 2);
        assert_eq!(options.tag.as_deref(), Some("v1.0.0"));
        let wrong: [(&[&str], &str); 4] = [
            (&["x86_64-windows"], "there is no target"),
            (&["--tag"], "wants a value"),
            (&["--fast"], "unknown argument"),
            (&["x86_64-linux", "aarch64-linux", "--pack", "x"], "one target"),
        ];
        for (words, reason) in wrong {
            let error = read(words).unwrap_err().to_string();
            assert!(error.contains(reason), "{words:?}: {error}");
        }
    }
}
