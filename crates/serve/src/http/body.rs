//! Bodies of requests: what they claim to be, and their bytes within the limit.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use trainyard_base::Share;
use trainyard_net::{Paced, PacedError};

use super::error::Refusal;

/// Bodies up to this take nothing from the budget of memory: the limits on connections and on requests at
/// a time bound them, and a flood of large bodies must not keep small requests out.
pub(crate) const SMALL_BYTES_MAX: usize = 16 << 10;

/// A body's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
    Parquet,
}

/// The format that the headers name, by the rules of MLflow's server: one of the known types, no
/// parameter but a charset, which must be UTF-8. What it answers with a 500, no type at all, is a
/// 415 here.
pub(crate) fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    const TYPES: &str = "Types: ['text/csv', 'application/json', 'application/vnd.apache.parquet']";
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(Refusal::MediaType(format!(
            "This predictor needs a Content-Type header. {TYPES}."
        )));
    };
    // What every client sends, without taking it apart.
    if value == "application/json" {
        return Ok(Format::Json);
    }
    let text = value.to_str().unwrap_or("?");
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    for part in parts {
        let (name, charset) = part.split_once('=').unwrap_or((part, ""));
        if !name.eq_ignore_ascii_case("charset") {
            return Err(Refusal::MediaType(format!(
                "Unrecognized content type parameters: {name}."
            )));
        }
        if !charset.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return Err(Refusal::MediaType("The scoring server only supports UTF-8".to_owned()));
        }
    }
    match media_type.as_str() {
        "application/json" => Ok(Format::Json),
        "text/csv" => Ok(Format::Csv),
        // The registered name, and the one that was in use before it.
        "application/vnd.apache.parquet" | "application/x-parquet" => Ok(Format::Parquet),
        _ => Err(Refusal::MediaType(format!(
            "This predictor only supports the following content types: {TYPES}. Got '{text}'."
        ))),
    }
}

/// All bytes of the body, unless there are more than `limit`. What is held meanwhile is added to `memory`.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Paced,
    limit: usize,
    memory: &mut Share,
) -> Result<Bytes, Refusal> {
    let claimed = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if claimed.is_some_and(|length: usize| length > limit) {
        return Err(Refusal::TooLarge { limit });
    }
    let mut first = Bytes::new();
    let mut more: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error {
            PacedError::Broken(error) => Refusal::Broken(error.to_string()),
            PacedError::TooSlow { .. } => Refusal::TooSlow(error.to_string()),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let length = more.as_ref().map_or(first.len(), BytesMut::len) + data.len();
        if length > limit {
            return Err(Refusal::TooLarge { limit });
        }
        if length > SMALL_BYTES_MAX {
            memory.resize(length as u64)?;
        }
        // A small body is one frame, which needs no copy.
        if first.is_empty() && more.is_none() {
            first = data;
            if body.is_end_stream() {
                break;
            }
        } else {
            // A claim costs nothing: it is believed as far as that does no harm.
            let expected = claimed.unwrap_or(length).min(length.saturating_mul(4));
            let whole = more.get_or_insert_with(|| {
                let mut whole = BytesMut::with_capacity(expected);
                whole.extend_from_slice(&first);
                whole
            });
            whole.extend_from_slice(&data);
        }
    }
    Ok(more.map_or(first, BytesMut::freeze))
}
