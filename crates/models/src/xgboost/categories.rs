//! The texts of categorical features, which files have since XGBoost 3.1.

use crate::categories::TextCategories;
use crate::document::Document;

/// Reads `cats` of a model, as far as its categories are texts. Versions before 3.1 kept none.
pub(super) fn read(model: &Document) -> TextCategories {
    let features = model.get("cats").and_then(|cats| cats.get("enc")).and_then(Document::list);
    let texts = features.unwrap_or_default().iter();
    // A category of no text has no number that a request could ask for.
    TextCategories::new(texts.map(|feature| texts_of(feature).unwrap_or_default()).collect(), false)
}

/// The texts of a feature: their bytes in one list, and where each begins and the last one ends.
fn texts_of(feature: &Document) -> Option<Vec<String>> {
    let offsets = feature.get("offsets")?.numbers()?;
    let bytes: Vec<u8> =
        feature.get("values")?.numbers()?.into_iter().map(|byte| byte as i64 as u8).collect();
    let text = |ends: &[f64]| {
        let &[start, end] = ends else { return None };
        let text = bytes.get(start as usize..end as usize)?;
        String::from_utf8(text.to_vec()).ok()
    };
    offsets.windows(2).map(text).collect()
}
