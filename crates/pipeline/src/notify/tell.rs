//! Tells those whom a project names. Nobody who does not listen fails the pipeline: what cannot be delivered is logged.

use futures::future::join_all;

use super::happened::Happened;
use super::receiver::Receiver;
use super::{alertmanager, email, slack, webhook};
use crate::Project;

/// Tells these, all at once; returns those who need not be told again: who heard it, and all where nobody wants to.
pub(crate) async fn tell(project: &Project, happened: &Happened, to: &[Receiver]) -> Vec<Receiver> {
    if !project.config.notify.on.contains(&happened.wanted_as()) {
        return to.to_vec();
    }
    let addresses: Vec<&str> = to
        .iter()
        .filter_map(|receiver| match receiver {
            Receiver::Email(address) => Some(address.as_str()),
            _ => None,
        })
        .collect();
    let others = to.iter().map(|receiver| tell_one(project, happened, receiver));
    let (told, mails) =
        tokio::join!(join_all(others), Box::pin(email::tell(project, happened, &addresses)));
    // Of one alone the address is said: it may be that.
    let is_away = mails.len() > 1 && mails.iter().all(Result::is_err);
    if let Some(Err(reason)) = mails.first().filter(|_| is_away) {
        tracing::warn!(reason, "the mail server was not told");
    }
    let mut mails = mails.into_iter();
    let told = told.into_iter().map(|told| (told.is_none(), told.or_else(|| mails.next())));
    let mut heard = Vec::with_capacity(to.len());
    for (receiver, (is_mail, told)) in to.iter().zip(told) {
        match told {
            Some(Ok(())) => heard.push(receiver.clone()),
            Some(Err(reason)) if is_mail && !is_away => {
                tracing::warn!(reason, "{receiver} got no mail");
            }
            Some(Err(reason)) if !is_mail => tracing::warn!(reason, "{receiver} was not told"),
            Some(Err(_)) | None => {}
        }
    }
    heard
}

/// Tells one; none of those who get mail, for whom one connection is enough.
async fn tell_one(
    project: &Project,
    happened: &Happened,
    receiver: &Receiver,
) -> Option<Result<(), String>> {
    let (config, model) = (&project.config.notify, project.config.model.name.as_str());
    Some(match receiver {
        Receiver::Webhook => webhook::tell(config, model, happened).await,
        Receiver::Slack => slack::tell(config, model, happened).await,
        Receiver::Alertmanager(url) => alertmanager::tell(project, happened, url).await,
        Receiver::Email(_) => return None,
    })
}

/// Says once more what goes on to those of these who forget what they do not hear again.
pub(crate) async fn repeat(project: &Project, happened: &Happened, to: &[Receiver]) {
    let forgetful: Vec<Receiver> =
        to.iter().filter(|receiver| receiver.is_forgetful()).cloned().collect();
    if !forgetful.is_empty() {
        let _who_heard = tell(project, happened, &forgetful).await;
    }
}
