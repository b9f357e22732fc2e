//! Outputs: whoever reads production's answers must be able to read the candidate's.

use super::effect::Effect;
use super::finding::{Finding, Part, column_text, tensor_text};
use super::{tensors, types};
use crate::model::{ColSpec, Schema, TensorSpec};

pub(super) fn compare(before: Option<&Schema>, after: Option<&Schema>) -> Vec<Finding> {
    let whole = |reason: &str| vec![Finding::whole(Part::Output, Effect::Break, reason)];
    match (before, after) {
        // Nothing was promised.
        (None, _) => Vec::new(),
        (Some(_), None) => whole("the candidate does not say what it answers"),
        (Some(Schema::Columns(before)), Some(Schema::Columns(after))) => {
            by_name(before, after).unwrap_or_else(|| whole(NAMES))
        }
        (Some(Schema::Tensors(before)), Some(Schema::Tensors(after))) => {
            by_name(before, after).unwrap_or_else(|| whole(NAMES))
        }
        (Some(Schema::Columns(_)), Some(Schema::Tensors(_))) => whole("columns became tensors"),
        (Some(Schema::Tensors(_)), Some(Schema::Columns(_))) => whole("tensors became columns"),
    }
}

const NAMES: &str = "their number or their names changed, so answers have another form";

/// One output.
trait Output {
    fn name(&self) -> Option<&str>;
    fn text(&self) -> String;
    /// Why whoever reads this one cannot read `after`.
    fn hindrance(&self, after: &Self) -> Option<&'static str>;
}

impl Output for ColSpec {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn text(&self) -> String {
        column_text(self)
    }

    fn hindrance(&self, after: &Self) -> Option<&'static str> {
        if !types::given(&self.data_type, &after.data_type) {
            return Some("readers get values that they did not get before");
        }
        (self.required && !after.required).then_some("it may be missing now")
    }
}

impl Output for TensorSpec {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn text(&self) -> String {
        tensor_text(self)
    }

    fn hindrance(&self, after: &Self) -> Option<&'static str> {
        (!tensors::given(self, after))
            .then_some("readers get values or shapes that they did not get before")
    }
}

/// Differences, output by output; none where they cannot be told apart by their names.
fn by_name<O: Output>(before: &[O], after: &[O]) -> Option<Vec<Finding>> {
    let named = |outputs: &[O]| outputs.iter().all(|output| output.name().is_some());
    if named(before) != named(after) {
        return None;
    }
    if !named(before) {
        if before.len() != after.len() {
            return None;
        }
        let pairs = before.iter().zip(after).enumerate();
        return Some(
            pairs
                .filter_map(|(at, (before, after))| changed(&at.to_string(), before, after))
                .collect(),
        );
    }
    let find =
        |outputs: &[O], name: Option<&str>| outputs.iter().position(|output| output.name() == name);
    let known = before.iter().filter_map(|output| {
        let name = output.name().unwrap_or_default();
        if let Some(now) = find(after, output.name()).and_then(|at| after.get(at)) {
            return changed(name, output, now);
        }
        let reason = "answers do not have it any more";
        let finding = Finding::of(Part::Output, name, Effect::Break, reason);
        Some(finding.before(output.text()))
    });
    let new = after.iter().filter(|output| find(before, output.name()).is_none()).map(|output| {
        let name = output.name().unwrap_or_default();
        let reason = "readers of the others go on";
        Finding::of(Part::Output, name, Effect::Harmless, reason).after(output.text())
    });
    Some(known.chain(new).collect())
}

fn changed<O: Output>(name: &str, before: &O, after: &O) -> Option<Finding> {
    let (was, is) = (before.text(), after.text());
    let finding = match before.hindrance(after) {
        Some(reason) => Finding::of(Part::Output, name, Effect::Break, reason),
        None if was == is => return None,
        None => Finding::of(Part::Output, name, Effect::Harmless, "readers can read all of it"),
    };
    Some(finding.before(was).after(is))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataType;

    fn broken(before: &Schema, after: &Schema) -> Vec<String> {
        let found = compare(Some(before), Some(after)).into_iter();
        found.filter(|f| f.effect == Effect::Break).map(|f| f.to_string()).collect()
    }

    #[test]
    fn what_is_read_stays_readable() {
        let columns = |columns: &[(&str, DataType)]| {
            let column = |(name, kind): &(&str, DataType)| ColSpec::new(*name, kind.clone());
            Schema::Columns(columns.iter().map(column).collect())
        };
        let before = columns(&[("label", DataType::Long), ("score", DataType::Double)]);
        let wider = columns(&[
            ("score", DataType::Float),
            ("label", DataType::Integer),
            ("why", DataType::String),
        ]);
        assert!(broken(&before, &wider).is_empty());
        assert_eq!(
            broken(&before, &columns(&[("label", DataType::String)])),
            [
                "output \"label\" (long, required → string, required): readers get values that they \
                 did not get before",
                "output \"score\" (double, required, removed): answers do not have it any more",
            ]
        );
        let optional = Schema::Columns(vec![
            ColSpec::new("label", DataType::Long).optional(),
            ColSpec::new("score", DataType::Double),
        ]);
        assert_eq!(broken(&before, &optional).len(), 1);
        let unnamed = Schema::Columns(vec![ColSpec::unnamed(DataType::Long)]);
        assert_eq!(broken(&before, &unnamed).len(), 1);
        let tensor = Schema::Tensors(vec![TensorSpec::unnamed("int64", [-1])]);
        assert_eq!(broken(&unnamed, &tensor).len(), 1);
        assert!(compare(None, Some(&tensor)).is_empty());
        assert_eq!(compare(Some(&tensor), None).len(), 1);
        let strings = Schema::Tensors(vec![TensorSpec::unnamed("str", [-1])]);
        assert_eq!(broken(&tensor, &strings).len(), 1);
    }
}
