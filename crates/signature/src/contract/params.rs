//! Params of inference. Each has a default, so a new one asks nothing of anybody; one that the signature
//! does not know is read past, so what a client chose by it is lost without a word.

use super::effect::Effect;
use super::finding::{Finding, Part, param_text};
use crate::model::{DataType, ParamSpec};

pub(super) fn compare(before: &[ParamSpec], after: &[ParamSpec]) -> Vec<Finding> {
    let find =
        |params: &[ParamSpec], name: &str| params.iter().find(|param| param.name == name).cloned();
    let known = before.iter().filter_map(|param| {
        if let Some(now) = find(after, &param.name) {
            return changed(param, &now);
        }
        let reason = "what clients choose by it is not heard any more";
        let finding = Finding::of(Part::Param, &param.name, Effect::Break, reason);
        Some(finding.before(param_text(param)))
    });
    let new = after.iter().filter(|param| find(before, &param.name).is_none()).map(|param| {
        let reason = "it has a default";
        let finding = Finding::of(Part::Param, &param.name, Effect::Harmless, reason);
        finding.after(param_text(param))
    });
    known.chain(new).collect()
}

fn changed(before: &ParamSpec, after: &ParamSpec) -> Option<Finding> {
    if before.shape != after.shape || !takes(&before.data_type, &after.data_type) {
        let reason = format!("values that are no {} are refused", param_text(after));
        let finding = Finding::of(Part::Param, &before.name, Effect::Break, reason);
        return Some(finding.before(param_text(before)).after(param_text(after)));
    }
    if before.default != after.default {
        let reason = "its default changed, for all who do not give it";
        let finding = Finding::of(Part::Param, &before.name, Effect::Harmless, reason);
        return Some(finding.before(before.default.to_string()).after(after.default.to_string()));
    }
    (before.data_type != after.data_type).then(|| {
        let finding = Finding::of(Part::Param, &before.name, Effect::Harmless, "it takes more");
        finding.before(param_text(before)).after(param_text(after))
    })
}

/// Whether all values of one type are values of another (`convert` of the enforcement's params).
fn takes(before: &DataType, after: &DataType) -> bool {
    use DataType::{Double, Float, Integer, Long};
    before == after
        || matches!((before, after), (Integer, Long | Float) | (Integer | Long | Float, Double))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(data_type: DataType, default: serde_json::Value, list: bool) -> ParamSpec {
        ParamSpec { name: "k".to_owned(), data_type, default, shape: list.then(|| vec![-1]) }
    }

    #[test]
    fn params_may_come_and_widen() {
        let long = param(DataType::Long, 3.into(), false);
        let text = |before: &[ParamSpec], after: &[ParamSpec]| {
            let found = compare(before, after);
            found.iter().map(|f| (f.effect.clone(), f.to_string())).next()
        };
        let of = |after: ParamSpec| text(std::slice::from_ref(&long), &[after]).unwrap();
        assert_eq!(text(std::slice::from_ref(&long), std::slice::from_ref(&long)), None);
        assert_eq!(text(&[], std::slice::from_ref(&long)).unwrap().0, Effect::Harmless);
        let (effect, removed) = text(std::slice::from_ref(&long), &[]).unwrap();
        assert_eq!(effect, Effect::Break);
        assert!(removed.starts_with("param \"k\" (long, removed): "), "{removed}");
        assert_eq!(of(param(DataType::Double, 3.into(), false)).0, Effect::Harmless);
        assert_eq!(of(param(DataType::Integer, 3.into(), false)).0, Effect::Break);
        assert_eq!(of(param(DataType::String, 3.into(), false)).0, Effect::Break);
        assert_eq!(of(param(DataType::Long, 3.into(), true)).0, Effect::Break);
        let (effect, default) = of(param(DataType::Long, 5.into(), false));
        assert_eq!(effect, Effect::Harmless);
        assert!(default.contains("3 → 5"), "{default}");
    }
}
