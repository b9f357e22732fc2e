//! `webhooks`: there are none here. Listing says so, and creating one is refused: for mistakes in the
//! request in upstream's words, else in one sentence. Names are not looked up for it: the answer would tell
//! strangers which hosts there are in the server's network.

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use trainyard_mlflow::Error;
use url::Url;

use super::enums::EnumName;
use super::error::{ApiError, Result, empty};
use super::fields::Check::Required;
use super::message::message;
use super::request::Fields;
use super::state::Api;
use crate::error::invalid;

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/webhooks", get(list).post(create))
        .route("/webhooks/{webhook_id}", get(unknown).patch(unknown).delete(unknown))
        .route("/webhooks/{webhook_id}/test", axum::routing::post(unknown))
}

async fn list() -> Response {
    empty()
}

async fn unknown(Path(webhook_id): Path<String>) -> ApiError {
    Error::not_found(format!("Webhook with ID {webhook_id} not found.")).into()
}

message! { struct Event { entity: EnumName, action: EnumName } }

message! {
    struct Create {
        _name as name: String [Required],
        url: String [Required],
        events: Vec<Event>,
    }
}

/// Entities of webhooks and the actions on them that can be told.
const ACTIONS: &[(&str, &[&str])] = &[
    ("REGISTERED_MODEL", &["CREATED"]),
    ("MODEL_VERSION", &["CREATED"]),
    ("MODEL_VERSION_TAG", &["SET", "DELETED"]),
    ("MODEL_VERSION_ALIAS", &["CREATED", "DELETED"]),
];

async fn create(Fields(asked, ..): Fields<Create>) -> Result {
    for Event { entity: EnumName(entity), action: EnumName(action) } in asked.events {
        let Some((_, actions)) = ACTIONS.iter().find(|(known, _)| *known == entity) else {
            continue;
        };
        if !actions.contains(&action.as_str()) {
            let valid: Vec<String> =
                actions.iter().map(|action| format!("'{}'", action.to_lowercase())).collect();
            return invalid!(
                "Invalid action '{}' for entity '{}'. Valid actions are: [{}]",
                action.to_lowercase(),
                entity.to_lowercase(),
                valid.join(", ")
            );
        }
    }
    check_scheme(&asked.url)?;
    // The code is the one that upstream answers where it cannot resolve the host.
    invalid!("This server has no webhooks yet.")
}

fn check_scheme(text: &str) -> Result<(), Error> {
    let scheme = Url::parse(text).map(|url| url.scheme().to_owned()).unwrap_or_default();
    if scheme == "https" {
        return Ok(());
    }
    invalid!("Invalid webhook URL scheme: '{scheme}'. Allowed schemes are: https.")
}
