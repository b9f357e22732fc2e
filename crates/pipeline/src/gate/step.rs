//! The gate step: what is known of a version, judged by the rules; the verdict becomes tags of the version.

use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{KeyValue, ModelVersion, Tag};

use super::contract;
use super::directions;
use super::evidence::Evidence;
use super::judge::judge;
use super::verdict::Verdict;
use crate::candidate::Candidate;
use crate::event::{Event, Step, Watcher};
use crate::{Error, Project, Result};

/// Judges the candidate and writes the verdict to its tags; it is an error if a rule does not hold.
pub(crate) async fn gate(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    production: Option<&ModelVersion>,
    watcher: Watcher<'_>,
) -> Result<Verdict> {
    let rules = &project.config.gate;
    let rival = production.filter(|production| {
        !rules.not_worse_than_production.is_empty()
            && production.version != candidate.version.version
    });
    if let Some(rival) = rival {
        Step::Gate.tell(watcher, format!("version {} on the same rows", rival.version));
    }
    let evidence = Evidence::gather(project, tracking, candidate, rival).await?;
    let mut verdict = judge(rules, &evidence.worth, &evidence.compared);
    let contract = contract::judge(project, tracking, candidate, production, watcher).await?;
    let mut tags = Vec::new();
    if let Some(contract) = contract {
        verdict.checks.push(contract.check);
        tags.extend(contract.tags);
    }
    for check in verdict.checks.iter().filter(|check| check.undecided) {
        watcher(Event::Output { line: format!("warning: {check}") });
    }
    tags.extend(tags_of(&verdict));
    for tag in tags {
        tracking.model_versions.set_tag(candidate.version.id(), tag).await?;
    }
    directions::record(project, tracking, candidate).await;
    if verdict.passed() { Ok(verdict) } else { Err(Error::Gate(verdict)) }
}

fn tags_of(verdict: &Verdict) -> Vec<Tag> {
    let outcome = if verdict.passed() { "passed" } else { "failed" };
    let mut tags = vec![KeyValue::new("trainyard.gate", outcome)];
    let (held, failed): (Vec<_>, Vec<_>) = verdict.checks.iter().partition(|check| check.passed);
    for check in failed.into_iter().chain(held) {
        let key = format!("trainyard.gate.{}", check.metric);
        // Two rules about one metric share its tag.
        match tags.iter_mut().find(|tag| tag.key == key) {
            Some(tag) => tag.value = format!("{}; {}", tag.value, check.line()),
            None => tags.push(KeyValue::new(key, check.line())),
        }
    }
    tags
}
