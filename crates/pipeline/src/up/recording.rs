//! What is kept up is recorded for pages elsewhere, by a task of its own: a registry that is away holds up nothing but that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use trainyard_base::service::Teller;
use trainyard_mlflow::Tracking;

use super::registry::Registry;
use crate::Project;
use crate::service_record::{Minutely, News};

/// How long the tracking store may take to be opened.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Goes on until it is dropped.
pub(super) async fn run(
    mut projects: watch::Receiver<Arc<Project>>,
    registry: Arc<Registry>,
    news: Arc<News>,
) {
    let mut minutely = Minutely::new(Teller::Up, news);
    loop {
        let project = Arc::clone(&projects.borrow_and_update());
        Box::pin(minutely.record(&project, opened(&registry, &project))).await;
        minutely.wait().await;
    }
}

/// The store; none where it cannot be opened now, of which whoever follows the project tells.
async fn opened(registry: &Registry, project: &Arc<Project>) -> Option<Tracking> {
    let opening = tokio::time::timeout(OPEN_LIMIT, registry.of(project));
    opening.await.ok()?.ok().map(|opened| opened.tracking)
}
