//! The gateway's process, from its first socket to its last request.

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use trainyard_net::Open;

use super::control::{self, socket};
use super::handover::{self, Estate};
use super::in_force::InForce;
use super::listeners::{self, Side};
use super::metrics::Metrics;
use super::options::GatewayOptions;
use super::pause::PauseControl;
use super::route_table::RouteTable;
use super::shared::{End, Shared};
use super::tap::Copies;
use super::upstream::{self, Links};
use super::{copies, health, judge, log_rotation, renewal, tryout, window};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::state::folder::Folder;
use crate::state::lock::{self, Lock};

/// How long clients that keep their connections get to be told to come back on another.
const FAREWELL: Duration = Duration::from_secs(3);

/// How often the file of tokens is looked at.
const TOKENS_LOOK: Duration = Duration::from_secs(1);

/// What a gateway holds as long as it is the gateway.
struct Held {
    clients: TcpListener,
    commands: UnixListener,
    lock: Lock,
}

/// Runs the gateway until `shutdown` resolves or it is told to end over its control socket. With each change of
/// `reloads` it reads its settings again, and all files that they name.
///
/// The route that was in force when it last ran is in force again before the first request.
pub async fn run(
    options: GatewayOptions,
    reloads: watch::Receiver<()>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let folder = Folder::at(&options.state_dir)?;
    // Before anything is taken over: a successor that cannot serve changes nothing.
    let in_force = InForce::open(&folder, None)?;
    let Held { clients, commands, lock } = if options.take_over {
        inherit(&folder).await?
    } else {
        acquire(&folder, options.listen).await?
    };
    let failed =
        |error: std::io::Error| Error::Listen { listen: options.listen, reason: error.to_string() };
    let listen = clients.local_addr().map_err(failed)?;
    let limits = &in_force.limits;
    let links = Links::new(limits.max_connections, limits.connect_timeout);
    let (end, ended) = watch::channel(None);
    let (queue, waiting) = mpsc::channel(copies::WAITING_MAX);
    let shared = Arc::new(Shared {
        routes: RouteTable::restore(folder.gateway_state(), links.clone())?,
        copies: Copies::new(queue),
        folder: folder.clone(),
        settings: in_force.into(),
        acme: Arc::default(),
        links,
        pause: PauseControl::restore(folder.gateway_mode())?,
        metrics: Metrics::default(),
        listen,
        started_ms: now_ms(),
        end,
        accepting: watch::channel(true).0,
        closing: AtomicBool::new(false),
    });
    shared.warn(&shared.in_force());
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
        tokio::spawn(note(Arc::clone(&shared))),
        tokio::spawn(read_again(Arc::clone(&shared), reloads)),
        tokio::spawn(watch_tokens(Arc::clone(&shared))),
        tokio::spawn(renewal::keep(Arc::clone(&shared))),
    ];
    tasks.extend(Side::ALL.map(|side| tokio::spawn(side.keep(Arc::clone(&shared)))));
    // This one outlives the end of accepting: it tells the successor of it.
    let giver = tokio::spawn(handover::serve(successors, estate, Arc::clone(&shared)));
    tasks.push(tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            shutdown.await;
            shared.end(shared.shutdown_limit(), false);
        }
    }));
    tracing::info!(%listen, state = %folder.root.display(), "gateway listens");
    let clients = clients.into_std().map_err(failed)?;
    let (open, end) = listeners::clients(clients, &shared, ended).await;
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

/// Notes what went through, for whoever asks how it was lately, until the gateway ends.
async fn note(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(window::STEP).await;
        let now = Instant::now();
        shared.metrics.window.note(now);
        for target in shared.routes.targets() {
            for replica in target.replicas.each() {
                replica.window.note(now);
            }
        }
    }
}

/// Reads the settings again whenever that is asked for, until the gateway ends.
async fn read_again(shared: Arc<Shared>, mut reloads: watch::Receiver<()>) {
    while reloads.changed().await.is_ok() {
        // What cannot be used is said, and changes nothing.
        let _either_way = shared.reload();
    }
}

/// Looks whether the file of tokens has changed, until the gateway ends: who is taken out of it is out of here soon.
async fn watch_tokens(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(TOKENS_LOOK).await;
        shared.in_force().door.look();
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

/// Lets requests finish. With a successor, clients that keep their connection busy are told with their
/// next answer to come back on another: to close it under them could meet a request on its way.
async fn finish(shared: &Shared, open: Vec<Open>, end: End) {
    let start = tokio::time::Instant::now();
    if end.handed_over {
        shared.closing.store(true, Ordering::SeqCst);
        while open.iter().any(|open| open.count() > 0) && start.elapsed() < FAREWELL.min(end.limit)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let limit = end.limit.saturating_sub(start.elapsed());
    let finishing = open.into_iter().map(|open| open.finish(limit));
    let left: usize = futures::future::join_all(finishing).await.into_iter().sum();
    if left > 0 {
        tracing::warn!(
            left,
            seconds = end.limit.as_secs(),
            "requests were cut off at the end of the gateway"
        );
    }
}
