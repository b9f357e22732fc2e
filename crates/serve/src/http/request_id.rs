//! An id for every request, taken from the client or made here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a client; longer ones are replaced.
const LENGTH_MAX: usize = 128;

/// Makes ids that no other process makes.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self { process: uuid::Uuid::new_v4().as_u64_pair().0, count: AtomicU64::new(0) }
    }

    /// The client's id if it is a usable one, else a new one; and the header to answer with.
    pub(crate) fn of(&self, headers: &HeaderMap) -> (Arc<str>, HeaderValue) {
        if let Some(value) = headers.get(X_REQUEST_ID)
            && let Ok(text) = value.to_str()
            && !text.is_empty()
            && text.len() <= LENGTH_MAX
        {
            return (Arc::from(text), value.clone());
        }
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:016x}-{count:08x}", self.process);
        // Hexadecimal digits are always a header value.
        let value = HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("-"));
        (Arc::from(id), value)
    }
}
