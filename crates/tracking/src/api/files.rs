//! A file as an HTTP answer: attachment headers, validators, ranges.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use trainyard_base::media_type;
use trainyard_mlflow::artifacts::{ArtifactFile, Artifacts, ByteRange};

use super::error::Result;

/// Extensions that upstream sends as text, whatever they are.
const TEXT_EXTENSIONS: &str = "MLmodel MLproject cf cfg cnf conf csv err hocon ini ipynb js json log \
                               md prop properties py py3 rst toml tsv txt xml yaml yml";

/// If a browser shows a file in spite of all: with no origin, and nothing to load or to run.
const SANDBOX: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

/// Answers with a file, or the part of it that the `Range` header asks for.
pub(super) async fn send(
    artifacts: &(impl Artifacts + ?Sized),
    root_uri: &str,
    path: &str,
    headers: &HeaderMap,
) -> Result {
    let range =
        headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(parse_range);
    let mut file = artifacts.open(root_uri, path, range).await?;
    let changed =
        headers.get(header::IF_RANGE).is_some_and(|value| !matches_validator(value, &file));
    let partial = range.is_some() && !changed;
    if range.is_some() && changed {
        file = artifacts.open(root_uri, path, None).await?;
    }
    if not_modified(headers, &file) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        add_validators(response.headers_mut(), &file);
        return Ok(response);
    }
    Ok(answer(file, path, partial))
}

fn answer(file: ArtifactFile, path: &str, partial: bool) -> Response {
    let name = path.rsplit('/').next().unwrap_or_default();
    let size = file.size;
    let Some(range) = file.range.clone() else {
        let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
        return response;
    };
    let mut headers = HeaderMap::new();
    insert(&mut headers, header::CONTENT_TYPE, content_type(name));
    insert(&mut headers, header::CONTENT_DISPOSITION, &attachment(name));
    insert(&mut headers, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    insert(&mut headers, header::ACCEPT_RANGES, "bytes");
    // Whoever logged it may have meant it for the browsers of others.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    add_validators(&mut headers, &file);
    let status = if partial {
        let content_range = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
        insert(&mut headers, header::CONTENT_RANGE, &content_range);
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    (status, headers, Body::from_stream(file.body)).into_response()
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn add_validators(headers: &mut HeaderMap, file: &ArtifactFile) {
    if let Some(etag) = quoted_etag(file) {
        insert(headers, header::ETAG, &etag);
    }
    if let Some(modified) = http_date(file) {
        insert(headers, header::LAST_MODIFIED, &modified);
    }
}

fn quoted_etag(file: &ArtifactFile) -> Option<String> {
    let etag = file.etag.as_deref()?;
    Some(if etag.starts_with('"') { etag.to_owned() } else { format!("\"{etag}\"") })
}

fn http_date(file: &ArtifactFile) -> Option<String> {
    let modified = DateTime::<Utc>::from_timestamp_millis(file.modified_ms?)?;
    Some(modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn matches_validator(value: &HeaderValue, file: &ArtifactFile) -> bool {
    let value = value.to_str().unwrap_or_default();
    quoted_etag(file).as_deref() == Some(value) || http_date(file).as_deref() == Some(value)
}

fn not_modified(headers: &HeaderMap, file: &ArtifactFile) -> bool {
    let Some(known) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let etag = quoted_etag(file);
    known.split(',').map(str::trim).any(|known| known == "*" || Some(known) == etag.as_deref())
}

/// One range of bytes. Several ranges, and units nobody knows, are answered with the whole file,
/// as HTTP allows.
fn parse_range(value: &str) -> Option<ByteRange> {
    let (start, end) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
    match (start.trim(), end.trim()) {
        ("", count) => count.parse().ok().map(ByteRange::Last),
        (start, "") => start.parse().ok().map(ByteRange::From),
        (start, end) => {
            let (start, end) = (start.parse().ok()?, end.parse().ok()?);
            (start <= end).then_some(ByteRange::Between(start, end))
        }
    }
}

/// As upstream finds it.
pub(super) fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or(name, |(_, extension)| extension);
    let is_text = TEXT_EXTENSIONS.split(' ').any(|known| known == extension);
    if is_text { "text/plain" } else { media_type::of(name) }
}

/// What is no part of a token (RFC 9110).
const NOT_TOKEN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// RFC 6266: an ASCII name, and the real one beside it if it is not ASCII.
fn attachment(name: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NOT_TOKEN).to_string();
    let ascii: String = name.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
    let plain = match ascii.as_str() {
        "" => "download".to_owned(),
        ascii if encoded(ascii) == ascii => ascii.to_owned(),
        ascii => format!("\"{}\"", ascii.replace('\\', "\\\\").replace('"', "\\\"")),
    };
    if name.is_ascii() {
        return format!("attachment; filename={plain}");
    }
    format!("attachment; filename={plain}; filename*=UTF-8''{}", encoded(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_the_usual_shapes() {
        assert_eq!(parse_range("bytes=0-499"), Some(ByteRange::Between(0, 499)));
        assert_eq!(parse_range("bytes=500-"), Some(ByteRange::From(500)));
        assert_eq!(parse_range("bytes=-5"), Some(ByteRange::Last(5)));
        for whole in ["bytes=5-1", "bytes=0-1,3-4", "items=0-1", "bytes=", "bytes=-", "x"] {
            assert_eq!(parse_range(whole), None, "{whole}");
        }
    }

    #[test]
    fn types_are_upstreams() {
        for (name, kind) in [
            ("MLmodel", "text/plain"),
            ("a.json", "text/plain"),
            ("a.PNG", "image/png"),
            ("model.skops", "application/octet-stream"),
            ("noextension", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), kind, "{name}");
        }
    }

    #[test]
    fn names_are_quoted_for_headers() {
        assert_eq!(attachment("a.txt"), "attachment; filename=a.txt");
        assert_eq!(attachment("a \"b\".txt"), "attachment; filename=\"a \\\"b\\\".txt\"");
        assert_eq!(attachment("é.txt"), "attachment; filename=.txt; filename*=UTF-8''%C3%A9.txt");
        assert_eq!(
            attachment("данные"),
            "attachment; filename=download; filename*=UTF-8''%D0%B4%D0%B0%D0%BD%D0%BD%D1%8B%D0%B5"
        );
    }
}
