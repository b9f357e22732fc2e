//! Gate and promotion: a version gets `Staging`, proves itself, gets `Production`.

use std::time::{Duration, Instant};

use serde::Serialize;
use trainyard_mlflow::entities::{KeyValue, ModelVersion, Tag};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{AliasId, Tracking, VersionId, resolve};

use crate::event::{Event, Step, Watcher};
use crate::gate::{Verdict, judge};
use crate::{Error, Project, Result, holdout, staging};

/// Alias of the version that is being checked.
pub const STAGING: &str = "Staging";
/// Alias of the version that is served.
pub const PRODUCTION: &str = "Production";

/// What promotion did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promoted {
    pub name: String,
    pub version: String,
    /// Version that had the alias before.
    pub replaced: Option<String>,
    pub gate: Verdict,
    #[serde(skip)]
    pub gate_took: Duration,
    #[serde(skip)]
    pub promote_took: Duration,
}

/// Puts a version (the newest if none is named) through the gate and labels it `Production`.
pub async fn promote(
    project: &Project,
    tracking: &Tracking,
    version: Option<&str>,
    watcher: Watcher<'_>,
) -> Result<Promoted> {
    let name = &project.config.model.name;
    let candidate = candidate(tracking, name, version).await?;
    let production = production(tracking, name).await?;

    let started = Instant::now();
    watcher(Event::Started(Step::Gate));
    let verdict = gate(project, tracking, &candidate, production.as_ref(), watcher).await;
    let gate_took = started.elapsed();
    let verdict = match verdict {
        Ok(verdict) if verdict.passed() => verdict,
        other => {
            watcher(Event::Failed { step: Step::Gate, took: gate_took });
            return Err(other.map_or_else(|error| error, Error::Gate));
        }
    };
    watcher(Event::Done {
        step: Step::Gate,
        message: format!("{} rules hold", verdict.checks.len()),
        took: gate_took,
    });

    let started = Instant::now();
    watcher(Event::Started(Step::Promote));
    let moved = move_aliases(project, tracking, &candidate, watcher).await;
    let promote_took = started.elapsed();
    if let Err(error) = moved {
        watcher(Event::Failed { step: Step::Promote, took: promote_took });
        return Err(error);
    }
    watcher(Event::Done {
        step: Step::Promote,
        message: format!("{name} version {} is {PRODUCTION}", candidate.version),
        took: promote_took,
    });
    Ok(Promoted {
        name: name.clone(),
        version: candidate.version,
        replaced: production.map(|version| version.version),
        gate: verdict,
        gate_took,
        promote_took,
    })
}

/// Gives the alias back to the version that had it before, because the promoted one could not be
/// deployed: what `Production` names is what is served.
pub(crate) async fn demote(
    project: &Project,
    tracking: &Tracking,
    promoted: &Promoted,
) -> Result<()> {
    let name = &project.config.model.name;
    let now = production(tracking, name).await?;
    // Somebody else may have moved it meanwhile.
    if now.is_none_or(|version| version.version != promoted.version) {
        return Ok(());
    }
    let models = &tracking.registered_models;
    match &promoted.replaced {
        Some(before) => models.set_alias(VersionId { name, version: before }, PRODUCTION).await?,
        None => models.delete_alias(AliasId { name, alias: PRODUCTION }).await?,
    }
    Ok(())
}

/// The version asked for, or the newest.
async fn candidate(tracking: &Tracking, name: &str, version: Option<&str>) -> Result<ModelVersion> {
    let uri = match version {
        Some(version) => ModelUri::Version { name: name.to_owned(), version: version.to_owned() },
        None => ModelUri::Latest { name: name.to_owned() },
    };
    let missing = |error: trainyard_mlflow::Error| {
        if error.is_not_found() {
            let what = match version {
                Some(version) => format!("{name} has no version {version}"),
                None => format!("{name} has no version yet"),
            };
            Error::Missing { what, hint: "`trainyard train` registers one".to_owned() }
        } else {
            error.into()
        }
    };
    let resolved = resolve::resolve(tracking, &uri).await.map_err(missing)?;
    resolved.version.ok_or_else(|| Error::Missing {
        what: format!("{name} has no version yet"),
        hint: "`trainyard train` registers one".to_owned(),
    })
}

/// The version in production, if there is one.
async fn production(tracking: &Tracking, name: &str) -> Result<Option<ModelVersion>> {
    let registered = tracking.registered_models.get(name).await?;
    let Some(alias) = registered.aliases.iter().find(|alias| alias.alias == PRODUCTION) else {
        return Ok(None);
    };
    Ok(Some(tracking.model_versions.get(VersionId { name, version: &alias.version }).await?))
}

/// Judges the candidate and writes the verdict to its tags.
async fn gate(
    project: &Project,
    tracking: &Tracking,
    candidate: &ModelVersion,
    production: Option<&ModelVersion>,
    watcher: Watcher<'_>,
) -> Result<Verdict> {
    let rules = &project.config.gate;
    let progress = |message: &str| {
        watcher(Event::Progress { step: Step::Gate, message: message.to_owned(), share: None });
    };
    let logged = holdout::logged_metrics(tracking, candidate).await?;
    let compared = match production {
        Some(production)
            if !rules.not_worse_than_production.is_empty()
                && production.version != candidate.version =>
        {
            progress(&format!("version {} on the same holdout", production.version));
            Some(holdout::compare(project, tracking, candidate, production).await?)
        }
        _ => None,
    };
    let verdict = judge(rules, &logged, compared.as_ref());
    for tag in tags_of(&verdict) {
        tracking.model_versions.set_tag(candidate.id(), tag).await?;
    }
    Ok(verdict)
}

fn tags_of(verdict: &Verdict) -> Vec<Tag> {
    let outcome = if verdict.passed() { "passed" } else { "failed" };
    let mut tags = vec![KeyValue::new("trainyard.gate", outcome)];
    for check in &verdict.checks {
        let key = format!("trainyard.gate.{}", check.metric);
        // Two rules about one metric share its tag.
        match tags.iter_mut().find(|tag| tag.key == key) {
            Some(tag) => tag.value = format!("{}; {}", tag.value, check),
            None => tags.push(KeyValue::new(key, check.to_string())),
        }
    }
    tags
}

/// `Staging`, the check, `Production`.
async fn move_aliases(
    project: &Project,
    tracking: &Tracking,
    candidate: &ModelVersion,
    watcher: Watcher<'_>,
) -> Result<()> {
    let name = &candidate.name;
    tracking
        .registered_models
        .set_alias(VersionId { name, version: &candidate.version }, STAGING)
        .await?;
    watcher(Event::Progress {
        step: Step::Promote,
        message: format!("serving version {} as {STAGING}", candidate.version),
        share: None,
    });
    staging::check(project, tracking, candidate).await?;
    tracking
        .registered_models
        .set_alias(VersionId { name, version: &candidate.version }, PRODUCTION)
        .await?;
    Ok(())
}
