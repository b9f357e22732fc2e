//! A file's bytes on their way, and which of them are asked for.

use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use crate::Result;

/// A file's bytes as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// Part of a file, as an HTTP `Range` header asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From this offset to the end.
    From(u64),
    /// From the first offset to the second, both included.
    Between(u64, u64),
    /// This many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// The half-open range of a file of `size` bytes that this asks for; None if it has no byte
    /// of it.
    pub fn resolve(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(start) => start..size,
            Self::Between(start, end) => start..end.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Lets only the bytes of `range` through.
pub(super) fn cut(body: ByteStream, range: Range<u64>) -> ByteStream {
    let mut offset = 0_u64;
    let pieces = body.filter_map(move |chunk| {
        let piece = match chunk {
            Ok(bytes) => {
                let length = bytes.len() as u64;
                let start = range.start.saturating_sub(offset).min(length);
                let end = range.end.saturating_sub(offset).min(length);
                offset += length;
                (start < end).then(|| Ok(bytes.slice(start as usize..end as usize)))
            }
            Err(error) => Some(Err(error)),
        };
        futures::future::ready(piece)
    });
    Box::pin(pieces)
}

/// Wraps bytes that are already in memory for [`Artifacts::upload`](super::Artifacts::upload).
pub fn once(bytes: impl Into<Bytes>) -> ByteStream {
    let bytes = bytes.into();
    Box::pin(futures::stream::once(async move { Ok(bytes) }))
}
