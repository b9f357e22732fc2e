//! Inputs: every request that production's signature takes must be taken by the candidate's.

use std::collections::HashMap;

use super::effect::Effect;
use super::finding::{Finding, Part, column_text, tensor_text};
use super::{positions, tensors, types};
use crate::model::{ColSpec, Schema, TensorSpec};

pub(super) fn compare(before: Option<&Schema>, after: Option<&Schema>) -> Vec<Finding> {
    let whole = |reason: &str| vec![Finding::whole(Part::Input, Effect::Break, reason)];
    match (before, after) {
        (None, None) => Vec::new(),
        (None, Some(_)) => whole(
            "production declares none, so it takes whatever clients send; the candidate takes what it \
             declares",
        ),
        (Some(_), None) => whole(
            "the candidate declares none, so values are no longer checked, converted or filled in",
        ),
        (Some(Schema::Columns(before)), Some(Schema::Columns(after))) => columns(before, after),
        (Some(Schema::Tensors(before)), Some(Schema::Tensors(after))) => all_tensors(before, after),
        (Some(Schema::Columns(_)), Some(Schema::Tensors(_))) => whole("columns became tensors"),
        (Some(Schema::Tensors(_)), Some(Schema::Columns(_))) => whole("tensors became columns"),
    }
}

const NAMES: &str = "names came or went: requests with names and those without are not the same";

fn columns(before: &[ColSpec], after: &[ColSpec]) -> Vec<Finding> {
    let named = |columns: &[ColSpec]| columns.iter().all(|column| column.name.is_some());
    let whole = |reason: String| Finding::whole(Part::Input, Effect::Break, reason);
    if named(before) != named(after) {
        return vec![whole(NAMES.to_owned())];
    }
    let mut findings = if named(before) {
        named_columns(before, after)
    } else if before.len() == after.len() {
        let pairs = before.iter().zip(after).enumerate();
        pairs.filter_map(|(at, (before, after))| changed(&at.to_string(), before, after)).collect()
    } else {
        let (was, is) = (before.len(), after.len());
        let reason =
            format!("{was} columns without names became {is}: which is which nobody knows");
        vec![whole(reason)]
    };
    let breaks = findings.iter().any(|finding| finding.effect == Effect::Break);
    // Beside a break it is no news.
    findings.extend((!breaks).then(|| positions::compare(before, after)).flatten());
    findings
}

fn named_columns(before: &[ColSpec], after: &[ColSpec]) -> Vec<Finding> {
    let was = by_name(before);
    let is = by_name(after);
    let gone: Vec<&ColSpec> =
        before.iter().filter(|column| !is.contains_key(name(column))).collect();
    let mut findings: Vec<Finding> = after
        .iter()
        .filter_map(|column| match was.get(name(column)) {
            Some(known) => changed(name(column), known, column),
            None => Some(new_column(column, &gone)),
        })
        .collect();
    findings.extend(gone.iter().map(|column| {
        let reason = "requests may still have it, but it is read past";
        Finding::of(Part::Input, name(column), Effect::Harmless, reason).before(column_text(column))
    }));
    // What every request has says how many rows there are.
    let sure = |column: &ColSpec| was.get(name(column)).is_some_and(|known| known.required);
    if !gone.is_empty() && !after.iter().any(sure) {
        let reason = "a request that gives nothing but inputs that are gone has no rows any more";
        findings.push(Finding::whole(Part::Input, Effect::Break, reason));
    }
    findings
}

fn name(column: &ColSpec) -> &str {
    column.name.as_deref().unwrap_or_default()
}

fn by_name(columns: &[ColSpec]) -> HashMap<&str, &ColSpec> {
    columns.iter().map(|column| (name(column), column)).collect()
}

/// A column that production does not know; `gone` are those that the candidate does not know.
fn new_column(column: &ColSpec, gone: &[&ColSpec]) -> Finding {
    let finding = if column.required {
        let mut alike = gone.iter().filter(|gone| gone.data_type == column.data_type);
        let renamed = match (alike.next(), alike.next()) {
            (Some(only), None) => format!(" (was {:?} renamed?)", name(only)),
            _ => String::new(),
        };
        let reason = format!("requests without it are refused{renamed}");
        Finding::of(Part::Input, name(column), Effect::Break, reason)
    } else {
        let reason = "requests without it go on";
        Finding::of(Part::Input, name(column), Effect::Harmless, reason)
    };
    finding.after(column_text(column))
}

fn changed(name: &str, before: &ColSpec, after: &ColSpec) -> Option<Finding> {
    if before == after {
        return None;
    }
    let effect = types::taken(&before.data_type, &after.data_type);
    let (effect, reason) = match effect {
        Effect::Break => {
            (Effect::Break, format!("values that are no {} are refused", after.data_type))
        }
        _ if after.required && !before.required => {
            (Effect::Break, "requests without it are refused".to_owned())
        }
        Effect::Forms(forms) => {
            let listed: Vec<String> = forms.iter().map(ToString::to_string).collect();
            let reason = format!("refused in {} alone", listed.join(" and "));
            (Effect::Forms(forms), reason)
        }
        Effect::Harmless => (Effect::Harmless, "it takes all that it took".to_owned()),
    };
    let finding = Finding::of(Part::Input, name, effect, reason);
    Some(finding.before(column_text(before)).after(column_text(after)))
}

