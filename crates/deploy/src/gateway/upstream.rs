//! Pooled connections to one instance.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::RequestBody;

/// Idle connections are closed by us first: common servers close theirs after 5 s, and a request sent
/// into a closing connection is lost.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections kept.
const MAX_IDLE: usize = 256;

/// Connections to one instance.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client<HttpConnector, RequestBody>,
    authority: String,
}

impl Upstream {
    pub(super) fn new(address: SocketAddr, connect_timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(connect_timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            // The Host header is the client's.
            .set_host(false)
            .build(connector);
        Self { client, authority: address.to_string() }
    }

    /// The address of a path on this instance.
    pub(super) fn uri(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme("http")
            .authority(self.authority.as_str())
            .path_and_query(path_and_query)
            .build()
    }

    /// Sends a request. A pooled connection that turns out closed before anything was written is
    /// replaced without notice; nothing else is tried again here.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, Error> {
        self.client.request(request).await
    }
}
