//! Tells all whom a project names. Nobody who does not listen fails the pipeline: what cannot be delivered is logged.

use super::happened::Happened;
use super::{alertmanager, email, slack, webhook};
use crate::Project;

/// Tells whoever the project names. Returns when everybody was told or given up.
pub async fn notify(project: &Project, happened: &[Happened]) {
    for one in happened {
        // It is no failure of the pipeline that nobody listens.
        let _is_told = tell(project, one).await;
    }
}

/// The same of one thing; whether somebody heard it, or nobody wants to. What nobody heard may be told again.
pub(crate) async fn tell(project: &Project, happened: &Happened) -> bool {
    let config = &project.config.notify;
    let model = &project.config.model.name;
    if !config.on.contains(&happened.wanted_as()) {
        return true;
    }
    let (webhook, slack, email, alertmanager) = tokio::join!(
        webhook::tell(config, model, happened),
        slack::tell(config, model, happened),
        email::tell(project, happened),
        alertmanager::tell(project, happened),
    );
    let all = [
        ("the webhook", webhook),
        ("Slack", slack),
        ("the mail server", email),
        ("Alertmanager", alertmanager),
    ];
    for (whom, told) in &all {
        if let Err(reason) = told {
            tracing::warn!(reason, "{whom} was not told");
        }
    }
    let has_heard = all.iter().any(|(_, told)| *told == Ok(true));
    has_heard || all.iter().all(|(_, told)| told.is_ok())
}

/// Says once more what goes on to those who forget what they do not hear again.
pub(crate) async fn repeat(project: &Project, happened: &Happened) {
    if !project.config.notify.on.contains(&happened.wanted_as()) {
        return;
    }
    if let Err(reason) = alertmanager::tell(project, happened).await {
        tracing::warn!(reason, "Alertmanager was not told");
    }
}
