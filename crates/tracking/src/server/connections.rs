//! Accepting connections: a limit on their number, timeouts, and an orderly end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::ServerOptions;

/// Pause after an accept that failed, most likely for want of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 50;

/// Serves `app` on every connection until `shutdown` completes.
pub(super) async fn accept(
    listener: TcpListener,
    app: Router,
    options: &ServerOptions,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    let slots = Arc::new(Semaphore::new(options.connections_max.max(1)));
    let graceful = GracefulShutdown::new();
    let builder = connection_builder(options);
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            () = &mut shutdown => break,
            (slot, accepted) = next => match (slot, accepted) {
                (Ok(slot), Ok((stream, _peer))) => (slot, stream),
                (_, Err(error)) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                    continue;
                }
                // The semaphore is never closed.
                (Err(_closed), _) => break,
            },
        };
        prepare(&stream);
        let service = TowerToHyperService::new(app.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            metrics::gauge!("trainyard_http_connections").increment(1.0);
            if let Err(error) = connection.await {
                // Clients break off all the time.
                tracing::debug!(%error, "connection ended early");
            }
            metrics::gauge!("trainyard_http_connections").decrement(1.0);
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(options.shutdown_grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            grace = ?options.shutdown_grace,
            "some requests did not finish before the server stopped"
        );
    }
}

fn connection_builder(options: &ServerOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(options.head_timeout))
        .keep_alive_timeout(options.head_timeout);
    builder
}

/// Answers are small and complete when they are written: waiting for more only adds latency.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}
