//! The tracking store of a project that is kept up: opened when it is needed first, and again until that succeeds. A
//! deployment serves without it, so nothing that keeps it up waits for it.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::Mutex;
use trainyard_mlflow::Tracking;

use crate::Project;

/// A project's tracking store, and where training programs reach it by HTTP.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The store or server.
    pub tracking: Tracking,
    /// Its URL, where it has one.
    pub tracking_url: Option<String>,
}

/// Opens the tracking store of a project; why not, for people.
pub type Open =
    Arc<dyn Fn(Arc<Project>) -> BoxFuture<'static, Result<Opened, String>> + Send + Sync>;

/// An [`Open`] of a function.
pub fn opener<F>(open: impl Fn(Arc<Project>) -> F + Send + Sync + 'static) -> Open
where
    F: Future<Output = Result<Opened, String>> + Send + 'static,
{
    Arc::new(move |project| -> BoxFuture<'static, Result<Opened, String>> {
        Box::pin(open(project))
    })
}

/// The store, once it is open.
pub(super) struct Registry {
    open: Open,
    opened: Mutex<Option<(String, Opened)>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    pub(super) fn new(open: Open) -> Self {
        Self { open, opened: Mutex::new(None) }
    }

    /// The store that the project names now.
    pub(super) async fn of(&self, project: &Arc<Project>) -> Result<Opened, String> {
        let mut opened = self.opened.lock().await;
        if let Some((uri, opened)) = opened.as_ref()
            && *uri == project.tracking_uri
        {
            return Ok(opened.clone());
        }
        let fresh = (self.open)(Arc::clone(project)).await?;
        *opened = Some((project.tracking_uri.clone(), fresh.clone()));
        Ok(fresh)
    }
}
