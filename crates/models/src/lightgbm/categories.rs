//! The categories of features, texts or numbers, which LightGBM's Python package writes behind the model.

use super::text::Text;
use crate::categories::TextCategories;
use crate::document::Document;

/// Reads `pandas_categorical`: a list for each categorical column, in the order of the columns. The header tells
/// which these are, or that a column never varied; where both do not agree, categories stay unknown.
pub(super) fn read(text: &Text<'_>) -> TextCategories {
    let lists = text.pandas_categorical.as_ref().and_then(Document::list).unwrap_or_default();
    let infos: Vec<&str> = text.header.words("feature_infos").collect();
    let count = |is_it: fn(&str) -> bool| infos.iter().filter(|info| is_it(info)).count();
    let is_it: fn(&str) -> bool = if count(is_categorical) == lists.len() {
        is_categorical
    } else if count(is_categorical_or_one) == lists.len() {
        is_categorical_or_one
    } else {
        return TextCategories::default();
    };
    let mut lists = lists.iter();
    let lists: Vec<Option<&Document>> =
        infos.iter().map(|info| if is_it(info) { lists.next() } else { None }).collect();
    let texts = lists.iter().map(|list| {
        let texts = list.and_then(Document::list).unwrap_or_default().iter();
        let texts: Option<Vec<String>> = texts.map(|text| text.text().map(str::to_owned)).collect();
        texts.unwrap_or_default()
    });
    let numbers = lists.iter().map(|list| {
        let is_text = |item: &Document| item.text().is_some();
        let has_text = list.and_then(Document::list).is_some_and(|list| list.iter().any(is_text));
        list.filter(|_| !has_text).and_then(Document::numbers).unwrap_or_default()
    });
    TextCategories::new(texts.collect(), true).with_numbers(numbers.collect())
}

/// The same, or a feature that never varied, of which nothing is told.
fn is_categorical_or_one(info: &str) -> bool {
    is_categorical(info) || info == "none"
}

/// Whether a feature has categories: they are listed, where numbers have a range in brackets.
fn is_categorical(info: &str) -> bool {
    info.contains(':') && !info.starts_with('[')
}
