//! The labels of classes, as a file says them.

use super::file::{File, malformed};
use crate::Result;
use crate::document::Document;
use crate::labels::Labels;

/// Classes that a file only counts.
const COUNT_MAX: usize = 100_000;

/// The labels that training kept; none of a model without classes.
pub(super) fn read(file: &File) -> Result<Option<Labels>> {
    let told = file.said("class_params").or_else(|| file.said("multiclass_params"));
    let Some(told) = told else { return Ok(None) };
    let list = |name: &str| told.get(name).and_then(Document::list).unwrap_or_default();
    let kind = told.get("class_label_type").and_then(Document::text);
    let of = |labels: &[Document]| Labels::of(labels, kind).map(Some).map_err(malformed);
    if !list("class_names").is_empty() {
        return of(list("class_names"));
    }
    let count = told.get("classes_count").and_then(Document::number).unwrap_or(0.0);
    if count >= 1.0 {
        let count = (count as usize).min(COUNT_MAX);
        return Ok(Some(Labels::Integers((0..count as i64).collect())));
    }
    match list("class_to_label") {
        [] => Ok(None),
        labels => of(labels),
    }
}
