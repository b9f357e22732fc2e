//! Page tokens: base64 of `{"offset": N}`, as upstream writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trainyard_mlflow::Error;

use super::python;
use crate::error::Result;

/// The token of the page that starts at `offset`.
pub(crate) fn token(offset: i64) -> String {
    STANDARD.encode(format!("{{\"offset\": {offset}}}"))
}

/// The JSON text within a token. Like Python, ignores what is not of the alphabet.
pub(crate) fn decode(token: &str) -> Result<Vec<u8>> {
    let plain: String = token
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
        .collect();
    STANDARD
        .decode(plain)
        .map_err(|_error| Error::invalid("Invalid page token, could not base64-decode").into())
}

/// Where the page of a token starts; 0 without a token.
pub(crate) fn offset(token: Option<&str>) -> Result<i64> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(0) };
    let bytes = decode(token)?;
    let text = String::from_utf8_lossy(&bytes);
    let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else {
        let quoted = python::repr(&text);
        return Err(Error::invalid(format!("Invalid page token, decoded value=b{quoted}")).into());
    };
    let offset = match value.get("offset") {
        Some(serde_json::Value::Number(number)) => number.as_i64(),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    match offset {
        Some(offset) if offset > 0 => Ok(offset),
        _ => Err(Error::invalid(format!("Invalid page token, parsed value={value}")).into()),
    }
}

/// Splits off the row that was read beyond the page, and tells where the next page starts.
pub(crate) fn cut<T>(mut items: Vec<T>, offset: i64, max_results: i64) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(max_results).unwrap_or(usize::MAX);
    if items.len() <= limit {
        return (items, None);
    }
    items.truncate(limit);
    (items, Some(token(offset.saturating_add(max_results))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_upstreams() {
        assert_eq!(token(4), "eyJvZmZzZXQiOiA0fQ==");
        assert_eq!(offset(Some("eyJvZmZzZXQiOiA0fQ==")).unwrap(), 4);
        assert_eq!(offset(None).unwrap(), 0);
        assert_eq!(offset(Some("")).unwrap(), 0);
    }

    #[test]
    fn refuses_what_upstream_refuses() {
        for (text, message) in [
            ("zzz", "Invalid page token, could not base64-decode"),
            ("e30=", "Invalid page token, parsed value={}"),
            ("YWJj", "Invalid page token, decoded value=b'abc'"),
        ] {
            assert_eq!(offset(Some(text)).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn one_row_more_means_another_page() {
        assert_eq!(cut(vec![1, 2, 3], 4, 2), (vec![1, 2], Some(token(6))));
        assert_eq!(cut(vec![1, 2], 4, 2), (vec![1, 2], None));
    }
}
