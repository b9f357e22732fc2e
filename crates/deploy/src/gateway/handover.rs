//! The gateway's own upgrade: a running gateway gives its sockets and its lock to a new process.
//!
//! The sockets themselves go over, so a client that connects in between waits in the kernel's queue and
//! is answered by the new process: nobody is refused. The old one finishes what it has, telling clients
//! to come back on a new connection.

use std::io::{IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::net::UnixListener;

use super::control::socket::{accept, reachable};
use super::shared::Shared;
use crate::error::{Error, Result};
use crate::state::folder::Folder;

/// How long either side may take for its part.
const LIMIT: Duration = Duration::from_secs(10);

/// What the old gateway sends with its sockets, what the new one says when it has them, and what the old
/// one says when it has let go.
const TAKE: &[u8; 1] = b"t";
const READY: &[u8; 1] = b"r";
const YOURS: &[u8; 1] = b"y";

/// What goes over: the listener for clients, the control listener, the lock.
pub(super) type Estate = [OwnedFd; 3];

/// Waits for a successor, and ends this gateway when one has taken over.
pub(super) async fn serve(listener: UnixListener, estate: Estate, shared: Arc<Shared>) {
    let estate = Arc::new(estate);
    loop {
        let stream = accept(&listener).await;
        match give(stream, Arc::clone(&estate), &shared).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "the successor did not take over; serving on"),
        }
    }
}

async fn give(
    stream: tokio::net::UnixStream,
    estate: Arc<Estate>,
    shared: &Arc<Shared>,
) -> std::io::Result<()> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let given = tokio::task::spawn_blocking(move || -> std::io::Result<UnixStream> {
        send(&stream, &estate.each_ref().map(OwnedFd::as_fd))?;
        let mut answer = [0];
        (&stream).read_exact(&mut answer)?;
        if &answer == READY { Ok(stream) } else { Err(std::io::ErrorKind::InvalidData.into()) }
    });
    let mut stream = given.await.map_err(std::io::Error::other)??;
    // From here on the successor is the gateway. It starts when this one has stopped accepting.
    shared.end(shared.shutdown_limit(), true);
    let mut accepting = shared.accepting.subscribe();
    // An error means that the acceptor is gone, which is what is waited for.
    let _gone = accepting.wait_for(|accepting| !accepting).await;
    // The last counts of a canary; all others that must go over are on disk already.
    if shared.routes.load().candidate.is_some()
        && let Err(error) = shared.routes.keep()
    {
        tracing::warn!(%error, "the successor counts a canary from a little earlier");
    }
    stream.write_all(YOURS)?;
    tracing::info!("handed over to a successor");
    Ok(())
}

fn send(stream: &UnixStream, sockets: &[BorrowedFd<'_>]) -> std::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(std::io::Error::other("no room for the sockets"));
    }
    sendmsg(stream, &[IoSlice::new(TAKE)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes over from the running gateway. Blocks until that one has stopped accepting.
pub(super) fn take_over(folder: &Folder) -> Result<Estate> {
    let socket = folder.handover_socket();
    let failed = |source| Error::io("cannot take over from the gateway behind", &socket, source);
    let (address, _folder) = reachable(&socket).map_err(failed)?;
    let mut stream = UnixStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    let inherited = receive(&stream).map_err(failed)?;
    stream.write_all(READY).map_err(failed)?;
    let mut answer = [0];
    match stream.read_exact(&mut answer) {
        Ok(()) if &answer == YOURS => Ok(inherited),
        Ok(()) => Err(failed(std::io::ErrorKind::InvalidData.into())),
        // It died just now: the sockets are here, somebody must serve.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(inherited),
        Err(error) => Err(failed(error)),
    }
}

fn receive(stream: &UnixStream) -> std::io::Result<Estate> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut sockets = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            sockets.extend(received);
        }
    }
    Estate::try_from(sockets)
        .map_err(|_| std::io::Error::other(format!("it sent {} bytes and no sockets", got.bytes)))
}
