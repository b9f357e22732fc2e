//! Transfers past the server: requests, signed with the server's keys, by which a client reads and writes
//! a bucket itself.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::Result;

/// Parts of an upload, at most: S3's limit.
pub const PARTS_MAX: u32 = 10_000;

/// One file of a bucket, for clients that go there themselves.
#[async_trait]
pub trait DirectFile: Send + Sync {
    /// A GET of the file that is good for `lifetime`, and the size of the file in bytes;
    /// `RESOURCE_DOES_NOT_EXIST` if there is no file.
    async fn sign_download(&self, lifetime: Duration) -> Result<(SignedRequest, u64)>;

    /// A PUT of the file that is good for `lifetime`, with a body of that type.
    async fn sign_upload(&self, lifetime: Duration, content_type: &str) -> Result<SignedRequest>;

    /// Begins an upload of 1 to [`PARTS_MAX`] parts: its id, and the PUT of each part, in order.
    async fn start_parts(&self, parts: u32) -> Result<(String, Vec<SignedRequest>)>;

    /// Makes the file of all parts, whose etags are in their order.
    async fn complete_parts(&self, upload_id: &str, etags: Vec<String>) -> Result<()>;

    /// Forgets an upload and its parts.
    async fn abort_parts(&self, upload_id: &str) -> Result<()>;
}

/// A request that needs no other credentials than its URL.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Whoever has it may do what it says until it expires.
    pub url: String,
    /// Headers that must be sent with it, by name.
    pub headers: BTreeMap<String, String>,
}

impl std::fmt::Debug for SignedRequest {
    /// Without the query, which holds the signature.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = self.url.split('?').next();
        f.debug_struct("SignedRequest").field("url", &url).finish_non_exhaustive()
    }
}
