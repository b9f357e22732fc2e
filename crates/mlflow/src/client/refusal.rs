//! Answers that are no success, in words that help.

use bytes::BytesMut;
use futures::StreamExt as _;
use http::StatusCode;
use http::header::LOCATION;
use reqwest::Response;

use crate::{Error, ErrorCode};

/// Most of an error's body that is read.
pub(super) const ERROR_BYTES_MAX: usize = 1 << 20;
/// Most of an unexpected body that is quoted, in characters.
const QUOTED_MAX: usize = 200;

/// What an answer that is no success says.
pub(super) async fn refusal(url: &str, response: Response) -> Error {
    #[derive(serde::Deserialize)]
    struct ErrorBody {
        error_code: ErrorCode,
        #[serde(default)]
        message: String,
    }
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    if status.is_redirection() {
        let target = crate::uri::without_credentials(location.unwrap_or("another address"));
        let reason = format!("{status}, it redirects to {target}; use that address");
        return Error::UnexpectedAnswer { url: url.to_owned(), reason };
    }
    let mut body = BytesMut::new();
    let mut chunks = response.bytes_stream();
    // The status is known; whatever of the body arrives only explains it.
    while let Some(Ok(chunk)) = chunks.next().await {
        body.extend_from_slice(chunk.get(..ERROR_BYTES_MAX.min(chunk.len())).unwrap_or_default());
        if body.len() > ERROR_BYTES_MAX {
            break;
        }
    }
    match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(ErrorBody { error_code: code, message }) => Error::Api { code, message },
        Err(_not_mlflows) => {
            let code = ErrorCode::from_http_status(status.as_u16());
            Error::Api { code, message: explained(url, status, &body) }
        }
    }
}

/// A status without MLflow's JSON, in words that help.
fn explained(url: &str, status: StatusCode, body: &[u8]) -> String {
    let help = match status.as_u16() {
        401 => {
            "the server wants credentials; set MLFLOW_TRACKING_USERNAME and \
             MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        }
        403 => "the server refuses; check the credentials and, with --allowed-hosts, its hosts",
        404 | 405 => "no such endpoint; is this the address of an MLflow server, new enough?",
        413 => "too large for the server or the proxy in front of it",
        _ => "the server or the proxy in front of it failed",
    };
    format!("{status} from {url}: {help} ({})", quoted(body))
}

/// The beginning of a body that was not expected, on one line.
pub(super) fn quoted(body: &[u8]) -> String {
    let head = body.get(..body.len().min(4 * QUOTED_MAX)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(QUOTED_MAX).collect();
    format!("the answer begins {line:?}")
}
