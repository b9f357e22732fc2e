//! The texts of categorical features, which LightGBM's Python package writes behind the model.

use super::text::Text;
use crate::categories::TextCategories;
use crate::document::Document;

/// Reads `pandas_categorical`: a list for each categorical column, in the order of the columns. The header tells
/// which these are; where both do not agree, texts stay unknown.
pub(super) fn read(text: &Text<'_>) -> TextCategories {
    let lists = text.pandas_categorical.as_ref().and_then(Document::list).unwrap_or_default();
    let infos: Vec<&str> = text.header.words("feature_infos").collect();
    if infos.iter().filter(|info| is_categorical(info)).count() != lists.len() {
        return TextCategories::default();
    }
    let mut lists = lists.iter();
    let texts = infos.iter().map(|info| {
        let list = if is_categorical(info) { lists.next() } else { None };
        let texts = list.and_then(Document::list).unwrap_or_default().iter();
        let texts: Option<Vec<String>> = texts.map(|text| text.text().map(str::to_owned)).collect();
        texts.unwrap_or_default()
    });
    TextCategories::new(texts.collect(), true)
}

/// Whether a feature has categories: they are listed, where numbers have a range in brackets.
fn is_categorical(info: &str) -> bool {
    info.contains(':') && !info.starts_with('[')
}
