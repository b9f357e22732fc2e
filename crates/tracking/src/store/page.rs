//! Pages: how large they may be, and their tokens, which are base64 of `{"offset": N}` as upstream writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trainyard_mlflow::Error;
use trainyard_mlflow::entities::KeyValue;

use super::python;
use crate::error::Result;
use crate::search::Sql;

/// Longest token: a number of 19 digits and what is around it, with room for other writers' spaces.
const TOKEN_BYTES_MAX: usize = 1024;

/// Refuses numbers of results that no search gives.
pub(crate) fn check_max_results(max_results: i64, at_most: i64) -> Result<()> {
    if max_results < 1 {
        return Err(Error::invalid(format!(
            "Invalid value {max_results} for parameter 'max_results' supplied. It must be a \
             positive integer"
        ))
        .into());
    }
    if max_results > at_most {
        return Err(Error::invalid(format!(
            "Invalid value {max_results} for parameter 'max_results' supplied. It must be at most \
             {at_most}"
        ))
        .into());
    }
    Ok(())
}

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
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Error::invalid(format!(
            "Invalid page token, it has {} bytes, at most {TOKEN_BYTES_MAX} are allowed",
            token.len()
        ))
        .into());
    }
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

/// Reads a page, and one row more to see whether there is another one.
pub(crate) fn push(sql: &mut Sql, max_results: i64, offset: i64) {
    sql.push(" LIMIT ").push_value(max_results + 1).push(" OFFSET ").push_value(offset);
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

/// Bytes of texts of one page, about: of larger ones the client gets a part, and the token of the rest.
const PAGE_BYTES_MAX: usize = 32 << 20;
/// Items that are filled at a time.
const FILLED_AT_ONCE: usize = 100;

/// Fills the items of a page that was cut at `offset`, and cuts it shorter when they get large: an item
/// may hold any number of tags and params.
pub(crate) fn fill<T>(
    (mut items, mut token): (Vec<T>, Option<String>),
    offset: i64,
    mut fill: impl FnMut(&mut [T]) -> Result<()>,
    size: impl Fn(&T) -> usize,
) -> Result<(Vec<T>, Option<String>)> {
    let mut filled = 0;
    let mut bytes = 0;
    for group in items.chunks_mut(FILLED_AT_ONCE) {
        fill(group)?;
        filled += group.len();
        bytes += group.iter().map(&size).sum::<usize>();
        if bytes > PAGE_BYTES_MAX {
            break;
        }
    }
    if filled < items.len() {
        items.truncate(filled);
        token = Some(self::token(offset.saturating_add(filled as i64)));
    }
    Ok((items, token))
}

/// What keys and values take, about.
pub(crate) fn size(entries: &[KeyValue]) -> usize {
    entries.iter().map(|entry| entry.key.len() + entry.value.len() + 48).sum()
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
    fn a_page_of_large_items_is_cut_shorter() {
        let page = |each: usize| {
            let items = vec![0_usize; 1000];
            let measured = |group: &mut [usize]| {
                group.fill(each);
                Ok(())
            };
            fill((items, None), 50, measured, |item| *item).unwrap()
        };
        assert_eq!(page(1), (vec![1; 1000], None));
        let (items, rest) = page(200_000);
        assert_eq!((items.len(), rest), (200, Some(token(250))));
    }

    #[test]
    fn one_row_more_means_another_page() {
        assert_eq!(cut(vec![1, 2, 3], 4, 2), (vec![1, 2], Some(token(6))));
        assert_eq!(cut(vec![1, 2], 4, 2), (vec![1, 2], None));
    }
}
