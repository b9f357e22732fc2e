//! The gateway's process, from its first socket to its last request.

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use trainyard_net::{Open, Protocols};

use super::access_log::AccessLog;
use super::control::{self, socket};
use super::handover::{self, Estate};
use super::metrics::Metrics;
use super::options::GatewayOptions;
use super::paths::{Audience, Paths};
use super::pause::PauseControl;
use super::proxy::{self, Client};
use super::route_table::RouteTable;
use super::shared::{End, Shared};
use super::tap::Copies;
use super::upstream::{self, Links};
use super::{copies, health, judge, listeners, log_rotation, tryout};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::state::folder::Folder;
use crate::state::lock::{self, Lock};

/// How long clients that keep their connections get to be told to come back on another.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a gateway holds as long as it is the gateway.
struct Held {
    clients: TcpListener,
    commands: UnixListener,
    lock: Lock,
}

/// Runs the gateway until `shutdown` resolves or it is told to end over its control socket.
///
/// The route that was in force when it last ran is in force again before the first request.
pub async fn run(
    options: GatewayOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let folder = Folder::at(&options.state_dir)?;
    let Held { clients, commands, lock } = if options.take_over {
        inherit(&folder).await?
    } else {
        acquire(&folder, options.listen).await?
    };
    let failed =
        |error: std::io::Error| Error::Listen { listen: options.listen, reason: error.to_string() };
    let listen = clients.local_addr().map_err(failed)?;
    let limits = options.limits.possible();
    let (end, ended) = watch::channel(None);
    let (queue, waiting) = mpsc::channel(copies::WAITING_MAX);
    let access = options.access_log.then(|| AccessLog::open(&folder.access_log())).transpose()?;
    let shared = Arc::new(Shared {
        routes: RouteTable::restore(
            folder.gateway_state(),
            Links::new(limits.max_connections, limits.connect_timeout),
        )?,
        copies: Copies::new(queue),
        paths: Paths::new(&options.exposed)?,
        pause: PauseControl::restore(folder.gateway_mode())?,
        metrics: Metrics::default(),
        access,
        limits,
        listen,
        started_ms: now_ms(),
        end,
        accepting: watch::channel(true).0,
        closing: AtomicBool::new(false),
    });
    let estate = estate(&clients, &commands, &lock).map_err(failed)?;
    let successors = socket::bind(&folder.handover_socket())?;
    let mut tasks = vec![
        tokio::spawn(control::serve(commands, Arc::clone(&shared))),
        tokio::spawn(judge::watch(Arc::clone(&shared))),
        tokio::spawn(health::watch(Arc::clone(&shared))),
        tokio::spawn(tryout::watch(Arc::clone(&shared))),
        tokio::spawn(copies::serve(waiting, Arc::clone(&shared))),
        tokio::spawn(log_rotation::watch(folder.clone())),
        tokio::spawn(sweep(Arc::clone(&shared))),
    ];
    if let Some(address) = options.metrics_listen {
        tasks.push(tokio::spawn(listeners::metrics(address, Arc::clone(&shared))));
    }
    if let Some(address) = options.operator_listen {
        tasks.push(tokio::spawn(listeners::operators(address, Arc::clone(&shared))));
    }
    // This one outlives the end of accepting: it tells the successor of it.
    let giver = tokio::spawn(handover::serve(successors, estate, Arc::clone(&shared)));
    tasks.push(tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            shutdown.await;
            let limit = shared.limits.shutdown_limit;
            shared.end(limit, false);
        }
    }));
    tracing::info!(%listen, state = %folder.root.display(), "gateway listens");
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
        for socket in [folder.gateway_socket(), folder.handover_socket()] {
            let _already_gone = std::fs::remove_file(socket);
        }
    }
    drop(lock);
    Ok(())
}

/// Closes connections to instances that were idle for too long, until the gateway ends.
async fn sweep(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(upstream::IDLE).await;
        for target in shared.routes.targets() {
            target.sweep();
        }
    }
}

/// What a gateway needs, from the operating system.
async fn acquire(folder: &Folder, listen: SocketAddr) -> Result<Held> {
    let lock = lock::try_lock(&folder.gateway_lock(), "gateway")?
        .map_err(|holder| Error::GatewayRuns { pid: holder.pid, path: folder.root.clone() })?;
    let clients = TcpListener::bind(listen)
        .await
        .map_err(|error| Error::Listen { listen, reason: error.to_string() })?;
    Ok(Held { clients, commands: socket::bind(&folder.gateway_socket())?, lock })
}

/// What a gateway needs, from the one that runs.
async fn inherit(folder: &Folder) -> Result<Held> {
    let failed = |source| Error::io("cannot take over", &folder.handover_socket(), source);
    let taken = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || handover::take_over(&folder)
    });
    // That they do not block is a property of the sockets, and the other gateway's did not.
    let [clients, commands, lock] =
        taken.await.map_err(|error| failed(std::io::Error::other(error)))??;
    Ok(Held {
        clients: TcpListener::from_std(clients.into()).map_err(failed)?,
        commands: UnixListener::from_std(commands.into()).map_err(failed)?,
        lock: Lock::inherited(lock.into(), &folder.gateway_lock(), "gateway")?,
    })
}

/// What a successor would get.
fn estate(clients: &TcpListener, commands: &UnixListener, lock: &Lock) -> std::io::Result<Estate> {
    let (clients, commands) = (clients.as_fd(), commands.as_fd());
    Ok([clients.try_clone_to_owned()?, commands.try_clone_to_owned()?, lock.share()?.into()])
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
        let client = Client::new(shared, Audience::Public, arrival);
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