fn all_tensors(before: &[TensorSpec], after: &[TensorSpec]) -> Vec<Finding> {
    let named = |tensors: &[TensorSpec]| tensors.iter().all(|tensor| tensor.name.is_some());
    if named(before) != named(after) {
        return vec![Finding::whole(Part::Input, Effect::Break, NAMES)];
    }
    let find = |tensors: &[TensorSpec], wanted: &TensorSpec| {
        tensors.iter().position(|tensor| tensor.name == wanted.name)
    };
    let title = |tensor: &TensorSpec| tensor.name.clone().unwrap_or_else(|| "0".to_owned());
    let mut findings = Vec::new();
    for tensor in after {
        let Some(known) = find(before, tensor).and_then(|at| before.get(at)) else {
            let reason = "requests without it are refused";
            let finding = Finding::of(Part::Input, &title(tensor), Effect::Break, reason);
            findings.push(finding.after(tensor_text(tensor)));
            continue;
        };
        if known == tensor {
            continue;
        }
        let effect = tensors::taken(known, tensor);
        let reason = match effect {
            Effect::Break => "values or shapes that it took are refused",
            Effect::Forms(_) => "refused in Parquet alone",
            Effect::Harmless => "it takes all that it took",
        };
        let finding = Finding::of(Part::Input, &title(tensor), effect, reason);
        findings.push(finding.before(tensor_text(known)).after(tensor_text(tensor)));
    }
    for tensor in before.iter().filter(|tensor| find(after, tensor).is_none()) {
        let reason = "requests may still have it, but it is read past";
        let finding = Finding::of(Part::Input, &title(tensor), Effect::Harmless, reason);
        findings.push(finding.before(tensor_text(tensor)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Form;
    use crate::model::DataType;

    fn double(name: &str) -> ColSpec {
        ColSpec::new(name, DataType::Double)
    }

    /// Effect of the worst finding and the texts of all.
    fn of(before: &[ColSpec], after: &[ColSpec]) -> (Effect, Vec<String>) {
        let findings = columns(before, after);
        let texts = findings.iter().map(ToString::to_string).collect();
        let worst = findings.into_iter().map(|finding| finding.effect).max();
        (worst.unwrap_or(Effect::Harmless), texts)
    }

    #[test]
    fn a_renamed_input_is_told_as_one() {
        let (effect, texts) = of(&[double("a"), double("b")], &[double("a"), double("c")]);
        assert_eq!(effect, Effect::Break);
        assert_eq!(
            texts,
            [
                "input \"c\" (new: double, required): requests without it are refused (was \"b\" \
                 renamed?)",
                "input \"b\" (double, required, removed): requests may still have it, but it is read \
                 past",
            ]
        );
    }

    #[test]
    fn requests_without_names_meet_every_change_of_the_order() {
        let order = |forms: &[Form]| Effect::Forms(forms.to_vec());
        let (a, b) = (double("a"), double("b"));
        assert_eq!(of(&[a.clone(), b.clone()], &[b.clone(), a.clone()]).0, order(&[Form::Table]));
        let optional = b.clone().optional();
        assert_eq!(of(std::slice::from_ref(&a), &[a.clone(), optional]).0, order(&[Form::Unnamed]));
        let (zero, one) = (double("0"), double("1"));
        let after = [zero.clone(), double("x").optional()];
        assert_eq!(of(&[zero, one], &after).0, order(&[Form::Table, Form::Unnamed]));
    }

    #[test]
    fn a_request_must_have_something_that_counts() {
        let optional = |name: &str| double(name).optional();
        let (effect, texts) = of(&[optional("a"), optional("b")], &[optional("a")]);
        assert_eq!(effect, Effect::Break, "{texts:?}");
        // `a` is in every request.
        assert_ne!(of(&[double("a"), optional("b")], &[double("a")]).0, Effect::Break);
    }

    #[test]
    fn columns_without_names_are_their_order() {
        let unnamed = |kinds: &[DataType]| -> Vec<ColSpec> {
            kinds.iter().cloned().map(ColSpec::unnamed).collect()
        };
        let longs = unnamed(&[DataType::Long, DataType::Long]);
        assert_eq!(of(&longs, &unnamed(&[DataType::Long])).0, Effect::Break);
        assert_eq!(of(&longs, &[double("0"), double("1")]).0, Effect::Break);
        // Lists of lists are one array, which has one type.
        let (effect, _) = of(&longs, &unnamed(&[DataType::Long, DataType::Double]));
        assert!(!effect.spares(Form::Unnamed) && effect != Effect::Break, "{effect:?}");
    }

    #[test]
    fn tensors_are_known_by_name() {
        let tensor = |name: &str, shape: &[i64]| TensorSpec {
            name: Some(name.to_owned()),
            ..TensorSpec::unnamed("float64", shape)
        };
        let before = [tensor("x", &[-1, 3]), tensor("y", &[-1])];
        let worst = |after: &[TensorSpec]| {
            all_tensors(&before, after).into_iter().map(|finding| finding.effect).max()
        };
        assert_eq!(worst(&before), None);
        assert_eq!(worst(&[tensor("y", &[-1])]), Some(Effect::Harmless));
        assert_eq!(worst(&[tensor("x", &[-1, 4]), tensor("y", &[-1])]), Some(Effect::Break));
        assert_eq!(worst(&[tensor("x", &[-1, 3]), tensor("z", &[-1])]), Some(Effect::Break));
    }
}
