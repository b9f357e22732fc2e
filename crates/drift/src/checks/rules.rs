//! The values of current, held to the rules that a person wrote down for them.

use super::numbers::{distinguished, percent};
use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::labels::{OneSided, for_each_own_label};
use crate::rule::ColumnRule;
use crate::values::Values;

/// Findings on values that break a rule: serious, or a note where they are no more than the rule tolerates.
pub(crate) fn on_rules(current: &Column, rule: &ColumnRule) -> Vec<Finding> {
    let [negative, positive] = current.infinities_beside_values();
    let values = current.len() + negative + positive;
    let mut findings = Vec::new();
    let mut broken = |count: u64, of: u64, message: String| {
        if count > 0 {
            let share = count as f64 / of.max(1) as f64;
            let severity = if share > rule.tolerance { Severity::Serious } else { Severity::Note };
            findings.push(Finding::new(FindingKind::Rule, severity, message));
        }
    };
    if rule.min.is_some() || rule.max.is_some() {
        let (count, message) = out_of_range(current, rule);
        broken(count, values, message);
    }
    if let Some(allowed) = rule.labels(current.family()) {
        let wrong = labels(current, |label| !allowed.contains(label));
        let message =
            format!("{} of {values} values are not allowed: {}", wrong.values, wrong.named());
        broken(wrong.values, values, message);
    }
    if let Some(pattern) = &rule.pattern {
        let wrong = labels(current, |label| !pattern.matches(label));
        let message = format!(
            "{} of {values} values do not match {:?}: {}",
            wrong.values,
            pattern.text(),
            wrong.named()
        );
        broken(wrong.values, values, message);
    }
    if rule.unique {
        let repeated = current.len() - current.distinct();
        let message = format!("{repeated} of {values} values repeat one, where none may");
        broken(repeated, values, message);
    }
    if let Some(most) = rule.missing_max {
        let share = current.missing() as f64 / current.rows().max(1) as f64;
        if share > most {
            let message = format!("{} missing, where {} may be", percent(share), percent(most));
            findings.push(Finding::new(FindingKind::Rule, Severity::Serious, message));
        }
    }
    findings
}

/// How many values lie outside of the rule's range, and what to say about it. What has no order is all outside.
fn out_of_range(current: &Column, rule: &ColumnRule) -> (u64, String) {
    let Values::Numbers(numbers) = current.values() else {
        let message = "a range is for numbers, and these values are none".to_owned();
        return (current.len(), message);
    };
    let [negative, positive] = current.infinities_beside_values();
    let infinite = |bound: Option<f64>, count: u64| if bound.is_some() { count } else { 0 };
    let below = rule.min.map_or(0, |min| numbers.count_below(min)) + infinite(rule.min, negative);
    let above = rule.max.map_or(0, |max| numbers.len() as u64 - numbers.count_up_to(max))
        + infinite(rule.max, positive);
    let bounds = [rule.min, rule.max, numbers.min(), numbers.max()].map(|it| it.unwrap_or(0.0));
    let [min, max, smallest, largest] = distinguished(bounds);
    let range = match (rule.min, rule.max) {
        (Some(_), Some(_)) => format!("{min} to {max}"),
        (Some(_), None) => format!("{min} or more"),
        _ => format!("{max} or less"),
    };
    let values = current.len() + negative + positive;
    let message = format!(
        "{} of {values} values lie outside of {range} ({below} below, {above} above; current {smallest} to {largest})",
        below + above
    );
    (below + above, message)
}

/// The labels that are wrong, and how many values have them.
fn labels(current: &Column, is_wrong: impl Fn(&str) -> bool) -> OneSided {
    let mut wrong = OneSided::default();
    for_each_own_label(current, |label, count| {
        if is_wrong(&label) {
            wrong.add(count, || label);
        }
    });
    wrong
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Float64Array, Int64Array, StringArray};

    use super::*;
    use crate::{DatasetVerdict, Options, compare_arrays, conclude};

    fn said(current: &dyn Array, rule: &ColumnRule) -> Vec<(Severity, String)> {
        on_rules(&Column::new(&[current]), rule)
            .into_iter()
            .map(|finding| (finding.severity, finding.message))
            .collect()
    }

    #[test]
    fn values_that_break_a_rule_are_counted_and_named() {
        let serious = |message: &str| vec![(Severity::Serious, message.to_owned())];
        let numbers = Float64Array::from(vec![Some(-1.0), Some(0.5), Some(f64::INFINITY), None]);
        let range = ColumnRule { min: Some(0.0), max: Some(1.0), ..ColumnRule::default() };
        assert_eq!(
            said(&numbers, &range),
            serious("2 of 3 values lie outside of 0 to 1 (1 below, 1 above; current -1 to 0.5)")
        );
        let few = ColumnRule { missing_max: Some(0.2), ..ColumnRule::default() };
        assert_eq!(said(&numbers, &few), serious("25.0 % missing, where 20.0 % may be"));

        let towns = StringArray::from(vec!["NL", "BE", "nl", "nl"]);
        let allowed = |labels: &[&str]| ColumnRule {
            allowed: Some(labels.iter().map(|label| (*label).to_owned()).collect()),
            ..ColumnRule::default()
        };
        assert_eq!(
            said(&towns, &allowed(&["NL", "BE"])),
            serious("2 of 4 values are not allowed: \"nl\"")
        );
        assert!(said(&Int64Array::from(vec![1, 2]), &allowed(&["1", "2.0"])).is_empty());
        let capitals = ColumnRule { pattern: "[A-Z]+".parse().ok(), ..ColumnRule::default() };
        assert_eq!(
            said(&towns, &capitals),
            serious("2 of 4 values do not match \"[A-Z]+\": \"nl\"")
        );
        let unique = ColumnRule { unique: true, ..ColumnRule::default() };
        assert_eq!(said(&towns, &unique), serious("1 of 4 values repeat one, where none may"));
        let tolerant = ColumnRule { tolerance: 0.3, ..unique };
        assert_eq!(said(&towns, &tolerant)[0].0, Severity::Note);
        assert_eq!(said(&towns, &range)[0].1, "a range is for numbers, and these values are none");
    }

    #[test]
    fn a_rule_takes_the_place_of_what_the_reference_says() {
        let before = Float64Array::from_iter_values((0..100).map(f64::from));
        let after = Float64Array::from_iter_values((1..101).map(f64::from));
        let rule = |max: f64| ColumnRule { max: Some(max), ..ColumnRule::default() };
        let compared = |max: f64| {
            let rules = [("x".to_owned(), rule(max))].into();
            let options = Options { rules, ..Options::default() };
            let column = compare_arrays("x", &before, &after, &options);
            let kinds: Vec<FindingKind> = column.findings.iter().map(|one| one.kind).collect();
            (kinds, conclude(vec![column], 100, 100, &options).verdict())
        };
        assert_eq!(compared(100.0), (vec![], DatasetVerdict::Stable));
        assert_eq!(compared(50.0), (vec![FindingKind::Rule], DatasetVerdict::Warning));
    }
}
