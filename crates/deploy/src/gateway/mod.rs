//! The gateway: holds the listening address across deployments and passes requests to the current
//! instance. It is a process of its own, so that neither a deployer nor an instance takes it down.

mod access;
mod admin;
mod body;
mod door;
mod handover;
mod headers;
mod health;
mod metrics;
mod proxy;
mod rotate;
mod route;
mod scrape;
mod socket;
mod upstream;

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{Semaphore, watch};

use crate::error::{Error, Result};
use crate::layout::{Layout, now_ms};
use crate::lock::{self, Lock};
use access::AccessLog;
use door::Door;
use handover::{Estate, Inherited};
use metrics::Metrics;
use route::RouteTable;

pub use door::Mode;
pub(crate) use headers::REQUEST_ID;
pub use route::{RouteState, TargetSpec, WentBack};

/// How long clients that keep their connections get to be told to come back on another.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where a gateway serves and for whom.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Folder of the service (`<state_dir>/<name>`): route, control socket, lock.
    pub state_dir: PathBuf,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// What clients may do.
    pub limits: Limits,
    /// Whether each request gets a line in `access.log`.
    pub access_log: bool,
    /// Where `/metrics` is answered as well; the control socket always does.
    pub metrics_listen: Option<SocketAddr>,
    /// Take over from the running gateway, without a gap for clients.
    pub take_over: bool,
}

impl GatewayOptions {
    /// A gateway with the usual limits.
    pub fn new(state_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            state_dir: state_dir.into(),
            listen,
            limits: Limits::default(),
            access_log: false,
            metrics_listen: None,
            take_over: false,
        }
    }
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
            // The kernel sends a lost or unwelcome first packet again after 1, 3 and 7 s. An instance that
            // is not there refuses at once, so patience costs only where it helps.
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_mins(2),
            shutdown_limit: Duration::from_secs(30),
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    routes: RouteTable,
    door: Door,
    metrics: Metrics,
    access: Option<AccessLog>,
    limits: Limits,
    listen: SocketAddr,
    started_ms: u64,
    /// Asks the gateway to end.
    end: watch::Sender<Option<End>>,
    /// Whether connections are accepted.
    accepting: watch::Sender<bool>,
    /// Clients are told to come back on a new connection.
    closing: AtomicBool,
}

/// How the gateway ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    /// How long requests in flight may take.
    limit: Duration,
    /// A successor has the sockets.
    handed_over: bool,
}

/// What a gateway holds as long as it is the gateway.
struct Held {
    clients: TcpListener,
    control: UnixListener,
    lock: Lock,
}

/// Runs the gateway until `shutdown` resolves or it is told to end over its control socket.
///
/// The route that was in force when it last ran is in force again before the first request.
pub async fn run(
    options: GatewayOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let layout = Layout::at(&options.state_dir)?;
    let Held { clients, control, lock } = if options.take_over {
        inherit(&layout).await?
    } else {
        acquire(&layout, options.listen).await?
    };
    let failed =
        |error: std::io::Error| Error::Listen { listen: options.listen, reason: error.to_string() };
    let listen = clients.local_addr().map_err(failed)?;
    let (end, ended) = watch::channel(None);
    let access = options.access_log.then(|| AccessLog::open(&layout.access_log())).transpose()?;
    let shared = Arc::new(Shared {
        routes: RouteTable::restore(layout.gateway_state(), options.limits.connect_timeout)?,
        door: Door::restore(layout.gateway_mode())?,
        metrics: Metrics::default(),
        access,
        limits: options.limits,
        listen,
        started_ms: now_ms(),
        end,
        accepting: watch::channel(true).0,
        closing: AtomicBool::new(false),
    });
    let estate = estate(&clients, &control, &lock).map_err(failed)?;
    let successors = socket::bind(&layout.handover_socket())?;
    let mut tasks = vec![
        tokio::spawn(admin::serve(control, Arc::clone(&shared))),
        tokio::spawn(health::watch(Arc::clone(&shared))),
        tokio::spawn(rotate::watch(layout.clone())),
        tokio::spawn(upstream::sweep(Arc::clone(&shared))),
    ];
    if let Some(address) = options.metrics_listen {
        tasks.push(tokio::spawn(scrape::serve(address, Arc::clone(&shared))));
    }
    // This one outlives the end of accepting: it tells the successor of it.
    let giver = tokio::spawn(handover::serve(successors, estate, Arc::clone(&shared)));
    tasks.push(tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            shutdown.await;
            let limit = shared.limits.shutdown_limit;
            shared.end.send_replace(Some(End { limit, handed_over: false }));
        }
    }));
    tracing::info!(%listen, state = %layout.root.display(), "gateway listens");
    let (graceful, end) = accept(clients, &shared, ended).await;
    tracing::info!("gateway ends");
    for task in tasks {
        task.abort();
        // Its sockets must be let go before a successor begins.
        let _cancelled = task.await;
    }
    shared.accepting.send_replace(false);
    finish(&shared, graceful, end).await;
    if end.handed_over {
        // An error would be that it was aborted, which nobody does.
        let _told = giver.await;
    } else {
        giver.abort();
        // The lock is still held, so these cannot be the sockets of another gateway.
        for socket in [layout.gateway_socket(), layout.handover_socket()] {
            let _already_gone = std::fs::remove_file(socket);
        }
    }
    drop(lock);
    Ok(())
}

