//! A tracking server inside this process, for pages and for training programs that speak HTTP.

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trainyard_mlflow::{Error, Tracking};
use trainyard_pipeline::Project;
use trainyard_tracking::Changes;
use trainyard_tracking::server::{Opened, ServerOptions, serve_once_opened};

use super::listen;
use crate::failure::Failure;

/// MLflow's own port.
const USUAL_PORT: u16 = 5000;

/// A tracking server that stops with the value.
#[derive(Debug)]
pub(crate) struct TrackingPages {
    pub(crate) url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl TrackingPages {
    /// Starts it on MLflow's usual port, or a free one where that is taken. Everybody on this machine can
    /// ask it, so `tracking` is one that was [lent](trainyard_tracking::Shared). Its pages follow `changes`.
    pub(crate) async fn start(
        tracking: Tracking,
        changes: Option<Changes>,
    ) -> Result<Self, Failure> {
        let listener = match TcpListener::bind(("127.0.0.1", USUAL_PORT)).await {
            Ok(listener) => listener,
            Err(_taken) => listen("127.0.0.1", 0).await?,
        };
        let address = listener.local_addr().map_err(|error| Failure::runtime(error.to_string()))?;
        let (stop, stopped) = oneshot::channel();
        let pages = trainyard_web::router(tracking.clone());
        let server = tokio::spawn(async move {
            let until = async {
                // A dropped sender stops the server too.
                let _told_or_dropped = stopped.await;
            };
            let opened = Opened { tracking, pages, webhooks: None, changes };
            let opened = std::future::ready(Ok::<_, Error>(opened));
            let served = serve_once_opened(listener, opened, ServerOptions::default(), until);
            if let Err(error) = Box::pin(served).await {
                tracing::error!(%error, "the tracking pages ended");
            }
        });
        Ok(Self { url: format!("http://{address}"), stop, server })
    }

    /// Those of a project that tracks by no server of its own, where they are needed, and where the project's
    /// tracking is reached by HTTP.
    pub(crate) async fn beside(
        project: &Project,
        lent: Tracking,
        changes: Option<Changes>,
        are_needed: bool,
    ) -> Result<(Option<Self>, Option<String>), Failure> {
        if !are_needed || project.tracks_by_http() {
            return Ok((None, project.http_tracking_url()));
        }
        let pages = Self::start(lent, changes).await?;
        let url = pages.url.clone();
        Ok((Some(pages), Some(url)))
    }

    /// Lets running requests finish.
    pub(crate) async fn stop(self) {
        let _already_ended = self.stop.send(());
        let _ended = self.server.await;
    }
}
