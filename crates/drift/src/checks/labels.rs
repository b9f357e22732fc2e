//! Labels that are new, and labels that are gone.

use super::numbers::percent;
use super::unseen::severity;
use crate::finding::{Finding, FindingKind};
use crate::labels::OneSided;

/// Findings on new and vanished labels; `respelt` are new ones beside those of the reference that they may be.
pub(crate) fn on_labels(
    new: &OneSided,
    vanished: &OneSided,
    respelt: &[(String, String)],
    [reference, current]: [u64; 2],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if new.count > 0 {
        let share = new.values as f64 / current as f64;
        let mut message =
            format!("values not in the reference ({} of current): {}", percent(share), new.named());
        if !respelt.is_empty() {
            let pairs: Vec<String> =
                respelt.iter().map(|(new, known)| format!("{new:?} may be {known:?}")).collect();
            let pairs = pairs.join(", ");
            message =
                format!("{message}; {pairs}: they differ in case, blanks or Unicode form only");
        }
        let severity = severity(new.values, new.once_beside, [current, reference]);
        findings.push(Finding::new(FindingKind::NewCategories, severity, message));
    }
    if vanished.count > 0 {
        let share = vanished.values as f64 / reference as f64;
        let message = format!(
            "values no longer in current ({} of the reference): {}",
            percent(share),
            vanished.named()
        );
        let severity = severity(vanished.values, vanished.once_beside, [reference, current]);
        findings.push(Finding::new(FindingKind::VanishedCategories, severity, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn labels_that_are_rare_come_and_go() {
        let found = |once_beside: u64| {
            let mut new = OneSided { once_beside, ..OneSided::default() };
            (0..40).for_each(|index| new.add(1, || format!("label {index}")));
            on_labels(&new, &OneSided::default(), &[], [200, 200])[0].severity
        };
        assert_eq!((found(0), found(40)), (Severity::Warning, Severity::Note));
    }

    #[test]
    fn messages_name_a_few_labels() {
        let mut new = OneSided::default();
        (0..9).for_each(|index| new.add(1, || format!("label {index}")));
        let findings = on_labels(&new, &OneSided::default(), &[], [10, 1000]);
        assert!(findings[0].message.ends_with("\"label 4\" and 4 more"), "{}", findings[0].message);
        assert_eq!(findings[0].severity, Severity::Note);
        let respelt = [("Red".to_owned(), "red".to_owned())];
        let findings = on_labels(&new, &OneSided::default(), &respelt, [10, 1000]);
        let end = "\"Red\" may be \"red\": they differ in case, blanks or Unicode form only";
        assert!(findings[0].message.ends_with(end), "{}", findings[0].message);
    }
}
