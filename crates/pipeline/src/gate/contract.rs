//! The contract: the candidate's signature against that of the version in production.
//!
//! Who calls production must be able to go on: 4xx are answers to clients' mistakes everywhere else, so a
//! version that suddenly refuses all of them is caught here or nowhere.

use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{KeyValue, ModelVersion, Tag};
use trainyard_signature::contract::{self, Contract, Finding};

use super::contract_rule::ContractRule;
use super::rules::Gate;
use super::verdict::{CONTRACT, Check};
use crate::actor::cause;
use crate::candidate::Candidate;
use crate::event::{Step, Watcher};
use crate::folder_files::mlmodel;
use crate::{Project, Result};

/// Findings that a sentence lists; a signature may have thousands of columns.
const LISTED_MAX: usize = 10;

/// What a refusal says of the way out.
const WAY_OUT: &str = "`trainyard promote --allow-break` lets it, and says so on the version";

/// What the comparison came to, and what is to be written down of it.
pub(super) struct Judged {
    pub(super) check: Check,
    pub(super) tags: Vec<Tag>,
}

/// Compares with production; none where there is nothing to compare with.
pub(super) async fn judge(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    production: Option<&ModelVersion>,
    watcher: Watcher<'_>,
) -> Result<Option<Judged>> {
    let version = &candidate.version.version;
    let Some(production) = production.filter(|served| served.version != *version) else {
        return Ok(None);
    };
    let served = &production.version;
    Step::Gate.tell(watcher, format!("signatures of versions {served} and {version}"));
    let contract = match between(project, tracking, served, version).await {
        Ok(contract) => contract,
        // What cannot be read breaks whatever it does; whoever allows that may go on.
        Err(error) if project.config.gate.allow_break => {
            Step::Gate.tell(watcher, format!("signatures are not compared: {}", error.message()));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    for finding in contract.forms() {
        Step::Gate.tell(watcher, finding.to_string());
    }
    let actor = cause(project, None).actor;
    Ok(Some(verdict(&project.config.gate, served, &contract, &actor)))
}

/// What the signature of one version changes for clients of another.
pub(crate) async fn between(
    project: &Project,
    tracking: &Tracking,
    served: &str,
    version: &str,
) -> Result<Contract> {
    let before = mlmodel(&Candidate::find(project, tracking, Some(served)).await?).await?;
    let after = mlmodel(&Candidate::find(project, tracking, Some(version)).await?).await?;
    Ok(contract::compare(before.signature.as_ref(), after.signature.as_ref()))
}

/// `actor` is who runs this.
fn verdict(rules: &Gate, served: &str, contract: &Contract, actor: &str) -> Judged {
    let allowed = match (rules.allow_break, rules.contract) {
        (true, _) => Some("`promote --allow-break`"),
        (false, ContractRule::MayBreak) => Some("[gate] contract = \"may_break\""),
        (false, ContractRule::Keep) => None,
    };
    let broken = listed(contract.breaks());
    let mut tags = vec![KeyValue::new("trainyard.contract", "kept")];
    let (rule, passed) = match (&broken, allowed) {
        (None, _) => {
            let forms = listed(contract.forms());
            let but = forms.map_or_else(String::new, |forms| format!("; to know: {forms}"));
            (format!("clients of version {served} go on{but}"), true)
        }
        (Some(broken), allowed) => {
            tags = vec![
                KeyValue::new("trainyard.contract", "broken"),
                KeyValue::new("trainyard.contract.breaks", broken.clone()),
            ];
            match allowed {
                None => {
                    let rule =
                        format!("it breaks clients of version {served}: {broken} ({WAY_OUT})");
                    (rule, false)
                }
                Some(how) => {
                    let said = format!("{how}, {actor}");
                    let rule = format!(
                        "it breaks clients of version {served}, allowed by {said}: {broken}"
                    );
                    tags.push(KeyValue::new("trainyard.contract.allowed_by", said));
                    (rule, true)
                }
            }
        }
    };
    let check = Check { metric: CONTRACT.to_owned(), rule, passed, ..Check::default() };
    Judged { check, tags }
}

/// The first findings as a sentence; none if there are none.
pub(crate) fn listed<'f>(findings: impl Iterator<Item = &'f Finding>) -> Option<String> {
    let texts: Vec<String> = findings.map(ToString::to_string).collect();
    let more = texts.len().saturating_sub(LISTED_MAX);
    let shown = texts.iter().take(LISTED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    match (texts.len(), more) {
        (0, _) => None,
        (_, 0) => Some(shown),
        (_, more) => Some(format!("{shown}; and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use trainyard_signature::model::{ColSpec, DataType, Schema, Signature};

    use super::*;

    fn contract(before: &[&str], after: &[&str]) -> Contract {
        let of = |names: &[&str]| Signature {
            inputs: Some(Schema::Columns(
                names.iter().map(|name| ColSpec::new(*name, DataType::Double)).collect(),
            )),
            ..Signature::default()
        };
        contract::compare(Some(&of(before)), Some(&of(after)))
    }

    #[test]
    fn a_break_is_refused_unless_somebody_allows_it() {
        let broken = contract(&["age"], &["age", "tenure"]);
        let judged = verdict(&Gate::default(), "3", &broken, "ana");
        assert!(!judged.check.passed);
        assert_eq!(
            judged.check.to_string(),
            "contract: it breaks clients of version 3: input \"tenure\" (new: double, required): \
             requests without it are refused (`trainyard promote --allow-break` lets it, and says so on the version)"
        );
        let key = |judged: &Judged, key: &str| {
            judged.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone())
        };
        assert_eq!(key(&judged, "trainyard.contract").as_deref(), Some("broken"));
        assert_eq!(key(&judged, "trainyard.contract.allowed_by"), None);

        let by_flag = Gate { allow_break: true, ..Gate::default() };
        let by_file = Gate { contract: ContractRule::MayBreak, ..Gate::default() };
        for (rules, how) in [(by_flag, "--allow-break"), (by_file, "may_break")] {
            let judged = verdict(&rules, "3", &broken, "ana");
            assert!(judged.check.passed);
            let allowed = key(&judged, "trainyard.contract.allowed_by").unwrap();
            assert!(allowed.contains(how) && allowed.contains("ana"), "{allowed}");
            assert!(judged.check.to_string().contains("tenure"), "{}", judged.check);
        }
        let kept = verdict(&Gate::default(), "3", &contract(&["age"], &["age"]), "ana");
        assert!(kept.check.passed);
        assert_eq!(kept.check.to_string(), "contract: clients of version 3 go on");
    }

    #[test]
    fn a_sentence_does_not_list_thousands() {
        let names: Vec<String> = (0..500).map(|number| format!("c{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = listed(contract(&["a"], &names).breaks()).unwrap();
        assert!(text.len() < 2_000 && text.contains("more"), "{text}");
    }
}
