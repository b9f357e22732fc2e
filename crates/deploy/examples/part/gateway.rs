//! The gateway, with the flags that a deployer gives it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use trainyard_deploy::gateway::GatewayOptions;

use crate::{Fallible, option, terminated};

pub(crate) async fn gateway(arguments: &[String]) -> Fallible<()> {
    let options = GatewayOptions {
        state_dir: option(arguments, "--state-dir")?.into(),
        listen: option(arguments, "--listen")?.parse()?,
        take_over: arguments.iter().any(|argument| argument == "--take-over"),
    };
    let (reload, reloads) = watch::channel(());
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reload.send_replace(());
        }
    });
    Ok(trainyard_deploy::gateway::run(options, reloads, terminated()).await?)
}
