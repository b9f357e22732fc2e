//! The gateway: holds the listening address across deployments and passes requests to the current
//! instance. It is a process of its own, so that neither a deployer nor an instance takes it down.

mod access;
mod admin;
mod body;
mod door;
mod handover;
mod headers;
mod health;
mod hygiene;
mod judge;
mod metrics;
mod operator;
mod outcome;
mod own;
mod paths;
mod proxy;
mod rotate;
mod route;
mod scrape;
mod send;
mod socket;
mod target;
mod upstream;

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use trainyard_net::{Open, Protocols, descriptors};

use crate::error::{Error, Result};
use crate::layout::{Layout, now_ms};
use crate::lock::{self, Lock};
use access::AccessLog;
use door::Door;
use handover::{Estate, Inherited};
use metrics::Metrics;
use paths::Paths;
use proxy::{Client, Way};
use route::RouteTable;
use upstream::Links;

pub use door::Mode;
pub(crate) use headers::REQUEST_ID;
pub use paths::check_rule;
pub use route::{RouteState, WentBack};
pub use target::TargetSpec;

/// Descriptors that a connection of a client takes: its own, and one to the instance.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;

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
    /// Where all paths of the instance are passed on, for operators.
    pub operator_listen: Option<SocketAddr>,
    /// Paths that the public may ask beside predictions, documentation and health: `/feedback`,
    /// `/models/*/feedback` (any one name), `/static/**` (all below).
    pub exposed: Vec<String>,
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
            operator_listen: None,
            exposed: Vec::new(),
            take_over: false,
        }
    }
}

/// What clients may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time, as far as there are descriptors for them; on further ones only the health
    /// of the service is answered.
    pub max_connections: usize,
    /// Connections of one address at a time; half of all if none. A proxy in front is one address.
    pub max_per_address: Option<usize>,
    /// Bytes of a request's head, and of the buffer of a connection.
    pub max_header_bytes: usize,
    /// Header lines of a request.
    pub max_headers: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: u64,
    /// How long a client may say nothing: before a request, within its head, or while an answer waits to
    /// be read.
    pub idle_timeout: Duration,
    /// How long connecting to an instance may take.
    pub connect_timeout: Duration,
    /// How long an instance may take to begin its answer once it has the whole request.
    pub response_timeout: Duration,
    /// How long requests may take to finish when the gateway ends.
    pub shutdown_limit: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 8192,
            max_per_address: None,
            max_header_bytes: 64 << 10,
            max_headers: 128,
            max_body_bytes: 256 << 20,
            idle_timeout: Duration::from_mins(1),
            // The kernel sends a lost or unwelcome first packet again after 1, 3 and 7 s. An instance that
            // is not there refuses at once, so patience costs only where it helps.
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_mins(2),
            shutdown_limit: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// What the descriptors of this process allow of them.
    fn possible(mut self) -> Self {
        self.max_connections =
            descriptors::connections(self.max_connections, DESCRIPTORS_PER_CONNECTION);
        self
    }

    /// What connections of clients may take.
    fn of_clients(&self) -> trainyard_net::Limits {
        let mut limits = trainyard_net::Limits::new(self.max_connections);
        if let Some(max) = self.max_per_address {
            limits.per_address_max = max;
        }
        limits.idle = self.idle_timeout;
        limits.head_bytes_max = self.max_header_bytes;
        limits.headers_max = self.max_headers;
        limits.is_strict = true;
        // Between a crowd that says nothing and a client that asks, the client is served.
        limits.silent_give_way = true;
        limits
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    routes: RouteTable,
    paths: Paths,
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
    let limits = options.limits.possible();
    let (end, ended) = watch::channel(None);
    let access = options.access_log.then(|| AccessLog::open(&layout.access_log())).transpose()?;
    let shared = Arc::new(Shared {
        routes: RouteTable::restore(
            layout.gateway_state(),
            Links::new(limits.max_connections, limits.connect_timeout),
        )?,
        paths: Paths::new(&options.exposed)?,
        door: Door::restore(layout.gateway_mode())?,
        metrics: Metrics::default(),
        access,
        limits,
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
    if let Some(address) = options.operator_listen {
        tasks.push(tokio::spawn(operator::serve(address, Arc::clone(&shared))));
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
    let (open, end) = accept(clients, &shared, ended).await;
    tracing::info!("gateway ends");
    for task in tasks {
        task.abort();
        // Its sockets must be let go before a successor begins.
        let _cancelled = task.await;
    }
    shared.accepting.send_replace(false);
    finish(&shared, open, end).await;
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
) -> (Open, End) {
    let stop = {
        let mut ended = ended.clone();
        async move {
            // An error would be that nobody can end it any more, which is an end as well.
            let _told = ended.wait_for(Option::is_some).await;
        }
    };
    let limits = shared.limits.of_clients();
    let service = |arrival| {
        let client = Client::new(shared, Way::Public, arrival);
        move |request| proxy::handle(Arc::clone(&client), request)
    };
    let open = trainyard_net::accept(listener, &limits, Protocols::Both, service, stop).await;
    let usual = End { limit: shared.limits.shutdown_limit, handed_over: false };
    let end = ended.borrow_and_update().unwrap_or(usual);
    (open, end)
}

/// Lets requests finish. With a successor, clients that keep their connection busy are told with their
/// next answer to come back on another: to close it under them could meet a request on its way.
async fn finish(shared: &Shared, open: Open, end: End) {
    let start = tokio::time::Instant::now();
    if end.handed_over {
        shared.closing.store(true, Ordering::SeqCst);
        while open.count() > 0 && start.elapsed() < FAREWELL.min(end.limit) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let left = open.finish(end.limit.saturating_sub(start.elapsed())).await;
    if left > 0 {
        tracing::warn!(
            left,
            seconds = end.limit.as_secs(),
            "requests were cut off at the end of the gateway"
        );
    }
}
