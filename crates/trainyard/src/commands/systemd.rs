//! What systemd is told of a supervisor, where it started it (`sd_notify(3)`); elsewhere nobody hears it.

use std::time::Duration;

use rustix::process::{Pid, getpid, getppid};
use sd_notify::NotifyState;
use tokio::sync::watch;

/// Whoever wants to hear more often has written something else than they meant.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// Whether a service manager or the engine of a container started this process, or the first process of one did: then
/// nobody typed it.
pub(super) fn is_manager() -> bool {
    getpid().is_init()
        || getppid().is_some_and(Pid::is_init)
        || std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// It has begun.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// What it did last, for `systemctl status`.
pub(super) fn status(text: &str) {
    // A line of its own, or it would be another word of the protocol.
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    tell(&[NotifyState::Status(&line)]);
}

/// It ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that this process lives as often as it is wanted, and when it reads its files again, until it is dropped.
pub(super) async fn watchdog(mut reloads: watch::Receiver<()>) {
    // Half of the time after which it would be killed.
    let every = sd_notify::watchdog_enabled().map(|limit| (limit / 2).max(EVERY_MIN));
    let mut ticks = every.map(tokio::time::interval);
    loop {
        let tick = async {
            match &mut ticks {
                Some(ticks) => {
                    ticks.tick().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tick => tell(&[NotifyState::Watchdog]),
            changed = reloads.changed() => match changed {
                Ok(()) => {
                    if let Ok(now) = NotifyState::monotonic_usec_now() {
                        tell(&[NotifyState::Reloading, now]);
                    }
                    tell(&[NotifyState::Ready]);
                }
                // Nobody asks for it any more; the process ends with whoever did.
                Err(_gone) => std::future::pending().await,
            },
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