/// What a gateway needs, from the operating system.
async fn acquire(layout: &Layout, listen: SocketAddr) -> Result<Held> {
    let lock = lock::try_lock(&layout.gateway_lock(), "gateway")?
        .map_err(|holder| Error::GatewayRuns { pid: holder.pid, path: layout.root.clone() })?;
    let clients = TcpListener::bind(listen)
        .await
        .map_err(|error| Error::Listen { listen, reason: error.to_string() })?;
    Ok(Held { clients, control: socket::bind(&layout.gateway_socket())?, lock })
}

/// What a gateway needs, from the one that runs.
async fn inherit(layout: &Layout) -> Result<Held> {
    let failed = |source| Error::io("cannot take over", &layout.handover_socket(), source);
    let taken = tokio::task::spawn_blocking({
        let layout = layout.clone();
        move || handover::take_over(&layout)
    });
    let Inherited { clients, control, lock } =
        taken.await.map_err(|error| failed(std::io::Error::other(error)))??;
    Ok(Held {
        clients: TcpListener::from_std(clients).map_err(failed)?,
        control: UnixListener::from_std(control).map_err(failed)?,
        lock: Lock::inherited(lock, &layout.gateway_lock(), "gateway")?,
    })
}

/// What a successor would get.
fn estate(clients: &TcpListener, control: &UnixListener, lock: &Lock) -> std::io::Result<Estate> {
    Ok(Estate {
        clients: clients.as_fd().try_clone_to_owned()?,
        control: control.as_fd().try_clone_to_owned()?,
        lock: lock.share()?.into(),
    })
}

/// Accepts connections until the gateway is to end.
async fn accept(
    listener: TcpListener,
    shared: &Arc<Shared>,
    mut ended: watch::Receiver<Option<End>>,
) -> (GracefulShutdown, End) {
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
    let usual = End { limit: shared.limits.shutdown_limit, handed_over: false };
    let end = ended.borrow().unwrap_or(usual);
    (graceful, end)
}

/// Lets requests finish. With a successor, clients that keep their connection busy are told with their
/// next answer to come back on another: to close it under them could meet a request on its way.
async fn finish(shared: &Shared, graceful: GracefulShutdown, end: End) {
    let start = tokio::time::Instant::now();
    if end.handed_over {
        shared.closing.store(true, Ordering::SeqCst);
        while shared.metrics.connections.load(Ordering::Relaxed) > 0
            && start.elapsed() < FAREWELL.min(end.limit)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let left = end.limit.saturating_sub(start.elapsed());
    if tokio::time::timeout(left, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = end.limit.as_secs(),
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
