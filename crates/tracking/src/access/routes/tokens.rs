//! `trainyard/tokens/*` and `service-accounts/*`: what programs sign in with.

use axum::extract::State;
use serde_json::json;

use super::asked::{Answer, Asked, Users, answer, done};
use super::users::{allow, self_or_admin};
use crate::access::rights::{Rights, denied};
use crate::access::rows::TokenRow;
use crate::access::scope::ADMIN;
use crate::access::{token, users_sql};
use crate::server::actor::{ActorKind, current};

/// Whether the sender may make and remove tokens of somebody: their own with their password, and of everybody
/// as an administrator. A token makes no other tokens, or it would outlive its end.
pub(super) fn may_manage(rights: &Rights<'_>, owner: &str) -> bool {
    let has_password = current().is_some_and(|actor| actor.kind == ActorKind::User);
    rights.is_admin || (has_password && self_or_admin(rights, owner))
}

pub(super) async fn create(State(users): State<Users>, asked: Asked) -> Answer {
    let name = asked.filled("name", "Token name")?;
    let sender = users.directory.rights(|rights| rights.user.row.username.clone())?;
    let owner = asked.optional_text("username", "username")?.unwrap_or(&sender);
    let scope = asked.optional_text("scope", "scope")?.unwrap_or("EDIT");
    let look =
        |rights: &Rights<'_>| may_manage(rights, owner) && (scope != ADMIN || rights.is_admin);
    allow(users.directory.rights(look)?)?;
    let (secret, row) = token::new(name, owner, scope, asked.optional_int("expires_in_days")?)?;
    let made = users.directory.change(move |connection| users_sql::create_token(connection, &row));
    answer(&json!({ "token": made.await?, "secret": secret }))
}

pub(super) async fn list(State(users): State<Users>) -> Answer {
    let tokens = users.directory.rights(|rights| {
        let mut tokens: Vec<TokenRow> = rights
            .index
            .tokens()
            .filter(|token| self_or_admin(rights, &token.username))
            .cloned()
            .collect();
        tokens.sort_by(|one, other| one.name.cmp(&other.name));
        tokens
    })?;
    answer(&json!({ "tokens": tokens }))
}

pub(super) async fn delete(State(users): State<Users>, asked: Asked) -> Answer {
    let name = asked.text("name")?.to_owned();
    let may = users.directory.rights(|rights| match rights.index.token_of_name(&name) {
        Some(token) => may_manage(rights, &token.username),
        None => rights.is_admin,
    })?;
    if !may {
        return Err(denied().into());
    }
    users.directory.change(move |connection| users_sql::delete_token(connection, &name)).await?;
    done()
}

pub(super) async fn create_account(State(users): State<Users>, asked: Asked) -> Answer {
    allow(users.directory.manages_some()?)?;
    let name = asked.text("username")?.to_owned();
    let made = users
        .directory
        .change(move |connection| users_sql::create_service_account(connection, &name));
    answer(&json!({ "user": made.await? }))
}
