//! The accept loop: limits on connections and slow clients, and an orderly end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handle;
use crate::clock;
use crate::server::Server;

/// After an error of `accept` that is not the client's (out of file descriptors), wait so long
/// for connections to end before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Most bytes of a request's head: names, a token and a few headers of proxies.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// Serves connections until `stop`, then lets requests in flight finish.
pub(crate) async fn serve(listener: TcpListener, server: Arc<Server>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(server.options.limits.connections_max));
    loop {
        // A connection beyond the limit waits in the operating system's queue.
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _peer)) => {
                let server = Arc::clone(&server);
                let stop = stop.clone();
                connections.spawn(async move {
                    connection(stream, server, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // From here on the port is free, and nobody new comes in.
    drop(listener);
    connections.close();
    let limit = server.options.limits.drain_timeout;
    if tokio::time::timeout(limit, connections.wait()).await.is_err() {
        let left = connections.len();
        tracing::warn!(left, seconds = limit.as_secs_f64(), "connections did not end in time");
    }
}

async fn connection(stream: TcpStream, server: Arc<Server>, stop: CancellationToken) {
    // Answers are small and whole: waiting to fill a packet only delays them.
    let _only_slower = stream.set_nodelay(true);
    server.metrics.connections.fetch_add(1, Ordering::Relaxed);
    let service = {
        let server = Arc::clone(&server);
        service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(handle(server, request).await) }
        })
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .auto_date_header(clock::has_date())
        .header_read_timeout(server.options.limits.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX.max(64 << 10));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
    server.metrics.connections.fetch_sub(1, Ordering::Relaxed);
}
