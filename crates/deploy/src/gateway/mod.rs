//! The gateway: holds the listening address across deployments and passes requests to the current
//! instance. It is a process of its own, so that neither a deployer nor an instance takes it down.

mod admin;
mod body;
mod headers;
mod health;
mod metrics;
mod proxy;
mod route;
mod upstream;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::error::{Error, Result};
use crate::layout::{Layout, now_ms};
use crate::lock;
use metrics::Metrics;
use route::RouteTable;

pub use route::{RouteState, TargetSpec, WentBack};

/// Where a gateway serves and for whom.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Folder of the service (`<state_dir>/<name>`): route, control socket, lock.
    pub state_dir: PathBuf,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// What clients may do.
    pub limits: Limits,
}

/// What clients may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// Bytes of a request's head, and of the buffer of a connection.
    pub max_header_bytes: usize,
    /// Header lines of a request.
    pub max_headers: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: u64,
    /// How long a client may take to send a request's head (also how long it may idle).
    pub header_timeout: Duration,
    /// How long connecting to an instance may take.
    pub connect_timeout: Duration,
    /// How long an instance may take to begin its answer.
    pub response_timeout: Duration,
    /// How long requests may take to finish when the gateway ends.
    pub shutdown_limit: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 8192,
            max_header_bytes: 64 << 10,
            max_headers: 128,
            max_body_bytes: 256 << 20,
            header_timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_mins(2),
            shutdown_limit: Duration::from_secs(30),
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    routes: RouteTable,
    metrics: Metrics,
    limits: Limits,
    listen: SocketAddr,
    started_ms: u64,
    /// Asks the gateway to end; the value is the limit for requests in flight.
    end: watch::Sender<Option<Duration>>,
}

/// Runs the gateway until `shutdown` resolves or it is told to end over its control socket.
///
/// The route that was in force when it last ran is in force again before the first request.
pub async fn run(
    options: GatewayOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let layout = Layout::at(&options.state_dir)?;
    let _lock = lock::try_lock(&layout.gateway_lock(), "gateway")?
        .map_err(|holder| Error::GatewayRuns { pid: holder.pid, path: layout.root.clone() })?;
    let failed =
        |error: std::io::Error| Error::Listen { listen: options.listen, reason: error.to_string() };
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let listen = listener.local_addr().map_err(failed)?;
    let routes = RouteTable::restore(layout.gateway_state(), options.limits.connect_timeout)?;
    let (end, ended) = watch::channel(None);
    let shared = Arc::new(Shared {
        routes,
        metrics: Metrics::default(),
        limits: options.limits,
        listen,
        started_ms: now_ms(),
        end,
    });
    let control = admin::bind(&layout)?;
    let admin = tokio::spawn(admin::serve(control, Arc::clone(&shared)));
    let health = tokio::spawn(health::watch(Arc::clone(&shared)));
    let signal = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            shutdown.await;
            shared.end.send_replace(Some(shared.limits.shutdown_limit));
        }
    });
    tracing::info!(%listen, state = %layout.root.display(), "gateway listens");
    accept(listener, &shared, ended).await;
    tracing::info!("gateway ends");
    for task in [admin, health, signal] {
        task.abort();
    }
    // The lock is still held, so this cannot be the socket of another gateway.
    let _already_gone = std::fs::remove_file(layout.gateway_socket());
    Ok(())
}

/// Accepts connections until the gateway is told to end, then lets them finish.
async fn accept(
    listener: TcpListener,
    shared: &Arc<Shared>,
    mut ended: watch::Receiver<Option<Duration>>,
) {
    let slots = Arc::new(Semaphore::new(shared.limits.max_connections));
    let graceful = GracefulShutdown::new();
    let server = server(&shared.limits);
    loop {
        let connection = async {
            // A connection is only taken when there is room for it.
            let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
            Some((slot, listener.accept().await))
        };
        let accepted = tokio::select! {
            accepted = connection => accepted,
            _ = ended.changed() => break,
        };
        let Some((slot, accepted)) = accepted else { break };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: others must close before more can come.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let connection = serve(&server, shared, stream, peer);
        let connection = graceful.watch(connection);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            shared.metrics.connections.fetch_add(1, Ordering::Relaxed);
            shared.metrics.accepted.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a client connection broke off");
            }
            shared.metrics.connections.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
    }
    drop(listener);
    let limit = ended.borrow().unwrap_or(shared.limits.shutdown_limit);
    if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = limit.as_secs(),
            "requests were cut off at the end of the gateway"
        );
    }
}

fn server(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_header_bytes)
        .max_headers(limits.max_headers)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        // Many requests on one connection must not take all the room.
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    server
}

/// A connection that is being served, with all it needs of its own.
fn serve(
    server: &auto::Builder<TokioExecutor>,
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
) -> impl hyper_util::server::graceful::GracefulConnection<
    Error = Box<dyn std::error::Error + Send + Sync>,
> + Send
+ 'static {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off delays");
    }
    let shared = Arc::clone(shared);
    let service = service_fn(move |request| proxy::handle(Arc::clone(&shared), peer, request));
    server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned()
}
