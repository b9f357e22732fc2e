//! Tokens and costs of a trace, summed over the tree of its spans.
//!
//! Some libraries put the sum of what is below on a parent: a span whose ancestor has numbers is not counted again.

use std::collections::HashMap;

use serde_json::Value;

use crate::store::python;

/// Kinds of tokens, as in MLflow's JSON and its columns. The first three are always there.
pub(crate) const TOKENS: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
];
/// Kinds of costs.
pub(crate) const COSTS: [&str; 3] = ["input_cost", "output_cost", "total_cost"];
/// How many of either are 0 where they are not said.
const REQUIRED: usize = 3;

/// A span with its numbers, by their names.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span_id: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) numbers: Option<Value>,
}

/// The sums of a tree, in the order of `names`; none if no span has any.
pub(crate) fn sum(nodes: &[Node], names: &[&str]) -> Option<Vec<Option<f64>>> {
    let places: HashMap<&str, usize> =
        nodes.iter().enumerate().map(|(place, node)| (node.span_id.as_str(), place)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut pending: Vec<(usize, bool)> = Vec::new();
    for (place, node) in nodes.iter().enumerate() {
        let parent = node.parent_id.as_deref().and_then(|parent| places.get(parent).copied());
        match parent {
            Some(parent) => children.entry(parent).or_default().push(place),
            None => pending.push((place, false)),
        }
    }
    let mut sums: Option<Vec<Option<f64>>> = None;
    while let Some((place, is_counted)) = pending.pop() {
        let numbers = nodes.get(place).and_then(|node| node.numbers.as_ref());
        let object = numbers.and_then(Value::as_object);
        if let Some(object) = object
            && !is_counted
        {
            let sums = sums.get_or_insert_with(|| {
                (0..names.len()).map(|index| (index < REQUIRED).then_some(0.0)).collect()
            });
            for (name, sum) in names.iter().zip(sums) {
                if let Some(number) = object.get(*name).and_then(Value::as_f64) {
                    *sum = Some(sum.unwrap_or_default() + number);
                }
            }
        }
        let is_counted = is_counted || object.is_some();
        // Each is the child of one, so that a circle is never entered.
        for child in children.remove(&place).unwrap_or_default() {
            pending.push((child, is_counted));
        }
    }
    sums
}

/// The number of tokens that a number is, if it is a whole one.
pub(crate) fn tokens(number: f64) -> Option<i64> {
    /// Beyond it doubles are no single whole numbers.
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= LIMIT).then_some(number as i64)
}

/// The JSON text of tokens as upstream has it in the metadata of a trace; none if there are none.
pub(crate) fn tokens_text(counts: &[Option<i64>]) -> Option<String> {
    object_text(&TOKENS, counts.iter().map(|count| count.map(|count| count.to_string())))
}

/// The same of costs.
pub(crate) fn costs_text(costs: &[Option<f64>]) -> Option<String> {
    object_text(&COSTS, costs.iter().map(|cost| cost.map(python::float)))
}

fn object_text(names: &[&str], values: impl Iterator<Item = Option<String>>) -> Option<String> {
    let members: Vec<String> = names
        .iter()
        .zip(values)
        .filter_map(|(name, value)| value.map(|value| format!("\"{name}\": {value}")))
        .collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(", ")))
}

/// The numbers of a JSON object in a text, in the order of `names`.
pub(crate) fn of_text(text: &str, names: &[&str]) -> Vec<Option<f64>> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let number = |value: &Value| {
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|number: &f64| number.is_finite())
    };
    names.iter().map(|name| value.get(*name).and_then(number)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(id: &str, parent: Option<&str>, numbers: Option<Value>) -> Node {
        Node { span_id: id.to_owned(), parent_id: parent.map(str::to_owned), numbers }
    }

    #[test]
    fn sums_on_parents_are_not_added_to_those_of_their_children() {
        let used = |input: i64| {
            Some(json!({"input_tokens": input, "output_tokens": 1, "total_tokens": input + 1}))
        };
        let nodes = [
            node("root", None, None),
            node("agent", Some("root"), used(10)),
            node("inner", Some("agent"), None),
            node("llm", Some("inner"), used(10)),
            node("other", Some("root"), used(5)),
            node("lost", Some("elsewhere"), Some(json!({"cache_read_input_tokens": 3}))),
        ];
        let sums = sum(&nodes, &TOKENS).unwrap();
        assert_eq!(sums, [Some(15.0), Some(2.0), Some(17.0), Some(3.0), None, None]);
        assert_eq!(sum(&nodes[..1], &TOKENS), None);
        let circle = [node("a", Some("b"), used(1)), node("b", Some("a"), used(1))];
        assert_eq!(sum(&circle, &TOKENS), None);
    }

    #[test]
    fn texts_are_those_of_python() {
        let counts = [Some(5), Some(7), Some(12), None, None, None];
        let text = tokens_text(&counts).unwrap();
        assert_eq!(text, r#"{"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}"#);
        assert_eq!(of_text(&text, &TOKENS)[..3], [Some(5.0), Some(7.0), Some(12.0)]);
        assert_eq!(
            costs_text(&[Some(0.5), None, Some(1.0)]).unwrap(),
            r#"{"input_cost": 0.5, "total_cost": 1.0}"#
        );
        assert_eq!(tokens_text(&[None; 6]), None);
        assert_eq!(of_text("no json", &COSTS), [None, None, None]);
    }
}
