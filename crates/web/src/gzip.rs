//! Pages as gzip, for browsers that take it: the table of a hundred runs is 70 KB of text that repeats itself.

use std::io::{self, Write as _};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes that fit a packet as they are.
const PACKED_MIN: u64 = 1_400;
/// Bytes that are packed in about ten milliseconds, in which the thread does nothing else.
const PACKED_MAX: u64 = 1 << 20;
/// A page with the secret of a form stays as it is: the packed length of what an address has put beside a secret tells
/// of it (BREACH).
const SECRET: &str = "name=\"csrf\"";

/// Whether whoever asks takes gzip.
pub(crate) fn is_taken(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_gzip
            && weight.is_none_or(|weight| weight.parse::<f64>().is_ok_and(|weight| weight > 0.0))
    })
}

/// Text that is in memory as a whole; what users logged is not, it streams.
fn is_worth(response: &Response) -> bool {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let size = response.body().size_hint().exact();
    // What a browser is not to keep is a secret as a whole: a token that is shown once.
    let is_kept = headers.get(header::CACHE_CONTROL).is_none_or(|value| value != "no-store");
    kind.is_some_and(|kind| kind.starts_with("text/"))
        && is_kept
        && size.is_some_and(|size| (PACKED_MIN..=PACKED_MAX).contains(&size))
        && !headers.contains_key(header::CONTENT_ENCODING)
}

/// The answer, packed if that is of use.
pub(crate) async fn pack(response: Response) -> Response {
    if !is_worth(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // It was measured above.
    let Ok(whole) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let is_secret = std::str::from_utf8(&whole).is_ok_and(|text| text.contains(SECRET));
    let Some(packed) =
        Some(&whole).filter(|_| !is_secret).and_then(|whole| gzip(whole, Compression::fast()).ok())
    else {
        return Response::from_parts(parts, Body::from(whole));
    };
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}

/// A text as gzip.
pub(crate) fn gzip(text: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), level);
    packed.write_all(text)?;
    packed.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(text: &'static str) -> bool {
        let value = HeaderValue::from_static(text);
        is_taken(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]))
    }

    #[test]
    fn gzip_is_taken_by_who_says_so() {
        assert!(takes("gzip") && takes("br, GZIP") && takes("deflate, gzip;q=0.5, *;q=0"));
        assert!(!takes("") && !takes("br") && !takes("gzip;q=0, br") && !takes("gzip; q=x"));
        assert!(!is_taken(&HeaderMap::new()));
    }

    #[test]
    fn what_is_not_to_be_kept_is_not_packed() {
        let is_packed = |kept: &'static str| {
            let headers = [(header::CONTENT_TYPE, "text/html"), (header::CACHE_CONTROL, kept)];
            is_worth(&(headers, "x".repeat(2000)).into_response())
        };
        assert!(is_packed("no-cache") && !is_packed("no-store"));
    }
}
