//! Memory of answers: each holds its share until the client has read it.
//!
//! A search is read and written in moments, but a client that reads slowly keeps the answer here for
//! minutes. Files are not counted: they are sent a piece at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use trainyard_base::{Budget, Share};

/// Bytes of an answer that is not counted: about what the connection's buffers take.
const UNCOUNTED: u64 = 64 << 10;

/// The answer with its share of the memory, or another one when there is none left. `is_read` says that
/// the request only read: one that wrote is always told what became of it.
pub(super) fn hold(memory: &Arc<Budget>, answer: Response, is_read: bool) -> Response {
    let Some(bytes) = answer.body().size_hint().exact().filter(|bytes| *bytes > UNCOUNTED) else {
        return answer;
    };
    match memory.take(bytes) {
        Ok(share) => answer.map(|body| Body::new(Held { body, _share: share })),
        Err(_full) if !is_read => answer,
        Err(full) => {
            tracing::warn!(bytes, %full, "an answer was dropped for want of memory");
            let retry = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
            let message =
                "the server has no memory left for this answer; try again, or ask for less\n";
            (StatusCode::SERVICE_UNAVAILABLE, retry, message).into_response()
        }
    }
}

/// A body and its share.
struct Held {
    body: Body,
    _share: Share,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_share_the_memory_until_they_are_read() {
        let memory = Budget::new(1 << 20);
        let answer = |bytes: usize| vec![b'x'; bytes].into_response();
        let first = hold(&memory, answer(700_000), true);
        assert_eq!((first.status(), memory.used()), (StatusCode::OK, 700_000));
        let second = hold(&memory, answer(700_000), true);
        assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(second.headers()[header::RETRY_AFTER], "1");
        assert_eq!(hold(&memory, answer(700_000), false).status(), StatusCode::OK);
        assert_eq!(hold(&memory, answer(60_000), true).status(), StatusCode::OK);
        drop(first);
        assert_eq!(memory.used(), 0);
    }
}
