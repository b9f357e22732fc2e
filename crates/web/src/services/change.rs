//! What forms of pages ask of the host of a service: a tag of the model, set as the API sets it, by the rights of whoever
//! asks and written down alike. The host takes it within seconds.

use axum::extract::{Path, State};
use trainyard_base::service::{
    GatewayMode, RELEASE_REASON_CHARACTERS, ReleaseKind, ReleaseWish, ServiceWish,
    WISH_MESSAGE_CHARACTERS, release_wish_tag, wish_tag,
};
use trainyard_mlflow::Error as StoreError;
use trainyard_mlflow::entities::Tag;
use trainyard_mlflow::secrets::hide;

use super::recorded::{Service, read_one};
use super::sentence::why_not;
use crate::error::Result;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;

/// A form of a service's page.
pub(crate) async fn change(
    State(web): State<Web>,
    Path(run_id): Path<String>,
    form: Posted,
) -> Result {
    if release_kind(&form).is_some() {
        let service = read_one(&web, &run_id).await?;
        ask_release(&web, &service, &form).await?;
        return Ok(done(&format!("{}#release", web.links.service(&service.run_id))));
    }
    let mode = match form.action() {
        "pause" => GatewayMode::Paused,
        "maintenance" => GatewayMode::Maintenance,
        "open" => GatewayMode::Open,
        other => return Err(unknown(other)),
    };
    let message = form.text("message").trim();
    let characters = message.chars().count();
    if characters > WISH_MESSAGE_CHARACTERS {
        let told = format!(
            "what users read has {characters} characters; at most {WISH_MESSAGE_CHARACTERS} are shown to them"
        );
        return Err(StoreError::invalid(told).into());
    }
    let service = read_one(&web, &run_id).await?;
    let now = chrono::Utc::now().timestamp_millis();
    if !service.takes_wishes(now) {
        let told = "the host of this service does not listen now: it was not heard of lately, or `trainyard up` does not \
                    keep it up; the commands of `trainyard deploy` work there";
        return Err(StoreError::invalid(told).into());
    }
    let wish = ServiceWish { id: new_id(), mode, message: message.to_owned(), at_ms: now };
    let tag = Tag::new(wish_tag(&service.run_id), wish.tag());
    web.tracking.registered_models.set_tag(&service.model, tag).await?;
    Ok(done(&format!("{}#control", web.links.service(&service.run_id))))
}

/// The release that a form of whichever page asks for; none where it asks for something else.
fn release_kind(form: &Posted) -> Option<ReleaseKind> {
    match form.action() {
        "release" => Some(ReleaseKind::Release),
        "rollback" => Some(ReleaseKind::Rollback),
        "promote" => Some(ReleaseKind::Promote),
        _ => None,
    }
}

/// The same of a page of a model, whose service the form names; whether it is one.
pub(crate) async fn asked_of_model(web: &Web, model: &str, form: &Posted) -> Result<bool> {
    if release_kind(form).is_none() {
        return Ok(false);
    }
    let service = read_one(web, form.need("service")?).await?;
    if service.model != model {
        return Err(StoreError::invalid(format!("this is no service of {model}")).into());
    }
    ask_release(web, &service, form).await?;
    Ok(true)
}

/// Asks for a release. Who may have it the store says, which takes the tag.
async fn ask_release(web: &Web, service: &Service, form: &Posted) -> Result<()> {
    let what = release_kind(form).unwrap_or_default();
    let reason = hide(form.text("reason").trim()).into_owned();
    let characters = reason.chars().count();
    if characters > RELEASE_REASON_CHARACTERS {
        let told = format!(
            "the reason has {characters} characters; at most {RELEASE_REASON_CHARACTERS} are kept"
        );
        return Err(StoreError::invalid(told).into());
    }
    let now = chrono::Utc::now().timestamp_millis();
    if !service.takes_releases(now) {
        let told = format!(
            "the host of this service takes no releases from pages: {}",
            why_not(service, now)
        );
        return Err(StoreError::invalid(told).into());
    }
    if !service.is_free_for(what, now) {
        let told = "another one was asked for, and its host is not through with it; look at what becomes of it first";
        return Err(StoreError::invalid(told).into());
    }
    let wish = ReleaseWish {
        id: new_id(),
        what,
        version: form.need("version")?.to_owned(),
        beside: form.all("beside").into_iter().map(str::to_owned).collect(),
        reason,
        // The store knows.
        by: String::new(),
        at_ms: now,
    };
    if ReleaseWish::read(&wish.tag()).is_none() {
        let told = format!("{:?} is no version", wish.version);
        return Err(StoreError::invalid(told).into());
    }
    let tag = Tag::new(release_wish_tag(&service.run_id), wish.tag());
    Ok(web.tracking.registered_models.set_tag(&service.model, tag).await?)
}

fn new_id() -> String {
    hex::encode(rand::random::<[u8; 8]>())
}
