//! `users/*`: who there is, and their passwords.

use std::net::IpAddr;

use axum::extract::State;
use http::request::Parts;
use serde::Serialize;
use serde_json::json;
use trainyard_mlflow::{Error, ErrorCode, Result};

use super::asked::{Answer, Asked, Users, answer, done};
use crate::access::directory::Directory;
use crate::access::index::Index;
use crate::access::members::{Role, User};
use crate::access::rights::{Rights, denied};
use crate::access::rows::{RoleWithGrants, UserRow};
use crate::access::{password, users_sql};
use crate::server::verdict::{Verdict, address};

/// Refuses whoever is neither the user nor an administrator.
pub(super) fn self_or_admin(rights: &Rights<'_>, name: &str) -> bool {
    rights.is_admin || rights.user.row.username == name
}

/// Refuses what is not allowed.
pub(super) fn allow(is_allowed: bool) -> Result<()> {
    if is_allowed { Ok(()) } else { Err(denied()) }
}

/// Whether the sender is an administrator.
pub(super) fn is_admin(directory: &Directory) -> Result<bool> {
    directory.rights(|rights| rights.is_admin)
}

/// A user, or upstream's refusal.
pub(super) fn known<'a>(index: &'a Index, name: &str) -> Result<&'a User> {
    index.users.get(name).ok_or_else(|| users_sql::no_user(name))
}

pub(super) async fn create(State(users): State<Users>, asked: Asked) -> Answer {
    allow(users.directory.manages_some()?)?;
    let (name, secret) = (asked.text("username")?, asked.text("password")?);
    answer(&json!({ "user": make(&users, name, secret).await? }))
}

/// Makes a user with a password.
pub(super) async fn make(users: &Users, name: &str, secret: &str) -> Result<UserRow> {
    if name.is_empty() || secret.is_empty() {
        return Err(Error::invalid("Username and password cannot be empty."));
    }
    let (name, kept) = (name.to_owned(), password::hashed(secret.to_owned()).await?);
    users
        .directory
        .change(move |connection| users_sql::create_user(connection, &name, &kept, false))
        .await
}

pub(super) async fn by_name(State(users): State<Users>, asked: Asked) -> Answer {
    let name = asked.text("username")?;
    allow(users.directory.rights(|rights| self_or_admin(rights, name))?)?;
    let user = known(&users.directory.index(), name)?.row.clone();
    answer(&json!({ "user": user }))
}

pub(super) async fn current(State(users): State<Users>) -> Answer {
    let user = users.directory.rights(|rights| rights.user.row.clone())?;
    answer(&json!({ "user": user, "is_basic_auth": true }))
}

/// A user with those of their roles that the sender may see.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    user: UserRow,
    roles: Vec<RoleWithGrants>,
}

/// Those roles.
pub(super) fn visible_roles(rights: &Rights<'_>, user: &User) -> Vec<RoleWithGrants> {
    visible(rights, user, rights.index.assigned_to(user))
}

/// Those of some roles of a user that the sender may see.
pub(super) fn visible<'a>(
    rights: &Rights<'_>,
    user: &User,
    roles: impl Iterator<Item = &'a Role>,
) -> Vec<RoleWithGrants> {
    let sees_all = self_or_admin(rights, &user.row.username);
    let visible = roles.filter(|role| sees_all || rights.manages(&role.row.workspace));
    visible.map(Role::with_grants).collect()
}

pub(super) async fn list(State(users): State<Users>) -> Answer {
    let listed = users.directory.rights(|rights| {
        let mut users: Vec<&User> = rights.index.users.values().collect();
        users.sort_by_key(|user| user.row.id);
        let listed = users
            .into_iter()
            .map(|user| Listed { user: user.row.clone(), roles: visible_roles(rights, user) });
        listed.collect::<Vec<_>>()
    })?;
    answer(&json!({ "users": listed }))
}

pub(super) async fn update_password(
    State(users): State<Users>,
    parts: Parts,
    asked: Asked,
) -> Answer {
    Box::pin(replace_password(&users, address(&parts), &asked)).await
}

/// Replaces a password for somebody who asks from an address.
pub(super) async fn replace_password(users: &Users, from: IpAddr, asked: &Asked) -> Answer {
    let (name, secret) = (asked.text("username")?, asked.text("password")?);
    let (is_allowed, is_self) = users
        .directory
        .rights(|rights| (self_or_admin(rights, name), rights.user.row.username == name))?;
    allow(is_allowed)?;
    if is_self {
        // Whoever finds a session open must not be able to keep its owner out.
        let current = asked.optional_text("current_password", "current_password")?;
        let Some(current) = current.filter(|current| !current.is_empty()) else {
            let message = "Current password is required when changing your own password.";
            return Err(Error::invalid(message).into());
        };
        match users.sign_in.password(name.to_owned(), current.to_owned(), from).await {
            Verdict::Right(_) => {}
            Verdict::Wrong | Verdict::Refused(_) => {
                return Err(Error::invalid("Current password does not match.").into());
            }
            Verdict::Wait(_) | Verdict::Busy | Verdict::Unavailable(_) => {
                let message = "too many passwords are being checked; try again";
                return Err(Error::api(ErrorCode::TemporarilyUnavailable, message).into());
            }
        }
        if current == secret {
            let message = "New password must differ from the current password.";
            return Err(Error::invalid(message).into());
        }
    }
    let (name, kept) = (name.to_owned(), password::hashed(secret.to_owned()).await?);
    users
        .directory
        .change(move |connection| users_sql::set_password(connection, &name, &kept))
        .await?;
    done()
}

pub(super) async fn update_admin(State(users): State<Users>, asked: Asked) -> Answer {
    allow(is_admin(&users.directory)?)?;
    let (name, is_admin) = (asked.text("username")?.to_owned(), asked.flag("is_admin")?);
    users
        .directory
        .change(move |connection| users_sql::set_admin(connection, &name, is_admin))
        .await?;
    done()
}

pub(super) async fn delete(State(users): State<Users>, asked: Asked) -> Answer {
    allow(is_admin(&users.directory)?)?;
    let name = asked.text("username")?;
    if users.directory.rights(|rights| rights.user.row.username == name)? {
        let message = "Users cannot delete their own account. Ask another admin to delete this user \
                       instead.";
        return Err(Error::api(ErrorCode::BadRequest, message).into());
    }
    let name = name.to_owned();
    users.directory.change(move |connection| users_sql::delete_user(connection, &name)).await?;
    done()
}
