//! `trainyard server`: the MLflow-compatible tracking server and registry, with its pages.

use std::process::ExitCode;
use std::sync::Arc;

use trainyard_base::Budget;
use trainyard_mlflow::WebhookLog;
use trainyard_tracking::Shared;
use trainyard_tracking::access::AccessControl;
use trainyard_tracking::server::{Opened, ui};
use trainyard_web::Beside;

use super::server_flags::Action;
pub(crate) use super::server_flags::Arguments;
use super::{backup, gc, hash_password, import, listen, server_signals, tls, upgrade};
use crate::failure::Failure;

pub(crate) async fn run(mut arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.action.take() {
        Some(Action::HashPassword(arguments)) => return hash_password::run(&arguments),
        Some(Action::Backup(arguments)) => return backup::make(&arguments),
        Some(Action::Restore(arguments)) => return backup::restore(&arguments),
        Some(Action::Gc(arguments)) => return gc::run(&arguments).await,
        Some(Action::Upgrade(arguments)) => return upgrade::run(&arguments),
        Some(Action::Import(arguments)) => return Box::pin(import::run(&arguments)).await,
        None => {}
    }
    arguments.unused.refuse_workspaces()?;
    let configured = arguments.access()?;
    if arguments.artifacts_only && !arguments.serves_artifacts() {
        return Err(Failure::input(
            "--artifacts-only and --no-serve-artifacts leave nothing to do",
        ));
    }
    let certificate = arguments.certificate()?;
    arguments.unused.report(certificate.is_some());
    let (reloads, end) = server_signals(
        "the file of users and the certificate are read again when they have changed",
    );
    let memory = Budget::of_process(arguments.memory_limit);
    let access = match &configured {
        Some(config) => Some(Box::pin(AccessControl::open(config)).await?),
        None => None,
    };
    let doors = arguments.doors(access.as_ref())?;
    let options = arguments.options(&memory, access.as_ref(), &doors)?;
    let socket = listen(&arguments.host, arguments.port).await?;
    let address = socket.local_addr().map_err(|error| Failure::runtime(error.to_string()))?;
    let listener = tls::secured(socket, certificate.as_ref(), reloads)?;
    let opening = arguments.opening(&memory, certificate.as_ref(), configured.as_ref(), &doors)?;
    let first = match opening.attempt().await {
        Err(error) if error.is_unreachable() && !arguments.wait_for_database.is_zero() => {
            Err(error)
        }
        opened => Ok(opened?),
    };
    let asks = options.authorize.is_none().then_some("--auth-file");
    tls::warn_of_strangers(address, asks, certificate.as_ref());
    let url = tls::url(address, certificate.as_ref());
    arguments.ready(&opening.uri, &url, asks.is_none(), certificate.is_some()).say();
    let opened = async {
        let Shared { lent: tracking, webhooks, log: audit_log, changes, .. } = match first {
            Ok(shared) => shared,
            Err(found) => opening.wait(arguments.wait_for_database, &found).await?,
        };
        let tracking = match &access {
            Some(access) => {
                if let Some(log) = audit_log {
                    access.write_down_in(log).await?;
                }
                access.guard(tracking)
            }
            None => tracking,
        };
        let prefix = arguments.static_prefix.as_deref().unwrap_or_default();
        let log = webhooks.clone().map(|webhooks| Arc::new(webhooks) as Arc<dyn WebhookLog>);
        // Where not everybody may see everything, hosts and events are for administrators.
        let beside = match &access {
            Some(access) => Beside {
                webhooks: log.map(|log| access.guard_webhooks(log)),
                team: Some(access.team()),
            },
            None => Beside { webhooks: log, team: None },
        };
        let own =
            |prefix: &str| trainyard_web::router_with(tracking.clone(), prefix, beside.clone());
        let pages = match &arguments.ui_dir {
            Some(folder) => ui::beside(ui::pages(folder)?, own(&format!("{prefix}/ui")), prefix),
            None => own(prefix),
        };
        Ok::<_, trainyard_tracking::Error>(Opened { tracking, pages, webhooks, changes })
    };
    let serving = trainyard_tracking::server::serve_once_opened(listener, opened, options, end);
    Box::pin(serving).await?;
    Ok(ExitCode::SUCCESS)
}
