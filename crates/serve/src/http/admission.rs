//! What the work on a request takes of what all requests have together: memory, one of the requests that
//! are worked on at a time, and time.
//!
//! Memory and permit are held by the work itself: when a client goes or its time is over, what runs on a
//! thread of its own goes on for a while.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use hyper::Request;
use tokio::sync::OwnedSemaphorePermit;
use trainyard_base::Share;
use trainyard_net::Paced;

use super::body::{self, SMALL_BYTES_MAX};
use super::error::Refusal;
use super::response::Response;
use crate::server::Server;

/// Bytes that reading and predicting take for each byte of a body, at the most: columns, scratch space,
/// the answer.
const WORK_FACTOR_MAX: u64 = 12;

/// The body of a request, at most `limit` bytes of it, with the head and what it holds of the memory of all
/// requests.
pub(super) async fn read_body(
    server: &Server,
    request: Request<Paced>,
    limit: usize,
) -> Result<(Parts, Bytes, Share), Refusal> {
    let (head, body) = request.into_parts();
    let mut memory = server.budget.take(0)?;
    let body = body::read(&head.headers, body, limit, &mut memory).await?;
    Ok((head, body, memory))
}

/// Gives work its time, which begins when the request is there: how slowly that may come is another limit.
pub(super) async fn in_time(
    server: &Server,
    work: impl Future<Output = Result<Response, Refusal>>,
) -> Result<Response, Refusal> {
    let limit = server.options.limits.request_timeout;
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Refusal::Timeout(limit)))
}

/// What the work on a request holds.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(super) memory: Share,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// Reads the body of a request to predict on, and lets it in if there is room for the work on it.
    pub(super) async fn of(
        server: &Server,
        request: Request<Paced>,
    ) -> Result<(Bytes, Self), Refusal> {
        let limit = server.options.limits.body_bytes_max;
        let (_head, body, mut memory) = read_body(server, request, limit).await?;
        let permit = Arc::clone(&server.concurrency).try_acquire_owned();
        let permit = permit.map_err(|_none| Refusal::Overloaded)?;
        if body.len() > SMALL_BYTES_MAX {
            memory.grow((body.len() as u64).saturating_mul(WORK_FACTOR_MAX))?;
        }
        Ok((body, Self { memory, _permit: permit }))
    }

    /// Ends the work: its answer holds the memory that it takes until it is sent.
    pub(super) fn answer(self, response: Response) -> Response {
        let mut memory = self.memory;
        if memory.bytes() == 0 {
            return response;
        }
        response.map(|body| {
            let Some(bytes) = body.into_inner() else { return Full::default() };
            // Less than there was, so this cannot fail.
            let _smaller = memory.resize(memory.bytes().min(bytes.len() as u64));
            Full::new(Bytes::from_owner(Held { bytes, _memory: memory }))
        })
    }
}

struct Held {
    bytes: Bytes,
    _memory: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
