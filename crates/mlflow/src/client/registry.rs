//! What requests of registered models and of their versions have in common.

use serde_json::Value;

/// The query of a search of the registry; empty fields are left out.
pub(super) fn search_query(
    filter: String,
    max_results: Option<i64>,
    order_by: Vec<String>,
    page_token: Option<String>,
) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    query.extend(Some(filter).filter(|filter| !filter.is_empty()).map(|text| ("filter", text)));
    query.extend(max_results.map(|max| ("max_results", max.to_string())));
    query.extend(order_by.into_iter().map(|clause| ("order_by", clause)));
    query.extend(page_token.map(|token| ("page_token", token)));
    query
}

/// A body with a description, if there is one.
pub(super) fn described(mut body: Value, description: Option<&str>) -> Value {
    if let (Some(description), Some(body)) = (description, body.as_object_mut()) {
        body.insert("description".to_owned(), description.into());
    }
    body
}
