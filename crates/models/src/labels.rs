//! The labels of classes that a booster numbers.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};

use crate::document::Document;
use crate::refusal::{Refusal, Result};

/// The labels of classes, by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Labels {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Booleans(Vec<bool>),
    Text(Vec<String>),
}

impl Labels {
    /// Labels of a kind; of the narrowest, where a file does not say one.
    pub(crate) fn of(labels: &[Document], kind: Option<&str>) -> Result<Self> {
        let wrong = || Refusal::from("labels of classes are of several kinds");
        let is_text = labels.iter().all(|label| label.text().is_some());
        let is_whole = labels.iter().filter_map(Document::number).all(|x| x.fract() == 0.0);
        let is_flag = labels.iter().all(|label| matches!(label, Document::Bool(_)));
        let kind = kind.unwrap_or(match (is_text, is_flag, is_whole) {
            (true, ..) => "String",
            (false, true, _) => "Boolean",
            (false, false, true) => "Integer",
            (false, false, false) => "Float",
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
            other => return Err(format!("labels of type {other:?}").into()),
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
    pub(crate) fn names(&self) -> Vec<String> {
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
    pub(crate) fn pick(&self, chosen: &[usize]) -> ArrayRef {
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
