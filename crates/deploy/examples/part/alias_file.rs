//! A registry in a file: it holds the version that is known as the released one. `<file>.down` beside it, and it
//! cannot be asked; `alias.bad`: the version that was found bad last.

use std::path::PathBuf;

use async_trait::async_trait;
use trainyard_base::Fault;
use trainyard_deploy::{GoneBack, Refusal, Review, Side, Sides};

/// Moves the alias as the pipeline does.
#[derive(Debug, Clone)]
pub(crate) struct AliasFile(pub(crate) PathBuf);

impl AliasFile {
    /// What the alias names; nothing before the first release.
    pub(crate) fn read(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap_or_default()
    }

    fn asked(&self) -> Result<(), Refusal> {
        match self.0.with_extension("down").try_exists() {
            Ok(false) => Ok(()),
            _ => Err(Self::failure("the registry is down")),
        }
    }

    fn set(&self, side: &Side) -> Result<(), Refusal> {
        let failed = |error: std::io::Error| Self::failure(&error.to_string());
        std::fs::write(&self.0, version(side)).map_err(failed)
    }

    fn failure(reason: &str) -> Refusal {
        Refusal::Failure { reason: reason.to_owned(), advice: Fault::Environment.into() }
    }
}

fn version(side: &Side) -> &str {
    side.label.get("version").map(String::as_str).unwrap_or_default()
}

#[async_trait]
impl Review for AliasFile {
    async fn before_blue_stops(&self, sides: &Sides) -> Result<(), Refusal> {
        self.asked()?;
        self.set(&sides.green)
    }

    async fn after_going_back(&self, sides: &Sides, why: &GoneBack) -> Result<(), Refusal> {
        self.asked()?;
        if why.is_verdict {
            let bad = self.0.with_extension("bad");
            let written = std::fs::write(bad, version(&sides.green));
            written.map_err(|error| Self::failure(&error.to_string()))?;
        }
        match &sides.blue {
            Some(blue) if self.read() == version(&sides.green) => self.set(blue),
            _ => Ok(()),
        }
    }
}
