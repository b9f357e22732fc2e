//! Shapes of arrays.

use crate::python::Value;
use crate::refusal::Result;

/// The dimensions that a tuple or a single number says.
pub(super) fn dimensions(shape: Value<'_>) -> Result<Vec<usize>> {
    let dims = match shape.items() {
        Some(items) => items.into_iter().map(Value::int).collect(),
        None => shape.int().map(|dim| vec![Some(dim)]).unwrap_or_default(),
    };
    dims.into_iter()
        .map(|dim| {
            dim.and_then(|dim| usize::try_from(dim).ok()).ok_or_else(|| "an odd shape".into())
        })
        .collect()
}
