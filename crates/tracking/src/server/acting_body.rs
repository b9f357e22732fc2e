//! The sender of a request while the answer is sent: what is read a part at a time is read for them, too.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::actor::{Actor, acting_at_once};

/// The answer, each part of which is made for `actor`. One that is there as a whole stays as it is.
pub(super) fn made_for(actor: Actor, answer: Response) -> Response {
    if answer.body().size_hint().exact().is_some() {
        return answer;
    }
    answer.map(|body| Body::new(Acting { body, actor }))
}

/// A body and whom it is for.
struct Acting {
    body: Body,
    actor: Actor,
}

impl http_body::Body for Acting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, actor } = self.get_mut();
        acting_at_once(actor.clone(), || Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
