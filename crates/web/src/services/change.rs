//! What forms of a service's page ask of its host: a tag of the model, set as the API sets it, by the rights of whoever
//! asks and written down alike. The host takes it within seconds.

use axum::extract::{Path, State};
use trainyard_base::service::{GatewayMode, ServiceWish, WISH_MESSAGE_CHARACTERS, wish_tag};
use trainyard_mlflow::Error as StoreError;
use trainyard_mlflow::entities::Tag;

use super::recorded::read_one;
use crate::error::Result;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;

/// A form of a service's page.
pub(crate) async fn change(
    State(web): State<Web>,
    Path(run_id): Path<String>,
    form: Posted,
) -> Result {
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
    let wish = ServiceWish {
        id: hex::encode(rand::random::<[u8; 8]>()),
        mode,
        message: message.to_owned(),
        at_ms: now,
    };
    let tag = Tag::new(wish_tag(&service.run_id), wish.tag());
    web.tracking.registered_models.set_tag(&service.model, tag).await?;
    Ok(done(&format!("{}#control", web.links.service(&service.run_id))))
}
