//! Judges one column: which method, which threshold, and what came out.

use super::adjusted::adjusted_score;
use crate::column::Column;
use crate::kind::{Inferred, Kind};
use crate::method::{Method, Outcome, default_method, run};
use crate::options::Options;
use crate::sides::Sides;
use crate::too_few::too_few;
use crate::values::family::Family;
use crate::verdict::{Status, Verdict};

pub(super) fn judge(
    name: &str,
    inferred: &Inferred,
    sides: &Sides<'_>,
    options: &Options,
) -> Status {
    let kind = inferred.kind;
    let (reference, current) = (sides.reference, sides.current);
    let both = [(reference, "the reference"), (current, "current")];
    let empty = both.iter().find(|(column, _)| column.is_empty());
    let is_nested = both.iter().any(|(column, _)| column.family() == Family::Nested);
    if kind == Kind::Unknown && (empty.is_none() || is_nested) {
        return Status::Skipped(inferred.reason.clone());
    }
    if let Some((_, side)) = empty {
        return Status::Skipped(format!("no usable value in {side}"));
    }
    if let Some(reason) = too_few(reference, current, options) {
        return Status::Skipped(reason);
    }
    let asked = options.method_for(name, kind);
    let chosen_by_default = asked.is_none();
    let (method, method_reason) = if let Some((method, option)) = asked {
        (method, format!("asked for by {option}"))
    } else {
        let distinct = if kind == Kind::Text { 0 } else { sides.distinct_up_to(5) };
        default_method(kind, reference.len(), distinct as u64, options.is_evidently())
    };
    if !chosen_by_default && !method.applies_to(kind) && !by_value(method, kind, options) {
        let kinds: Vec<&str> = method
            .kinds()
            .iter()
            .filter(|kind| **kind != Kind::Datetime)
            .map(|kind| kind.name())
            .collect();
        return Status::Failed(format!(
            "{method} is for {} columns, this one is {kind}",
            kinds.join(" and ")
        ));
    }
    let outcome = match run(method, kind, sides, options) {
        Ok(outcome) => outcome,
        Err(reason) => return Status::Failed(reason),
    };
    let asked_threshold = options.threshold_for(name, kind);
    let is_asked = !chosen_by_default || asked_threshold.is_some();
    let threshold = asked_threshold.unwrap_or_else(|| method.default_threshold());
    let adjusted_score = if options.is_evidently() {
        None
    } else {
        adjusted_score(method, kind, (outcome.score, threshold), is_asked, sides)
    };
    let drifted = method.is_drift(adjusted_score.unwrap_or(outcome.score), threshold);
    let counts_as_drifted = if options.is_evidently() {
        table_verdict(name, sides, kind, options, drifted)
    } else {
        drifted
    };
    let Outcome { score, effect, detail } = outcome;
    let method_reason =
        detail.map_or_else(|| method_reason.clone(), |detail| format!("{method_reason}; {detail}"));
    Status::Tested(Verdict {
        method,
        method_reason,
        chosen_by_default,
        score,
        adjusted_score,
        threshold,
        score_kind: method.score_kind(),
        drifted,
        counts_as_drifted,
        effect,
    })
}

/// The default rule counts the values of a numerical column that has few; asking for the same is allowed
/// here (a pinned profile does), though not by Evidently.
fn by_value(method: Method, kind: Kind, options: &Options) -> bool {
    kind == Kind::Numerical
        && matches!(method, Method::ChiSquare | Method::ZTest)
        && !options.is_evidently()
}

/// Evidently's dataset count cleans a side only if it holds a NaN: otherwise infinities stay in.
fn table_verdict(
    name: &str,
    sides: &Sides<'_>,
    kind: Kind,
    options: &Options,
    drifted: bool,
) -> bool {
    let keeps_infinities = |column: &Column| column.infinite() > 0 && column.missing() == 0;
    if !keeps_infinities(sides.reference) && !keeps_infinities(sides.current) {
        return drifted;
    }
    let raw = |column: &Column| {
        if keeps_infinities(column) { column.with_infinities() } else { column.clone() }
    };
    let (reference, current) = (raw(sides.reference), raw(sides.current));
    let sides = Sides::new(&reference, &current, options.compat);
    let method = options.method_for(name, kind).map_or_else(
        || default_method(kind, reference.len(), sides.distinct_up_to(5) as u64, true).0,
        |(method, _)| method,
    );
    let threshold = options.threshold_for(name, kind).unwrap_or_else(|| method.default_threshold());
    match run(method, kind, &sides, options) {
        Ok(outcome) => method.is_drift(outcome.score, threshold),
        Err(_) => drifted,
    }
}
