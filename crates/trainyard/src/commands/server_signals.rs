//! What signals tell a server that runs for long: to end, or to read again what it was told.
//!
//! SIGHUP has two senders. Operators, `systemctl reload` and log rotation mean "read your files again"; a
//! terminal that is closed means "end". By default it ends a process at once and without a line, which
//! for the first is an outage. They are told apart by the terminal: is it still there?

use std::io::IsTerminal as _;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::shutdown_signal;
use crate::printer;

/// Changes with each request to read again, and ends when the server is to end. `answer` is said to whoever
/// asks: what is done. From the call on, SIGHUP ends nothing by itself.
pub(crate) fn server_signals(
    answer: &'static str,
) -> (watch::Receiver<()>, impl Future<Output = ()> + Send) {
    let (reload, reloads) = watch::channel(());
    let had_terminal = std::io::stdin().is_terminal();
    let hangups = signal(SignalKind::hangup());
    let terminal_is_closed = async move {
        match hangups {
            Ok(hangups) => until_closed(hangups, had_terminal, answer, &reload).await,
            Err(error) => {
                // Without the handler SIGHUP keeps its default: the process ends at once.
                tracing::warn!(%error, "no handler for SIGHUP");
                std::future::pending::<()>().await;
            }
        }
    };
    let end = async move {
        tokio::select! {
            () = shutdown_signal() => {}
            () = terminal_is_closed => {}
        }
    };
    (reloads, end)
}

/// Passes requests to read again on, until the terminal that the server was started from is gone.
async fn until_closed(
    mut hangups: Signal,
    had_terminal: bool,
    answer: &str,
    reload: &watch::Sender<()>,
) {
    loop {
        if hangups.recv().await.is_none() {
            // No more signals will come; those that end the process still do.
            std::future::pending::<()>().await;
        }
        // What was a terminal is none any more once it is closed.
        if had_terminal && !std::io::stdin().is_terminal() {
            return;
        }
        printer::note(&format!("SIGHUP: {answer}"));
        reload.send_replace(());
    }
}
