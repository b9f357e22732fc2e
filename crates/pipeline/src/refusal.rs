//! That a version with the alias `Production` was refused: kept as tags of it, so that nobody tries it again and again
//! while the same version serves, and everybody sees why the alias and the traffic differ.

use trainyard_deploy::Refusal;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{KeyValue, ModelVersion};

use crate::alias::{PRODUCTION, number};
use crate::baseline::serving;
use crate::states::tag;
use crate::{Error, Project, Result};

/// Why the release of a version was refused, and beside which serving version that was.
const REFUSED: &str = "trainyard.refused";
const REFUSED_BESIDE: &str = "trainyard.refused.beside";

/// Why a version was refused while another served.
pub(crate) fn refusal(version: &ModelVersion, serving: &str) -> Option<String> {
    let is_about_it = tag(version, REFUSED_BESIDE) == Some(serving);
    tag(version, REFUSED).filter(|_| is_about_it).map(str::to_owned)
}

/// Writes on a version why its release was refused, where it has the alias and another one serves.
pub(crate) async fn note_refusal(
    project: &Project,
    tracking: &Tracking,
    version: &ModelVersion,
    error: &Error,
) -> Result<()> {
    if !is_verdict(error) {
        return Ok(());
    }
    let Some(serving) = serving(project).await?.filter(|serving| *serving != version.version)
    else {
        return Ok(());
    };
    if number(tracking, &version.name, PRODUCTION).await?.as_ref() != Some(&version.version) {
        return Ok(());
    }
    let message = error.message();
    let first = message.lines().next().unwrap_or_default();
    for tag in [KeyValue::new(REFUSED, first), KeyValue::new(REFUSED_BESIDE, serving)] {
        tracking.model_versions.set_tag(version.id(), tag).await?;
    }
    Ok(())
}

/// Whether an error says something of the version, so that trying again would end in the same way.
pub(crate) fn is_verdict(error: &Error) -> bool {
    use trainyard_deploy::Error as Deploy;
    match error {
        Error::Gate(_) | Error::Staging { .. } | Error::Signature(_) | Error::Model(_) => true,
        Error::Deploy(Deploy::Refused { refusal, .. }) => {
            matches!(refusal, Refusal::Verdict { .. })
        }
        Error::Deploy(error) => {
            matches!(error, Deploy::Unhealthy(_) | Deploy::WentBack { .. } | Deploy::Dropped(_))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_the_version_that_served_then() {
        let tags = vec![KeyValue::new(REFUSED, "too bad"), KeyValue::new(REFUSED_BESIDE, "3")];
        let version = ModelVersion { tags, ..ModelVersion::default() };
        assert_eq!(refusal(&version, "3").as_deref(), Some("too bad"));
        assert_eq!(refusal(&version, "4"), None);
    }
}
