//! Two signatures, part by part.

use serde::Serialize;

use super::effect::Effect;
use super::finding::Finding;
use super::{inputs, outputs, params};
use crate::model::Signature;

/// What a candidate changes for those who use production.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Contract {
    /// Every difference; what breaks comes first.
    pub findings: Vec<Finding>,
}

impl Contract {
    /// Differences that break clients, whatever they send.
    pub fn breaks(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.effect == Effect::Break)
    }

    /// Differences that break requests in some forms alone.
    pub fn forms(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| matches!(finding.effect, Effect::Forms(_)))
    }

    /// Whether whoever uses production can go on.
    pub fn is_kept(&self) -> bool {
        self.breaks().next().is_none()
    }
}

/// Compares the candidate's signature (`after`) with production's (`before`); either may have none.
pub fn compare(before: Option<&Signature>, after: Option<&Signature>) -> Contract {
    let nothing = Signature::default();
    let (before, after) = (before.unwrap_or(&nothing), after.unwrap_or(&nothing));
    let mut findings = inputs::compare(before.inputs.as_ref(), after.inputs.as_ref());
    findings.extend(outputs::compare(before.outputs.as_ref(), after.outputs.as_ref()));
    let [before, after] = [before, after].map(|one| one.params.as_deref().unwrap_or_default());
    findings.extend(params::compare(before, after));
    findings.sort_by(|left, right| right.effect.cmp(&left.effect));
    Contract { findings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ColSpec, DataType, Schema};

    #[test]
    fn what_breaks_comes_first() {
        let signature = |columns: Vec<ColSpec>| Signature {
            inputs: Some(Schema::Columns(columns)),
            ..Signature::default()
        };
        let a = || ColSpec::new("a", DataType::Double);
        let before = signature(vec![a()]);
        let after = signature(vec![
            a(),
            ColSpec::new("note", DataType::String).optional(),
            ColSpec::new("tenure", DataType::Double),
        ]);
        let contract = compare(Some(&before), Some(&after));
        assert!(!contract.is_kept());
        assert_eq!(
            contract.findings.first().map(ToString::to_string).as_deref(),
            Some("input \"tenure\" (new: double, required): requests without it are refused")
        );
        assert_eq!(contract.findings.len(), 2, "{contract:?}");
        assert_eq!(compare(Some(&before), Some(&before)), Contract::default());
        assert_eq!(compare(None, None), Contract::default());
        // Nobody knows what clients send where nothing is declared.
        assert!(!compare(None, Some(&before)).is_kept());
        assert!(!compare(Some(&before), None).is_kept());
    }
}
