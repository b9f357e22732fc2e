//! A request's share of what all requests have together: the memory for the work on its body, and one of the places
//! where work is done. Both are held by the work itself: when a client goes or its time is over, what runs on a
//! thread of its own goes on for a while.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use tokio::sync::OwnedSemaphorePermit;
use trainyard_base::Share;

use super::Response;
use super::body::SMALL_BYTES_MAX;
use super::error::Refusal;
use crate::server::Server;

/// Bytes that reading and predicting take for each byte of a body, at the most: columns, scratch space,
/// the answer.
const WORK_FACTOR: u64 = 12;

/// What the work on a request holds.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) share: Share,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Takes a place, and the memory for the work on a body.
    pub(super) fn take(
        server: &Server,
        mut share: Share,
        body_bytes: usize,
    ) -> Result<Self, Refusal> {
        let permit = Arc::clone(&server.concurrency).try_acquire_owned();
        let permit = permit.map_err(|_none| Refusal::Overloaded)?;
        if body_bytes > SMALL_BYTES_MAX {
            share.grow((body_bytes as u64).saturating_mul(WORK_FACTOR))?;
        }
        Ok(Self { share, _permit: permit })
    }

    /// Ends the work: its answer holds what it takes of the share until it is sent.
    pub(super) fn answer(self, response: Response) -> Response {
        let mut share = self.share;
        if share.bytes() == 0 {
            return response;
        }
        response.map(|body| {
            let Some(bytes) = body.into_inner() else { return Full::default() };
            // Less than there was, so this cannot fail.
            let _smaller = share.resize(share.bytes().min(bytes.len() as u64));
            Full::new(Bytes::from_owner(Held { bytes, _share: share }))
        })
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
