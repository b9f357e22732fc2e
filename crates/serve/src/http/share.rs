//! A request's share of the memory that all requests have together: taken before the work on its body,
//! given back when its answer is sent.

use bytes::Bytes;
use http_body_util::Full;
use trainyard_base::Share;

use super::Response;
use super::body::SMALL_BYTES_MAX;
use super::error::Refusal;

/// Bytes that reading and predicting take for each byte of a body, at the most: columns, scratch space,
/// the answer.
const WORK_FACTOR: u64 = 12;

/// Takes the memory for the work on a body.
pub(super) fn make_room(share: &mut Share, body_bytes: usize) -> Result<(), Refusal> {
    if body_bytes > SMALL_BYTES_MAX {
        share.grow((body_bytes as u64).saturating_mul(WORK_FACTOR))?;
    }
    Ok(())
}

/// The same answer, which holds what it takes of the share until it is sent.
pub(super) fn held(response: Response, mut share: Share) -> Response {
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

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
