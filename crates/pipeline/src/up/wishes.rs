//! What people ask on the service's page is done here: the gateway is paused, closed for maintenance, or opened again; a
//! release that is asked for is begun ([`Releasing`]).
//!
//! It is looked for by a task of its own, as a release or a training, which the alias waits for, is no reason to let
//! users run into a service that somebody wants closed now.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::time::timeout;
use trainyard_base::service::{
    GatewayMode, ReleaseWish, ServiceWish, WISH_GOOD_FOR_MS, cut, release_wish_tag, wish_tag,
};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::Tag;

use super::registry::Registry;
use super::releasing::Releasing;
use super::said::{Said, Told};
use crate::Project;
use crate::service::service;
use crate::service_record::{TakenWish, gateway_mode, run_id};

/// How often the registry is asked.
const LOOK: Duration = Duration::from_secs(5);
/// How long the registry may take, and the gateway.
const LIMIT: Duration = Duration::from_secs(10);

/// Characters of why something was not done, which is part of a record.
const ERROR_CHARACTERS: usize = 300;

/// Goes on until it is dropped.
pub(super) async fn run(
    mut projects: watch::Receiver<Arc<Project>>,
    registry: Arc<Registry>,
    told: Told,
    mut releasing: Releasing,
) {
    // The last one that was taken here, also where that cannot be written down.
    let mut taken = String::new();
    loop {
        let project = Arc::clone(&projects.borrow_and_update());
        // A registry that is away is told of by whoever follows the project.
        if let Ok(Some(asked)) = timeout(LIMIT, asked(&project, &registry)).await {
            if let Some(wish) = asked.mode(&project).filter(|wish| wish.id != taken) {
                taken.clone_from(&wish.id);
                Box::pin(take(&project, wish, &told)).await;
            }
            Box::pin(releasing.look(&project, &asked.tracking, asked.release())).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the model says of this service.
struct Asked {
    tracking: Tracking,
    run_id: String,
    tags: Vec<Tag>,
}

async fn asked(project: &Arc<Project>, registry: &Registry) -> Option<Asked> {
    // Without a record there is no page to ask on.
    let run_id = run_id(project).ok()??;
    let tracking = registry.of(project).await.ok()?.tracking;
    let model = tracking.registered_models.get(&project.config.model.name).await.ok()?;
    Some(Asked { tracking, run_id, tags: model.tags })
}

impl Asked {
    /// What is asked of the gateway and was not taken yet.
    fn mode(&self, project: &Project) -> Option<ServiceWish> {
        let wish = ServiceWish::read(Tag::find(&self.tags, &wish_tag(&self.run_id))?)?;
        // Where it is not known what was taken nothing is: what was asked long ago would be done again.
        let last = TakenWish::last(project).ok()?;
        last.is_none_or(|last| last.wish.id != wish.id).then_some(wish)
    }

    /// The release that is asked for, whether or not it was taken.
    fn release(&self) -> Option<ReleaseWish> {
        ReleaseWish::read(Tag::find(&self.tags, &release_wish_tag(&self.run_id))?)
    }
}

/// Does what is asked, and says what became of it.
async fn take(project: &Project, wish: ServiceWish, told: &Told) {
    let error = done(project, &wish).await.err().map(|error| cut(&error, ERROR_CHARACTERS));
    let model = &project.config.model.name;
    let what = match wish.mode {
        GatewayMode::Paused => "paused",
        GatewayMode::Maintenance => "closed for maintenance",
        GatewayMode::Open | GatewayMode::Unknown => "opened again",
    };
    let said = match &error {
        None => Said::note(model, format!("{what}, as was asked on the service's page")),
        Some(error) => {
            let text = format!("not {what}, which was asked on the service's page: {error}");
            Said::trouble(model, text)
        }
    };
    let taken = TakenWish { wish, error };
    if let Err(error) = taken.keep(project) {
        tracing::warn!(error = error.message(), "what was asked is not written down");
    }
    told(&said);
}

async fn done(project: &Project, wish: &ServiceWish) -> Result<(), String> {
    if wish.is_untimely(Utc::now().timestamp_millis()) {
        let minutes = WISH_GOOD_FOR_MS / 60_000;
        return Err(format!(
            "it was asked more than {minutes} minutes before or after it was heard of, by this host's clock; ask again"
        ));
    }
    let Some(mode) = gateway_mode(wish) else { return Err("nobody knows how".to_owned()) };
    let service = service(project);
    match timeout(LIMIT, trainyard_deploy::set_mode(&service, &mode)).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_elapsed) => Err(format!("the gateway did not answer within {} s", LIMIT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::registry::{Opened, opener};
    use super::*;

    #[tokio::test]
    async fn what_is_asked_is_taken_once_and_never_late() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[model]\nname = \"Churn\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        std::fs::write(folder.path().join(crate::FILE_NAME), text).unwrap();
        let project = Arc::new(Project::open(folder.path(), None).unwrap());
        let tracking = project.tracking().unwrap();
        let opened = Opened { tracking: tracking.clone(), tracking_url: None };
        let registry =
            Registry::new(opener(move |_project| std::future::ready(Ok(opened.clone()))));
        let models = &tracking.registered_models;
        models.create("Churn", &[], None).await.unwrap();
        let now = Utc::now().timestamp_millis();
        let ask = async |id: &str, at_ms| {
            let mode = GatewayMode::Paused;
            let wish = ServiceWish { id: id.to_owned(), mode, message: String::new(), at_ms };
            models.set_tag("Churn", Tag::new(wish_tag("r1"), wish.tag())).await.unwrap();
        };
        ask("a", now).await;
        assert!(asked(&project, &registry).await.is_none(), "nothing is recorded here");
        std::fs::create_dir_all(project.state_folder()).unwrap();
        std::fs::write(project.state_folder().join("service-run"), "r1").unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let told: Told = {
            let lines = Arc::clone(&lines);
            Arc::new(move |said: &Said| lines.lock().unwrap().push(said.clone()))
        };
        for (id, at_ms, why) in [
            ("a", now, "nothing is deployed"),
            ("b", now - 2 * WISH_GOOD_FOR_MS, "more than 10 minutes before or after"),
            ("c", now + 2 * WISH_GOOD_FOR_MS, "more than 10 minutes before or after"),
        ] {
            ask(id, at_ms).await;
            let wish = asked(&project, &registry).await.unwrap().mode(&project).unwrap();
            Box::pin(take(&project, wish, &told)).await;
            let last = TakenWish::last(&project).unwrap().unwrap();
            assert_eq!(last.wish.id, id);
            let said = lines.lock().unwrap().pop().unwrap();
            assert!(said.is_trouble && said.text.contains("not paused"), "{}", said.text);
            assert!(last.error.unwrap().contains(why), "{}: {}", id, said.text);
            let again = asked(&project, &registry).await.unwrap().mode(&project);
            assert_eq!(again, None, "it is taken once");
        }
    }
}
