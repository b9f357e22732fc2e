//! The labels of classes.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};

use super::file::{File, malformed};
use crate::Result;
use crate::document::Document;

/// Classes that a file only counts.
const COUNT_MAX: usize = 100_000;

/// The labels of classes, by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Labels {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Booleans(Vec<bool>),
    Text(Vec<String>),
}

impl Labels {
    /// The labels that training kept; none of a model without classes.
    pub(super) fn read(file: &File) -> Result<Option<Self>> {
        let told = file.said("class_params").or_else(|| file.said("multiclass_params"));
        let Some(told) = told else { return Ok(None) };
        let list = |name: &str| told.get(name).and_then(Document::list).unwrap_or_default();
        let kind = told.get("class_label_type").and_then(Document::text);
        if !list("class_names").is_empty() {
            return Self::of(list("class_names"), kind).map(Some);
        }
        let count = told.get("classes_count").and_then(Document::number).unwrap_or(0.0);
        if count >= 1.0 {
            let count = (count as usize).min(COUNT_MAX);
            return Ok(Some(Self::Integers((0..count as i64).collect())));
        }
        match list("class_to_label") {
            [] => Ok(None),
            labels => Self::of(labels, kind).map(Some),
        }
    }

    /// Labels of a kind that older files do not say.
    fn of(labels: &[Document], kind: Option<&str>) -> Result<Self> {
        let wrong = || malformed("labels of classes are of several kinds");
        let is_text = labels.iter().all(|label| label.text().is_some());
        let is_whole = labels.iter().filter_map(Document::number).all(|x| x.fract() == 0.0);
        let kind = kind.unwrap_or(match (is_text, is_whole) {
            (true, _) => "String",
            (false, true) => "Integer",
            (false, false) => "Float",
        });
        let numbers = || labels.iter().map(Document::number).collect::<Option<Vec<f64>>>();
        Ok(match kind {
            "String" => {
                let texts = labels.iter().map(|label| label.text().map(str::to_owned));
                Self::Text(texts.collect::<Option<_>>().ok_or_else(wrong)?)
            }
            "Integer" => {
                let whole = |label: &Document| match label {
                    Document::Int(label) => Some(*label),
                    Document::Float(label) if label.fract() == 0.0 => Some(*label as i64),
                    _ => None,
                };
                Self::Integers(labels.iter().map(whole).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            "Boolean" => {
                Self::Booleans(numbers().ok_or_else(wrong)?.into_iter().map(|x| x != 0.0).collect())
            }
            "Float" => Self::Floats(numbers().ok_or_else(wrong)?),
            other => return Err(malformed(format!("labels of type {other:?}"))),
        })
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Integers(labels) => labels.len(),
            Self::Floats(labels) => labels.len(),
            Self::Booleans(labels) => labels.len(),
            Self::Text(labels) => labels.len(),
        }
    }

    /// The labels as Python prints them.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Integers(labels) => labels.iter().map(ToString::to_string).collect(),
            Self::Floats(labels) => labels.iter().map(|label| format!("{label:?}")).collect(),
            Self::Booleans(labels) => {
                let name = |label: &bool| if *label { "True" } else { "False" }.to_owned();
                labels.iter().map(name).collect()
            }
            Self::Text(labels) => labels.clone(),
        }
    }

    /// The labels of these numbers, all of which there are.
    pub(super) fn pick(&self, chosen: &[usize]) -> ArrayRef {
        fn each<T: Clone>(labels: &[T], chosen: &[usize]) -> Vec<T> {
            chosen.iter().filter_map(|&at| labels.get(at).cloned()).collect()
        }
        match self {
            Self::Integers(labels) => Arc::new(Int64Array::from(each(labels, chosen))),
            Self::Floats(labels) => Arc::new(Float64Array::from(each(labels, chosen))),
            Self::Booleans(labels) => Arc::new(BooleanArray::from(each(labels, chosen))),
            Self::Text(labels) => Arc::new(StringArray::from(each(labels, chosen))),
        }
    }
}
